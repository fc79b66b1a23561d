//! Where types lie and what they are called. Invariant: one pass over the types
//! finds the offsets; names are looked up by their string's offset, and only who asks
//! for many gets a table of all.

use crate::StrOff;
use crate::error::BtfError;
use crate::raw::{Info, TypeId, TypeKind};
use crate::read::{Btf, record_len, word};
use std::hash::Hasher;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Lookups answered by a scan before a table of all names pays for itself: in a kernel's 130,000 types making
/// it takes as long as ten to twenty scans, and most programs ask for fewer.
const SCANS_BEFORE_TABLE: u32 = 12;

/// What is known of one part (base or split) once it was scanned.
pub(crate) struct Index {
    /// Where each type starts, from the start of the types.
    pub(crate) offsets: Vec<u32>,
    /// The string offset of each type's name: close together, so that a scan is quick.
    names_at: Vec<u32>,
    scans: AtomicU32,
    names: OnceLock<NameTable>,
}

/// An open-addressing table from names to ids; a slot holds an id of this part plus one, or 0.
struct NameTable {
    slots: Vec<u32>,
}

fn hash(name: &[u8]) -> usize {
    let mut h = rustc_hash::FxHasher::default();
    h.write(name);
    // The upper bits are the well mixed ones.
    (h.finish() >> 20) as usize
}

impl Btf {
    pub(crate) fn index(&self) -> Result<&Index, BtfError> {
        self.index.get_or_init(|| self.scan()).as_ref().map_err(Clone::clone)
    }

    fn scan(&self) -> Result<Index, BtfError> {
        let types = self.type_bytes();
        // A type takes 12 to some hundred bytes; the kernel's average is 28.
        let mut offsets = Vec::with_capacity(types.len() / 24);
        let mut names_at = Vec::with_capacity(types.len() / 24);
        let mut at = 0;
        while at < types.len() {
            let head = types.get(at..).and_then(|t| t.first_chunk::<8>());
            let &[n0, n1, n2, n3, i0, i1, i2, i3] = head.ok_or(BtfError::Truncated { what: "a type", offset: at })?;
            let info = Info(u32::from_le_bytes([i0, i1, i2, i3]));
            let len = record_len(info).map_err(|kind| {
                let id = TypeId(self.first_id().0.saturating_add(offsets.len() as u32));
                BtfError::UnknownKind { id, kind }
            })?;
            if len > types.len() - at {
                return Err(BtfError::Truncated { what: "a type", offset: at });
            }
            offsets.push(at as u32);
            names_at.push(u32::from_le_bytes([n0, n1, n2, n3]));
            at += len;
        }
        Ok(Index { offsets, names_at, scans: AtomicU32::new(0), names: OnceLock::new() })
    }

    /// The first type with this name and kind (and in a split BTF, the module's own before the base's).
    pub fn find(&self, name: &str, kind: TypeKind) -> Result<Option<TypeId>, BtfError> {
        let kinds = std::slice::from_ref(&kind);
        self.find_any(name, kinds)
    }

    /// The first type with this name and one of these kinds.
    pub fn find_any(&self, name: &str, kinds: &[TypeKind]) -> Result<Option<TypeId>, BtfError> {
        let mut best = None;
        self.each_named(name, |id, kind| {
            if kinds.contains(&kind) {
                best = Some(best.map_or(id, |b: TypeId| b.min(id)));
            }
        })?;
        match (best, self.base()) {
            (None, Some(base)) => base.find_any(name, kinds),
            _ => Ok(best),
        }
    }

    /// All types with this name, of all parts, in the order of their ids.
    pub fn find_all(&self, name: &str) -> Result<Vec<TypeId>, BtfError> {
        let mut all = match self.base() {
            Some(base) => base.find_all(name)?,
            None => vec![],
        };
        let from = all.len();
        self.each_named(name, |id, _| all.push(id))?;
        if let Some(own) = all.get_mut(from..) {
            own.sort_unstable();
        }
        Ok(all)
    }

    /// All types with this name, flavours (`name___x`) included, of all parts, in the order of their ids.
    pub fn find_flavours(&self, name: &str) -> Result<Vec<TypeId>, BtfError> {
        let mut all = self.find_all(name)?;
        let mut flavours: Vec<&str> = vec![];
        self.flavoured_names(name, &mut flavours);
        flavours.sort_unstable();
        flavours.dedup();
        for f in flavours {
            all.extend(self.find_all(f)?);
        }
        all.sort_unstable();
        all.dedup();
        Ok(all)
    }

    fn flavoured_names<'a>(&'a self, name: &str, out: &mut Vec<&'a str>) {
        let strings = self.string_bytes();
        let needle = format!("{name}___");
        for p in memchr::memmem::find_iter(strings, needle.as_bytes()) {
            let whole = p == 0 || strings.get(p - 1) == Some(&0);
            let text = self.string(StrOff(self.first_str().saturating_add(p as u32))).unwrap_or_default();
            if whole && crate::resolve::essential_name(text) == name {
                out.push(text);
            }
        }
        if let Some(base) = self.base() {
            base.flavoured_names(name, out);
        }
    }

    /// Calls `f` with each of this part's types that has the name, in no order.
    fn each_named(&self, name: &str, f: impl FnMut(TypeId, TypeKind)) -> Result<(), BtfError> {
        if name.is_empty() || name.contains('\0') {
            return Ok(());
        }
        let index = self.index()?;
        if index.names.get().is_none() && index.scans.fetch_add(1, Ordering::Relaxed) < SCANS_BEFORE_TABLE {
            self.each_named_by_scan(index, name, f);
        } else {
            self.each_named_by_table(index, name, f);
        }
        Ok(())
    }

    fn each_named_by_scan(&self, index: &Index, name: &str, mut f: impl FnMut(TypeId, TypeKind)) {
        // A name may share its bytes with the tail of a longer string, so every place counts.
        let mut needle = Vec::with_capacity(name.len() + 1);
        needle.extend_from_slice(name.as_bytes());
        needle.push(0);
        let finder = memchr::memmem::Finder::new(&needle);
        let mut places: Vec<u32> =
            finder.find_iter(self.string_bytes()).map(|p| self.first_str().saturating_add(p as u32)).collect();
        if let Some(base) = self.base() {
            // A module's types may use the base's strings.
            base.string_places(&finder, &mut places);
        }
        places.sort_unstable();
        let (Some(&first), Some(&last)) = (places.first(), places.last()) else { return };
        let types = self.type_bytes();
        for (i, name_off) in index.names_at.iter().enumerate() {
            if *name_off >= first && *name_off <= last && places.binary_search(name_off).is_ok() {
                self.emit(index, types, i, &mut f);
            }
        }
    }

    fn string_places(&self, finder: &memchr::memmem::Finder<'_>, places: &mut Vec<u32>) {
        places.extend(finder.find_iter(self.string_bytes()).map(|p| self.first_str().saturating_add(p as u32)));
        if let Some(base) = self.base() {
            base.string_places(finder, places);
        }
    }

    fn emit(&self, index: &Index, types: &[u8], i: usize, f: &mut impl FnMut(TypeId, TypeKind)) {
        let at = index.offsets.get(i).copied().unwrap_or(0) as usize;
        let kind = TypeKind::from_number(Info(word(types, at + 4).unwrap_or(0)).kind());
        f(TypeId(self.first_id().0.saturating_add(i as u32)), kind.unwrap_or(TypeKind::Void));
    }

    fn each_named_by_table(&self, index: &Index, name: &str, mut f: impl FnMut(TypeId, TypeKind)) {
        let types = self.type_bytes();
        let name_of = |i: u32| {
            let at = index.names_at.get(i as usize).copied().unwrap_or(0);
            self.string(StrOff(at)).unwrap_or_default()
        };
        let table = index.names.get_or_init(|| {
            // At most half full, so that a probe ends soon and always.
            let mut slots = vec![0u32; (index.offsets.len() * 2).next_power_of_two().max(2)];
            let mask = slots.len() - 1;
            for i in 0..index.offsets.len() as u32 {
                let name = name_of(i);
                if name.is_empty() {
                    continue;
                }
                let mut slot = hash(name.as_bytes()) & mask;
                while slots[slot] != 0 {
                    slot = (slot + 1) & mask;
                }
                slots[slot] = i + 1;
            }
            NameTable { slots }
        });
        let mask = table.slots.len() - 1;
        let mut slot = hash(name.as_bytes()) & mask;
        while let Some(i) = table.slots.get(slot).and_then(|v| v.checked_sub(1)) {
            if name_of(i) == name {
                self.emit(index, types, i as usize, &mut f);
            }
            slot = (slot + 1) & mask;
        }
    }

    /// Calls `f` with every named type of this part: id, name, kind. For completion and "did you mean".
    pub fn for_each_name<'a>(&'a self, mut f: impl FnMut(TypeId, &'a str, TypeKind)) -> Result<(), BtfError> {
        let types = self.type_bytes();
        let index = self.index()?;
        for (i, at) in index.names_at.iter().enumerate() {
            let name = self.string(StrOff(*at))?;
            if !name.is_empty() {
                self.emit(index, types, i, &mut |id, kind| f(id, name, kind));
            }
        }
        Ok(())
    }
}
