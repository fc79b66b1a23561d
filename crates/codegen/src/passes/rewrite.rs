//! Replacing values by others. Invariant: a replaced value has no uses left and no definition.

use crate::ir::{Function, Op, Value, ValueDef};

/// What values stand for, collected while a pass runs and applied once at its end.
#[derive(Debug)]
pub(super) struct Aliases {
    to: Vec<Value>,
    any: bool,
}

impl Aliases {
    /// Every value stands for itself.
    pub fn new(f: &Function) -> Aliases {
        Aliases { to: (0..f.values.len() as u32).map(Value).collect(), any: false }
    }

    /// What stands for `v` now.
    pub fn resolve(&self, v: Value) -> Value {
        let mut v = v;
        while let Some(&to) = self.to.get(v.index()) {
            if to == v {
                break;
            }
            v = to;
        }
        v
    }

    /// From now on `new` stands for `old`. They are of the same type, and `new` is known wherever
    /// `old` is used. The name of a source variable passes on.
    pub fn replace(&mut self, f: &mut Function, old: Value, new: Value) {
        let new = self.resolve(new);
        if old == new {
            return;
        }
        while self.to.len() < f.values.len() {
            self.to.push(Value(self.to.len() as u32));
        }
        if f.values[new.index()].name.is_none() && !matches!(f.def_op(new), Some(Op::Const(_))) {
            f.values[new.index()].name = f.values[old.index()].name.clone();
        }
        self.to[old.index()] = new;
        self.any = true;
    }

    /// Whether `v` was replaced.
    pub fn is_replaced(&self, v: Value) -> bool {
        self.to.get(v.index()).is_some_and(|to| *to != v)
    }

    /// Rewrites every use, and drops the definitions of what was replaced; whether there was any.
    /// Block parameters that were replaced must be gone by then.
    pub fn apply(&mut self, f: &mut Function) -> bool {
        if !self.any {
            return false;
        }
        for v in 0..self.to.len() {
            self.to[v] = self.resolve(Value(v as u32));
        }
        let Function { blocks, insts, values, .. } = f;
        for b in blocks {
            b.insts.retain(|i| {
                let inst = &mut insts[i.index()];
                let gone = inst.result.is_some_and(|r| self.is_replaced(r));
                if !gone {
                    inst.op.for_each_operand_mut(|v| *v = self.resolve(*v));
                }
                !gone
            });
            b.term.for_each_operand_mut(|v| *v = self.resolve(*v));
        }
        for (v, to) in self.to.iter().enumerate() {
            if to.index() != v {
                values[v].def = ValueDef::Gone;
            }
        }
        true
    }
}

/// How often each value is used.
pub(super) fn use_counts(f: &Function) -> Vec<u32> {
    let mut uses = vec![0; f.values.len()];
    for b in &f.blocks {
        for i in &b.insts {
            f.insts[i.index()].op.for_each_operand(|v| uses[v.index()] += 1);
        }
        b.term.for_each_operand(|v| uses[v.index()] += 1);
    }
    uses
}

/// Whether an instruction only makes its result: it may go when nobody wants that.
pub(super) fn is_removable(op: &Op) -> bool {
    match op {
        Op::Const(_)
        | Op::Bin(..)
        | Op::Un(..)
        | Op::Cmp(..)
        | Op::InBounds { .. }
        | Op::StackAddr(..)
        | Op::SymAddr(..)
        | Op::Load { .. }
        | Op::CoreLoad { .. }
        | Op::CoreValue { .. }
        | Op::MapLookup { .. } => true,
        Op::Store { .. }
        | Op::CoreStore { .. }
        | Op::Atomic { .. }
        | Op::CmpXchg { .. }
        | Op::MayGoto
        | Op::Call { .. } => false,
    }
}
