//! Removes stores to stack memory that nobody reads afterwards. Invariant: only slots whose address
//! nobody can keep are looked at, byte by byte.

use super::PassContext;
use super::memory::{Escape, Memory, Place, slot_of};
use crate::ir::cfg::Cfg;
use crate::ir::{Function, Op, Slot, Value};

/// Bytes looked at: as many as a frame can have.
const WORDS: usize = 8;
type Bytes = [u64; WORDS];

struct Slots {
    /// Where each slot's bytes begin in [`Bytes`], with their number.
    at: Vec<Option<(usize, usize)>>,
}

impl Slots {
    fn of(f: &Function) -> Slots {
        let memory = Memory::of(f);
        let mut next = 0;
        let place = |(s, e): (&crate::ir::SlotData, &Escape)| {
            let size = s.size as usize;
            if *e == Escape::Anybody || next + size > 64 * WORDS {
                return None;
            }
            next += size;
            Some((next - size, size))
        };
        Slots { at: f.slots.iter().zip(&memory.escape).map(place).collect() }
    }

    fn range(&self, slot: Slot) -> Option<(usize, usize)> {
        self.at.get(slot.index()).copied().flatten()
    }

    fn mask(&self, place: &Place) -> Option<Bytes> {
        let (start, size) = self.range(place.slot()?)?;
        let off = usize::try_from(place.off).ok().filter(|o| o + place.size as usize <= size)?;
        Some(bytes(start + off, place.size as usize))
    }

    fn whole(&self, f: &Function, address: Value) -> Option<Bytes> {
        let (start, size) = self.range(slot_of(f, address)?.0)?;
        Some(bytes(start, size))
    }
}

fn bytes(start: usize, len: usize) -> Bytes {
    let mut b = [0; WORDS];
    for i in start..start + len {
        b[i / 64] |= 1 << (i % 64);
    }
    b
}

pub(super) fn run(f: &mut Function, _: &PassContext<'_>) -> bool {
    let slots = Slots::of(f);
    if slots.at.iter().all(Option::is_none) {
        return false;
    }
    let cfg = Cfg::of(f);
    let mut live_in: Vec<Bytes> = vec![[0; WORDS]; f.blocks.len()];
    let live_out = |f: &Function, live_in: &[Bytes], b: crate::ir::Block| {
        let mut live = [0; WORDS];
        for t in f.blocks[b.index()].term.targets() {
            add(&mut live, &live_in[t.block.index()]);
        }
        live
    };
    let mut changed = true;
    while changed {
        changed = false;
        for &b in cfg.order.iter().rev() {
            let mut live = live_out(f, &live_in, b);
            for i in f.blocks[b.index()].insts.iter().rev() {
                step(f, &slots, &f.insts[i.index()].op, &mut live);
            }
            changed |= live != live_in[b.index()];
            live_in[b.index()] = live;
        }
    }
    let mut removed = false;
    for &b in &cfg.order {
        let mut live = live_out(f, &live_in, b);
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

fn add(live: &mut Bytes, more: &Bytes) {
    for (l, m) in live.iter_mut().zip(more) {
        *l |= m;
    }
}

/// Goes backwards over an instruction; whether it is needed.
fn step(f: &Function, slots: &Slots, op: &Op, live: &mut Bytes) -> bool {
    match op {
        Op::Store { size, base, off, .. } => {
            let Some(mask) = slots.mask(&Place::new(f, *base, *off, *size)) else { return true };
            let needed = live.iter().zip(&mask).any(|(l, m)| l & m != 0);
            for (l, m) in live.iter_mut().zip(&mask) {
                *l &= !m;
            }
            needed
        }
        Op::Load { size, base, off, .. } | Op::Atomic { size, base, off, .. } | Op::CmpXchg { size, base, off, .. } => {
            if let Some(mask) = slots.mask(&Place::new(f, *base, *off, *size)) {
                add(live, &mask);
            }
            true
        }
        Op::MapLookup { key, .. } => {
            if let Some(all) = slots.whole(f, *key) {
                add(live, &all);
            }
            true
        }
        Op::Call { args, .. } => {
            for all in args.iter().filter_map(|a| slots.whole(f, *a)) {
                add(live, &all);
            }
            true
        }
        _ => true,
    }
}
