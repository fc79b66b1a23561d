//! Bit-fields of kernel structs, and numbers that are read by probes. Where one lies, how many bytes must be read for it and how far to shift them are all
//! asked of the running kernel: it may have another width there, another place, or be no bit-field at all.

use whistler_btf::{CoreKind, TypeId};

use super::chain::record;
use crate::check::{Checker, Val};
use crate::hir::{At, BinOp, CmpOp, Expr, ExprKind, IntTy, LocalKind, Space, Ty};
use crate::kernel::{self, FieldInfo};

/// How the kernel that we compile with holds a bit-field: the load that covers it, and the shifts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Local {
    byte_offset: u32,
    bytes: u32,
    left: u32,
    right: u32,
}

/// The least load, of the declared type's size or larger, that covers the bits (the rule of libbpf's
/// `bpf_core_calc_field_relo`); `None` when 8 bytes do not.
fn cover(bit_offset: u32, bits: u32, declared: u32) -> Option<Local> {
    let mut bytes = declared.max(1);
    loop {
        let byte_offset = bit_offset / 8 / bytes * bytes;
        let end = bit_offset + bits - byte_offset * 8;
        if end <= bytes * 8 {
            return Some(Local { byte_offset, bytes, left: 64 - end, right: 64 - bits });
        }
        if bytes >= 8 {
            return None;
        }
        bytes *= 2;
    }
}

/// The value of the bit-field at the end of a path: `i64` where it is signed, else `u64`.
pub(super) fn read(c: &mut Checker<'_>, p: Val, space: Space, root: TypeId, path: &[FieldInfo], here: At) -> Val {
    let types = c.types.clone();
    let (Some(btf), Some(last)) = (types.btf(), path.last()) else { return Val::error(here) };
    let bit_offset = path.iter().map(|f| f.bit_offset).sum();
    let signed = btf.is_signed(last.ty).ok().flatten().unwrap_or(false);
    let Some(local) = cover(bit_offset, u32::from(last.bits), kernel::size_of(btf, last.ty).min(8)) else {
        let text = format!("no load of 8 bytes covers the bit-field `{}`", last.name);
        return c.fail(crate::diagnostics::error(&crate::diagnostics::ARGUMENT_TYPE, &here, text));
    };
    let mut ask = |kind, local: u32| {
        let core = record(c, root, path, kind)?;
        Some(Expr::new(ExprKind::CoreValue { core, local: local.into() }, Ty::U64, here.clone()))
    };
    let asked = (
        ask(CoreKind::FieldByteOffset, local.byte_offset),
        ask(CoreKind::FieldByteSize, local.bytes),
        ask(CoreKind::FieldLShiftU64, local.left),
        ask(CoreKind::FieldRShiftU64, local.right),
        ask(CoreKind::FieldSigned, signed.into()),
    );
    let (Some(offset), Some(size), Some(left), Some(right), Some(is_signed)) = asked else { return Val::error(here) };
    let Some((before, word)) = (match space {
        Space::Trusted => Some(direct(c, p.e, offset, &size, &here)),
        _ => probed(c, p, space, offset, size, &here),
    }) else {
        return Val::error(here);
    };
    let expr = |kind, ty| Expr::new(kind, ty, here.clone());
    let ty = if signed { Ty::I64 } else { Ty::U64 };
    let top = c.temp(Ty::U64, LocalKind::Value);
    let shifted = expr(ExprKind::Bin(BinOp::Shl, Box::new(word), Box::new(left)), Ty::U64);
    let set = expr(ExprKind::Set(top, Box::new(shifted)), Ty::U64);
    let down = |op| {
        let operand = expr(ExprKind::Local(top), Ty::U64);
        expr(ExprKind::Bin(op, Box::new(operand), Box::new(right.clone())), ty.clone())
    };
    let value = ExprKind::If(Box::new(is_signed), Box::new(down(BinOp::ShrS)), Box::new(down(BinOp::ShrU)));
    let value = Val::new(value, ty, here.clone());
    c.seq(before.into_iter().chain([set]).collect(), value)
}

/// A number at the end of a path, read by a probe: as many bytes as the running kernel's field has, extended by its size
/// there, so that a field that is wider or narrower than ours still gives its value.
pub(super) fn read_far(
    c: &mut Checker<'_>,
    p: Val,
    space: Space,
    (root, path): (TypeId, &[FieldInfo]),
    int: IntTy,
    here: At,
) -> Val {
    let bytes = u32::from(int.size);
    let local_offset = path.iter().map(|f| f.bit_offset).sum::<u32>() / 8;
    let mut ask = |kind, local: u32| {
        let core = record(c, root, path, kind)?;
        Some(Expr::new(ExprKind::CoreValue { core, local: local.into() }, Ty::U64, here.clone()))
    };
    let shift = 64 - 8 * bytes;
    let shifts = match int.signed {
        true => Some((ask(CoreKind::FieldLShiftU64, shift), ask(CoreKind::FieldRShiftU64, shift))),
        false => None,
    };
    let asked = (ask(CoreKind::FieldByteOffset, local_offset), ask(CoreKind::FieldByteSize, bytes));
    let (Some(offset), Some(size)) = asked else { return Val::error(here) };
    let Some((before, word)) = probed(c, p, space, offset, size, &here) else { return Val::error(here) };
    let expr = |kind, ty| Expr::new(kind, ty, here.clone());
    let value = match shifts {
        Some((Some(left), Some(right))) => {
            let high = expr(ExprKind::Bin(BinOp::Shl, Box::new(word), Box::new(left)), Ty::U64);
            expr(ExprKind::Bin(BinOp::ShrS, Box::new(high), Box::new(right)), Ty::I64)
        }
        Some(_) => return Val::error(here),
        None => word,
    };
    let value = Val::new(ExprKind::Cast(Box::new(value)), Ty::Int(int), here.clone());
    c.seq(before, value)
}

/// Loads as many bytes as the running kernel says; the loads of other sizes are dead code for the verifier.
fn direct(c: &mut Checker<'_>, p: Expr, offset: Expr, size: &Expr, here: &At) -> (Vec<Expr>, Expr) {
    let ty = p.ty.clone();
    let field = c.temp(ty.clone(), LocalKind::Value);
    let sum = Expr::new(ExprKind::Bin(BinOp::Add, Box::new(p), Box::new(offset)), ty.clone(), here.clone());
    let set = Expr::new(ExprKind::Set(field, Box::new(sum)), ty.clone(), here.clone());
    let at = Expr::new(ExprKind::Local(field), ty, here.clone());
    let load = |size: u8| {
        let ty = Ty::Int(IntTy { size, signed: false });
        let load = Expr::new(ExprKind::Load { ptr: Box::new(at.clone()), off: 0 }, ty, here.clone());
        Expr::new(ExprKind::Cast(Box::new(load)), Ty::U64, here.clone())
    };
    let word = [4, 2, 1].into_iter().fold(load(8), |larger, bytes| {
        let n = Expr::new(ExprKind::Const(bytes.into()), Ty::U64, here.clone());
        let is = Expr::new(ExprKind::Cmp(CmpOp::Eq, Box::new(size.clone()), Box::new(n)), Ty::U64, here.clone());
        Expr::new(ExprKind::If(Box::new(is), Box::new(load(bytes)), Box::new(larger)), Ty::U64, here.clone())
    });
    (vec![set], word)
}

/// Reads them by a probe into a word that was 0 (all kernels we know of are little-endian).
fn probed(c: &mut Checker<'_>, p: Val, space: Space, offset: Expr, size: Expr, here: &At) -> Option<(Vec<Expr>, Expr)> {
    let helper = if space == Space::User { "probe_read_user" } else { "probe_read_kernel" };
    let word = c.temp(Ty::U64, LocalKind::Memory);
    let zero = Expr::new(ExprKind::Const(0), Ty::U64, here.clone());
    let clear = Expr::new(ExprKind::Set(word, Box::new(zero)), Ty::U64, here.clone());
    let dst = Expr::new(ExprKind::AddrOf(word), Ty::ptr(Space::Stack, Some(Ty::U64)), here.clone());
    let base = Expr::new(ExprKind::Cast(Box::new(p.e)), Ty::U64, here.clone());
    let from = Expr::new(ExprKind::Bin(BinOp::Add, Box::new(base), Box::new(offset)), Ty::U64, here.clone());
    let read = super::calls::call_helper(c, helper, vec![dst, size, from], Ty::I64, here.clone())?;
    Some((vec![clear, read], Expr::new(ExprKind::Local(word), Ty::U64, here.clone())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_aligned_load_that_covers() {
        let local = |byte_offset, bytes, left, right| Some(Local { byte_offset, bytes, left, right });
        // unsigned a:3 at bit 0 of a u32.
        assert_eq!(cover(0, 3, 4), local(0, 4, 61, 61));
        assert_eq!(cover(37, 5, 4), local(4, 4, 64 - 10, 59));
        // u8 bits that cross into the next byte take the wider load.
        assert_eq!(cover(6, 4, 1), local(0, 2, 54, 60));
        assert_eq!(cover(60, 10, 8), None);
    }
}
