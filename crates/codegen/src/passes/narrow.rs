//! 32-bit arithmetic where that saves an extension, on targets that have it; and no extensions
//! where only the low bits are looked at.

use whistler_isa::IsaLevel;

use super::PassContext;
use super::bits::Bits;
use super::facts::Roles;
use super::rewrite::use_counts;
use crate::ir::cfg::Cfg;
use crate::ir::{BinOp, Function, Op, Size, Ty, UnOp, Value, Width};

pub(super) fn run(f: &mut Function, cx: &PassContext<'_>) -> bool {
    let cfg = Cfg::of(f);
    let bits = Bits::of(f, &cfg);
    let mut n = Narrow { roles: Roles::of(f), uses: use_counts(f), bits, wide_only: cx.target.isa < IsaLevel::V3 };
    let mut changed = unsigned_loads(f);
    for &b in &cfg.order {
        for at in 0..f.blocks[b.index()].insts.len() {
            let i = f.blocks[b.index()].insts[at];
            let inst = &f.insts[i.index()];
            let Some(new) = n.step(f, &inst.op, inst.result) else { continue };
            inst.op.for_each_operand(|v| n.uses[v.index()] -= 1);
            new.for_each_operand(|v| n.uses[v.index()] += 1);
            f.insts[i.index()].op = new;
            changed = true;
        }
    }
    changed
}

/// Loads whose extended bits nobody looks at need no sign.
fn unsigned_loads(f: &mut Function) -> bool {
    // How many low bits of each value are looked at.
    let mut wanted = vec![0u32; f.values.len()];
    for b in &f.blocks {
        for i in &b.insts {
            let inst = &f.insts[i.index()];
            match inst.op {
                Op::Store { size, base, value, .. } => {
                    wanted[base.index()] = 64;
                    wanted[value.index()] = wanted[value.index()].max(size.bits());
                }
                Op::Un(UnOp::Zext(s) | UnOp::Sext(s), x) => wanted[x.index()] = wanted[x.index()].max(s.bits()),
                Op::Bin(BinOp::And, _, x, m) if f.as_const(m).is_some_and(|m| m >= 0) => {
                    let bits = 64 - f.as_const(m).unwrap_or(-1).leading_zeros();
                    wanted[x.index()] = wanted[x.index()].max(bits);
                    wanted[m.index()] = 64;
                }
                ref op => op.for_each_operand(|v| wanted[v.index()] = 64),
            }
        }
        b.term.for_each_operand(|v| wanted[v.index()] = 64);
    }
    let mut changed = false;
    for i in &mut f.insts {
        if let (Op::Load { size, signed: signed @ true, .. }, Some(r)) = (&mut i.op, i.result)
            && wanted[r.index()] <= size.bits()
        {
            *signed = false;
            changed = true;
        }
    }
    changed
}

struct Narrow {
    roles: Roles,
    uses: Vec<u32>,
    bits: Bits,
    wide_only: bool,
}

impl Narrow {
    fn step(&self, f: &Function, op: &Op, result: Option<Value>) -> Option<Op> {
        match (*op).clone() {
            Op::Store { size, base, off, value } if f.ty(value) == Ty::Int => {
                let value = self.low(f, value, size, |inner| !self.roles.tested[inner.index()])?;
                Some(Op::Store { size, base, off, value })
            }
            _ if self.wide_only => None,
            Op::Un(UnOp::Zext(Size::B4), a) => self.narrowed(f, a),
            Op::Bin(op, Width::W32, a, b) => {
                let through = |inner| self.roles.may_look_through(inner, result.unwrap_or(inner));
                let x = self.low(f, a, Size::B4, through);
                let y = self.low(f, b, Size::B4, through);
                if x.is_none() && y.is_none() {
                    return None;
                }
                Some(Op::Bin(op, Width::W32, x.unwrap_or(a), y.unwrap_or(b)))
            }
            Op::Bin(op @ (BinOp::And | BinOp::Or | BinOp::Xor | BinOp::LShr | BinOp::UDiv | BinOp::UMod), w, a, b)
                if w == Width::W64 && f.ty(a) == Ty::Int && f.ty(b) == Ty::Int =>
            {
                self.on_halves(f, op, a, b, result?)
            }
            _ => None,
        }
    }

    /// What has the same low bits as `v`, with an extension or mask less.
    fn low(&self, f: &Function, v: Value, size: Size, may: impl Fn(Value) -> bool) -> Option<Value> {
        let mut found = None;
        let mut v = v;
        while may(v) {
            v = match f.def_op(v) {
                Some(Op::Un(UnOp::Zext(s) | UnOp::Sext(s), x)) if *s >= size => *x,
                Some(Op::Bin(BinOp::And, _, x, m))
                    if f.as_const(*m)
                        .is_some_and(|m| m as u64 & super::fold::mask(size) == super::fold::mask(size)) =>
                {
                    *x
                }
                _ => break,
            };
            found = Some(v);
        }
        found
    }

    /// The low half of a 64-bit operation, by the 32-bit one.
    fn narrowed(&self, f: &Function, a: Value) -> Option<Op> {
        // What nobody else uses nobody tests by itself.
        if self.uses[a.index()] != 1 {
            return None;
        }
        let Op::Bin(op, Width::W64, x, y) = *f.def_op(a)? else { return None };
        if f.ty(x) != Ty::Int || f.ty(y) != Ty::Int {
            return None;
        }
        let low = match op {
            BinOp::Add | BinOp::Sub | BinOp::Mul | BinOp::And | BinOp::Or | BinOp::Xor => true,
            // More than 31 would be seen as something else.
            BinOp::Shl => f.as_const(y).is_some_and(|n| (0..32).contains(&n)),
            _ => false,
        };
        low.then_some(Op::Bin(op, Width::W32, x, y))
    }

    /// An operation whose operands and result all fit the low half, one of them by an extension
    /// that the 32-bit operation makes needless.
    fn on_halves(&self, f: &Function, op: BinOp, a: Value, b: Value, r: Value) -> Option<Op> {
        let fits = |v: Value| self.bits.get(v).width() <= 32;
        if !fits(a) || !fits(b) {
            return None;
        }
        if op == BinOp::LShr && f.as_const(b).is_none_or(|n| !(0..32).contains(&n)) {
            return None;
        }
        let extension = |v: Value| match f.def_op(v) {
            Some(Op::Un(UnOp::Zext(Size::B4), x)) if self.uses[v.index()] == 1 && self.roles.may_look_through(v, r) => {
                Some(*x)
            }
            _ => None,
        };
        match (extension(a), extension(b)) {
            (None, None) => None,
            (x, y) => Some(Op::Bin(op, Width::W32, x.unwrap_or(a), y.unwrap_or(b))),
        }
    }
}
