//! Where types lie. Invariant: types are walked in the order of their ids and only as far as something was asked for, so
//! what lies behind costs nothing, and is no error before somebody comes to it.

use crate::error::BtfError;
use crate::raw::{Info, TYPE_LEN, TypeId};
use crate::read::{Btf, record_len};
use std::ops::ControlFlow;
use std::sync::{Mutex, MutexGuard, OnceLock};

/// Where each type starts, from the start of the types.
#[derive(Default)]
pub(crate) struct Offsets {
    all: OnceLock<Vec<u32>>,
    /// What is known before all is.
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    offsets: Vec<u32>,
    next: Place,
}

/// A type's place: how many come before it, and where it starts.
#[derive(Clone, Copy, Default)]
pub(crate) struct Place {
    pub(crate) index: u32,
    pub(crate) at: usize,
}

/// The first words of a type.
#[derive(Clone, Copy)]
pub(crate) struct Head {
    pub(crate) place: Place,
    /// Where the next one starts.
    pub(crate) end: usize,
    pub(crate) name: u32,
    pub(crate) info: Info,
}

impl Btf {
    /// Calls `f` with each type of this part from a place on, in order, until it says to stop.
    pub(crate) fn walk(&self, from: Place, mut f: impl FnMut(Head) -> ControlFlow<()>) -> Result<(), BtfError> {
        let total = self.type_len();
        let Place { mut index, mut at } = from;
        let mut types = self.types_to(at)?;
        while at < total {
            let mut wanted = at + TYPE_LEN;
            while let Some(head) = types.get(at..).and_then(|t| t.first_chunk::<8>()) {
                let &[n0, n1, n2, n3, i0, i1, i2, i3] = head;
                let (name, info) = (u32::from_le_bytes([n0, n1, n2, n3]), Info(u32::from_le_bytes([i0, i1, i2, i3])));
                let len = record_len(info).map_err(|kind| BtfError::UnknownKind { id: self.id_of(index), kind })?;
                if len > types.len() - at {
                    wanted = at + len;
                    break;
                }
                if f(Head { place: Place { index, at }, end: at + len, name, info }).is_break() {
                    return Ok(());
                }
                index += 1;
                at += len;
                wanted = at + TYPE_LEN;
            }
            if at < total {
                let more = self.types_to(wanted)?;
                if more.len() <= types.len() {
                    return Err(BtfError::Truncated { what: "a type", offset: at });
                }
                types = more;
            }
        }
        Ok(())
    }

    pub(crate) fn id_of(&self, index: u32) -> TypeId {
        TypeId(self.first_id().0.saturating_add(index))
    }

    /// Where the type with this index starts.
    pub(crate) fn offset(&self, index: u32) -> Result<usize, BtfError> {
        let of = |offsets: &[u32]| offsets.get(index as usize).map(|at| *at as usize);
        let found = match self.offsets.all.get() {
            Some(all) => of(all),
            None => {
                let mut seen = self.offsets.seen();
                if of(&seen.offsets).is_none() {
                    self.see(&mut seen, index)?;
                }
                of(&seen.offsets)
            }
        };
        found.ok_or(BtfError::NoType(self.id_of(index)))
    }

    /// Walks on until the type with this index was seen, or all.
    fn see(&self, seen: &mut Seen, until: u32) -> Result<(), BtfError> {
        let Seen { offsets, next } = seen;
        // What was seen before an error is kept, so that asking again finds the error at once.
        self.walk(*next, |head| {
            offsets.push(head.place.at as u32);
            *next = Place { index: head.place.index + 1, at: head.end };
            if head.place.index == until { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
    }

    /// Where all types start.
    pub(crate) fn all_offsets(&self) -> Result<&[u32], BtfError> {
        if let Some(all) = self.offsets.all.get() {
            return Ok(all);
        }
        let mut seen = self.offsets.seen();
        // A type takes 12 to some hundred bytes; the kernel's average is 25.
        let left = self.type_len() - seen.next.at;
        seen.offsets.reserve(left / 24);
        self.see(&mut seen, u32::MAX)?;
        let Seen { offsets, .. } = std::mem::take(&mut *seen);
        Ok(self.offsets.all.get_or_init(|| offsets))
    }
}

impl Offsets {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        // A poisoned lock only means that another thread panicked between two whole entries.
        self.seen.lock().unwrap_or_else(|e| e.into_inner())
    }
}
