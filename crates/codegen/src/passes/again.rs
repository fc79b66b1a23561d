//! Removes stores to stack memory of what is there already, on whichever way it was reached. Invariant:
//! only slots whose address nobody can keep are looked at.

use super::PassContext;
use super::memory::{Effect, Escape, Memory, Place};
use crate::ir::cfg::Cfg;
use crate::ir::{Block, Function, Op, Size, Ty, Value};

/// Contents looked at: a bit each.
const MAX_FACTS: usize = 64;

/// That a place holds a value.
struct Fact {
    place: Place,
    size: Size,
    value: Value,
}

pub(super) fn run(f: &mut Function, _: &PassContext<'_>) -> bool {
    let memory = Memory::of(f);
    let mut again = Again { facts: Vec::new(), memory };
    again.collect(f);
    if again.facts.is_empty() {
        return false;
    }
    let cfg = Cfg::of(f);
    // What holds at the end of each block, on every way to it; at first as if everything did.
    let mut out = vec![u64::MAX; f.blocks.len()];
    let start = |out: &[u64], b: Block| match b {
        Block(0) => 0,
        b => cfg.preds[b.index()].iter().fold(u64::MAX, |all, p| all & out[p.index()]),
    };
    let mut changed = true;
    while changed {
        changed = false;
        for &b in &cfg.order {
            let mut now = start(&out, b);
            for i in &f.blocks[b.index()].insts {
                again.step(f, &f.insts[i.index()].op, &mut now);
            }
            changed |= now != out[b.index()];
            out[b.index()] = now;
        }
    }
    let mut removed = false;
    for &b in &cfg.order {
        let mut now = start(&out, b);
        let mut insts = std::mem::take(&mut f.blocks[b.index()].insts);
        insts.retain(|i| {
            let needed = again.step(f, &f.insts[i.index()].op, &mut now);
            removed |= !needed;
            needed
        });
        f.blocks[b.index()].insts = insts;
    }
    removed
}

struct Again {
    facts: Vec<Fact>,
    memory: Memory,
}

impl Again {
    /// The contents that are stored at least twice.
    fn collect(&mut self, f: &Function) {
        let mut seen: Vec<(Fact, bool)> = Vec::new();
        for i in f.blocks.iter().flat_map(|b| &b.insts) {
            let Some(fact) = self.stored(f, &f.insts[i.index()].op) else { continue };
            match seen.iter_mut().find(|(s, _)| s.says(&fact)) {
                Some((_, twice)) => *twice = true,
                None => seen.push((fact, false)),
            }
        }
        self.facts = seen.into_iter().filter(|(_, twice)| *twice).map(|(fact, _)| fact).take(MAX_FACTS).collect();
    }

    fn stored(&self, f: &Function, op: &Op) -> Option<Fact> {
        let Op::Store { size, base, off, value } = *op else { return None };
        let place = Place::new(f, base, off, size);
        let slot = place.slot()?;
        let kept = self.memory.escape.get(slot.index()).is_none_or(|e| *e == Escape::Anybody);
        (!kept && f.ty(value) == Ty::Int).then_some(Fact { place, size, value })
    }

    /// Goes over an instruction; whether it is needed.
    fn step(&self, f: &Function, op: &Op, now: &mut u64) -> bool {
        let changed = match op {
            Op::Store { size, base, off, .. }
            | Op::Atomic { size, base, off, .. }
            | Op::CmpXchg { size, base, off, .. } => Some(Place::new(f, *base, *off, *size)),
            _ => None,
        };
        let fact = self.stored(f, op);
        let number = fact.as_ref().and_then(|s| self.facts.iter().position(|f| f.says(s)));
        if number.is_some_and(|n| *now >> n & 1 == 1) {
            return false;
        }
        for (n, fact) in self.facts.iter().enumerate().filter(|(n, _)| *now >> n & 1 == 1).collect::<Vec<_>>() {
            let lost = match (op, &changed) {
                (_, Some(place)) => self.memory.may_overlap(&fact.place, place),
                (Op::Call { .. } | Op::MapLookup { .. }, None) => {
                    self.memory.effect(f, op, &fact.place) == Effect::Writes
                }
                (Op::CoreStore { .. }, None) => true,
                _ => false,
            };
            *now &= !(u64::from(lost) << n);
        }
        if let Some(n) = number {
            *now |= 1 << n;
        }
        true
    }
}

impl Fact {
    fn says(&self, other: &Fact) -> bool {
        self.place == other.place && self.size == other.size && self.value == other.value
    }
}
