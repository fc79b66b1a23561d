//! Byte order, and constant bytes.

use whistler_lisp::Form;

use super::{FormDef, form};
use crate::check::{Call, Checker, Val, at};
use crate::diagnostics as diag;
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
    if call.form.origin.is_none() && c.in_host_order(&v.e) {
        let text = format!("this is in host order already, and `{}` swaps its bytes again", call.name);
        let d = diag::warning(&diag::SWAPPED_TWICE, &call.at(), text);
        let plain = &call.args[0];
        c.report(d.help(format!("write {plain}; if the swapped bytes are meant: (bswap {plain})")));
    }
    swapped(v, bytes, call)
}

/// The argument of a form that swaps bytes by the name of network order.
fn network_order(form: &Form) -> Option<&Form> {
    let [head, of] = form.as_list()? else { return None };
    let name = crate::names::norm(head.as_symbol()?);
    matches!(name.name(), "htons" | "htonl" | "htonll" | "ntohs" | "ntohl" | "ntohll").then_some(of)
}

/// Warns of a comparison of a number in host order with one whose bytes are swapped.
pub(super) fn compared_orders(c: &mut Checker<'_>, call: &Call<'_>, forms: [&Form; 2], values: [&Val; 2]) {
    if call.form.origin.is_some() {
        return;
    }
    for (form, other) in [(forms[0], values[1]), (forms[1], values[0])] {
        let Some(of) = network_order(form).filter(|_| c.in_host_order(&other.e)) else { continue };
        // Both in network order are equal where both are in the host's.
        let d = diag::warning(&diag::SWAPPED_TWICE, &at(form), "this is compared with a number in host order");
        c.report(d.also(other.at().span, "bytes in host order").help(format!("write {of}")));
    }
}

impl Checker<'_> {
    /// Whether a number was read from network order by a field that says so: its bytes are in the host's.
    pub(crate) fn in_host_order(&self, e: &Expr) -> bool {
        match &e.kind {
            // A swap that is written stands around what it swaps.
            ExprKind::Bswap(_, read) => {
                matches!(read.kind, ExprKind::Load { .. } | ExprKind::CoreLoad { .. }) && read.at.span == e.at.span
            }
            ExprKind::Cast(inner) => self.in_host_order(inner),
            ExprKind::Seq(parts) => parts.last().is_some_and(|e| self.in_host_order(e)),
            ExprKind::Local(l) => self.f.vars[l.0 as usize].host_order,
            _ => false,
        }
    }
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
