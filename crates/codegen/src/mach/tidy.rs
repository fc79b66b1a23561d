//! After allocation: reading the original of a copy instead of the copy, and removing what nobody
//! reads then. Invariant: calls, stores, and instructions a loader patches are left alone.

use whistler_isa::{Insn, Reg, op};

use super::inst::Rhs;
use super::phys::{PFunc, PInst, PTerm, RegSet, bit};

/// What a register or spill slot is a copy of, at one place.
#[derive(Clone)]
struct Copies {
    /// The register whose content each register has.
    of: [Reg; 11],
    /// The register that a spill slot was stored from or loaded to last.
    slots: Vec<(i16, Reg)>,
}

impl Copies {
    fn new() -> Copies {
        Copies { of: std::array::from_fn(|r| r as Reg), slots: Vec::new() }
    }

    fn get(&self, r: Reg) -> Reg {
        self.of[r as usize]
    }

    /// `r` changes.
    fn kill(&mut self, r: Reg) {
        // The oldest remaining copy becomes what the others are copies of.
        let heir = (0..10).find(|c| *c != r && self.of[*c as usize] == r);
        for c in 0..10u8 {
            if self.of[c as usize] == r {
                self.of[c as usize] = heir.unwrap_or(c);
            }
        }
        self.of[r as usize] = r;
        self.slots.retain_mut(|(_, held)| {
            if *held == r {
                match heir {
                    Some(h) => *held = h,
                    None => return false,
                }
            }
            true
        });
    }
}

/// Rewrites reads of copies to reads of the original, along every way without a join.
pub(crate) fn forward_copies(f: &mut PFunc) {
    let spills = spill_range(f);
    let preds = f.pred_counts();
    let mut entry: Vec<Option<Copies>> = vec![None; f.blocks.len()];
    for (n, block) in f.blocks.iter_mut().enumerate() {
        let mut copies = entry[n].take().unwrap_or_else(Copies::new);
        for inst in &mut block.insts {
            rewrite_reads(inst, &copies);
            if let Some(slot) = spill_load(inst, &spills)
                && let Some((_, held)) = copies.slots.iter().find(|(s, _)| *s == slot)
            {
                inst.insn = Insn::new(op::ALU64 | op::MOV | op::X, inst.insn.dst, *held, 0, 0);
            }
            if let Some(slot) = spill_store(inst, &spills) {
                copies.slots.retain(|(s, _)| *s != slot);
                copies.slots.push((slot, inst.insn.src));
                continue;
            }
            let moved = inst.as_move().filter(|(_, src)| *src != 10);
            if let Some((dst, src)) = moved
                && copies.get(dst) == copies.get(src)
            {
                inst.insn.src = dst;
                continue;
            }
            let loaded = spill_load(inst, &spills);
            let defs = inst.defs();
            for r in (0..10).filter(|r| defs & bit(*r) != 0) {
                copies.kill(r);
            }
            if let Some((dst, src)) = moved {
                copies.of[dst as usize] = copies.get(src);
            }
            if let Some(slot) = loaded {
                copies.slots.retain(|(s, _)| *s != slot);
                copies.slots.push((slot, inst.insn.dst));
            }
        }
        // Moves from what holds the same already.
        block.retain(|i, _| i.as_move().is_none_or(|(d, s)| d != s));
        if let PTerm::Branch { lhs, rhs, .. } = &mut block.term {
            *lhs = copies.get(*lhs);
            if let Rhs::Reg(r) = rhs {
                *r = copies.get(*r);
            }
        }
        for s in block.term.succs() {
            if s > n && preds[s] == 1 {
                entry[s] = Some(copies.clone());
            }
        }
    }
}

fn rewrite_reads(inst: &mut PInst, copies: &Copies) {
    let i = &mut inst.insn;
    let atomic = i.class() == op::STX && i.code & 0xe0 == op::ATOMIC;
    match i.class() {
        op::LDX => i.src = copies.get(i.src),
        op::ST => i.dst = copies.get(i.dst),
        op::STX if atomic && i.imm == op::LOAD_ACQ => i.src = copies.get(i.src),
        op::STX => {
            i.dst = copies.get(i.dst);
            // A fetching one writes its source register, all but compare-and-exchange.
            if !atomic || i.imm & op::FETCH == 0 || i.imm == op::CMPXCHG {
                i.src = copies.get(i.src);
            }
        }
        op::ALU | op::ALU64 if i.code & op::X != 0 && !matches!(i.code & 0xf0, op::END | op::NEG) => {
            i.src = copies.get(i.src);
        }
        _ => {}
    }
}

/// Offsets from r10 below those of IR slots belong to the allocator.
fn spill_range(f: &PFunc) -> std::ops::Range<i16> {
    let top = -(f.frame as i16);
    top - 8 * f.spills as i16..top
}

fn spill_load(i: &PInst, spills: &std::ops::Range<i16>) -> Option<i16> {
    let i = i.insn;
    (i.code == op::LDX | op::MEM | op::DW && i.src == 10 && spills.contains(&i.off)).then_some(i.off)
}

fn spill_store(i: &PInst, spills: &std::ops::Range<i16>) -> Option<i16> {
    let i = i.insn;
    (i.code == op::STX | op::MEM | op::DW && i.dst == 10 && spills.contains(&i.off)).then_some(i.off)
}

/// The registers read before they are written, at the end of each block.
pub(crate) fn live_out(f: &PFunc) -> Vec<RegSet> {
    // What each block reads first, and what it writes.
    let effects: Vec<(RegSet, RegSet)> = (f.blocks.iter())
        .map(|b| {
            b.insts
                .iter()
                .rev()
                .fold((b.term.uses(), 0), |(live, defs), i| ((live & !i.defs()) | i.uses(), defs | i.defs()))
        })
        .collect();
    let mut live_in: Vec<RegSet> = effects.iter().map(|e| e.0).collect();
    let mut live_out = vec![0; f.blocks.len()];
    loop {
        let mut changed = false;
        for b in (0..f.blocks.len()).rev() {
            let out = f.blocks[b].term.succs().fold(0, |set, s| set | live_in[s]);
            let new_in = effects[b].0 | (out & !effects[b].1);
            changed |= out != live_out[b] || new_in != live_in[b];
            (live_out[b], live_in[b]) = (out, new_in);
        }
        if !changed {
            return live_out;
        }
    }
}

/// Removes instructions whose result nobody reads, and stores to spill slots nobody loads.
pub(crate) fn remove_dead(f: &mut PFunc) {
    let spills = spill_range(f);
    loop {
        let mut removed = false;
        let mut out = live_out(f);
        for (block, live) in f.blocks.iter_mut().zip(&mut out) {
            let mut live = *live | block.term.uses();
            let mut keep = vec![true; block.insts.len()];
            for (n, i) in block.insts.iter().enumerate().rev() {
                if i.is_pure() && i.core.is_none() && i.defs() & live == 0 {
                    keep[n] = false;
                    removed = true;
                    continue;
                }
                live = (live & !i.defs()) | i.uses();
            }
            let mut keep = keep.iter();
            block.retain(|i, stale| {
                let kept = keep.next().copied().unwrap_or(true);
                if !kept {
                    *stale |= i.defs();
                }
                kept
            });
        }
        let mut loaded: Vec<i16> =
            f.blocks.iter().flat_map(|b| &b.insts).filter_map(|i| spill_load(i, &spills)).collect();
        loaded.sort_unstable();
        for block in &mut f.blocks {
            block.retain(|i, _| match spill_store(i, &spills) {
                Some(slot) if loaded.binary_search(&slot).is_err() => {
                    removed = true;
                    f.lost_slots.push(slot);
                    false
                }
                _ => true,
            });
        }
        if !removed {
            return;
        }
    }
}

/// Registers that do not hold what the allocator says, where each block begins ([`PInst::stale`]).
pub(crate) fn stale_in(f: &PFunc) -> Vec<RegSet> {
    let mut stale = vec![0; f.blocks.len()];
    loop {
        let mut changed = false;
        for (n, b) in f.blocks.iter().enumerate() {
            let out = b.insts.iter().fold(stale[n], |s, i| (s | i.stale) & !i.defs()) | b.stale;
            for s in b.term.succs() {
                changed |= stale[s] | out != stale[s];
                stale[s] |= out;
            }
        }
        if !changed {
            return stale;
        }
    }
}
