//! Making BTF. Invariants: a type is recorded once (same kind, name and parts
//! give the same id), except reserved composites, functions, variables and sections; ids
//! are given in order and never change.

mod dedup;
mod edit;
mod record;

pub use dedup::Merged;

use crate::raw::{HEADER_LEN, Info, Linkage, MAGIC, TypeId, TypeKind};
use rustc_hash::FxHashMap;

/// The offset of a string in the BTF that is being built or read; 0 is the empty one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct StrOff(pub u32);

/// A member of a struct or union, for [`BtfBuilder`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemberDef<'a> {
    /// Its name; empty for an anonymous struct or union.
    pub name: &'a str,
    /// Its type.
    pub ty: TypeId,
    /// Where it starts, in bits.
    pub bit_offset: u32,
    /// Bits of a bit-field; 0 for an ordinary member.
    pub bits: u8,
}

impl<'a> MemberDef<'a> {
    /// An ordinary member at a byte offset.
    pub fn at(name: &'a str, ty: TypeId, byte_offset: u32) -> MemberDef<'a> {
        MemberDef { name, ty, bit_offset: byte_offset.saturating_mul(8), bits: 0 }
    }
}

/// Which of the two kinds that have members.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CompositeKind {
    /// Its members lie one behind the other.
    Struct,
    /// Its members share their bytes.
    Union,
}

/// A variable in a section.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SecVar {
    /// The type of kind `VAR`.
    pub var: TypeId,
    /// Where it lies in the section, in bytes.
    pub offset: u32,
    /// Its size in bytes.
    pub size: u32,
}

/// One type before it becomes bytes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Record {
    name: StrOff,
    info: u32,
    size_or_type: u32,
    rest: Vec<u32>,
}

/// BTF in the making.
#[derive(Clone, Debug, Default)]
pub struct BtfBuilder {
    records: Vec<Record>,
    known: FxHashMap<Record, TypeId>,
    strings: Vec<u8>,
    string_at: FxHashMap<Box<str>, StrOff>,
    /// Types and string bytes of the BTF this one continues.
    base_types: u32,
    base_strings: u32,
}

impl BtfBuilder {
    /// Nothing but `void` and the empty string.
    pub fn new() -> BtfBuilder {
        BtfBuilder { strings: vec![0], base_types: 1, ..BtfBuilder::default() }
    }

    /// Split BTF that continues a base with this many types (`void` counted) and string bytes.
    pub fn split(base_types: u32, base_strings: u32) -> BtfBuilder {
        BtfBuilder { base_types, base_strings, ..BtfBuilder::default() }
    }

    /// The offset of a string, added if it is new. What follows a NUL is cut off.
    pub fn string(&mut self, s: &str) -> StrOff {
        let s = s.split('\0').next().unwrap_or("");
        if s.is_empty() {
            return StrOff(0);
        }
        if let Some(at) = self.string_at.get(s) {
            return *at;
        }
        let at = StrOff(self.base_strings + self.strings.len() as u32);
        self.strings.extend_from_slice(s.as_bytes());
        self.strings.push(0);
        self.string_at.insert(s.into(), at);
        at
    }

    /// The number of types so far, `void` and a base's included.
    pub fn type_count(&self) -> u32 {
        self.base_types + self.records.len() as u32
    }

    fn push(&mut self, record: Record) -> TypeId {
        let id = TypeId(self.type_count());
        self.records.push(record);
        id
    }

    fn add(&mut self, record: Record) -> TypeId {
        if let Some(id) = self.known.get(&record) {
            return *id;
        }
        let id = self.push(record.clone());
        self.known.insert(record, id);
        id
    }

    fn simple(&mut self, kind: TypeKind, name: &str, flag: bool, size_or_type: u32, rest: Vec<u32>) -> Record {
        let name = self.string(name);
        Record { name, info: Info::new(kind, 0, flag).0, size_or_type, rest }
    }

    /// An integer of so many bytes; `encoding` is `int_encoding::*`.
    pub fn int(&mut self, name: &str, size: u32, encoding: u8) -> TypeId {
        let word = (u32::from(encoding) << 24) | (size.saturating_mul(8) & 0xff);
        let r = self.simple(TypeKind::Int, name, false, size, vec![word]);
        self.add(r)
    }

    /// A floating point type.
    pub fn float(&mut self, name: &str, size: u32) -> TypeId {
        let r = self.simple(TypeKind::Float, name, false, size, vec![]);
        self.add(r)
    }

    /// A pointer.
    pub fn ptr(&mut self, to: TypeId) -> TypeId {
        let r = self.simple(TypeKind::Ptr, "", false, to.0, vec![]);
        self.add(r)
    }

    /// A typedef.
    pub fn typedef(&mut self, name: &str, of: TypeId) -> TypeId {
        let r = self.simple(TypeKind::Typedef, name, false, of.0, vec![]);
        self.add(r)
    }

    /// `const`.
    pub fn const_(&mut self, of: TypeId) -> TypeId {
        let r = self.simple(TypeKind::Const, "", false, of.0, vec![]);
        self.add(r)
    }

    /// `volatile`.
    pub fn volatile(&mut self, of: TypeId) -> TypeId {
        let r = self.simple(TypeKind::Volatile, "", false, of.0, vec![]);
        self.add(r)
    }

    /// `restrict`.
    pub fn restrict(&mut self, of: TypeId) -> TypeId {
        let r = self.simple(TypeKind::Restrict, "", false, of.0, vec![]);
        self.add(r)
    }

    /// A tag on a type (`__attribute__((btf_type_tag(name)))`).
    pub fn type_tag(&mut self, name: &str, of: TypeId) -> TypeId {
        let r = self.simple(TypeKind::TypeTag, name, false, of.0, vec![]);
        self.add(r)
    }

    /// A tag on a declaration: of the whole, or of its member or parameter with this index.
    pub fn decl_tag(&mut self, name: &str, of: TypeId, component: Option<u32>) -> TypeId {
        let r = self.simple(TypeKind::DeclTag, name, false, of.0, vec![component.unwrap_or(u32::MAX)]);
        self.add(r)
    }

    /// An array; its index type is made when there is none yet.
    pub fn array(&mut self, elem: TypeId, len: u32) -> TypeId {
        let index = self.int("__ARRAY_SIZE_TYPE__", 4, 0);
        let r = self.simple(TypeKind::Array, "", false, 0, vec![elem.0, index.0, len]);
        self.add(r)
    }

    /// A struct or union that is declared only.
    pub fn fwd(&mut self, name: &str, union: bool) -> TypeId {
        let r = self.simple(TypeKind::Fwd, name, union, 0, vec![]);
        self.add(r)
    }

    /// The first struct or union made so far that has this name.
    pub fn named_composite(&self, name: &str, kind: CompositeKind) -> Option<TypeId> {
        let name = *self.string_at.get(name)?;
        let kind = match kind {
            CompositeKind::Struct => TypeKind::Struct,
            CompositeKind::Union => TypeKind::Union,
        };
        let at = self.records.iter().position(|r| r.name == name && Info(r.info).kind() == kind as u8)?;
        Some(TypeId(self.base_types + at as u32))
    }

    /// A struct.
    pub fn structure(&mut self, name: &str, size: u32, members: &[MemberDef<'_>]) -> TypeId {
        let r = self.composite(TypeKind::Struct, name, size, members);
        self.add(r)
    }

    /// A union.
    pub fn union(&mut self, name: &str, size: u32, members: &[MemberDef<'_>]) -> TypeId {
        let r = self.composite(TypeKind::Union, name, size, members);
        self.add(r)
    }

    /// A struct whose members come later ([`BtfBuilder::define`]), so that they can point to it.
    pub fn reserve_struct(&mut self, name: &str) -> TypeId {
        let r = self.composite(TypeKind::Struct, name, 0, &[]);
        self.push(r)
    }

    /// A union whose members come later.
    pub fn reserve_union(&mut self, name: &str) -> TypeId {
        let r = self.composite(TypeKind::Union, name, 0, &[]);
        self.push(r)
    }

    /// Gives a reserved struct or union its size and members. Does nothing for an id
    /// that is neither.
    pub fn define(&mut self, id: TypeId, size: u32, members: &[MemberDef<'_>]) {
        let Some((kind, name)) = self.record(id).and_then(|r| {
            let kind = TypeKind::from_number(Info(r.info).kind())?;
            matches!(kind, TypeKind::Struct | TypeKind::Union).then_some((kind, r.name))
        }) else {
            return;
        };
        let mut record = self.composite(kind, "", size, members);
        record.name = name;
        if let Some(slot) = self.record_mut(id) {
            *slot = record;
        }
    }

    fn composite(&mut self, kind: TypeKind, name: &str, size: u32, members: &[MemberDef<'_>]) -> Record {
        // With the flag set, every member's offset word holds bits (8) and offset (24).
        let bit_fields = members.iter().any(|m| m.bits != 0);
        let mut rest = Vec::with_capacity(members.len() * 3);
        for m in members {
            let offset = if bit_fields { (u32::from(m.bits) << 24) | (m.bit_offset & 0xff_ffff) } else { m.bit_offset };
            rest.extend([self.string(m.name).0, m.ty.0, offset]);
        }
        let name = self.string(name);
        Record { name, info: Info::new(kind, members.len() as u32, bit_fields).0, size_or_type: size, rest }
    }

    /// An enum of `size` bytes; 64-bit values make it an `ENUM64`.
    pub fn enumeration(&mut self, name: &str, size: u32, signed: bool, values: &[(&str, i64)]) -> TypeId {
        let wide = size > 4;
        let mut rest = Vec::with_capacity(values.len() * 3);
        for (value_name, value) in values {
            rest.extend([self.string(value_name).0, *value as u32]);
            if wide {
                rest.push((*value >> 32) as u32);
            }
        }
        let kind = if wide { TypeKind::Enum64 } else { TypeKind::Enum };
        let name = self.string(name);
        let r = Record { name, info: Info::new(kind, values.len() as u32, signed).0, size_or_type: size, rest };
        self.add(r)
    }

    /// A function type.
    pub fn func_proto(&mut self, ret: TypeId, params: &[(&str, TypeId)]) -> TypeId {
        let mut rest = Vec::with_capacity(params.len() * 2);
        for (name, ty) in params {
            rest.extend([self.string(name).0, ty.0]);
        }
        let info = Info::new(TypeKind::FuncProto, params.len() as u32, false).0;
        self.add(Record { name: StrOff(0), info, size_or_type: ret.0, rest })
    }

    /// A function; each call makes one.
    pub fn func(&mut self, name: &str, proto: TypeId, linkage: Linkage) -> TypeId {
        let name = self.string(name);
        let info = Info::new(TypeKind::Func, linkage as u32, false).0;
        self.push(Record { name, info, size_or_type: proto.0, rest: vec![] })
    }

    /// A variable; each call makes one.
    pub fn var(&mut self, name: &str, ty: TypeId, linkage: Linkage) -> TypeId {
        let r = self.simple(TypeKind::Var, name, false, ty.0, vec![linkage as u32]);
        self.push(r)
    }

    /// A section with its variables; [`BtfBuilder::set_datasec`] can change both later.
    pub fn datasec(&mut self, name: &str, size: u32, vars: &[SecVar]) -> TypeId {
        let name = self.string(name);
        let r = Self::datasec_record(name, size, vars);
        self.push(r)
    }

    /// Fills a section in again, when its layout is known. Does nothing for an id that is no section.
    pub fn set_datasec(&mut self, id: TypeId, size: u32, vars: &[SecVar]) {
        if let Some(slot) = self.record_mut(id)
            && Info(slot.info).kind() == TypeKind::Datasec as u8
        {
            *slot = Self::datasec_record(slot.name, size, vars);
        }
    }

    fn datasec_record(name: StrOff, size: u32, vars: &[SecVar]) -> Record {
        let rest = vars.iter().flat_map(|v| [v.var.0, v.offset, v.size]).collect();
        Record { name, info: Info::new(TypeKind::Datasec, vars.len() as u32, false).0, size_or_type: size, rest }
    }

    fn record(&self, id: TypeId) -> Option<&Record> {
        self.records.get(id.0.checked_sub(self.base_types)? as usize)
    }

    fn record_mut(&mut self, id: TypeId) -> Option<&mut Record> {
        self.records.get_mut(id.0.checked_sub(self.base_types)? as usize)
    }

    /// Whether no type was added.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The bytes of the section `.BTF`, little-endian.
    pub fn to_bytes(&self) -> Vec<u8> {
        let types_len: usize = self.records.iter().map(|r| 12 + 4 * r.rest.len()).sum();
        let mut out = Vec::with_capacity(HEADER_LEN + types_len + self.strings.len());
        out.extend(MAGIC.to_le_bytes());
        out.extend([1, 0]);
        for word in [HEADER_LEN, 0, types_len, types_len, self.strings.len()] {
            out.extend((word as u32).to_le_bytes());
        }
        for r in &self.records {
            for word in [r.name.0, r.info, r.size_or_type].into_iter().chain(r.rest.iter().copied()) {
                out.extend(word.to_le_bytes());
            }
        }
        out.extend(&self.strings);
        out
    }
}
