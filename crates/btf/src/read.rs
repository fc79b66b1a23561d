//! Reading BTF lazily. Invariants: parsing looks at the header and the strings
//! only; a [`Type`] that was handed out lies wholly inside the bytes and all its
//! names exist, so its accessors can't fail.

use crate::bytes::{Bytes, Layout, Memory, Parts, part};
use crate::error::BtfError;
use crate::index::Names;
use crate::offsets::Offsets;
use crate::raw::{HEADER_LEN, Info, Linkage, MAGIC, RECORD_LEN, TYPE_LEN, TypeId, TypeKind};
use crate::{SecVar, StrOff};
use std::sync::Arc;

/// Longest chain of typedefs, qualifiers, arrays or nested anonymous members that is followed.
pub(crate) const MAX_DEPTH: usize = 32;

/// BTF in memory: whole, or split with the base it continues.
#[derive(Clone)]
pub struct Btf {
    bytes: Arc<Bytes>,
    base: Option<Arc<Btf>>,
    /// Types and string bytes that belong to the base.
    first_id: u32,
    first_str: u32,
    pub(crate) offsets: Arc<Offsets>,
    pub(crate) names: Arc<Names>,
}

impl std::fmt::Debug for Btf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Btf({} type bytes, {} string bytes, from id {})",
            self.bytes.types.len(),
            self.bytes.strings.len(),
            self.first_id
        )
    }
}

pub(crate) fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk::<4>()?))
}

impl Btf {
    /// BTF from bytes that are kept (a vector, a memory map): checks the header and that the strings are text.
    pub fn parse(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Result<Btf, BtfError> {
        Self::parse_whole(Arc::new(bytes), None)
    }

    /// Split BTF (a module's) with the base it continues.
    pub fn parse_split(bytes: impl AsRef<[u8]> + Send + Sync + 'static, base: Arc<Btf>) -> Result<Btf, BtfError> {
        Self::parse_whole(Arc::new(bytes), Some(base))
    }

    /// BTF from bytes that are read in parts, when they are needed.
    pub fn parse_parts(parts: impl Parts + 'static) -> Result<Btf, BtfError> {
        let size = parts.size();
        let header = part(&parts, 0..HEADER_LEN.min(size))?;
        let layout = layout((*header).as_ref(), size)?;
        Self::parsed(Bytes::parts(Box::new(parts), layout)?, None)
    }

    fn parse_whole(bytes: Memory, base: Option<Arc<Btf>>) -> Result<Btf, BtfError> {
        let data: &[u8] = (*bytes).as_ref();
        let layout = layout(data, data.len())?;
        Self::parsed(Bytes::whole(bytes, layout), base)
    }

    fn parsed(bytes: Bytes, base: Option<Arc<Btf>>) -> Result<Btf, BtfError> {
        let (first_id, first_str) = match &base {
            None => (1, 0),
            Some(b) => b.extent()?,
        };
        let text = bytes.string_bytes();
        if text.last() != Some(&0) && !(base.is_some() && text.is_empty()) {
            return Err(BtfError::Header("its strings do not end with NUL"));
        }
        if base.is_none() && text.first() != Some(&0) {
            return Err(BtfError::Header("its strings do not start with the empty one"));
        }
        if std::str::from_utf8(text).is_err() {
            return Err(BtfError::Header("its strings are not text"));
        }
        let bytes = Arc::new(bytes);
        Ok(Btf { bytes, base, first_id, first_str, offsets: Arc::default(), names: Arc::default() })
    }

    /// The bytes it was parsed from; an error only where they are read in parts.
    pub fn bytes(&self) -> Result<&[u8], BtfError> {
        self.bytes.all()
    }

    /// The BTF this one continues.
    pub fn base(&self) -> Option<&Arc<Btf>> {
        self.base.as_ref()
    }

    /// Bytes of all types.
    pub(crate) fn type_len(&self) -> usize {
        self.bytes.types.len()
    }

    /// Bytes of types and strings.
    pub(crate) fn byte_len(&self) -> usize {
        self.bytes.types.len() + self.bytes.strings.len()
    }

    /// The types from the first byte to `end` at least, where they reach so far.
    pub(crate) fn types_to(&self, end: usize) -> Result<&[u8], BtfError> {
        self.bytes.types_to(end)
    }

    pub(crate) fn string_bytes(&self) -> &[u8] {
        self.bytes.string_bytes()
    }

    /// The first id that is not the base's (1 when there is none).
    pub fn first_id(&self) -> TypeId {
        TypeId(self.first_id)
    }

    /// The offset of this part's first string (0 when there is no base).
    pub(crate) fn first_str(&self) -> u32 {
        self.first_str
    }

    /// One more than the last id, all parts counted.
    pub(crate) fn end_id(&self) -> Result<u32, BtfError> {
        Ok(self.first_id.saturating_add(self.all_offsets()?.len() as u32))
    }

    /// Number of types, `void` and the base's included.
    pub fn type_count(&self) -> Result<u32, BtfError> {
        self.end_id()
    }

    /// What [`crate::BtfBuilder::split`] needs to continue this BTF: types and string bytes.
    pub fn extent(&self) -> Result<(u32, u32), BtfError> {
        Ok((self.end_id()?, self.first_str.saturating_add(self.bytes.strings.len() as u32)))
    }

    /// All ids of this part (not the base's).
    pub fn own_ids(&self) -> Result<impl Iterator<Item = TypeId> + use<>, BtfError> {
        Ok((self.first_id..self.end_id()?).map(TypeId))
    }

    /// The string at an offset.
    pub fn string(&self, at: StrOff) -> Result<&str, BtfError> {
        if at.0 < self.first_str {
            return match &self.base {
                Some(base) => base.string(at),
                None => Err(BtfError::NoString(at.0)),
            };
        }
        let from = (at.0 - self.first_str) as usize;
        let tail = self.string_bytes().get(from..).ok_or(BtfError::NoString(at.0))?;
        let end = memchr::memchr(0, tail).ok_or(BtfError::NoString(at.0))?;
        // An offset into the middle of a character is as bad as one outside.
        std::str::from_utf8(&tail[..end]).map_err(|_| BtfError::NoString(at.0))
    }

    /// The type with this id; `void` is one too.
    pub fn ty(&self, id: TypeId) -> Result<Type<'_>, BtfError> {
        if id == TypeId::VOID {
            return Ok(Type { btf: self, id, name: "", info: Info(0), size_or_type: 0, rest: &[] });
        }
        if id.0 < self.first_id {
            return match &self.base {
                Some(base) => base.ty(id),
                None => Err(BtfError::NoType(id)),
            };
        }
        self.type_at(id, self.offset(id.0 - self.first_id)?)
    }

    pub(crate) fn type_at(&self, id: TypeId, at: usize) -> Result<Type<'_>, BtfError> {
        let cut = || BtfError::Truncated { what: "a type", offset: at };
        let mut types = self.types_to(at + TYPE_LEN)?;
        let info = Info(word(types, at + 4).ok_or_else(cut)?);
        let len = record_len(info).map_err(|kind| BtfError::UnknownKind { id, kind })?;
        if at + len > types.len() {
            types = self.types_to(at + len)?;
        }
        let head = |i: usize| word(types, at + 4 * i).ok_or_else(cut);
        let rest = types.get(at + TYPE_LEN..at + len).ok_or_else(cut)?;
        let t = Type { btf: self, id, name: self.string(StrOff(head(0)?))?, info, size_or_type: head(2)?, rest };
        let stride = match t.kind() {
            TypeKind::Struct | TypeKind::Union | TypeKind::Enum64 => 12,
            TypeKind::Enum | TypeKind::FuncProto => 8,
            _ => return Ok(t),
        };
        for entry in rest.chunks_exact(stride) {
            self.check_string(word(entry, 0).unwrap_or(0))?;
        }
        Ok(t)
    }

    fn check_string(&self, at: u32) -> Result<(), BtfError> {
        if at < self.first_str {
            return self.base.as_ref().ok_or(BtfError::NoString(at))?.check_string(at);
        }
        // The strings are valid UTF-8, so a byte that does not continue a character starts one.
        match self.string_bytes().get((at - self.first_str) as usize) {
            Some(b) if (*b as i8) >= -0x40 => Ok(()),
            _ => Err(BtfError::NoString(at)),
        }
    }

    /// The string at an offset that `type_at` has checked.
    fn checked_string(&self, at: u32) -> &str {
        self.string(StrOff(at)).unwrap_or_default()
    }
}

/// Where types and strings lie in `size` bytes that start with this header.
fn layout(header: &[u8], size: usize) -> Result<Layout, BtfError> {
    let magic = header.first_chunk::<2>().ok_or(BtfError::Header("it is empty"))?;
    match u16::from_le_bytes(*magic) {
        MAGIC => {}
        m if m == MAGIC.swap_bytes() => return Err(BtfError::Header("it was made for a big-endian machine")),
        _ => return Err(BtfError::Header("the magic number is wrong")),
    }
    if header.len() < HEADER_LEN {
        return Err(BtfError::Header("it is shorter than its header"));
    }
    if header.get(2) != Some(&1) {
        return Err(BtfError::Header("its version is not 1"));
    }
    let field =
        |at: usize| word(header, at).map(|w| w as usize).ok_or(BtfError::Header("it is shorter than its header"));
    let header_len = field(4)?;
    if header_len < HEADER_LEN {
        return Err(BtfError::Header("its header is too short"));
    }
    let section = |off: usize, len: usize, what: &'static str| {
        let start = header_len.checked_add(off).ok_or(BtfError::Header(what))?;
        let end = start.checked_add(len).ok_or(BtfError::Header(what))?;
        if end <= size { Ok(start..end) } else { Err(BtfError::Header(what)) }
    };
    let types = section(field(8)?, field(12)?, "its types reach past the end")?;
    let strings = section(field(16)?, field(20)?, "its strings reach past the end")?;
    Ok((types, strings))
}

/// Bytes of a whole record; `Err` with the kind when it is unknown.
pub(crate) fn record_len(info: Info) -> Result<usize, u8> {
    match RECORD_LEN[usize::from(info.kind())] {
        (0, _) => Err(info.kind()),
        (fixed, each) => Ok(usize::from(fixed) + usize::from(each) * info.vlen()),
    }
}

/// One type, decoded as it is asked.
#[derive(Clone, Copy)]
pub struct Type<'a> {
    btf: &'a Btf,
    /// Its number.
    pub id: TypeId,
    /// Its name; empty when it has none.
    pub name: &'a str,
    info: Info,
    size_or_type: u32,
    rest: &'a [u8],
}

/// What a type is, with its parts.
#[derive(Clone, Copy)]
#[allow(missing_docs)]
pub enum Kind<'a> {
    Void,
    Int(Int),
    Ptr(TypeId),
    Array { elem: TypeId, len: u32 },
    Struct(Composite<'a>),
    Union(Composite<'a>),
    Enum(Enum<'a>),
    Fwd { union: bool },
    Typedef(TypeId),
    Volatile(TypeId),
    Const(TypeId),
    Restrict(TypeId),
    Func { proto: TypeId, linkage: Linkage },
    FuncProto(FuncProto<'a>),
    Var { ty: TypeId, linkage: Linkage },
    Datasec(Datasec<'a>),
    Float { size: u32 },
    DeclTag { of: TypeId, component: Option<u32> },
    TypeTag(TypeId),
}

/// An integer type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Int {
    /// Bytes it takes.
    pub size: u32,
    /// Bits of it that count.
    pub bits: u8,
    /// Where they start.
    pub bit_offset: u8,
    /// Whether it is signed.
    pub signed: bool,
    /// Whether it is a character.
    pub char: bool,
    /// Whether it is a boolean.
    pub bool: bool,
}

/// A struct or union.
#[derive(Clone, Copy)]
pub struct Composite<'a> {
    btf: &'a Btf,
    /// Bytes it takes.
    pub size: u32,
    bit_fields: bool,
    entries: &'a [u8],
}

/// A member of a struct or union.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Member<'a> {
    /// Its name; empty for an anonymous struct or union.
    pub name: &'a str,
    /// Its type.
    pub ty: TypeId,
    /// Where it starts, in bits from the start of its struct.
    pub bit_offset: u32,
    /// Bits of a bit-field; 0 for an ordinary member.
    pub bits: u8,
}

/// An enumeration of 4 bytes or less, or of 8.
#[derive(Clone, Copy)]
pub struct Enum<'a> {
    btf: &'a Btf,
    /// Bytes it takes.
    pub size: u32,
    /// Whether its values are signed.
    pub signed: bool,
    wide: bool,
    entries: &'a [u8],
}

/// A function's type.
#[derive(Clone, Copy)]
pub struct FuncProto<'a> {
    btf: &'a Btf,
    /// What it returns.
    pub ret: TypeId,
    entries: &'a [u8],
}

/// A parameter of a function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Param<'a> {
    /// Its name, if it has one.
    pub name: &'a str,
    /// Its type; `void` with no name at the end stands for `...`.
    pub ty: TypeId,
}

/// A section of variables.
#[derive(Clone, Copy)]
pub struct Datasec<'a> {
    /// Bytes it takes.
    pub size: u32,
    entries: &'a [u8],
}

impl<'a> Type<'a> {
    /// The kind alone.
    pub fn kind(&self) -> TypeKind {
        // `type_at` refused unknown kinds; `void` is the only record without one.
        TypeKind::from_number(self.info.kind()).unwrap_or(TypeKind::Void)
    }

    /// What it is, with its parts.
    pub fn get(&self) -> Kind<'a> {
        let of = TypeId(self.size_or_type);
        let size = self.size_or_type;
        let first = |i: usize| word(self.rest, 4 * i).unwrap_or(0);
        let (btf, entries) = (self.btf, self.rest);
        match self.kind() {
            TypeKind::Void => Kind::Void,
            TypeKind::Int => {
                let w = first(0);
                let encoding = ((w >> 24) & 0x0f) as u8;
                Kind::Int(Int {
                    size,
                    bits: w as u8,
                    bit_offset: (w >> 16) as u8,
                    signed: encoding & crate::int_encoding::SIGNED != 0,
                    char: encoding & crate::int_encoding::CHAR != 0,
                    bool: encoding & crate::int_encoding::BOOL != 0,
                })
            }
            TypeKind::Ptr => Kind::Ptr(of),
            TypeKind::Array => Kind::Array { elem: TypeId(first(0)), len: first(2) },
            TypeKind::Struct => Kind::Struct(Composite { btf, size, bit_fields: self.info.flag(), entries }),
            TypeKind::Union => Kind::Union(Composite { btf, size, bit_fields: self.info.flag(), entries }),
            TypeKind::Enum => Kind::Enum(Enum { btf, size, signed: self.info.flag(), wide: false, entries }),
            TypeKind::Enum64 => Kind::Enum(Enum { btf, size, signed: self.info.flag(), wide: true, entries }),
            TypeKind::Fwd => Kind::Fwd { union: self.info.flag() },
            TypeKind::Typedef => Kind::Typedef(of),
            TypeKind::Volatile => Kind::Volatile(of),
            TypeKind::Const => Kind::Const(of),
            TypeKind::Restrict => Kind::Restrict(of),
            TypeKind::Func => Kind::Func { proto: of, linkage: Linkage::from_number(self.info.vlen() as u32) },
            TypeKind::FuncProto => Kind::FuncProto(FuncProto { btf, ret: of, entries }),
            TypeKind::Var => Kind::Var { ty: of, linkage: Linkage::from_number(first(0)) },
            TypeKind::Datasec => Kind::Datasec(Datasec { size, entries }),
            TypeKind::Float => Kind::Float { size },
            TypeKind::DeclTag => {
                let component = first(0);
                Kind::DeclTag { of, component: (component != u32::MAX).then_some(component) }
            }
            TypeKind::TypeTag => Kind::TypeTag(of),
        }
    }

    /// The BTF (base or split part) that its record lies in.
    pub fn btf(&self) -> &'a Btf {
        self.btf
    }

    /// Its members, if it is a struct or union.
    pub fn composite(&self) -> Option<Composite<'a>> {
        match self.get() {
            Kind::Struct(c) | Kind::Union(c) => Some(c),
            _ => None,
        }
    }
}

impl<'a> Composite<'a> {
    /// Number of members.
    pub fn len(&self) -> usize {
        self.entries.len() / 12
    }

    /// Whether there are no members.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The member with this index.
    pub fn member(&self, index: usize) -> Option<Member<'a>> {
        let entry = self.entries.chunks_exact(12).nth(index)?;
        Some(self.decode(entry))
    }

    fn decode(&self, entry: &[u8]) -> Member<'a> {
        let w = |i: usize| word(entry, 4 * i).unwrap_or(0);
        let (bit_offset, bits) = if self.bit_fields { (w(2) & 0xff_ffff, (w(2) >> 24) as u8) } else { (w(2), 0) };
        Member { name: self.btf.checked_string(w(0)), ty: TypeId(w(1)), bit_offset, bits }
    }

    /// All members, in the order of the declaration.
    pub fn members(&self) -> impl Iterator<Item = Member<'a>> + use<'a> {
        let this = *self;
        this.entries.chunks_exact(12).map(move |e| this.decode(e))
    }
}

impl<'a> Enum<'a> {
    /// All enumerators with their values; an unsigned 64-bit value keeps its bits.
    pub fn values(&self) -> impl Iterator<Item = (&'a str, i64)> + use<'a> {
        let this = *self;
        this.entries.chunks_exact(if this.wide { 12 } else { 8 }).map(move |e| {
            let w = |i: usize| word(e, 4 * i).unwrap_or(0);
            let value = if this.wide {
                (u64::from(w(1)) | (u64::from(w(2)) << 32)) as i64
            } else if this.signed {
                i64::from(w(1) as i32)
            } else {
                i64::from(w(1))
            };
            (this.btf.checked_string(w(0)), value)
        })
    }

    /// The value of the enumerator with this name.
    pub fn value(&self, name: &str) -> Option<i64> {
        self.values().find(|(n, _)| *n == name).map(|(_, v)| v)
    }
}

impl<'a> FuncProto<'a> {
    /// All parameters.
    pub fn params(&self) -> impl Iterator<Item = Param<'a>> + use<'a> {
        let this = *self;
        this.entries.chunks_exact(8).map(move |e| {
            let w = |i: usize| word(e, 4 * i).unwrap_or(0);
            Param { name: this.btf.checked_string(w(0)), ty: TypeId(w(1)) }
        })
    }
}

impl<'a> Datasec<'a> {
    /// All variables with their places.
    pub fn vars(&self) -> impl Iterator<Item = SecVar> + use<'a> {
        self.entries.chunks_exact(12).map(|e| {
            let w = |i: usize| word(e, 4 * i).unwrap_or(0);
            SecVar { var: TypeId(w(0)), offset: w(1), size: w(2) }
        })
    }
}
