//! Gives stack slots that are never wanted at the same time the same memory: the frame gets smaller,
//! and code that differed only in where it keeps a key becomes the same. Invariant: a slot is only
//! written where no other slot of its memory is read afterwards.

use super::PassContext;
use super::memory::slot_of;
use super::stack::{LOOKED_AT, Live, Slots, add, bytes, step};
use crate::ir::cfg::Cfg;
use crate::ir::{Block, Function, Op, Size, Slot, Ty, Value};

pub(super) fn run(f: &mut Function, _: &PassContext<'_>) -> bool {
    let mut changed = false;
    loop {
        // Only so many bytes are looked at together; what shares a memory now leaves room for those behind.
        let crowded = f.slots.iter().map(|s| s.size).sum::<u32>() > LOOKED_AT;
        let more = share(f, |_, _| true);
        changed |= more;
        if !more || !crowded {
            return changed;
        }
    }
}

/// Only for slots that get the same number, once each: what is stored there again may then be there already.
pub(super) fn run_same(f: &mut Function, _: &PassContext<'_>) -> bool {
    let content = contents(f);
    share(f, |a, b| content[a.index()].is_some() && content[a.index()] == content[b.index()])
}

fn share(f: &mut Function, may: impl Fn(Slot, Slot) -> bool) -> bool {
    if f.slots.len() < 2 {
        return false;
    }
    let slots = Slots::of(f);
    let clashes = Clashes::of(f, &slots);
    // The slots that got each memory, by the first of them.
    let mut shared: Vec<(Slot, Vec<Slot>)> = Vec::new();
    let mut to: Vec<Slot> = (0..f.slots.len() as u32).map(Slot).collect();
    for s in (0..f.slots.len() as u32).map(Slot).filter(|s| clashes.movable[s.index()]) {
        let fits = |(_, all): &&mut (Slot, Vec<Slot>)| all.iter().all(|o| may(s, *o) && !clashes.between(s, *o));
        match shared.iter_mut().find(fits) {
            Some((first, all)) => {
                all.push(s);
                to[s.index()] = *first;
            }
            None => shared.push((s, vec![s])),
        }
    }
    for (n, first) in to.iter().enumerate() {
        let first = first.index();
        if first != n {
            let gone = std::mem::take(&mut f.slots[n].size);
            f.slots[first].size = f.slots[first].size.max(gone);
        }
    }
    let mut changed = false;
    for i in &mut f.insts {
        if let Op::StackAddr(s, _) = &mut i.op
            && to[s.index()] != *s
        {
            *s = to[s.index()];
            changed = true;
        }
    }
    changed
}

/// What the only store to each slot writes.
fn contents(f: &Function) -> Vec<Option<(i64, Size, Value)>> {
    let mut all: Vec<Result<(i64, Size, Value), u32>> = vec![Err(0); f.slots.len()];
    for i in f.blocks.iter().flat_map(|b| &b.insts) {
        if let Op::Store { size, base, off, value } = f.insts[i.index()].op
            && let Some((s, at)) = slot_of(f, base)
            && let Some(content) = all.get_mut(s.index())
        {
            *content = if *content == Err(0) { Ok((at + i64::from(off), size, value)) } else { Err(2) };
        }
    }
    all.into_iter().map(Result::ok).collect()
}

/// Which slots can't lie in the same memory.
struct Clashes {
    with: Vec<Vec<bool>>,
    /// Slots that can be moved at all: they hold numbers only, are written before they are read, and are used.
    movable: Vec<bool>,
}

impl Clashes {
    fn of(f: &Function, slots: &Slots) -> Clashes {
        let n = f.slots.len();
        let mut c = Clashes { with: vec![vec![false; n]; n], movable: vec![false; n] };
        let cfg = Cfg::of(f);
        let live = Live::of(f, slots, &cfg);
        let mut written: Vec<Slot> = Vec::new();
        for &b in &cfg.order {
            let mut now = live.out(f, b);
            for i in f.blocks[b.index()].insts.iter().rev() {
                let op = &f.insts[i.index()].op;
                written.clear();
                touched(f, op, &mut written);
                // What a call reads must not be overwritten by what it writes.
                let mut after = now;
                if matches!(op, Op::Call { .. }) {
                    written
                        .iter()
                        .filter_map(|s| slots.range(*s))
                        .for_each(|(at, len)| add(&mut after, &bytes(at, len)));
                }
                for s in &written {
                    c.movable[s.index()] |= slots.range(*s).is_some();
                    c.written(*s, slots, &after);
                }
                step(f, slots, op, &mut now);
            }
        }
        let entry = live.at_start(Block(0));
        for s in 0..n {
            let early = slots.range(Slot(s as u32)).is_some_and(|(at, len)| meets(&bytes(at, len), entry));
            c.movable[s] &= !early;
        }
        for i in cfg.order.iter().flat_map(|b| &f.blocks[b.index()].insts) {
            if let Op::Store { base, value, .. } = &f.insts[i.index()].op
                && f.ty(*value) != Ty::Int
                && let Some((s, _)) = slot_of(f, *base)
            {
                c.movable[s.index()] = false;
            }
        }
        c
    }

    fn written(&mut self, s: Slot, slots: &Slots, live: &super::stack::Bytes) {
        for other in 0..self.with.len() {
            let o = Slot(other as u32);
            if o != s && slots.range(o).is_some_and(|(at, len)| meets(&bytes(at, len), live)) {
                self.with[s.index()][other] = true;
                self.with[other][s.index()] = true;
            }
        }
    }

    fn between(&self, a: Slot, b: Slot) -> bool {
        self.with[a.index()][b.index()]
    }
}

fn meets(a: &super::stack::Bytes, b: &super::stack::Bytes) -> bool {
    a.iter().zip(b).any(|(x, y)| x & y != 0)
}

/// The slots that an instruction may write; a lookup only reads.
fn touched(f: &Function, op: &Op, out: &mut Vec<Slot>) {
    let mut push = |v: Value| out.extend(slot_of(f, v).map(|(s, _)| s));
    match op {
        Op::Store { base, .. } | Op::Atomic { base, .. } | Op::CmpXchg { base, .. } => push(*base),
        Op::Call { args, .. } => args.iter().for_each(|a| push(*a)),
        _ => {}
    }
}
