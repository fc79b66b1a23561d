//! Byte order, and constant bytes.

use whistler_lisp::Form;

use super::{FormDef, form};
use crate::check::{Call, Checker, Val, at};
use crate::hir::{Expr, ExprKind, IntTy, Space, Ty};

pub(super) static FORMS: &[FormDef] = &[
    form("ntohs", (1, 1), |c, k| swap(c, k, 2), "(ntohs x)", "Two bytes from network order."),
    form("htons", (1, 1), |c, k| swap(c, k, 2), "(htons x)", "Two bytes to network order."),
    form("ntohl", (1, 1), |c, k| swap(c, k, 4), "(ntohl x)", "Four bytes from network order."),
    form("htonl", (1, 1), |c, k| swap(c, k, 4), "(htonl x)", "Four bytes to network order."),
    form("ntohll", (1, 1), |c, k| swap(c, k, 8), "(ntohll x)", "Eight bytes from network order."),
    form("htonll", (1, 1), |c, k| swap(c, k, 8), "(htonll x)", "Eight bytes to network order."),
    form("bswap", (1, 1), bswap, "(bswap x)", "The bytes of x reversed, as many as its type has."),
];

fn swap(c: &mut Checker<'_>, call: &Call<'_>, bytes: u8) -> Val {
    let v = c.value(&call.args[0]);
    let v = c.number(v, call.name.name());
    swapped(v, bytes, call)
}

fn swapped(v: Val, bytes: u8, call: &Call<'_>) -> Val {
    if v.never() {
        return v;
    }
    if let Some(n) = v.as_lit() {
        let n = match bytes {
            2 => u64::from((n as u16).swap_bytes()),
            4 => u64::from((n as u32).swap_bytes()),
            _ => (n as u64).swap_bytes(),
        };
        return Val::literal(i128::from(n), call.at());
    }
    let ty = Ty::Int(IntTy { size: bytes, signed: false });
    Val::new(ExprKind::Bswap(bytes, Box::new(v.e)), ty, call.at())
}

fn bswap(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let v = c.value(&call.args[0]);
    let v = c.number(v, "bswap");
    let bytes = match v.int() {
        Some(i) if !v.lit => i.size,
        _ => 8,
    };
    if bytes == 1 { v } else { swapped(v, bytes, call) }
}

/// A string literal: constant bytes, ending in 0.
pub(crate) fn string(s: &str, form: &Form) -> Val {
    let mut bytes = s.as_bytes().to_vec();
    bytes.push(0);
    Val::of(Expr::new(ExprKind::Bytes(bytes.into()), Ty::ptr(Space::Rodata, Some(Ty::Int(IntTy::U8))), at(form)))
}
