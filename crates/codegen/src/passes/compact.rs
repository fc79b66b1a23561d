//! Removes unreachable blocks, and gives what is left dense numbers in the order of the text.
//! After it no block is open.

use crate::ir::cfg::Cfg;
use crate::ir::{Block, Function, Inst, Terminator, Value, ValueDef};

use super::PassContext;

pub(super) fn run(f: &mut Function, _: &PassContext<'_>) -> bool {
    let cfg = Cfg::of(f);
    let unreachable = cfg.order.len() != f.blocks.len();
    let listed: usize = f.blocks.iter().map(|b| b.insts.len()).sum();
    let mut next = 0;
    let mut in_order = |v: Value| {
        next += 1;
        v.0 + 1 == next
    };
    let dense = !unreachable
        && listed == f.insts.len()
        && f.blocks.iter().all(|b| {
            b.params.iter().all(|v| in_order(*v))
                && b.insts.iter().all(|i| f.insts[i.index()].result.is_none_or(&mut in_order))
        })
        && next as usize == f.values.len();
    if dense {
        return false;
    }
    // Blocks keep their order: the builder's is that of the source.
    let mut number = vec![Block(u32::MAX); f.blocks.len()];
    let mut blocks = Vec::with_capacity(cfg.order.len());
    for (n, b) in std::mem::take(&mut f.blocks).into_iter().enumerate() {
        if cfg.reaches(Block(n as u32)) {
            number[n] = Block(blocks.len() as u32);
            blocks.push(b);
        }
    }
    let mut values = Vec::with_capacity(f.values.len());
    let mut renamed = vec![Value(u32::MAX); f.values.len()];
    let mut insts = Vec::with_capacity(listed);
    let mut define = |v: &mut Value, def: ValueDef, values: &mut Vec<_>| {
        let mut data = f.values[v.index()].clone();
        data.def = def;
        renamed[v.index()] = Value(values.len() as u32);
        *v = renamed[v.index()];
        values.push(data);
    };
    for (n, b) in blocks.iter_mut().enumerate() {
        for (i, p) in b.params.iter_mut().enumerate() {
            define(p, ValueDef::Param(Block(n as u32), i as u32), &mut values);
        }
        for i in &mut b.insts {
            let new = Inst(insts.len() as u32);
            let mut inst = f.insts[i.index()].clone();
            if let Some(r) = &mut inst.result {
                define(r, ValueDef::Inst(new), &mut values);
            }
            insts.push(inst);
            *i = new;
        }
    }
    for inst in &mut insts {
        inst.op.for_each_operand_mut(|v| *v = renamed[v.index()]);
    }
    for b in &mut blocks {
        b.term.for_each_operand_mut(|v| *v = renamed[v.index()]);
        for t in b.term.targets_mut() {
            t.block = number[t.block.index()];
        }
        debug_assert_ne!(b.term, Terminator::Open);
    }
    (f.blocks, f.values, f.insts) = (blocks, values, insts);
    true
}
