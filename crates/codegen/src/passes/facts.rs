//! What the kernel's verifier will look at: which values are tested, and which it must know bounds
//! of. Invariant: errs on the side of saying yes.

use crate::ir::{BinOp, Function, Op, Space, Terminator, Ty, Value, ValueDef};

/// The roles of values.
#[derive(Debug)]
pub(super) struct Roles {
    /// Operands of comparisons: the verifier may know more of them than of what they are made from.
    pub tested: Vec<bool>,
    /// What reaches the variable part of an address, an argument of a call, the function's result,
    /// or stack memory: the verifier may have to know bounds of it.
    pub sensitive: Vec<bool>,
}

impl Roles {
    /// Looks at a function.
    pub fn of(f: &Function) -> Roles {
        let mut roles = Roles { tested: vec![false; f.values.len()], sensitive: vec![false; f.values.len()] };
        let mut work = Vec::new();
        // Arguments by block and place.
        let mut args: Vec<Vec<(u32, Value)>> = vec![Vec::new(); f.blocks.len()];
        for b in &f.blocks {
            for i in &b.insts {
                let inst = &f.insts[i.index()];
                match &inst.op {
                    Op::Cmp(_, _, a, b) => {
                        roles.tested[a.index()] = true;
                        roles.tested[b.index()] = true;
                    }
                    Op::InBounds { ptr, end, .. } => {
                        roles.tested[ptr.index()] = true;
                        roles.tested[end.index()] = true;
                    }
                    Op::Bin(BinOp::Add | BinOp::Sub, _, a, b) if inst.result.is_some_and(|r| f.ty(r) != Ty::Int) => {
                        roles.need(*a, &mut work);
                        roles.need(*b, &mut work);
                    }
                    Op::Call { args, .. } => args.iter().for_each(|a| roles.need(*a, &mut work)),
                    Op::Store { base, value, .. } | Op::CoreStore { base, value, .. }
                        if matches!(f.ty(*base), Ty::Ptr(Space::Stack)) =>
                    {
                        roles.need(*value, &mut work);
                    }
                    Op::Load { base, .. }
                    | Op::Store { base, .. }
                    | Op::CoreLoad { base, .. }
                    | Op::CoreStore { base, .. }
                        if f.ty(*base) == Ty::Int =>
                    {
                        roles.need(*base, &mut work);
                    }
                    _ => {}
                }
            }
            match b.term {
                Terminator::Return(v) => roles.need(v, &mut work),
                Terminator::Branch { cond, .. } => roles.tested[cond.index()] = true,
                Terminator::Open | Terminator::Jump(_) => {}
            }
            for t in b.term.targets() {
                args[t.block.index()].extend((0..).zip(t.args.iter().copied()));
            }
        }
        // The verifier links what is a constant apart, and what was only extended: a test of one
        // is a test of the other. Backwards, so that chains are followed; a loop is not.
        for v in (0..f.values.len()).rev().filter(|v| roles.tested[*v]).collect::<Vec<_>>() {
            let mut v = Value(v as u32);
            while let Some(Op::Bin(BinOp::Add | BinOp::Sub, _, x, _) | Op::Un(_, x)) = f.def_op(v) {
                if std::mem::replace(&mut roles.tested[x.index()], true) {
                    break;
                }
                v = *x;
            }
        }
        while let Some(v) = work.pop() {
            match f.values[v.index()].def {
                ValueDef::Inst(i) => {
                    if let op @ (Op::Bin(..) | Op::Un(..) | Op::Cmp(..)) = &f.insts[i.index()].op {
                        op.for_each_operand(|o| roles.need(o, &mut work));
                    }
                }
                ValueDef::Param(b, n) => {
                    for (_, a) in args[b.index()].iter().filter(|(at, _)| *at == n) {
                        roles.need(*a, &mut work);
                    }
                }
                ValueDef::Gone => {}
            }
        }
        roles
    }

    fn need(&mut self, v: Value, work: &mut Vec<Value>) {
        if !std::mem::replace(&mut self.sensitive[v.index()], true) {
            work.push(v);
        }
    }

    /// `v` plays the roles of `other`, too.
    pub fn join(&mut self, v: Value, other: Value) {
        for roles in [&mut self.tested, &mut self.sensitive] {
            if roles.get(other.index()).copied().unwrap_or(true)
                && let Some(role) = roles.get_mut(v.index())
            {
                *role = true;
            }
        }
    }

    /// Whether `user` may be computed from what `inner` is made of instead of from `inner`. A test
    /// of `inner` between them tells the verifier nothing of what it is made of.
    pub fn may_look_through(&self, inner: Value, user: Value) -> bool {
        let tested = self.tested.get(inner.index()).copied().unwrap_or(false);
        let sensitive = self.sensitive.get(user.index()).copied().unwrap_or(true);
        !tested || !sensitive
    }
}
