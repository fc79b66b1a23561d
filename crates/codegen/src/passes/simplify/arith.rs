//! Arithmetic.

use super::super::bits::Known;
use super::super::fold;
use super::{Out, Simplify};
use crate::ir::{BinOp, Op, Size, UnOp, Value, Width};

/// The size whose low bits that mask keeps.
fn mask_size(mask: i64) -> Option<Size> {
    match mask {
        0xff => Some(Size::B1),
        0xffff => Some(Size::B2),
        0xffff_ffff => Some(Size::B4),
        _ => None,
    }
}

pub(super) fn commutes(op: BinOp) -> bool {
    matches!(op, BinOp::Add | BinOp::Mul | BinOp::And | BinOp::Or | BinOp::Xor)
}

impl Simplify<'_> {
    pub(super) fn bin(&mut self, op: BinOp, w: Width, a: Value, b: Value, r: Value) -> Option<Out> {
        match (self.num(a), self.num(b)) {
            (Some(x), Some(y)) => return Out::number(fold::bin(op, w, x, y)),
            (Some(_), None) if commutes(op) => return Some(Out::Op(Op::Bin(op, w, b, a))),
            _ => {}
        }
        if a == b {
            match op {
                BinOp::Sub | BinOp::Xor => return Out::number(0),
                BinOp::And | BinOp::Or => return self.same(w, a),
                _ => {}
            }
        }
        // Numbers as this width sees them.
        let see = |n: i64| if w == Width::W32 { i64::from(n as i32) } else { n };
        let Some(n) = self.num(b).map(see) else { return self.by_value(op, w, a, b) };
        let bits = if w == Width::W32 { 32 } else { 64 };
        let power = (n as u64 & (u64::MAX >> (64 - bits))).is_power_of_two().then(|| i64::from(n.trailing_zeros()));
        let known_a = if w == Width::W32 { self.low(a) } else { self.known(a) };
        let positive = known_a.zero >> (bits - 1) & 1 == 1;
        match (op, n) {
            (BinOp::Add | BinOp::Sub | BinOp::Or | BinOp::Xor, 0) => self.same(w, a),
            (BinOp::Sub, _) => self.with(BinOp::Add, w, a, see(n.wrapping_neg())),
            (BinOp::Mul | BinOp::And, 0) | (BinOp::UDiv | BinOp::SDiv, 0) => Out::number(0),
            (BinOp::UMod | BinOp::SMod, 0) => self.same(w, a),
            (BinOp::Mul | BinOp::UDiv | BinOp::SDiv, 1) | (BinOp::And, -1) => self.same(w, a),
            (BinOp::UMod | BinOp::SMod, 1) | (BinOp::SMod, -1) => Out::number(0),
            (BinOp::Or, -1) => Out::number(if w == Width::W32 { 0xffff_ffff } else { -1 }),
            (BinOp::Mul, -1) | (BinOp::SDiv, -1) if w == Width::W64 => Some(Out::Op(Op::Un(UnOp::Neg, a))),
            (BinOp::Shl | BinOp::LShr | BinOp::AShr, n) => self.shift(op, w, a, n & (bits - 1), (n, r)),
            (BinOp::Mul, _) => match power {
                Some(k) => self.with(BinOp::Shl, w, a, k),
                None => self.nested(op, w, a, n, r),
            },
            (BinOp::SDiv, n) if n > 0 && positive => self.with(BinOp::UDiv, w, a, n),
            (BinOp::SMod, n) if n > 0 && positive => self.with(BinOp::UMod, w, a, n),
            (BinOp::UDiv, _) => match power {
                Some(k) => self.with(BinOp::LShr, w, a, k),
                None => None,
            },
            (BinOp::UMod, _) => match power {
                Some(k) => self.with(BinOp::And, w, a, ((1u64 << k) - 1) as i64),
                None => None,
            },
            (BinOp::And, _) => {
                let n = if w == Width::W32 { i64::from(n as u32) } else { n };
                if !known_a.zero & !n as u64 == 0 {
                    return self.same(w, a);
                }
                if w == Width::W64 && self.only_for_verifier(a, n as u64) {
                    return None;
                }
                match mask_size(n) {
                    Some(s) => Some(Out::Op(Op::Un(UnOp::Zext(s), a))),
                    None => self.nested(op, w, a, n, r),
                }
            }
            (BinOp::Add | BinOp::Or | BinOp::Xor, _) => self.nested(op, w, a, n, r),
            (BinOp::SDiv | BinOp::SMod, _) => None,
        }
    }

    fn low(&self, a: Value) -> Known {
        let k = self.known(a);
        Known { zero: k.zero | !0xffff_ffff, one: k.one & 0xffff_ffff, signs: 1 }
    }

    /// Neither operand is a number.
    fn by_value(&mut self, op: BinOp, w: Width, a: Value, b: Value) -> Option<Out> {
        if let Some(n) = self.num(a) {
            let n = if w == Width::W32 { i64::from(n as i32) } else { n };
            return match (op, n) {
                (BinOp::Sub, 0) if w == Width::W64 => Some(Out::Op(Op::Un(UnOp::Neg, b))),
                (BinOp::Shl | BinOp::LShr | BinOp::AShr | BinOp::UDiv | BinOp::SDiv | BinOp::UMod | BinOp::SMod, 0) => {
                    Out::number(0)
                }
                (BinOp::AShr, -1) => Out::number(if w == Width::W32 { 0xffff_ffff } else { -1 }),
                _ => None,
            };
        }
        // a + (−b), a − (−b).
        if w == Width::W64
            && let Some(Op::Un(UnOp::Neg, n)) = self.f.def_op(b)
            && self.uses.get(b.index()) == Some(&1)
        {
            match op {
                BinOp::Add => return Some(Out::Op(Op::Bin(BinOp::Sub, w, a, *n))),
                BinOp::Sub => return Some(Out::Op(Op::Bin(BinOp::Add, w, a, *n))),
                _ => {}
            }
        }
        None
    }

    /// `(x op m) op n` as `x op (m op n)`.
    fn nested(&mut self, op: BinOp, w: Width, a: Value, n: i64, r: Value) -> Option<Out> {
        match self.through(a, r)? {
            Op::Bin(inner, iw, x, m) if inner == op && iw == w => {
                let m = self.num(m)?;
                self.with(op, w, x, fold::bin(op, w, m, n))
            }
            Op::Un(UnOp::Zext(s), x) if op == BinOp::And => self.with(op, w, x, n & fold::mask(s) as i64),
            _ => None,
        }
    }

    /// A shift by a number; `raw` is how it was written.
    fn shift(&mut self, op: BinOp, w: Width, a: Value, n: i64, (raw, r): (i64, Value)) -> Option<Out> {
        if n == 0 {
            return self.same(w, a);
        }
        if n != raw {
            return self.with(op, w, a, n);
        }
        // Up and down again: an extension.
        let Op::Bin(inner, iw, x, m) = self.through(a, r)? else { return None };
        let m = self.num(m)?;
        if w == Width::W64 && iw == w && inner == BinOp::Shl && op != BinOp::Shl && m == n {
            let size = Size::from_bytes((64 - n as u32) / 8).filter(|s| i64::from(64 - s.bits()) == n)?;
            return Some(Out::Op(Op::Un(if op == BinOp::LShr { UnOp::Zext(size) } else { UnOp::Sext(size) }, x)));
        }
        let bits = if w == Width::W32 { 32 } else { 64 };
        if inner == op && iw == w && (0..bits).contains(&m) {
            return match (m + n < bits, op) {
                (true, _) => self.with(op, w, x, m + n),
                (false, BinOp::AShr) => self.with(op, w, x, bits - 1),
                (false, _) => Out::number(0),
            };
        }
        None
    }

    pub(super) fn un(&mut self, un: UnOp, a: Value, r: Value) -> Option<Out> {
        if let Some(n) = self.num(a) {
            return Out::number(fold::un(un, n));
        }
        let known = self.known(a);
        match un {
            UnOp::Zext(Size::B8) | UnOp::Sext(Size::B8) => return Some(Out::Value(a)),
            UnOp::Zext(s) if known.width() <= s.bits() => return Some(Out::Value(a)),
            UnOp::Sext(s) if known.signs > 64 - s.bits() => return Some(Out::Value(a)),
            UnOp::Sext(s) if known.zero >> (s.bits() - 1) & 1 == 1 => return Some(Out::Op(Op::Un(UnOp::Zext(s), a))),
            // Selection leaves out an extension that changes nothing; a mask it makes.
            UnOp::Zext(s) if self.only_for_verifier(a, fold::mask(s)) => {
                return self.with(BinOp::And, Width::W64, a, fold::mask(s) as i64);
            }
            _ => {}
        }
        match (un, self.through(a, r)?) {
            (UnOp::Neg, Op::Un(UnOp::Neg, x)) => Some(Out::Value(x)),
            (UnOp::Zext(s), Op::Un(UnOp::Zext(t) | UnOp::Sext(t), x)) if s <= t => {
                Some(Out::Op(Op::Un(UnOp::Zext(s), x)))
            }
            (UnOp::Sext(s), Op::Un(UnOp::Zext(t) | UnOp::Sext(t), x)) if s <= t => {
                Some(Out::Op(Op::Un(UnOp::Sext(s), x)))
            }
            (UnOp::Zext(s), Op::Bin(BinOp::And, Width::W64, x, m)) => {
                let m = self.num(m)?;
                self.with(BinOp::And, Width::W64, x, m & fold::mask(s) as i64)
            }
            (UnOp::Bswap(s), Op::Un(UnOp::Bswap(t), x)) if s == t => Some(Out::Op(Op::Un(UnOp::Zext(s), x))),
            // The reversal looks at the low bytes alone.
            (UnOp::Bswap(s), Op::Un(UnOp::Zext(t) | UnOp::Sext(t), x)) if s <= t => {
                Some(Out::Op(Op::Un(UnOp::Bswap(s), x)))
            }
            _ => None,
        }
    }
}
