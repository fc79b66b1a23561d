//! One packet check for several: a check whose failure leads to the same place as that of a later,
//! further reaching one is made as strong as that one, and the later one goes. That holds where
//! nothing happens between the two and every other way out leads to that place, too: a packet that
//! is too short for the later check goes there in any case.

use super::PassContext;
use super::checks::packet;
use super::rewrite::{is_removable, use_counts};
use crate::ir::cfg::Cfg;
use crate::ir::{Block, Function, Inst, Op, Target, Terminator, Value, ValueDef};

/// Blocks looked at after a check.
const MAX_CHAIN: usize = 16;

pub(super) fn run(f: &mut Function, _: &PassContext<'_>) -> bool {
    let (cfg, uses) = (Cfg::of(f), use_counts(f));
    let mut changed = false;
    for &b in &cfg.order {
        while let Some((first, longer, second)) = find(f, &cfg, &uses, b) {
            if let Op::InBounds { len, .. } = &mut f.insts[first.index()].op {
                *len = longer;
            }
            f.insts[second.index()].op = Op::Const(1);
            changed = true;
        }
    }
    changed
}

/// A bounds check that ends a block and is used by nothing else there: where it is, pointer and
/// distance, the packet's end.
struct Check {
    inst: Inst,
    base: Value,
    off: i64,
    len: i32,
    end: Value,
}

fn check(f: &Function, b: Block) -> Option<(Check, &Target, &Target)> {
    let data = &f.blocks[b.index()];
    let Terminator::Branch { cond, then, els } = &data.term else { return None };
    let ValueDef::Inst(inst) = f.values[cond.index()].def else { return None };
    let Op::InBounds { ptr, len, end } = f.insts[inst.index()].op else { return None };
    // The check must be the block's own: another block may branch on it elsewhere.
    if !data.insts.contains(&inst) {
        return None;
    }
    let (base, off) = packet(f, ptr, len);
    Some((Check { inst, base, off, len, end }, then, els))
}

/// A check that ends `b`, what it should reach, and the later check that it covers then.
fn find(f: &Function, cfg: &Cfg, uses: &[u32], b: Block) -> Option<(Inst, i32, Inst)> {
    let (first, then, fail) = check(f, b)?;
    if uses[f.insts[first.inst.index()].result?.index()] != 1 {
        return None;
    }
    let mut next = then;
    for _ in 0..MAX_CHAIN {
        let at = next.block;
        if cfg.preds[at.index()].len() != 1 || at == b {
            return None;
        }
        let data = &f.blocks[at.index()];
        if !data.insts.iter().all(|i| quiet(&f.insts[i.index()].op)) {
            return None;
        }
        let Terminator::Branch { then, els, .. } = &data.term else { return None };
        if let Some((second, _, fails)) = check(f, at)
            && fails == fail
            && (second.base, second.end) == (first.base, first.end)
            && second.off > first.off
        {
            let longer = i32::try_from(i64::from(first.len) + second.off - first.off).ok()?;
            // As selection sees it, the pointer must still be the same one.
            let Op::InBounds { ptr, .. } = f.insts[first.inst.index()].op else { return None };
            return (packet(f, ptr, longer) == (first.base, second.off)).then_some((first.inst, longer, second.inst));
        }
        next = match (then == fail, els == fail) {
            (true, false) => els,
            (false, true) => then,
            _ => return None,
        };
    }
    None
}

/// Whether nobody can tell that an instruction was run.
fn quiet(op: &Op) -> bool {
    is_removable(op) && !matches!(op, Op::MapLookup { .. })
}
