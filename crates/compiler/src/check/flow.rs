//! What is known at a point of the program. Invariant: a fact is dropped when a variable it
//! is about is assigned, and where paths meet only what all of them know survives.

use smallvec::SmallVec;

use super::val::Fact;
use crate::hir::LocalId;

/// Facts at a point.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Flow {
    /// Pointers that are not null.
    pub nonnull: SmallVec<[LocalId; 8]>,
    /// Bytes of the packet that are known to be there, from a variable on.
    pub covers: SmallVec<[(LocalId, u32); 4]>,
    /// Upper bounds of numbers.
    pub at_most: SmallVec<[(LocalId, u64); 4]>,
    /// Ring-buffer records that must still be submitted or discarded.
    pub live: SmallVec<[LocalId; 2]>,
    /// Records that have been submitted or discarded.
    pub released: SmallVec<[LocalId; 2]>,
    /// Pointers into the packet as it was before a helper moved it.
    pub stale: SmallVec<[LocalId; 4]>,
}

impl Flow {
    /// Takes facts in.
    pub fn learn(&mut self, facts: &[Fact]) {
        for f in facts {
            match *f {
                Fact::NonNull(p) => {
                    if !self.nonnull.contains(&p) {
                        self.nonnull.push(p);
                    }
                }
                Fact::Null(p) => self.live.retain(|q| *q != p),
                Fact::Covers(p, n) => match self.covers.iter_mut().find(|c| c.0 == p) {
                    Some(c) => c.1 = c.1.max(n),
                    None => self.covers.push((p, n)),
                },
                Fact::AtMost(v, n) => match self.at_most.iter_mut().find(|c| c.0 == v) {
                    Some(c) => c.1 = c.1.min(n),
                    None => self.at_most.push((v, n)),
                },
            }
        }
    }

    /// Forgets what is known of a variable.
    pub fn forget(&mut self, v: LocalId) {
        self.nonnull.retain(|p| *p != v);
        self.covers.retain(|c| c.0 != v);
        self.at_most.retain(|c| c.0 != v);
        self.stale.retain(|p| *p != v);
    }

    /// What both paths know.
    pub fn meet(&self, other: &Flow) -> Flow {
        let mut out = Flow::default();
        out.nonnull.extend(self.nonnull.iter().copied().filter(|p| other.nonnull.contains(p)));
        for (p, n) in &self.covers {
            if let Some((_, m)) = other.covers.iter().find(|c| c.0 == *p) {
                out.covers.push((*p, *n.min(m)));
            }
        }
        for (p, n) in &self.at_most {
            if let Some((_, m)) = other.at_most.iter().find(|c| c.0 == *p) {
                out.at_most.push((*p, *n.max(m)));
            }
        }
        out.live.extend(self.live.iter().copied());
        out.live.extend(other.live.iter().copied().filter(|p| !self.live.contains(p)));
        out.released.extend(self.released.iter().copied());
        out.stale.extend(self.stale.iter().copied());
        out.stale.extend(other.stale.iter().copied().filter(|p| !self.stale.contains(p)));
        out.released.extend(other.released.iter().copied().filter(|p| !self.released.contains(p)));
        out
    }

    /// Drops how far a variable is bounded, and how much of the packet is known to lie behind it.
    pub fn forget_bounds(&mut self, v: LocalId) {
        self.covers.retain(|c| c.0 != v);
        self.at_most.retain(|c| c.0 != v);
    }

    /// The variables that are known not to be null in `self`, and not in `other`.
    pub fn null_in(&self, other: &Flow) -> impl Iterator<Item = LocalId> {
        self.nonnull.iter().copied().filter(|p| !other.nonnull.contains(p))
    }

    /// The variables whose bounds are known less well in `other`.
    pub fn unbounded_in(&self, other: &Flow) -> impl Iterator<Item = LocalId> {
        let less_covered = |c: &&(LocalId, u32)| !other.covers.iter().any(|d| d.0 == c.0 && d.1 >= c.1);
        let less_bounded = |c: &&(LocalId, u64)| !other.at_most.iter().any(|d| d.0 == c.0 && d.1 <= c.1);
        let covered = self.covers.iter().filter(less_covered).map(|c| c.0);
        covered.chain(self.at_most.iter().filter(less_bounded).map(|c| c.0))
    }
}
