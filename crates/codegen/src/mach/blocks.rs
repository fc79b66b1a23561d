//! After allocation: fewer blocks and jumps. Invariant: blocks keep their order (the one selection
//! gave them), and only unreachable ones disappear.

use whistler_isa::op;

use super::emit::EDIT;
use super::phys::{PBlock, PFunc, PInst, PTerm};
use super::tidy::live_out;

/// Threads jumps, joins chains, merges what is the same.
pub(crate) fn simplify(f: &mut PFunc) {
    // Merging makes empty blocks and chains, which threading removes and makes more to merge.
    for _ in 0..4 {
        thread(f);
        join_chains(f);
        remove_unreachable(f);
        let hoisted = hoist_constants(f);
        let merged = merge_same(f);
        if !hoisted && !merged {
            break;
        }
    }
    thread(f);
    join_chains(f);
    remove_unreachable(f);
}

/// Sends jumps to empty blocks on to where those go.
fn thread(f: &mut PFunc) {
    let mut to: Vec<usize> = (0..f.blocks.len()).collect();
    for (start, end) in to.iter_mut().enumerate() {
        let (mut at, mut hops, mut stale) = (start, 0, 0);
        while let PBlock { insts, term: PTerm::Jump(next), .. } = &f.blocks[at]
            && insts.is_empty()
            // A loop of empty blocks stays one.
            && hops < f.blocks.len()
        {
            stale |= f.blocks[at].stale;
            (at, hops) = (*next, hops + 1);
        }
        if hops < f.blocks.len() {
            *end = at;
            f.blocks[at].make_stale(stale);
        }
    }
    for n in 0..f.blocks.len() {
        f.blocks[n].term.retarget(|t| to[t]);
        match f.blocks[n].term {
            PTerm::Branch { then, els, .. } if then == els => f.blocks[n].term = PTerm::Jump(then),
            // Leaving takes one slot, as a jump to it does.
            PTerm::Jump(t) if f.blocks[t].insts.is_empty() && f.blocks[t].term == PTerm::Exit => {
                f.blocks[n].term = PTerm::Exit;
            }
            _ => {}
        }
    }
}

/// Appends a block to its only predecessor when that goes nowhere else.
fn join_chains(f: &mut PFunc) {
    let preds = f.pred_counts();
    for n in 0..f.blocks.len() {
        while let PTerm::Jump(t) = f.blocks[n].term
            && t != n
            && preds[t] == 1
            && t != 0
        {
            let mut insts = std::mem::take(&mut f.blocks[t].insts);
            let PBlock { term, term_loc, term_at, stale, .. } = f.blocks[t];
            let block = &mut f.blocks[n];
            let before = std::mem::replace(&mut block.stale, stale);
            match insts.first_mut() {
                Some(first) => first.stale |= before,
                None => block.stale |= before,
            }
            block.insts.extend(insts);
            (block.term, block.term_loc, block.term_at) = (term, term_loc, term_at);
            // What is left of it is an unreachable block that leaves.
            f.blocks[t].term = PTerm::Exit;
        }
    }
}

/// Drops unreachable blocks: the verifier refuses them.
pub(crate) fn remove_unreachable(f: &mut PFunc) {
    let mut reached = vec![false; f.blocks.len()];
    let mut work = vec![0];
    while let Some(b) = work.pop() {
        if !std::mem::replace(&mut reached[b], true) {
            work.extend(f.blocks[b].term.succs());
        }
    }
    renumber(f, &reached);
}

fn renumber(f: &mut PFunc, keep: &[bool]) {
    let mut number = Vec::with_capacity(keep.len());
    let mut next = 0;
    for k in keep {
        number.push(next);
        next += usize::from(*k);
    }
    let mut keep = keep.iter();
    f.blocks.retain(|_| keep.next().copied().unwrap_or(true));
    for b in &mut f.blocks {
        b.term.retarget(|t| number[t]);
    }
}

/// `if c goto T; …; T: r = n; goto J` where r is free before: `r = n` moves before the branch, and
/// T is gone. This is how 0-or-1 values and other small choices lose a jump.
fn hoist_constants(f: &mut PFunc) -> bool {
    let preds = f.pred_counts();
    let out = live_out(f);
    let live_in = |f: &PFunc, b: usize| {
        f.blocks[b].insts.iter().rev().fold(out[b] | f.blocks[b].term.uses(), |live, i| (live & !i.defs()) | i.uses())
    };
    let mut changed = false;
    for n in 0..f.blocks.len() {
        let PTerm::Branch { then, els, .. } = f.blocks[n].term else { continue };
        for (arm, other) in [(then, els), (els, then)] {
            let PBlock { insts, term: PTerm::Jump(join), .. } = &f.blocks[arm] else { continue };
            let [only] = insts[..] else { continue };
            let join = *join;
            if preds[arm] != 1 || arm == other || !is_constant(&only) {
                continue;
            }
            // Only where the arm costs a jump: the other way flows into the join too.
            if !matches!(f.blocks[other].term, PTerm::Jump(j) if j == join) && other != join {
                continue;
            }
            if (f.blocks[n].term.uses() | live_in(f, other)) & only.defs() != 0 {
                continue;
            }
            f.blocks[n].insts.push(only);
            // At the branch the register does not hold what the allocator says yet.
            f.blocks[n].term_at = EDIT;
            f.blocks[n].term.retarget(|t| if t == arm { join } else { t });
            f.blocks[arm].insts.clear();
            changed = true;
            break;
        }
    }
    changed
}

fn is_constant(i: &PInst) -> bool {
    i.core.is_none() && matches!(i.insn.class(), op::ALU | op::ALU64) && i.insn.code & 0xf8 == op::MOV | op::K
}

/// Blocks that do the same become one. Calls are left apart, so that a complaint about one names
/// the right line, and so is what the loader patches: one record per place.
fn merge_same(f: &mut PFunc) -> bool {
    let mut changed = false;
    for b in (1..f.blocks.len()).rev() {
        if f.blocks[b].insts.is_empty() || f.blocks[b].insts.iter().any(|i| i.core.is_some() || i.is_call()) {
            continue;
        }
        let same = (1..b).find(|a| {
            let (a, b) = (&f.blocks[*a], &f.blocks[b]);
            a.term == b.term
                && a.insts.len() == b.insts.len()
                && a.insts.iter().zip(&b.insts).all(|(x, y)| does_same(x, y))
        });
        if let Some(a) = same {
            // The later one stays: jumps go forward, which old kernels insist on.
            forget(&mut f.blocks[b]);
            for block in &mut f.blocks {
                block.term.retarget(|t| if t == a { b } else { t });
            }
            changed = true;
        }
    }
    if changed {
        remove_unreachable(f);
    }
    changed | merge_exits(f)
}

/// Other ways lead here now, on which other variables have these registers.
fn forget(block: &mut PBlock) {
    block.insts.iter_mut().for_each(|i| i.edit = true);
    block.term_at = EDIT;
}

fn does_same(x: &PInst, y: &PInst) -> bool {
    x.insn == y.insn && x.high == y.high && x.sym == y.sym && x.core.is_none() && y.core.is_none() && !x.is_call()
}

/// Where two blocks leave after the same last instructions, the earlier one jumps into the later.
fn merge_exits(f: &mut PFunc) -> bool {
    let exits: Vec<usize> = (0..f.blocks.len()).filter(|b| f.blocks[*b].term == PTerm::Exit).collect();
    let mut changed = false;
    for (n, &a) in exits.iter().enumerate() {
        let common = |b: usize| -> usize {
            let pairs = f.blocks[a].insts.iter().rev().zip(f.blocks[b].insts.iter().rev());
            pairs.take_while(|(x, y)| does_same(x, y)).count()
        };
        // The jump takes the place of the exit: anything in common is a gain.
        let Some((len, b)) = exits[n + 1..].iter().map(|b| (common(*b), *b)).max().filter(|(len, _)| *len > 0) else {
            continue;
        };
        if len != f.blocks[b].insts.len() {
            // Only into the head of a block: the tail becomes one of its own, at the end.
            let at = f.blocks[b].insts.len() - len;
            if len < 2 && at > 0 {
                continue;
            }
            let tail = f.blocks[b].insts.split_off(at);
            let PBlock { term, term_loc, term_at, stale, .. } = f.blocks[b];
            let new = f.blocks.len();
            f.blocks.push(PBlock { insts: tail, term, term_loc, term_at, stale });
            f.blocks[b].term = PTerm::Jump(new);
            let keep = f.blocks[a].insts.len() - len;
            f.blocks[a].insts.truncate(keep);
            f.blocks[a].term = PTerm::Jump(new);
            forget(&mut f.blocks[new]);
            return true;
        }
        if b == 0 {
            continue;
        }
        let keep = f.blocks[a].insts.len() - len;
        f.blocks[a].insts.truncate(keep);
        f.blocks[a].term = PTerm::Jump(b);
        forget(&mut f.blocks[b]);
        changed = true;
    }
    changed
}
