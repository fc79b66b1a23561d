//! Branches that only choose between 1 and 0 become the comparison itself.

use super::PassContext;
use crate::ir::{Block, Function, Op, Target, Terminator, Ty, Value};

pub(super) fn run(f: &mut Function, _: &PassContext<'_>) -> bool {
    let mut changed = false;
    for b in f.block_ids() {
        changed |= convert(f, b);
    }
    changed
}

fn convert(f: &mut Function, b: Block) -> bool {
    let Terminator::Branch { cond, then, els } = f.blocks[b.index()].term.clone() else { return false };
    if then.block != els.block || then.args.len() != els.args.len() {
        return false;
    }
    // A bounds check must stay a branch: as a number it tells the verifier nothing.
    let Some(Op::Cmp(cc, w, x, y)) = f.def_op(cond).cloned() else { return false };
    let loc = f.blocks[b.index()].term_loc;
    let mut inverse: Option<Value> = None;
    let mut args = then.args.clone();
    let mut insts = Vec::new();
    for (arg, (t, e)) in args.iter_mut().zip(then.args.iter().zip(&els.args)) {
        if t == e {
            continue;
        }
        let numbers = (f.as_const(*t), f.as_const(*e));
        if f.ty(*t) != Ty::Int || f.ty(*e) != Ty::Int {
            return false;
        }
        *arg = match (numbers, cc.inverse()) {
            ((Some(1), Some(0)), _) => cond,
            ((Some(0), Some(1)), Some(not)) => match inverse {
                Some(v) => v,
                None => {
                    insts.push(f.add_inst(Op::Cmp(not, w, x, y), Some(Ty::Int), loc));
                    let v = Value(f.values.len() as u32 - 1);
                    inverse = Some(v);
                    v
                }
            },
            ((Some(a), Some(b)), _) if a == b => *t,
            _ => return false,
        };
    }
    let data = &mut f.blocks[b.index()];
    data.insts.extend(insts);
    data.term = Terminator::Jump(Target { block: then.block, args });
    true
}
