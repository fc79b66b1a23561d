//! Several BTFs into one, and equal types into one. Invariant: two types become one only when everything reachable from
//! them is equal, where a struct that is only declared equals one definition of its name; functions' prototypes and
//! pointers follow their structs. The steps are those that libbpf publishes: plain types, structs by supposing that
//! they are equal until something differs, declarations with one definition, then all that refers.

use super::{BtfBuilder, Record, StrOff};
use crate::error::BtfError;
use crate::raw::{Info, TypeId, TypeKind};
use crate::read::Btf;
use rustc_hash::{FxHashMap, FxHashSet};

/// Pairs of types that one supposition may lead to; past them, the structs stay two.
const MAX_PAIRS: usize = 1 << 20;

/// Where the types of a deduplicated BTF went.
#[derive(Clone, Debug)]
pub struct Merged(Vec<u32>);

impl Merged {
    /// The type that took this one's place; `None` for a type that there never was.
    pub fn get(&self, id: TypeId) -> Option<TypeId> {
        self.0.get(id.0 as usize).copied().map(TypeId)
    }
}

impl BtfBuilder {
    /// Adds every type of `other`, as it is. Its type `n` becomes the result plus `n` (`void` stays `void`).
    pub fn append(&mut self, other: &Btf) -> Result<u32, BtfError> {
        let source = BtfBuilder::from_btf(other)?;
        let shift = self.type_count() - 1;
        let mut names = FxHashMap::default();
        for record in &source.records {
            let mut record = record.clone();
            record.map_names(|at| *names.entry(at).or_insert_with(|| self.string(source.text(at))));
            record.map_types(|id| if id == 0 { 0 } else { id.saturating_add(shift) });
            self.push(record);
        }
        Ok(shift)
    }

    /// Adds every type of a module, to a builder that continues the same base. Types of the base stay what they are.
    pub fn append_split(&mut self, module: &Btf) -> Result<(), BtfError> {
        let first = module.first_id().0;
        if first != self.base_types || module.base().is_none() {
            return Err(BtfError::Header("the module's types stand on another base"));
        }
        let shift = self.records.len() as u32;
        let mut names = FxHashMap::default();
        for mut record in super::edit::records(module)? {
            for at in record.names() {
                if let std::collections::hash_map::Entry::Vacant(new) = names.entry(at) {
                    new.insert(self.string(module.string(at)?));
                }
            }
            record.map_names(|at| names[&at]);
            record.map_types(|id| if id < first { id } else { id.saturating_add(shift) });
            self.push(record);
        }
        Ok(())
    }

    fn text(&self, at: StrOff) -> &str {
        let tail = self.strings.get(at.0 as usize..).unwrap_or_default();
        let end = memchr::memchr(0, tail).unwrap_or(0);
        std::str::from_utf8(&tail[..end]).unwrap_or_default()
    }

    /// The same types, each once, and only the strings that they use; and where each type went. Variables and sections
    /// stay as they are, with the types that they refer to.
    pub fn dedup(&self) -> Result<(BtfBuilder, Merged), BtfError> {
        if self.base_types != 1 {
            return Err(BtfError::Header("split BTF can't be deduplicated without its base"));
        }
        let mut out = BtfBuilder::new();
        let mut records = Vec::with_capacity(self.records.len() + 1);
        records.push(Record { name: StrOff(0), info: 0, size_or_type: 0, rest: vec![] });
        let mut names = FxHashMap::default();
        for record in &self.records {
            if let Some(id) = record.types().into_iter().find(|id| *id >= self.type_count()) {
                return Err(BtfError::NoType(TypeId(id)));
            }
            let mut record = record.clone();
            record.map_names(|at| *names.entry(at).or_insert_with(|| out.string(self.text(at))));
            records.push(record);
        }
        let count = records.len() as u32;
        let mut d = Dedup { records, map: (0..count).collect() };
        d.plain();
        d.composites();
        d.declarations();
        d.references()?;
        Ok(d.compact(out))
    }
}

struct Dedup {
    /// All types, `void` first.
    records: Vec<Record>,
    /// What each type was found to be; itself where it stays.
    map: Vec<u32>,
}

/// What a supposition would bring about.
#[derive(Default)]
struct Supposed {
    pairs: FxHashSet<(u32, u32)>,
    /// Declarations and their definitions.
    defined: FxHashMap<u32, u32>,
    /// Structs and what they would be.
    same: Vec<(u32, u32)>,
}

impl Dedup {
    fn resolve(&self, mut id: u32) -> u32 {
        // Each step was made from a type that stood for itself to another, so there is no way round.
        while self.map[id as usize] != id {
            id = self.map[id as usize];
        }
        id
    }

    fn kind(&self, id: u32) -> TypeKind {
        self.records[id as usize].kind()
    }

    fn stays(&self, id: u32) -> bool {
        self.map[id as usize] == id
    }

    fn ids(&self) -> std::ops::Range<u32> {
        1..self.records.len() as u32
    }

    /// Types that refer to none. An enum without values is the declaration of one, of whatever size.
    fn plain(&mut self) {
        let mut known: FxHashMap<Record, u32> = FxHashMap::default();
        let mut enums: FxHashMap<StrOff, (Vec<u32>, Option<u32>)> = FxHashMap::default();
        for id in self.ids() {
            let record = &self.records[id as usize];
            match record.kind() {
                TypeKind::Int | TypeKind::Float | TypeKind::Fwd | TypeKind::Enum | TypeKind::Enum64 => {}
                _ => continue,
            }
            let first = *known.entry(record.clone()).or_insert(id);
            if first == id && matches!(record.kind(), TypeKind::Enum | TypeKind::Enum64) && record.name.0 != 0 {
                let of_name = enums.entry(record.name).or_default();
                match record.rest.is_empty() {
                    true => of_name.0.push(id),
                    false => of_name.1 = of_name.1.or(Some(id)),
                }
            }
            self.map[id as usize] = first;
        }
        for (declared, defined) in enums.into_values() {
            let Some(defined) = defined else { continue };
            for id in declared {
                self.map[id as usize] = defined;
            }
        }
    }

    /// Structs and unions, each compared with those before it that look the same from outside.
    fn composites(&mut self) {
        let mut alike: FxHashMap<Record, Vec<u32>> = FxHashMap::default();
        for id in self.ids() {
            if !self.stays(id) || !matches!(self.kind(id), TypeKind::Struct | TypeKind::Union) {
                continue;
            }
            let before = alike.entry(self.records[id as usize].shallow()).or_default();
            let found = before.iter().find_map(|canon| self.suppose(id, *canon));
            match found {
                Some(supposed) => self.believe(&supposed),
                None => before.push(id),
            }
        }
    }

    /// Supposes that two types are one; what follows from it, or `None` when something differs.
    fn suppose(&self, id: u32, canon: u32) -> Option<Supposed> {
        let mut s = Supposed::default();
        let mut open = vec![(id, canon)];
        while let Some((a, b)) = open.pop() {
            let (a, b) = (self.resolve(a), self.resolve(b));
            if a == b || !s.pairs.insert((a, b)) {
                continue;
            }
            if s.pairs.len() > MAX_PAIRS {
                return None;
            }
            let (ra, rb) = (&self.records[a as usize], &self.records[b as usize]);
            match (ra.kind(), rb.kind()) {
                (TypeKind::Fwd, TypeKind::Struct | TypeKind::Union) => s.define((a, ra), (b, rb))?,
                (TypeKind::Struct | TypeKind::Union, TypeKind::Fwd) => s.define((b, rb), (a, ra))?,
                // Plain types that are equal have become one already.
                (TypeKind::Int | TypeKind::Float | TypeKind::Fwd | TypeKind::Enum | TypeKind::Enum64, _) => {
                    return None;
                }
                (TypeKind::Var | TypeKind::Datasec, _) => return None,
                (ka, kb) => {
                    if ka != kb || ra.shallow() != rb.shallow() {
                        return None;
                    }
                    if matches!(ka, TypeKind::Struct | TypeKind::Union) {
                        s.same.push((a, b));
                    }
                    open.extend(ra.types().into_iter().zip(rb.types()));
                }
            }
        }
        Some(s)
    }

    fn believe(&mut self, s: &Supposed) {
        let defined = s.defined.iter().map(|(fwd, definition)| (*fwd, *definition));
        for (a, b) in s.same.iter().copied().chain(defined) {
            let (a, b) = (self.resolve(a), self.resolve(b));
            if a != b {
                self.map[a as usize] = b;
            }
        }
    }

    /// Declarations that no comparison met: where there is just one definition of the name, it is that.
    fn declarations(&mut self) {
        let mut definitions: FxHashMap<StrOff, Option<u32>> = FxHashMap::default();
        for id in self.ids() {
            if self.stays(id) && matches!(self.kind(id), TypeKind::Struct | TypeKind::Union) {
                definitions.entry(self.records[id as usize].name).and_modify(|d| *d = None).or_insert(Some(id));
            }
        }
        for id in self.ids() {
            let record = &self.records[id as usize];
            if record.kind() != TypeKind::Fwd || !self.stays(id) || record.name.0 == 0 {
                continue;
            }
            if let Some(Some(definition)) = definitions.get(&record.name)
                && is_declaration_of(record, &self.records[*definition as usize])
            {
                self.map[id as usize] = *definition;
            }
        }
    }

    /// Everything else: equal when what it refers to is, which is made one first.
    fn references(&mut self) -> Result<(), BtfError> {
        #[derive(Clone, Copy, PartialEq)]
        enum State {
            New,
            Open,
            Done,
        }
        let mut state: Vec<State> =
            self.records.iter().map(|r| if refers(r.kind()) { State::New } else { State::Done }).collect();
        let mut known: FxHashMap<Record, u32> = FxHashMap::default();
        for start in self.ids() {
            let mut open = vec![start];
            while let Some(&id) = open.last() {
                let i = id as usize;
                match state[i] {
                    State::Done => {
                        open.pop();
                    }
                    State::New => {
                        state[i] = State::Open;
                        for part in self.records[i].types() {
                            let part = self.resolve(part);
                            match state[part as usize] {
                                State::New => open.push(part),
                                // Only a struct can lead back to itself.
                                State::Open => return Err(BtfError::TooDeep(TypeId(id))),
                                State::Done => {}
                            }
                        }
                    }
                    State::Open => {
                        open.pop();
                        let mut record = self.records[i].clone();
                        record.map_types(|t| self.resolve(t));
                        self.map[i] = *known.entry(record).or_insert(id);
                        state[i] = State::Done;
                    }
                }
            }
        }
        Ok(())
    }

    /// The types that stay, numbered anew, with the strings in `out`.
    fn compact(&self, mut out: BtfBuilder) -> (BtfBuilder, Merged) {
        let mut new = vec![0; self.records.len()];
        for (next, id) in (1..).zip(self.ids().filter(|id| self.stays(*id))) {
            new[id as usize] = next;
        }
        for id in self.ids() {
            new[id as usize] = new[self.resolve(id) as usize];
        }
        for id in self.ids().filter(|id| self.stays(*id)) {
            let mut record = self.records[id as usize].clone();
            record.map_types(|t| new[t as usize]);
            let at = out.push(record.clone());
            if !matches!(record.kind(), TypeKind::Func | TypeKind::Var | TypeKind::Datasec) {
                out.known.entry(record).or_insert(at);
            }
        }
        (out, Merged(new))
    }
}

impl Supposed {
    /// A declaration with its definition; `None` when the names differ, or it was another's before.
    fn define(&mut self, (fwd, declaration): (u32, &Record), (id, definition): (u32, &Record)) -> Option<()> {
        let same = is_declaration_of(declaration, definition);
        (same && *self.defined.entry(fwd).or_insert(id) == id).then_some(())
    }
}

fn is_declaration_of(fwd: &Record, definition: &Record) -> bool {
    let kind = if Info(fwd.info).flag() { TypeKind::Union } else { TypeKind::Struct };
    fwd.name == definition.name && kind == definition.kind()
}

/// Whether types of this kind are equal by what they refer to.
fn refers(kind: TypeKind) -> bool {
    match kind {
        TypeKind::Ptr
        | TypeKind::Array
        | TypeKind::Typedef
        | TypeKind::Volatile
        | TypeKind::Const
        | TypeKind::Restrict
        | TypeKind::Func
        | TypeKind::FuncProto
        | TypeKind::DeclTag
        | TypeKind::TypeTag => true,
        TypeKind::Void
        | TypeKind::Int
        | TypeKind::Struct
        | TypeKind::Union
        | TypeKind::Enum
        | TypeKind::Fwd
        | TypeKind::Var
        | TypeKind::Datasec
        | TypeKind::Float
        | TypeKind::Enum64 => false,
    }
}
