//! Removes stores to stack memory that nobody reads afterwards. Invariant: only slots whose address
//! nobody can keep are looked at, byte by byte.

use super::PassContext;
use super::stack::{Live, Slots, step};
use crate::ir::Function;
use crate::ir::cfg::Cfg;

pub(super) fn run(f: &mut Function, _: &PassContext<'_>) -> bool {
    let slots = Slots::of(f);
    if slots.is_empty() {
        return false;
    }
    let cfg = Cfg::of(f);
    let all = Live::of(f, &slots, &cfg);
    let mut removed = false;
    for &b in &cfg.order {
        let mut live = all.out(f, b);
        let mut insts = std::mem::take(&mut f.blocks[b.index()].insts);
        insts.reverse();
        insts.retain(|i| {
            let keep = step(f, &slots, &f.insts[i.index()].op, &mut live);
            removed |= !keep;
            keep
        });
        insts.reverse();
        f.blocks[b.index()].insts = insts;
    }
    removed
}
