//! Comparisons.

use super::super::{bits, fold};
use super::{Out, Simplify};
use crate::ir::{BinOp, Cc, Op, Ty, UnOp, Value, Width};

impl Simplify<'_> {
    pub(super) fn cmp(&mut self, cc: Cc, w: Width, a: Value, b: Value) -> Option<Out> {
        let pointers = self.f.ty(a) != Ty::Int || self.f.ty(b) != Ty::Int;
        if let (Some(x), Some(y)) = (self.num(a), self.num(b)) {
            return Out::number(i64::from(fold::cmp(cc, w, x, y)));
        }
        if a == b && cc != Cc::Test {
            return Out::number(i64::from(matches!(cc, Cc::Eq | Cc::Ule | Cc::Uge | Cc::Sle | Cc::Sge)));
        }
        if self.num(a).is_some() {
            return Some(Out::Op(Op::Cmp(cc.swapped(), w, b, a)));
        }
        if pointers {
            return None;
        }
        if let Some(known) = bits::decide(cc, w, self.told(a), self.told(b)) {
            return Out::number(i64::from(known));
        }
        let n = self.num(b)?;
        let n = if w == Width::W32 { i64::from(n as i32) } else { n };
        match (cc, n) {
            (Cc::Ult, 1) | (Cc::Ule, 0) => return self.against(Cc::Eq, w, a, 0),
            (Cc::Uge, 1) | (Cc::Ugt, 0) => return self.against(Cc::Ne, w, a, 0),
            _ => {}
        }
        if let Some(out) = self.truth(cc, a, n) {
            return Some(out);
        }
        self.masked(cc, w, a, n)
    }

    fn against(&mut self, cc: Cc, w: Width, a: Value, n: i64) -> Option<Out> {
        let n = self.constant(n);
        Some(Out::Op(Op::Cmp(cc, w, a, n)))
    }

    /// A comparison of what is 0 or 1 already with 0 or 1.
    fn truth(&mut self, cc: Cc, a: Value, n: i64) -> Option<Out> {
        if self.known(a).width() > 1 {
            return None;
        }
        let as_it_is = match (cc, n) {
            (Cc::Ne, 0) | (Cc::Eq, 1) => true,
            (Cc::Eq, 0) | (Cc::Ne, 1) => false,
            _ => return None,
        };
        if as_it_is {
            return Some(Out::Value(a));
        }
        match self.f.def_op(a)? {
            Op::Cmp(inner, w, x, y) => {
                let (inverse, w, x, y) = (inner.inverse()?, *w, *x, *y);
                Some(Out::Op(Op::Cmp(inverse, w, x, y)))
            }
            _ => None,
        }
    }

    /// Comparisons that look at some bits, or at bytes in the other order.
    fn masked(&mut self, cc: Cc, w: Width, a: Value, n: i64) -> Option<Out> {
        let uses = self.uses.get(a.index());
        let only_use = uses == Some(&1);
        // Where all uses are such comparisons the other ones become cheaper, too.
        let only_compared = uses == self.equated.get(a.index());
        match *self.f.def_op(a)? {
            Op::Bin(BinOp::And, Width::W64, x, m) if only_use && cc == Cc::Ne && n == 0 && w == Width::W64 => {
                Some(Out::Op(Op::Cmp(Cc::Test, w, x, m)))
            }
            // Reversing the number instead. What lies above the reversed bytes must be zero.
            Op::Un(UnOp::Bswap(s), x)
                if (only_use || only_compared)
                    && matches!(cc, Cc::Eq | Cc::Ne | Cc::Test)
                    && w == Width::W64
                    && self.bits.get(x).width() <= s.bits()
                    && n as u64 <= fold::mask(s) =>
            {
                self.against(cc, w, x, fold::un(UnOp::Bswap(s), n))
            }
            _ => None,
        }
    }
}
