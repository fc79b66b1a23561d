//! Where types lie and what they are called. Invariant: one pass over the types finds the offsets and makes the table of
//! the names of types; functions, of which a kernel has four times as many, get theirs when they are asked for often.

use crate::StrOff;
use crate::error::BtfError;
use crate::raw::{Info, TypeId, TypeKind};
use crate::read::{Btf, record_len, word};
use std::hash::Hasher;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Lookups of functions answered by a scan before a table of them pays for itself: in a kernel's 60,000 functions making
/// it takes as long as about that many scans, and most programs ask for fewer.
const SCANS_BEFORE_TABLE: u32 = 6;

/// What is known of one part (base or split) once it was scanned.
pub(crate) struct Index {
    /// Where each type starts, from the start of the types.
    pub(crate) offsets: Vec<u32>,
    /// The names of all but functions.
    types: NameTable,
    functions: OnceLock<NameTable>,
    function_scans: AtomicU32,
    /// The names that are another's flavour (`name___x`).
    flavours: OnceLock<Vec<StrOff>>,
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

/// Which tables a lookup needs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Among {
    Types,
    Functions,
    All,
}

impl Among {
    fn of(kinds: &[TypeKind]) -> Among {
        match (kinds.contains(&TypeKind::Func), kinds.iter().all(|k| *k == TypeKind::Func)) {
            (false, _) => Among::Types,
            (true, true) => Among::Functions,
            (true, false) => Among::All,
        }
    }
}

impl Btf {
    pub(crate) fn index(&self) -> Result<&Index, BtfError> {
        self.index.get_or_init(|| self.scan()).as_ref().map_err(Clone::clone)
    }

    fn scan(&self) -> Result<Index, BtfError> {
        let types = self.type_bytes();
        // A type takes 12 to some hundred bytes; the kernel's average is 28.
        let mut offsets = Vec::with_capacity(types.len() / 24);
        let mut named: Vec<(u32, u32)> = Vec::with_capacity(types.len() / 96);
        // Kinds follow each other as by chance: every type is written here, and the place only moves on for those that
        // count, which costs less than jumps that the processor can't foresee.
        let mut batch = [(0, 0); 64];
        let mut filled = 0;
        let mut at = 0;
        while at < types.len() {
            let head = types.get(at..).and_then(|t| t.first_chunk::<8>());
            let &[n0, n1, n2, n3, i0, i1, i2, i3] = head.ok_or(BtfError::Truncated { what: "a type", offset: at })?;
            let (name, info) = (u32::from_le_bytes([n0, n1, n2, n3]), Info(u32::from_le_bytes([i0, i1, i2, i3])));
            let len = record_len(info).map_err(|kind| {
                let id = TypeId(self.first_id().0.saturating_add(offsets.len() as u32));
                BtfError::UnknownKind { id, kind }
            })?;
            if len > types.len() - at {
                return Err(BtfError::Truncated { what: "a type", offset: at });
            }
            batch[filled] = (offsets.len() as u32, name);
            filled += usize::from(name != 0) & usize::from(info.kind() != TypeKind::Func as u8);
            if filled == batch.len() {
                named.extend_from_slice(&batch);
                filled = 0;
            }
            offsets.push(at as u32);
            at += len;
        }
        named.extend_from_slice(&batch[..filled]);
        let table = NameTable::new(named.len(), named.iter().map(|(i, at)| (*i, self.name_bytes(*at))));
        Ok(Index {
            offsets,
            types: table,
            functions: OnceLock::new(),
            function_scans: AtomicU32::new(0),
            flavours: OnceLock::new(),
        })
    }

    /// The first type with this name and kind (and in a split BTF, the module's own before the base's).
    pub fn find(&self, name: &str, kind: TypeKind) -> Result<Option<TypeId>, BtfError> {
        let kinds = std::slice::from_ref(&kind);
        self.find_any(name, kinds)
    }

    /// The first type with this name and one of these kinds.
    pub fn find_any(&self, name: &str, kinds: &[TypeKind]) -> Result<Option<TypeId>, BtfError> {
        let mut best = None;
        self.each_named(name, Among::of(kinds), |id, kind| {
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
        self.each_named(name, Among::All, |id, _| all.push(id))?;
        if let Some(own) = all.get_mut(from..) {
            own.sort_unstable();
        }
        Ok(all)
    }

    /// All types with this name, flavours (`name___x`) included, of all parts, in the order of their ids.
    pub fn find_flavours(&self, name: &str) -> Result<Vec<TypeId>, BtfError> {
        let mut all = self.find_all(name)?;
        let mut flavours: Vec<&str> = vec![];
        self.flavoured_names(name, &mut flavours)?;
        flavours.sort_unstable();
        flavours.dedup();
        for f in flavours {
            all.extend(self.find_all(f)?);
        }
        all.sort_unstable();
        all.dedup();
        Ok(all)
    }

    fn flavoured_names<'a>(&'a self, name: &str, out: &mut Vec<&'a str>) -> Result<(), BtfError> {
        let all = self.index()?.flavours.get_or_init(|| self.scan_flavours());
        let texts = all.iter().map(|at| self.string(*at).unwrap_or_default());
        out.extend(texts.filter(|text| crate::resolve::essential_name(text) == name));
        match self.base() {
            Some(base) => base.flavoured_names(name, out),
            None => Ok(()),
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

    /// Calls `f` with each of this part's types of these kinds that has the name, in no order.
    fn each_named(&self, name: &str, among: Among, mut f: impl FnMut(TypeId, TypeKind)) -> Result<(), BtfError> {
        if name.is_empty() || name.contains('\0') {
            return Ok(());
        }
        let index = self.index()?;
        if among != Among::Functions {
            self.each_in_table(index, &index.types, name, &mut f);
        }
        if among == Among::Types {
            return Ok(());
        }
        if index.functions.get().is_none() && index.function_scans.fetch_add(1, Ordering::Relaxed) < SCANS_BEFORE_TABLE
        {
            self.each_function_by_scan(index, name, &mut f);
        } else {
            self.each_in_table(index, index.functions.get_or_init(|| self.function_table(index)), name, &mut f);
        }
        Ok(())
    }

    fn each_in_table(&self, index: &Index, table: &NameTable, name: &str, f: &mut impl FnMut(TypeId, TypeKind)) {
        let types = self.type_bytes();
        for i in table.probe(name) {
            let at = index.offsets.get(i as usize).copied().unwrap_or(0) as usize;
            if self.string(StrOff(word(types, at).unwrap_or(0))) == Ok(name) {
                self.emit(index, types, i as usize, f);
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

    /// Index and string offset of each function.
    fn functions<'a>(&self, index: &'a Index) -> impl Iterator<Item = (u32, u32)> + use<'a, '_> {
        let types = self.type_bytes();
        index.offsets.iter().enumerate().filter_map(move |(i, at)| {
            let head = types.get(*at as usize..)?.first_chunk::<8>()?;
            // The kind is in the word's upper byte.
            (head[7] & 0x1f == TypeKind::Func as u8).then(|| (i as u32, word(head, 0).unwrap_or(0)))
        })
    }

    fn function_table(&self, index: &Index) -> NameTable {
        let named = self.functions(index).map(|(i, at)| (i, self.name_bytes(at)));
        NameTable::new(self.functions(index).count(), named)
    }

    fn each_function_by_scan(&self, index: &Index, name: &str, f: &mut impl FnMut(TypeId, TypeKind)) {
        // A name may share its bytes with the tail of a longer string, so every place counts.
        let mut needle = Vec::with_capacity(name.len() + 1);
        needle.extend_from_slice(name.as_bytes());
        needle.push(0);
        let mut places = Vec::new();
        self.string_places(&memchr::memmem::Finder::new(&needle), &mut places);
        places.sort_unstable();
        let (Some(&first), Some(&last)) = (places.first(), places.last()) else { return };
        let types = self.type_bytes();
        for (i, name_off) in self.functions(index) {
            if name_off >= first && name_off <= last && places.binary_search(&name_off).is_ok() {
                self.emit(index, types, i as usize, f);
            }
        }
    }

    /// Where a string may start; a module's types may use the base's.
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

    /// Calls `f` with every named type of this part: id, name, kind. For completion and "did you mean".
    pub fn for_each_name<'a>(&'a self, mut f: impl FnMut(TypeId, &'a str, TypeKind)) -> Result<(), BtfError> {
        let types = self.type_bytes();
        let index = self.index()?;
        for (i, at) in index.offsets.iter().enumerate() {
            let name = self.string(StrOff(word(types, *at as usize).unwrap_or(0)))?;
            if !name.is_empty() {
                self.emit(index, types, i, &mut |id, kind| f(id, name, kind));
            }
        }
        Ok(())
    }
}
