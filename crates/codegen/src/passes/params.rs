//! Removes block parameters that always get the same value, and those that nobody uses.

use super::PassContext;
use super::rewrite::Aliases;
use crate::ir::cfg::Cfg;
use crate::ir::{Block, Function, Op, Terminator, Value, ValueDef};

pub(super) fn run(f: &mut Function, _: &PassContext<'_>) -> bool {
    let cfg = Cfg::of(f);
    let mut aliases = Aliases::new(f);
    let mut drop: Vec<bool> = vec![false; f.values.len()];
    let mut any = false;
    // A parameter that goes may make another one trivial: until nothing changes.
    let mut changed = true;
    while changed {
        changed = false;
        for &b in cfg.order.iter().skip(1) {
            for n in 0..f.blocks[b.index()].params.len() {
                let p = f.blocks[b.index()].params[n];
                if drop[p.index()] {
                    continue;
                }
                let Some(only) = only_argument(f, &cfg, &aliases, b, n, p) else { continue };
                let only = match only {
                    Only::Value(v) => v,
                    // A constant made in every predecessor: once more, here.
                    Only::Const(n) => {
                        let inst = f.add_inst(Op::Const(n), Some(f.ty(p)), f.blocks[b.index()].term_loc);
                        f.blocks[b.index()].insts.insert(0, inst);
                        f.insts[inst.index()].result.unwrap_or(p)
                    }
                };
                aliases.replace(f, p, only);
                drop[p.index()] = true;
                (changed, any) = (true, true);
            }
        }
    }
    drop.resize(f.values.len(), false);
    any |= mark_unused(f, &cfg, &aliases, &mut drop);
    if !any {
        return false;
    }
    for n in 0..f.blocks.len() {
        // Arguments first: they are counted by the parameters as they were.
        let mut term = std::mem::replace(&mut f.blocks[n].term, Terminator::Open);
        for t in term.targets_mut() {
            let Some(target) = f.blocks.get(t.block.index()) else { continue };
            let mut keep = target.params.iter().map(|p| !drop[p.index()]);
            t.args.retain(|_| keep.next().unwrap_or(true));
        }
        f.blocks[n].term = term;
    }
    for (n, b) in f.blocks.iter_mut().enumerate() {
        for p in b.params.iter().filter(|p| drop[p.index()]) {
            f.values[p.index()].def = ValueDef::Gone;
        }
        b.params.retain(|p| !drop[p.index()]);
        for (i, p) in b.params.iter().enumerate() {
            f.values[p.index()].def = ValueDef::Param(Block(n as u32), i as u32);
        }
    }
    aliases.apply(f);
    true
}

enum Only {
    Value(Value),
    Const(i64),
}

/// What every jump to `b` passes for parameter `n`, itself aside, when that is one thing.
fn only_argument(f: &Function, cfg: &Cfg, aliases: &Aliases, b: Block, n: usize, p: Value) -> Option<Only> {
    let mut only: Option<Value> = None;
    let mut same = true;
    for pred in &cfg.preds[b.index()] {
        for t in f.blocks[pred.index()].term.targets().filter(|t| t.block == b) {
            let arg = aliases.resolve(*t.args.get(n)?);
            if arg == p {
                continue;
            }
            match only {
                None => only = Some(arg),
                Some(v) if v == arg => {}
                Some(v) if f.as_const(v).is_some() && f.as_const(v) == f.as_const(arg) => same = false,
                Some(_) => return None,
            }
        }
    }
    let only = only?;
    match f.as_const(only) {
        // Of another type (null), or made in several places.
        Some(n) if !same || f.ty(only) != f.ty(p) => Some(Only::Const(n)),
        _ => (f.ty(only) == f.ty(p)).then_some(Only::Value(only)),
    }
}

/// Marks parameters whose value reaches nothing but other such parameters.
fn mark_unused(f: &Function, cfg: &Cfg, aliases: &Aliases, drop: &mut [bool]) -> bool {
    let mut used = vec![false; f.values.len()];
    let mut work = Vec::new();
    let mut mark = |v: Value, work: &mut Vec<Value>| {
        let v = aliases.resolve(v);
        if !std::mem::replace(&mut used[v.index()], true) {
            work.push(v);
        }
    };
    for &b in &cfg.order {
        let data = &f.blocks[b.index()];
        for i in &data.insts {
            f.insts[i.index()].op.for_each_operand(|v| mark(v, &mut work));
        }
        match data.term {
            Terminator::Branch { cond: v, .. } | Terminator::Return(v) => mark(v, &mut work),
            Terminator::Open | Terminator::Jump(_) => {}
        }
    }
    while let Some(v) = work.pop() {
        if let ValueDef::Param(b, n) = f.values[v.index()].def {
            for pred in &cfg.preds[b.index()] {
                for t in f.blocks[pred.index()].term.targets().filter(|t| t.block == b) {
                    if let Some(arg) = t.args.get(n as usize) {
                        mark(*arg, &mut work);
                    }
                }
            }
        }
    }
    let mut any = false;
    for b in cfg.order.iter().skip(1) {
        for p in &f.blocks[b.index()].params {
            if !drop[p.index()] && !used[p.index()] {
                drop[p.index()] = true;
                any = true;
            }
        }
    }
    any
}
