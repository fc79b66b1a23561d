//! Gives every branch a comparison of its own where the comparison is also wanted as a number: the
//! verifier learns something of the operands only from a jump on them.

use super::PassContext;
use super::rewrite::use_counts;
use crate::ir::{Function, Op, Terminator, Ty, Value, ValueDef};

pub(super) fn run(f: &mut Function, _: &PassContext<'_>) -> bool {
    let mut others = use_counts(f);
    for b in &f.blocks {
        if let Terminator::Branch { cond, .. } = b.term {
            others[cond.index()] -= 1;
        }
    }
    let mut changed = false;
    for n in 0..f.blocks.len() {
        let Terminator::Branch { cond, .. } = f.blocks[n].term else { continue };
        if others.get(cond.index()).is_none_or(|n| *n == 0) {
            continue;
        }
        let ValueDef::Inst(i) = f.values[cond.index()].def else { continue };
        let op = f.insts[i.index()].op.clone();
        let (Op::Cmp(_, _, a, b) | Op::InBounds { ptr: a, end: b, .. }) = op else { continue };
        // Packet pointers may have died since; in the same block they are needed until here anyway.
        let numbers = f.ty(a) == Ty::Int && f.ty(b) == Ty::Int;
        let here = f.blocks[n].insts.contains(&i);
        if !numbers && !here {
            continue;
        }
        let inst = f.add_inst(op, Some(Ty::Int), f.insts[i.index()].loc);
        let v = Value(f.values.len() as u32 - 1);
        let data = &mut f.blocks[n];
        data.insts.push(inst);
        if let Terminator::Branch { cond, .. } = &mut data.term {
            *cond = v;
        }
        changed = true;
    }
    changed
}
