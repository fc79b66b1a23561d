//! Which bytes of stack memory are still read. Invariant: only slots whose address nobody can keep
//! are looked at; errs on the side of saying that bytes are read.

use super::memory::{Escape, Memory, Place, slot_of};
use crate::ir::cfg::Cfg;
use crate::ir::{Block, Callee, Function, Op, Slot, Value};

/// Bytes looked at, in 64s: more than a frame can have, since slots share.
const WORDS: usize = 12;
/// The bytes of one function that are looked at.
pub(super) const LOOKED_AT: u32 = 64 * WORDS as u32;
pub(super) type Bytes = [u64; WORDS];

/// Where the bytes of slots stand in a set.
pub(super) struct Slots {
    /// Where each slot's bytes begin in [`Bytes`], with their number.
    at: Vec<Option<(usize, usize)>>,
}

impl Slots {
    /// Those of a function.
    pub fn of(f: &Function) -> Slots {
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

    /// Whether there is none to be looked at.
    pub fn is_empty(&self) -> bool {
        self.at.iter().all(Option::is_none)
    }

    /// The first and the number of a slot's bytes, when they are looked at.
    pub fn range(&self, slot: Slot) -> Option<(usize, usize)> {
        self.at.get(slot.index()).copied().flatten()
    }

    /// The bytes of an access.
    fn mask(&self, place: &Place) -> Option<Bytes> {
        let (start, size) = self.range(place.slot()?)?;
        let off = usize::try_from(place.off).ok().filter(|o| o + place.size as usize <= size)?;
        Some(bytes(start + off, place.size as usize))
    }

    /// All bytes of the slot that an address is in.
    fn whole(&self, f: &Function, address: Value) -> Option<Bytes> {
        let (start, size) = self.range(slot_of(f, address)?.0)?;
        Some(bytes(start, size))
    }
}

/// Helpers that write all bytes of an argument, as many as another one says, with the places of both: what they can't
/// read they write zeros for (`bpf_probe_read_kernel_common` and its like in kernel/trace/bpf_trace.c,
/// `bpf_get_current_comm`, `bpf_skb_load_bytes` and its like in net/core/filter.c).
const FILLING: [(u32, usize, usize); 6] = [
    (4, 0, 1),   // probe_read
    (16, 0, 1),  // get_current_comm
    (26, 2, 3),  // skb_load_bytes
    (68, 2, 3),  // skb_load_bytes_relative
    (112, 0, 1), // probe_read_user
    (113, 0, 1), // probe_read_kernel
];

/// The bytes such a helper writes, when they are plain.
fn filled(f: &Function, slots: &Slots, helper: u32, args: &[Value]) -> Option<(usize, Bytes)> {
    let (_, buffer, len) = FILLING.iter().find(|(id, ..)| *id == helper)?;
    let (slot, off) = slot_of(f, *args.get(*buffer)?)?;
    let (start, size) = slots.range(slot)?;
    let len = usize::try_from(f.as_const(*args.get(*len)?)?).ok()?;
    let off = usize::try_from(off).ok().filter(|o| o.checked_add(len).is_some_and(|end| end <= size))?;
    Some((*buffer, bytes(start + off, len)))
}

/// A range as a set.
pub(super) fn bytes(start: usize, len: usize) -> Bytes {
    let mut b = [0; WORDS];
    for i in start..start + len {
        b[i / 64] |= 1 << (i % 64);
    }
    b
}

/// What is read after each block ends.
pub(super) struct Live {
    live_in: Vec<Bytes>,
}

impl Live {
    /// Looks at a function.
    pub fn of(f: &Function, slots: &Slots, cfg: &Cfg) -> Live {
        let mut live = Live { live_in: vec![[0; WORDS]; f.blocks.len()] };
        let mut changed = true;
        while changed {
            changed = false;
            for &b in cfg.order.iter().rev() {
                let mut now = live.out(f, b);
                for i in f.blocks[b.index()].insts.iter().rev() {
                    step(f, slots, &f.insts[i.index()].op, &mut now);
                }
                changed |= now != live.live_in[b.index()];
                live.live_in[b.index()] = now;
            }
        }
        live
    }

    /// The bytes that are read after the block.
    pub fn out(&self, f: &Function, b: Block) -> Bytes {
        let mut live = [0; WORDS];
        for t in f.blocks[b.index()].term.targets() {
            add(&mut live, &self.live_in[t.block.index()]);
        }
        live
    }

    /// The bytes that are read after the block begins.
    pub fn at_start(&self, b: Block) -> &Bytes {
        &self.live_in[b.index()]
    }
}

/// Adds to a set.
pub(super) fn add(live: &mut Bytes, more: &Bytes) {
    for (l, m) in live.iter_mut().zip(more) {
        *l |= m;
    }
}

/// Goes backwards over an instruction; whether it is needed.
pub(super) fn step(f: &Function, slots: &Slots, op: &Op, live: &mut Bytes) -> bool {
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
        Op::Call { callee: Callee::Helper(id), args } if let Some((buffer, filled)) = filled(f, slots, *id, args) => {
            for (l, m) in live.iter_mut().zip(&filled) {
                *l &= !m;
            }
            let others = args.iter().enumerate().filter(|(n, _)| *n != buffer);
            for all in others.filter_map(|(_, a)| slots.whole(f, *a)) {
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
