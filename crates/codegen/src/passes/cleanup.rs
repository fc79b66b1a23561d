//! The shape of the code: branches on known conditions become jumps, jumps skip blocks that only
//! jump on (or whose branch is known for what this jump passes), blocks with one way in join it.

use smallvec::SmallVec;

use super::PassContext;
use super::fold;
use super::rewrite::Aliases;
use crate::ir::cfg::{Cfg, Dominators};
use crate::ir::{Block, Cc, Function, Op, Target, Terminator, Ty, Value, Width};

/// Rounds; each makes way for the next, and what is left after these can wait for the next run.
const ROUNDS: usize = 8;

/// What is looked at in a block to find out where it leads.
const MAX_EVALUATED: usize = 8;

pub(super) fn run(f: &mut Function, _: &PassContext<'_>) -> bool {
    let mut any = false;
    for _ in 0..ROUNDS {
        let changed = known_branches(f) | thread(f) | merge(f);
        any |= changed;
        if !changed {
            break;
        }
    }
    any
}

/// Branches that always go the same way.
fn known_branches(f: &mut Function) -> bool {
    let mut changed = false;
    for n in 0..f.blocks.len() {
        changed |= turn(f, n);
        let Terminator::Branch { cond, then, els } = &f.blocks[n].term else { continue };
        let to = match f.as_const(*cond) {
            Some(0) => els,
            Some(_) => then,
            None if then == els => then,
            None => continue,
        };
        f.blocks[n].term = Terminator::Jump(to.clone());
        changed = true;
    }
    changed
}

/// A branch on the contrary of a comparison is one on the comparison, the other way.
fn turn(f: &mut Function, n: usize) -> bool {
    let Terminator::Branch { cond, then, els } = &f.blocks[n].term else { return false };
    let Some(Op::Cmp(Cc::Eq, Width::W64, x, zero)) = f.def_op(*cond) else { return false };
    if f.as_const(*zero) != Some(0) || !matches!(f.def_op(*x), Some(Op::InBounds { .. } | Op::Cmp(..))) {
        return false;
    }
    f.blocks[n].term = Terminator::Branch { cond: *x, then: els.clone(), els: then.clone() };
    true
}

/// Where each value is made, and whether another block uses it.
fn used_elsewhere(f: &Function) -> Vec<bool> {
    let mut home = vec![u32::MAX; f.values.len()];
    for (n, b) in f.blocks.iter().enumerate() {
        let results = b.insts.iter().filter_map(|i| f.insts[i.index()].result);
        for v in b.params.iter().copied().chain(results) {
            home[v.index()] = n as u32;
        }
    }
    let mut elsewhere = vec![false; f.values.len()];
    for (n, b) in f.blocks.iter().enumerate() {
        let mut mark = |v: Value| elsewhere[v.index()] |= home[v.index()] != n as u32;
        for i in &b.insts {
            f.insts[i.index()].op.for_each_operand(&mut mark);
        }
        b.term.for_each_operand(&mut mark);
    }
    elsewhere
}

/// What a value is when a block is entered by one jump.
#[derive(Clone, Copy)]
enum Seen {
    Value(Value),
    Number(i64),
    Unknown,
}

/// Lets jumps go where they lead in the end.
fn thread(f: &mut Function) -> bool {
    let elsewhere = used_elsewhere(f);
    let cfg = Cfg::of(f);
    let scope = Scope { elsewhere, dom: Dominators::of(&cfg), cfg };
    let mut changed = false;
    for &b in &scope.cfg.order {
        let arms = f.blocks[b.index()].term.targets().count();
        for arm in 0..arms {
            // A circle of empty blocks would go on for ever.
            for _ in 0..4 {
                let Some(t) = f.blocks[b.index()].term.targets().nth(arm).cloned() else { break };
                let Some(end) = leads_to(f, &scope, b, &t) else { break };
                let block = &f.blocks[t.block.index()];
                match end {
                    End::Goes(to) => {
                        let to = materialize(f, b, to);
                        if let Some(t) = f.blocks[b.index()].term.targets_mut().nth(arm) {
                            *t = to;
                        }
                    }
                    End::Returns(v) if arms == 1 => {
                        let loc = block.term_loc;
                        let v = match v {
                            Seen::Number(n) => constant(f, b, n, Ty::Int),
                            Seen::Value(v) => v,
                            Seen::Unknown => break,
                        };
                        f.blocks[b.index()].term = Terminator::Return(v);
                        f.blocks[b.index()].term_loc = loc;
                        changed = true;
                        break;
                    }
                    End::Returns(_) => break,
                }
                changed = true;
            }
        }
    }
    changed
}

/// Where values are used, as it was before the first jump was changed: only fewer uses can be made since.
struct Scope {
    elsewhere: Vec<bool>,
    dom: Dominators,
    cfg: Cfg,
}

impl Scope {
    /// Whether what `skipped` makes may be used after `to` was reached without it.
    fn sees(&self, f: &Function, skipped: Block, to: Block) -> bool {
        let data = &f.blocks[skipped.index()];
        let results = data.insts.iter().filter_map(|i| f.insts[i.index()].result);
        let mut made = data.params.iter().copied().chain(results);
        let used = made.any(|v| self.elsewhere.get(v.index()).copied().unwrap_or(true));
        // Where another way leads, nothing that is made on this one can be used.
        used && (!self.cfg.reaches(skipped) || !self.cfg.reaches(to) || self.dom.dominates(skipped, to))
    }
}

enum End {
    Goes((Block, Vec<(Seen, Ty)>)),
    Returns(Seen),
}

/// Where a jump leads when its block does nothing but choose the way, and it is clear which.
fn leads_to(f: &Function, scope: &Scope, from: Block, t: &Target) -> Option<End> {
    let data = f.blocks.get(t.block.index())?;
    if t.block == from || data.insts.len() > MAX_EVALUATED || data.params.len() != t.args.len() {
        return None;
    }
    let mut seen: SmallVec<[(Value, Seen); 8]> = SmallVec::new();
    for (p, a) in data.params.iter().zip(&t.args) {
        let known = f.as_const(*a).filter(|_| f.ty(*p) == Ty::Int).map_or(Seen::Value(*a), Seen::Number);
        seen.push((*p, known));
    }
    for i in &data.insts {
        let inst = &f.insts[i.index()];
        let r = inst.result?;
        let num = |v: Value| match look(f, &seen, v) {
            Seen::Number(n) => Some(n),
            _ => None,
        };
        let n = match inst.op {
            Op::Const(n) if inst.result.is_some_and(|r| f.ty(r) == Ty::Int) => Some(n),
            Op::Bin(op, w, a, b) => num(a).zip(num(b)).map(|(a, b)| fold::bin(op, w, a, b)),
            Op::Un(op, a) => num(a).map(|a| fold::un(op, a)),
            Op::Cmp(cc, w, a, b) => num(a).zip(num(b)).map(|(a, b)| i64::from(fold::cmp(cc, w, a, b))),
            _ => return None,
        };
        seen.push((r, n.map_or(Seen::Unknown, Seen::Number)));
    }
    let to = match &data.term {
        Terminator::Jump(to) => to,
        Terminator::Branch { cond, then, els } => match look(f, &seen, *cond) {
            Seen::Number(0) => els,
            Seen::Number(_) => then,
            _ => return None,
        },
        // The number returned is better made in one place.
        Terminator::Return(v) if f.ty(*v) == Ty::Int && data.insts.is_empty() => {
            return Some(End::Returns(look(f, &seen, *v)));
        }
        Terminator::Return(_) | Terminator::Open => return None,
    };
    // Only as it stands: a jump to itself is a loop that shall stay one.
    if to.block == t.block || scope.sees(f, t.block, to.block) {
        return None;
    }
    let mut args = Vec::with_capacity(to.args.len());
    for a in &to.args {
        match look(f, &seen, *a) {
            Seen::Unknown => return None,
            s => args.push((s, f.ty(*a))),
        }
    }
    Some(End::Goes((to.block, args)))
}

fn look(f: &Function, seen: &[(Value, Seen)], v: Value) -> Seen {
    if let Some((_, s)) = seen.iter().find(|(p, _)| *p == v) {
        return *s;
    }
    match f.as_const(v) {
        Some(n) if f.ty(v) == Ty::Int => Seen::Number(n),
        _ => Seen::Value(v),
    }
}

fn materialize(f: &mut Function, b: Block, (block, args): (Block, Vec<(Seen, Ty)>)) -> Target {
    let mut values = SmallVec::new();
    for (s, ty) in args {
        values.push(match s {
            Seen::Value(v) => v,
            Seen::Number(n) => constant(f, b, n, ty),
            // Excluded where the jump was looked at.
            Seen::Unknown => constant(f, b, 0, ty),
        });
    }
    Target { block, args: values }
}

fn constant(f: &mut Function, b: Block, n: i64, ty: Ty) -> Value {
    let inst = f.add_inst(Op::Const(n), Some(ty), f.blocks[b.index()].term_loc);
    f.blocks[b.index()].insts.push(inst);
    Value(f.values.len() as u32 - 1)
}

/// Joins blocks to the only block that jumps to them.
fn merge(f: &mut Function) -> bool {
    let cfg = Cfg::of(f);
    let mut aliases = Aliases::new(f);
    let mut changed = false;
    let mut gone = vec![false; f.blocks.len()];
    for &b in &cfg.order {
        if gone[b.index()] {
            continue;
        }
        while let Terminator::Jump(t) = &f.blocks[b.index()].term {
            let to = t.block;
            let plain = t.args.iter().zip(&f.blocks[to.index()].params).all(|(a, p)| f.ty(*a) == f.ty(*p));
            if to == b || to == Block(0) || cfg.preds[to.index()].len() != 1 || !plain {
                break;
            }
            let t = t.clone();
            let params = std::mem::take(&mut f.blocks[to.index()].params);
            for (p, a) in params.iter().zip(&t.args) {
                aliases.replace(f, *p, *a);
            }
            let insts = std::mem::take(&mut f.blocks[to.index()].insts);
            let term = std::mem::replace(&mut f.blocks[to.index()].term, Terminator::Open);
            let term_loc = f.blocks[to.index()].term_loc;
            let data = &mut f.blocks[b.index()];
            data.insts.extend(insts);
            (data.term, data.term_loc) = (term, term_loc);
            gone[to.index()] = true;
            changed = true;
        }
    }
    aliases.apply(f);
    changed
}
