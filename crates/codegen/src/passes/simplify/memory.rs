//! Addresses: constants move into the access or the address they belong to.

use super::super::fold;
use super::{Out, Simplify};
use crate::ir::{BinOp, Op, SymKind, Value, Width};

impl Simplify<'_> {
    /// A pointer moved by a number, or the distance of two.
    pub(super) fn pointer(&mut self, op: BinOp, a: Value, b: Value, r: Value) -> Option<Out> {
        if self.f.ty(a) == crate::ir::Ty::Int {
            // The pointer first.
            return Some(Out::Op(Op::Bin(op, Width::W64, b, a)));
        }
        let Some(n) = self.num(b) else {
            let distance = self.f.ty(b) != crate::ir::Ty::Int && a == b && op == BinOp::Sub;
            return if distance { Out::number(0) } else { None };
        };
        if self.f.ty(b) != crate::ir::Ty::Int {
            return None;
        }
        if n == 0 && self.f.ty(a) == self.f.ty(r) {
            return Some(Out::Value(a));
        }
        if op == BinOp::Sub {
            return self.with(BinOp::Add, Width::W64, a, n.wrapping_neg());
        }
        match *self.f.def_op(a)? {
            Op::Bin(BinOp::Add, Width::W64, x, m) if self.f.ty(m) == crate::ir::Ty::Int => {
                let m = self.num(m)?;
                self.with(BinOp::Add, Width::W64, x, fold::bin(BinOp::Add, Width::W64, m, n))
            }
            Op::StackAddr(slot, off) => {
                let off = i32::try_from(i64::from(off).checked_add(n)?).ok()?;
                let size = self.f.slots.get(slot.index())?.size;
                (0..=i64::from(size)).contains(&i64::from(off)).then_some(Out::Op(Op::StackAddr(slot, off)))
            }
            Op::SymAddr(sym, off) => {
                let off = i32::try_from(i64::from(off).checked_add(n)?).ok()?;
                let SymKind::Global { size, .. } = self.cx.syms.get(sym.index())?.kind else { return None };
                (0..=i64::from(size)).contains(&i64::from(off)).then_some(Out::Op(Op::SymAddr(sym, off)))
            }
            _ => None,
        }
    }

    /// A memory access through a pointer that was moved by a number: the number joins the offset.
    pub(super) fn access(&mut self, op: &Op) -> Option<Out> {
        let mut op = op.clone();
        let (base, off) = match &mut op {
            Op::Load { base, off, .. }
            | Op::Store { base, off, .. }
            | Op::Atomic { base, off, .. }
            | Op::CmpXchg { base, off, .. } => (base, off),
            _ => return None,
        };
        if self.f.ty(*base) == crate::ir::Ty::Int {
            return None;
        }
        let Op::Bin(BinOp::Add, Width::W64, x, n) = *self.f.def_op(*base)? else { return None };
        if self.f.ty(x) == crate::ir::Ty::Int {
            return None;
        }
        let sum = i64::from(*off).checked_add(self.num(n)?)?;
        // As far as an instruction reaches.
        *off = i32::from(i16::try_from(sum).ok()?);
        *base = x;
        Some(Out::Op(op))
    }
}
