//! Types by name. Invariant: few lookups search, many get tables, and both find the same. A search looks for the name in the
//! strings and then walks the types only as far as the first that has it.

use crate::StrOff;
use crate::error::BtfError;
use crate::offsets::{Head, Place};
use crate::raw::{TypeId, TypeKind};
use crate::read::{Btf, word};
use std::hash::Hasher;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};

/// How often searches may look at as many bytes as the BTF has before a table is made: making one takes about as long.
const SEARCHED: usize = 8;
/// The least part of the BTF's bytes that a search counts for, so that what they found needs little room.
const LEAST_PART: usize = 8;

/// What is known of the names in one part (base or split).
#[derive(Default)]
pub(crate) struct Names {
    /// Of all types but functions, of which a kernel has four times as many as of all others.
    types: Lookups,
    functions: Lookups,
    /// What searches for the first type of some kinds found.
    found: Mutex<Vec<Found>>,
    /// The names that are another's flavour (`name___x`).
    flavours: OnceLock<Vec<StrOff>>,
}

/// What a search found.
struct Found {
    name: Box<str>,
    kinds: Kinds,
    id: Option<TypeId>,
}

#[derive(Default)]
struct Lookups {
    /// Bytes that searches have looked at.
    searched: AtomicUsize,
    table: OnceLock<NameTable>,
}

/// An open-addressing table from names to ids; a slot holds an id of this part plus one, or 0.
struct NameTable {
    slots: Vec<u32>,
}

impl NameTable {
    /// A table of `count` types, of which `named` gives index and name.
    fn new<'a>(count: usize, named: impl Iterator<Item = (u32, &'a [u8])>) -> NameTable {
        // At most half full, so that a probe ends soon and always.
        let mut slots = vec![0u32; (count * 2).next_power_of_two().max(2)];
        let mask = slots.len() - 1;
        for (i, name) in named {
            let mut slot = hash(name) & mask;
            while slots[slot] != 0 {
                slot = (slot + 1) & mask;
            }
            slots[slot] = i + 1;
        }
        NameTable { slots }
    }

    /// The indices that may have this name, and others.
    fn probe(&self, name: &str) -> impl Iterator<Item = u32> {
        let mask = self.slots.len() - 1;
        let mut slot = hash(name.as_bytes()) & mask;
        std::iter::from_fn(move || {
            let i = self.slots.get(slot)?.checked_sub(1)?;
            slot = (slot + 1) & mask;
            Some(i)
        })
    }
}

fn hash(name: &[u8]) -> usize {
    let mut h = rustc_hash::FxHasher::default();
    h.write(name);
    // The upper bits are the well mixed ones.
    (h.finish() >> 20) as usize
}

/// A set of kinds, a bit for each.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Kinds(u32);

impl Kinds {
    const ALL: Kinds = Kinds(u32::MAX);
    const FUNCTIONS: Kinds = Kinds(1 << TypeKind::Func as u8);

    fn of(kinds: &[TypeKind]) -> Kinds {
        Kinds(kinds.iter().fold(0, |all, k| all | 1 << *k as u8))
    }

    fn has(self, kind: u8) -> bool {
        self.0 >> kind & 1 != 0
    }

    fn and(self, other: Kinds) -> Kinds {
        Kinds(self.0 & other.0)
    }
}

/// The two groups that have a table each, and their kinds.
const GROUPS: [Kinds; 2] = [Kinds(!Kinds::FUNCTIONS.0), Kinds::FUNCTIONS];

/// How far a search goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    First,
    All,
}

impl Btf {
    /// The first type with this name and kind (and in a split BTF, the module's own before the base's).
    pub fn find(&self, name: &str, kind: TypeKind) -> Result<Option<TypeId>, BtfError> {
        let kinds = std::slice::from_ref(&kind);
        self.find_any(name, kinds)
    }

    /// The first type with this name and one of these kinds.
    pub fn find_any(&self, name: &str, kinds: &[TypeKind]) -> Result<Option<TypeId>, BtfError> {
        match (self.find_own(name, Kinds::of(kinds))?, self.base()) {
            (None, Some(base)) => base.find_any(name, kinds),
            (own, _) => Ok(own),
        }
    }

    fn find_own(&self, name: &str, kinds: Kinds) -> Result<Option<TypeId>, BtfError> {
        // A poisoned lock only means that another thread panicked between two whole entries.
        let known = || self.names.found.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(found) = known().iter().find(|f| f.kinds == kinds && *f.name == *name) {
            return Ok(found.id);
        }
        let mut first: Option<TypeId> = None;
        let searched = self.each_named(name, kinds, Extent::First, |id| {
            first = Some(first.map_or(id, |f| f.min(id)));
        })?;
        if searched {
            known().push(Found { name: name.into(), kinds, id: first });
        }
        Ok(first)
    }

    /// All types with this name, of all parts, in the order of their ids.
    pub fn find_all(&self, name: &str) -> Result<Vec<TypeId>, BtfError> {
        let mut all = match self.base() {
            Some(base) => base.find_all(name)?,
            None => vec![],
        };
        let from = all.len();
        self.each_named(name, Kinds::ALL, Extent::All, |id| all.push(id))?;
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
        let all = self.names.flavours.get_or_init(|| self.scan_flavours());
        let texts = all.iter().map(|at| self.string(*at).unwrap_or_default());
        out.extend(texts.filter(|text| crate::resolve::essential_name(text) == name));
        if let Some(base) = self.base() {
            base.flavoured_names(name, out);
        }
    }

    fn scan_flavours(&self) -> Vec<StrOff> {
        let strings = self.string_bytes();
        let mut all = Vec::new();
        for p in memchr::memmem::find_iter(strings, b"___") {
            let from = memchr::memrchr(0, &strings[..p]).map_or(0, |nul| nul + 1);
            let at = StrOff(self.first_str().saturating_add(from as u32));
            let text = self.string(at).unwrap_or_default();
            if all.last() != Some(&at) && crate::resolve::essential_name(text).len() < text.len() {
                all.push(at);
            }
        }
        all
    }

    /// Calls `f` with this part's types of these kinds that have the name, in no order: all of them, or some with the
    /// first one. Whether it took a search.
    fn each_named(
        &self,
        name: &str,
        kinds: Kinds,
        extent: Extent,
        mut f: impl FnMut(TypeId),
    ) -> Result<bool, BtfError> {
        if name.is_empty() || name.contains('\0') {
            return Ok(false);
        }
        let mut to_search = Kinds(0);
        for (group, lookups) in GROUPS.into_iter().zip([&self.names.types, &self.names.functions]) {
            let wanted = kinds.and(group);
            if wanted == Kinds(0) {
                continue;
            }
            match self.table(lookups, group) {
                Some((table, offsets)) => self.each_in_table(table, offsets, name, wanted, &mut f),
                None => to_search.0 |= wanted.0,
            }
        }
        if to_search == Kinds(0) {
            return Ok(false);
        }
        let looked_at = self.search(name, to_search, extent, &mut f)?.max(self.byte_len() / LEAST_PART);
        for (group, lookups) in GROUPS.into_iter().zip([&self.names.types, &self.names.functions]) {
            if kinds.and(group) != Kinds(0) {
                lookups.searched.fetch_add(looked_at, Ordering::Relaxed);
            }
        }
        Ok(true)
    }

    /// Calls `f` with the types that have the name, found in the order of their ids. How many bytes that took.
    fn search(&self, name: &str, kinds: Kinds, extent: Extent, mut f: impl FnMut(TypeId)) -> Result<usize, BtfError> {
        // A name may share its bytes with the tail of a longer string, so every place counts.
        let needle = [name.as_bytes(), b"\0"].concat();
        let mut places = Vec::new();
        let looked_at = self.string_places(&memchr::memmem::Finder::new(&needle), &mut places);
        places.sort_unstable();
        let (Some(&first), Some(&last)) = (places.first(), places.last()) else { return Ok(looked_at) };
        let mut walked = 0;
        self.walk(Place::default(), |Head { place, end, name, info }| {
            walked = end;
            if !kinds.has(info.kind()) || name < first || name > last || places.binary_search(&name).is_err() {
                return ControlFlow::Continue(());
            }
            f(self.id_of(place.index));
            match extent {
                Extent::First => ControlFlow::Break(()),
                Extent::All => ControlFlow::Continue(()),
            }
        })?;
        Ok(looked_at + walked)
    }

    /// Where a string may start; a module's types may use the base's. How many bytes were looked at.
    fn string_places(&self, finder: &memchr::memmem::Finder<'_>, places: &mut Vec<u32>) -> usize {
        let strings = self.string_bytes();
        places.extend(finder.find_iter(strings).map(|p| self.first_str().saturating_add(p as u32)));
        strings.len() + self.base().map_or(0, |base| base.string_places(finder, places))
    }

    /// The table of a group and where types start, once searches have taken long enough. BTF whose types have no end
    /// that makes sense gets none.
    fn table<'a>(&'a self, lookups: &'a Lookups, group: Kinds) -> Option<(&'a NameTable, &'a [u32])> {
        if lookups.searched.load(Ordering::Relaxed) < SEARCHED * self.byte_len() {
            return None;
        }
        let offsets = self.all_offsets().ok()?;
        Some((lookups.table.get_or_init(|| self.name_table(offsets, group)), offsets))
    }

    fn name_table(&self, offsets: &[u32], group: Kinds) -> NameTable {
        let types = self.types_to(self.type_len()).unwrap_or_default();
        let named = || {
            offsets.iter().enumerate().filter_map(|(i, at)| {
                let head = types.get(*at as usize..)?.first_chunk::<8>()?;
                // The kind is in the word's upper byte.
                let name = word(head, 0).filter(|name| *name != 0 && group.has(head[7] & 0x1f))?;
                Some((i as u32, name))
            })
        };
        NameTable::new(named().count(), named().map(|(i, name)| (i, self.name_bytes(name))))
    }

    fn each_in_table(&self, table: &NameTable, offsets: &[u32], name: &str, kinds: Kinds, f: &mut impl FnMut(TypeId)) {
        let types = self.types_to(self.type_len()).unwrap_or_default();
        for i in table.probe(name) {
            let head = offsets.get(i as usize).and_then(|at| types.get(*at as usize..)?.first_chunk::<8>());
            if head.is_some_and(|h| kinds.has(h[7] & 0x1f) && self.string(StrOff(word(h, 0).unwrap_or(0))) == Ok(name))
            {
                f(self.id_of(i));
            }
        }
    }

    /// The bytes of a string; none where there is none.
    fn name_bytes(&self, at: u32) -> &[u8] {
        match (at.checked_sub(self.first_str()), self.base()) {
            (None, Some(base)) => base.name_bytes(at),
            (None, None) => &[],
            (Some(from), _) => {
                let tail = self.string_bytes().get(from as usize..).unwrap_or_default();
                tail.get(..memchr::memchr(0, tail).unwrap_or(0)).unwrap_or_default()
            }
        }
    }

    /// Calls `f` with every named type of this part: id, name, kind. For completion and "did you mean".
    pub fn for_each_name<'a>(&'a self, mut f: impl FnMut(TypeId, &'a str, TypeKind)) -> Result<(), BtfError> {
        let mut bad = None;
        self.walk(Place::default(), |head| {
            match self.string(StrOff(head.name)) {
                Ok("") => {}
                Ok(name) => {
                    let kind = TypeKind::from_number(head.info.kind()).unwrap_or(TypeKind::Void);
                    f(self.id_of(head.place.index), name, kind);
                }
                Err(e) => {
                    bad = Some(e);
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        })?;
        bad.map_or(Ok(()), Err)
    }
}
