//! Arithmetic: every operator in terms of the machine's.

use whistler_codegen::ir::{self, BinOp as B, Cc, Size, UnOp as U, Value, Width::W64};

use super::function::Lower;
use crate::hir::{AtomicOp, BinOp, CmpOp, Expr, IntTy, Ty, UnOp};

pub(super) fn cc(op: CmpOp) -> Cc {
    match op {
        CmpOp::Eq => Cc::Eq,
        CmpOp::Ne => Cc::Ne,
        CmpOp::LtU => Cc::Ult,
        CmpOp::LeU => Cc::Ule,
        CmpOp::GtU => Cc::Ugt,
        CmpOp::GeU => Cc::Uge,
        CmpOp::LtS => Cc::Slt,
        CmpOp::LeS => Cc::Sle,
        CmpOp::GtS => Cc::Sgt,
        CmpOp::GeS => Cc::Sge,
    }
}

pub(super) fn atomic(op: AtomicOp) -> ir::AtomicOp {
    match op {
        AtomicOp::Add => ir::AtomicOp::Add,
        AtomicOp::And => ir::AtomicOp::And,
        AtomicOp::Or => ir::AtomicOp::Or,
        AtomicOp::Xor => ir::AtomicOp::Xor,
        AtomicOp::Xchg => ir::AtomicOp::Xchg,
        AtomicOp::LoadAcquire => ir::AtomicOp::LoadAcquire,
        AtomicOp::StoreRelease => ir::AtomicOp::StoreRelease,
    }
}

impl Lower<'_> {
    pub(super) fn bin(&mut self, op: BinOp, x: &Expr, y: &Expr) -> Value {
        let (x, y) = (self.expr(x), self.expr(y));
        let machine = match op {
            BinOp::Add => B::Add,
            BinOp::Sub => B::Sub,
            BinOp::Mul => B::Mul,
            BinOp::DivU => B::UDiv,
            BinOp::DivS => B::SDiv,
            BinOp::RemU => B::UMod,
            BinOp::RemS => B::SMod,
            BinOp::And => B::And,
            BinOp::Or => B::Or,
            BinOp::Xor => B::Xor,
            BinOp::Shl => B::Shl,
            BinOp::ShrU => B::LShr,
            BinOp::ShrS => B::AShr,
            BinOp::ModS => return self.floored_mod(x, y),
            BinOp::AshS => return self.ash(x, y, B::AShr),
            BinOp::AshU => return self.ash(x, y, B::LShr),
            BinOp::MinU => return self.pick(Cc::Ule, x, y),
            BinOp::MinS => return self.pick(Cc::Sle, x, y),
            BinOp::MaxU => return self.pick(Cc::Uge, x, y),
            BinOp::MaxS => return self.pick(Cc::Sge, x, y),
        };
        self.b.bin(machine, W64, x, y)
    }

    pub(super) fn un(&mut self, op: UnOp, x: &Expr) -> Value {
        let x = self.expr(x);
        match op {
            UnOp::Neg => self.b.un(U::Neg, x),
            UnOp::Not => {
                let ones = self.b.iconst(-1);
                self.b.bin(B::Xor, W64, x, ones)
            }
            UnOp::Abs => {
                // With s all ones for a negative number: (x ^ s) - s.
                let n = self.b.iconst(63);
                let s = self.b.bin(B::AShr, W64, x, n);
                let flipped = self.b.bin(B::Xor, W64, x, s);
                self.b.bin(B::Sub, W64, flipped, s)
            }
            UnOp::Log2 => self.log2(x),
        }
    }

    /// Halves the search range five times: is there a bit in the upper half? Of what is left, below 4, the upper
    /// bit says it.
    fn log2(&mut self, mut x: Value) -> Value {
        let mut result = None;
        for k in (1..6).rev() {
            let half = 1i64 << k;
            let mask = self.b.iconst((1i64 << half) - 1);
            let above = self.b.cmp(Cc::Ugt, x, mask);
            let k = self.b.iconst(k);
            let step = self.b.bin(B::Shl, W64, above, k);
            x = self.b.bin(B::LShr, W64, x, step);
            result = Some(match result {
                None => step,
                Some(sum) => self.b.bin(B::Or, W64, sum, step),
            });
        }
        let one = self.b.iconst(1);
        let last = self.b.bin(B::LShr, W64, x, one);
        match result {
            Some(sum) => self.b.bin(B::Or, W64, sum, last),
            None => last,
        }
    }

    /// The truncated remainder, moved by the divisor when the signs differ.
    fn floored_mod(&mut self, x: Value, y: Value) -> Value {
        let rem = self.b.bin(B::SMod, W64, x, y);
        let signs = self.b.bin(B::Xor, W64, rem, y);
        let zero = self.b.iconst(0);
        let differ = self.b.cmp(Cc::Slt, signs, zero);
        let some = self.b.cmp(Cc::Ne, rem, zero);
        let wrong = self.b.bin(B::And, W64, differ, some);
        self.select(wrong, |l| l.b.bin(B::Add, W64, rem, y), |_| rem)
    }

    fn ash(&mut self, x: Value, n: Value, right: B) -> Value {
        let zero = self.b.iconst(0);
        let last = self.b.iconst(63);
        let is_left = self.b.cmp(Cc::Sge, n, zero);
        self.select(
            is_left,
            |l| {
                let fits = l.b.cmp(Cc::Ule, n, last);
                l.select(fits, |l| l.b.bin(B::Shl, W64, x, n), |_| zero)
            },
            |l| {
                let m = l.b.un(U::Neg, n);
                let fits = l.b.cmp(Cc::Ule, m, last);
                l.select(
                    fits,
                    |l| l.b.bin(right, W64, x, m),
                    |l| if right == B::AShr { l.b.bin(right, W64, x, last) } else { zero },
                )
            },
        )
    }

    /// `x` when `x cc y`, else `y`.
    fn pick(&mut self, cc: Cc, x: Value, y: Value) -> Value {
        let first = self.b.cmp(cc, x, y);
        self.select(first, |_| x, |_| y)
    }

    /// A number by condition, each side made only where it is wanted.
    pub(super) fn select(
        &mut self,
        cond: Value,
        then: impl FnOnce(&mut Self) -> Value,
        els: impl FnOnce(&mut Self) -> Value,
    ) -> Value {
        let (t, e, meet) = (self.b.create_block(), self.b.create_block(), self.b.create_block());
        let result = self.b.block_param(meet, ir::Ty::Int);
        self.b.branch(cond, t, e);
        self.b.seal(t);
        self.b.seal(e);
        self.b.switch_to(t);
        let v = then(self);
        self.b.jump(meet, &[v]);
        self.b.switch_to(e);
        let v = els(self);
        self.b.jump(meet, &[v]);
        self.b.seal(meet);
        self.b.switch_to(meet);
        result
    }

    /// A number in canonical form of `ty`.
    pub(super) fn extend(&mut self, v: Value, ty: IntTy) -> Value {
        match Size::from_bytes(u32::from(ty.size)) {
            None | Some(Size::B8) => v,
            Some(size) => self.b.un(if ty.signed { U::Sext(size) } else { U::Zext(size) }, v),
        }
    }

    pub(super) fn cast(&mut self, x: &Expr, to: &Ty) -> Value {
        if let Some(n) = x.as_const() {
            let n = to.as_int().map_or(n, |i| i.canonical(n));
            return self.b.ins(ir::Op::Const(n), super::function::ir_ty(to));
        }
        let v = self.expr(x);
        let (Some(from), Some(to)) = (x.ty.as_int(), to.as_int()) else { return v };
        // Every number of the old type may be one of the new type already.
        let contained =
            to.size == 8 || from == to || (from.size < to.size && (!from.signed || to.signed)) || (x.ty == Ty::Bool);
        if contained { v } else { self.extend(v, to) }
    }
}
