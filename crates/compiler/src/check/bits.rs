//! Bit-fields. Invariant: a write reaches into no byte that holds no bit of the field, and a read
//! stays in the struct.

use super::exprs::bin;
use super::place::MemPlace;
use super::{Checker, Val};
use crate::hir::{At, BinOp, BitPlace, Expr, ExprKind, IntTy, Ty};

fn unsigned(bytes: u8) -> Ty {
    Ty::Int(IntTy { size: bytes, signed: false })
}

/// `x` moved up by `n` bits, or down when `n` is negative.
fn shifted(x: Expr, n: i32, here: &At) -> Expr {
    match n {
        0 => x,
        1.. => bin(BinOp::Shl, x, n.into(), here),
        _ => bin(BinOp::ShrU, x, i64::from(-n), here),
    }
}

/// The low `width` bits of `x` as a number of the field's type.
fn as_field(x: Expr, ty: &Ty, bits: BitPlace, here: &At) -> Val {
    let width = i64::from(bits.width);
    if !ty.as_int().is_some_and(|i| i.signed) {
        let low = if width >= 64 { x } else { bin(BinOp::And, x, bits.mask() as i64, here) };
        let mut v = Val::of(low).within(0, i128::from(bits.mask()));
        // It mixes with others as a number of the field's type does.
        if matches!(ty, Ty::Enum(_) | Ty::Int(_)) && ty.size() < 8 {
            v.e = Expr::new(ExprKind::Cast(Box::new(v.e)), ty.clone(), here.clone());
        }
        return v;
    }
    let up = if width >= 64 { x } else { bin(BinOp::Shl, x, 64 - width, here) };
    let count = Expr::new(ExprKind::Const(64 - width), Ty::U64, here.clone());
    let down = Expr::new(ExprKind::Bin(BinOp::ShrS, Box::new(up), Box::new(count)), Ty::I64, here.clone());
    Val::of(down).within(-(1i128 << (width - 1)), (1i128 << (width - 1)) - 1)
}

/// Bytes of a word in network order that a bit-field is part of: its bits are counted in the word as it is read, so the
/// word is accessed as a whole.
fn word_in_network_order(m: &MemPlace) -> Option<u8> {
    let size = m.ty.size() as u8;
    (m.big_endian && size > 1).then_some(size)
}

/// A word in network order, read.
fn load_word(ptr: Expr, off: i32, size: u8, here: &At) -> Expr {
    let load = Expr::new(ExprKind::Load { ptr: Box::new(ptr), off }, unsigned(size), here.clone());
    Expr::new(ExprKind::Bswap(size, Box::new(load)), unsigned(size), here.clone())
}

/// Reads a bit-field.
pub(super) fn read(c: &mut Checker<'_>, m: MemPlace, bits: BitPlace, here: At) -> Val {
    if let Some(size) = word_in_network_order(&m) {
        let word = load_word(m.ptr, m.off, size, &here);
        let v = as_field(shifted(word, -i32::from(bits.pos), &here), &m.ty, bits, &here);
        return c.seq(m.before, v);
    }
    let mut parts = m.before;
    let load = |ptr: &Expr, off: i32, size: u8| {
        Expr::new(ExprKind::Load { ptr: Box::new(ptr.clone()), off }, unsigned(size), here.clone())
    };
    let raw = if bits.unit > 0 {
        let word = load(&m.ptr, m.off - i32::from(bits.back), bits.unit);
        shifted(word, -(i32::from(bits.pos) + 8 * i32::from(bits.back)), &here)
    } else {
        let (setup, ptr) = c.once(Val::of(m.ptr));
        parts.extend(setup);
        let pieces = bits.pieces().map(|(at, size)| {
            let piece = load(&ptr.e, m.off + i32::from(at), size);
            shifted(piece, 8 * i32::from(at) - i32::from(bits.pos), &here)
        });
        let or =
            |a: Expr, b: Expr| Expr::new(ExprKind::Bin(BinOp::Or, Box::new(a), Box::new(b)), Ty::U64, here.clone());
        match pieces.reduce(or) {
            Some(e) => e,
            None => return Val::error(here),
        }
    };
    let v = as_field(raw, &m.ty, bits, &here);
    c.seq(parts, v)
}

/// Writes a bit-field; its neighbours in the same bytes keep what they hold.
pub(super) fn write(c: &mut Checker<'_>, m: MemPlace, v: Val, bits: BitPlace, here: At) -> Val {
    let word = word_in_network_order(&m);
    let mut parts = m.before;
    let (setup, ptr) = c.once(Val::of(m.ptr));
    parts.extend(setup);
    let number = Expr { ty: Ty::U64, ..Expr::new(ExprKind::Cast(Box::new(v.e)), Ty::U64, here.clone()) };
    let low = if bits.width >= 64 { number } else { bin(BinOp::And, number, bits.mask() as i64, &here) };
    let (setup, low) = c.once(Val::of(low));
    parts.extend(setup);
    if let Some(size) = word {
        let old = load_word(ptr.e.clone(), m.off, size, &here);
        let kept = bin(BinOp::And, old, !(bits.mask() << bits.pos) as i64, &here);
        let placed = shifted(low.e.clone(), bits.pos.into(), &here);
        let both = Expr::new(ExprKind::Bin(BinOp::Or, Box::new(kept), Box::new(placed)), Ty::U64, here.clone());
        let value = Expr::new(ExprKind::Bswap(size, Box::new(both)), unsigned(size), here.clone());
        let store = ExprKind::Store { mem: unsigned(size), ptr: Box::new(ptr.e), off: m.off, value: Box::new(value) };
        parts.push(Expr::new(store, unsigned(size), here.clone()));
        let held = as_field(low.e, &m.ty, bits, &here);
        return c.seq(parts, held);
    }
    for (at, size) in bits.pieces() {
        let ones = if size == 8 { u64::MAX } else { (1 << (8 * size)) - 1 };
        let taken = ((u128::from(bits.mask()) << bits.pos) >> (8 * at)) as u64 & ones;
        let off = m.off + i32::from(at);
        let mut value = shifted(low.e.clone(), i32::from(bits.pos) - 8 * i32::from(at), &here);
        if taken != ones {
            let old = ExprKind::Load { ptr: Box::new(ptr.e.clone()), off };
            let old = Expr::new(old, unsigned(size), here.clone());
            let kept = bin(BinOp::And, old, (ones & !taken) as i64, &here);
            value = Expr::new(ExprKind::Bin(BinOp::Or, Box::new(kept), Box::new(value)), Ty::U64, here.clone());
        }
        let store = ExprKind::Store { mem: unsigned(size), ptr: Box::new(ptr.e.clone()), off, value: Box::new(value) };
        parts.push(Expr::new(store, unsigned(size), here.clone()));
    }
    let held = as_field(low.e, &m.ty, bits, &here);
    c.seq(parts, held)
}
