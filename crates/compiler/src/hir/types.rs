//! Types. Invariant: a type's size and alignment are those of C on the target
//! (LP64), unless its definition says `:packed` or `:align`.

use std::rc::Rc;

use whistler_diag::Span;

use super::MapDef;

/// An integer type.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct IntTy {
    /// 1, 2, 4 or 8 bytes.
    pub size: u8,
    /// Whether it has negative values.
    pub signed: bool,
}

#[allow(missing_docs)]
impl IntTy {
    pub const U8: IntTy = IntTy { size: 1, signed: false };
    pub const U16: IntTy = IntTy { size: 2, signed: false };
    pub const U32: IntTy = IntTy { size: 4, signed: false };
    pub const U64: IntTy = IntTy { size: 8, signed: false };
    pub const I8: IntTy = IntTy { size: 1, signed: true };
    pub const I16: IntTy = IntTy { size: 2, signed: true };
    pub const I32: IntTy = IntTy { size: 4, signed: true };
    pub const I64: IntTy = IntTy { size: 8, signed: true };
}

impl IntTy {
    /// The canonical 64-bit form of the low bytes of `bits`.
    pub fn canonical(self, bits: i64) -> i64 {
        let shift = 64 - 8 * u32::from(self.size);
        if self.signed { (bits << shift) >> shift } else { (((bits as u64) << shift) >> shift) as i64 }
    }
}

/// A type.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ty {
    /// No value (reads as 0).
    Void,
    /// Control does not come back: `return`, an endless loop.
    Never,
    /// An integer.
    Int(IntTy),
    /// 0 or 1; one byte in memory.
    Bool,
    /// One byte that prints as a character; a `u8` in arithmetic.
    Char,
    /// An integer of 4 bytes with names for some of its values.
    Enum(Rc<EnumDef>),
    /// A pointer.
    Ptr(PtrTy),
    /// A struct or union of ours; only as a place, never as a value in a register.
    Struct(Rc<StructDef>),
    /// `n` elements.
    Array(Rc<Ty>, u32),
    /// A struct or union of the kernel, by name: laid out by the running kernel's BTF.
    Kernel(Rc<str>),
    /// A map inside of another map; only behind a pointer.
    Map(Rc<MapDef>),
}

/// A pointer type.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PtrTy {
    /// What is pointed to; `None` for bytes without a type.
    pub pointee: Option<Rc<Ty>>,
    /// Where it points.
    pub space: Space,
    /// Whether it may be null here.
    pub nullable: bool,
    /// Whether the program says, by `(cast u64 …)`, that the address itself is meant as a number.
    pub number: bool,
}

/// Where a pointer points.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Space {
    /// The program's context.
    Ctx,
    /// The stack.
    Stack,
    /// A map's value.
    MapValue,
    /// A value of a map that programs only read.
    MapConst,
    /// Packet bytes.
    Packet,
    /// The end of the packet.
    PacketEnd,
    /// A ring-buffer record that must be submitted or discarded.
    Ring,
    /// Other memory that a helper gave.
    Mem,
    /// A global that may be written.
    Global,
    /// A parameter or constant bytes: reads only.
    Rodata,
    /// A kernel object that the verifier lets be read directly.
    Trusted,
    /// A kernel address: probe reads only.
    Kernel,
    /// An address of the traced process: user probe reads only.
    User,
    /// A map, as helpers take it.
    Map,
    /// Not known: a number taken as an address.
    Unknown,
}

impl Space {
    /// Whether an address there is a number for the verifier.
    pub const fn is_number(self) -> bool {
        matches!(self, Space::Kernel | Space::User | Space::Unknown)
    }
}

/// A struct or union of ours.
#[derive(PartialEq, Eq, Debug)]
pub struct StructDef {
    /// Name as written.
    pub name: Rc<str>,
    /// Fields in order.
    pub fields: Vec<Field>,
    /// Bytes, padding at the end included.
    pub size: u32,
    /// Alignment in bytes.
    pub align: u32,
    /// Whether the fields overlap.
    pub union: bool,
    /// Where it is defined.
    pub span: Span,
}

/// An enum.
#[derive(PartialEq, Eq, Debug)]
pub struct EnumDef {
    /// Name as written.
    pub name: Rc<str>,
    /// Members with their values, names as written.
    pub members: Vec<(Rc<str>, i64)>,
    /// Its integer type: 4 bytes, signed if a value is negative.
    pub int: IntTy,
}

impl EnumDef {
    /// The value of a member: by its name exactly, else without regard to case and `-`/`_`.
    pub fn value(&self, member: &str) -> Option<i64> {
        let exact = self.members.iter().find(|(n, _)| &**n == member);
        exact.or_else(|| self.members.iter().find(|(n, _)| same_name(n, member))).map(|m| m.1)
    }

    /// The first member with that value.
    pub fn member(&self, value: i64) -> Option<&str> {
        self.members.iter().find(|m| m.1 == value).map(|m| &*m.0)
    }
}

/// A field.
#[derive(PartialEq, Eq, Debug)]
pub struct Field {
    /// Name as written.
    pub name: Rc<str>,
    /// Type.
    pub ty: Ty,
    /// Byte offset (of the containing byte, for a bit-field).
    pub offset: u32,
    /// Bit position within that byte and width, for a bit-field.
    pub bits: Option<(u8, u8)>,
    /// Whether memory holds it big-endian; it reads and writes in host order.
    pub big_endian: bool,
    /// Where it stands.
    pub span: Span,
}

/// Where the bits of a bit-field lie, seen from the byte that its lowest bit is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BitPlace {
    /// Position of the lowest bit in its byte.
    pub pos: u8,
    /// How many.
    pub width: u8,
    /// Bytes before that byte at which one access that holds all of them starts.
    pub back: u8,
    /// Bytes of that access; 0 where no single one stays in the struct.
    pub unit: u8,
}

impl BitPlace {
    /// How many bytes the bits reach into.
    pub fn bytes(self) -> u32 {
        (u32::from(self.pos) + u32::from(self.width)).div_ceil(8)
    }

    /// The field's bits, all ones, from bit 0 on.
    pub fn mask(self) -> u64 {
        if self.width >= 64 { u64::MAX } else { (1 << self.width) - 1 }
    }

    /// The accesses (offset, bytes) that together reach into exactly the bytes of the field.
    pub fn pieces(self) -> impl Iterator<Item = (u8, u8)> {
        let mut at = 0u8;
        let end = self.bytes() as u8;
        std::iter::from_fn(move || {
            let size = [8, 4, 2, 1].into_iter().find(|s| at + s <= end)?;
            at += size;
            Some((at - size, size))
        })
    }
}

impl StructDef {
    /// Where a field's bits lie, if it is a bit-field.
    pub fn bit_place(&self, f: &Field) -> Option<BitPlace> {
        let (pos, width) = f.bits?;
        let mut place = BitPlace { pos, width, back: 0, unit: 0 };
        let bytes = place.bytes();
        let fits = |s: &u32| f.offset % s + bytes <= *s && f.offset - f.offset % s + s <= self.size;
        if let Some(s) = [1, 2, 4, 8].into_iter().find(fits) {
            (place.back, place.unit) = ((f.offset % s) as u8, s as u8);
        }
        Some(place)
    }

    /// The field of that name: exactly, else without regard to case and `-`/`_`.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|f| &*f.name == name).or_else(|| self.fields.iter().find(|f| same_name(&f.name, name)))
    }
}

fn same_name(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).all(|(a, b)| fold(a) == fold(b))
}

fn fold(b: u8) -> u8 {
    if b == b'_' { b'-' } else { b.to_ascii_lowercase() }
}

impl Ty {
    /// `u64`.
    pub const U64: Ty = Ty::Int(IntTy::U64);
    /// `i64`.
    pub const I64: Ty = Ty::Int(IntTy::I64);
    /// `u32`.
    pub const U32: Ty = Ty::Int(IntTy::U32);

    /// A pointer that is not null.
    pub fn ptr(space: Space, pointee: Option<Ty>) -> Ty {
        Ty::Ptr(PtrTy { pointee: pointee.map(Rc::new), space, nullable: false, number: false })
    }

    /// A pointer that may be null.
    pub fn nullable_ptr(space: Space, pointee: Option<Ty>) -> Ty {
        Ty::Ptr(PtrTy { pointee: pointee.map(Rc::new), space, nullable: true, number: false })
    }

    /// Bytes in memory; 0 for `Void` and `Never`, and for kernel types (only their own BTF knows).
    pub fn size(&self) -> u32 {
        match self {
            Ty::Void | Ty::Never | Ty::Kernel(_) | Ty::Map(_) => 0,
            Ty::Int(i) => u32::from(i.size),
            Ty::Enum(e) => u32::from(e.int.size),
            Ty::Bool | Ty::Char => 1,
            Ty::Ptr(_) => 8,
            Ty::Struct(s) => s.size,
            Ty::Array(t, n) => t.size().saturating_mul(*n),
        }
    }

    /// Alignment in bytes.
    pub fn align(&self) -> u32 {
        match self {
            Ty::Void | Ty::Never | Ty::Kernel(_) | Ty::Map(_) => 1,
            Ty::Struct(s) => s.align,
            Ty::Array(t, _) => t.align(),
            Ty::Int(_) | Ty::Bool | Ty::Char | Ty::Enum(_) | Ty::Ptr(_) => self.size(),
        }
    }

    /// The integer type it computes as: itself, `u8` for characters and booleans.
    pub fn as_int(&self) -> Option<IntTy> {
        match self {
            Ty::Int(i) => Some(*i),
            Ty::Bool | Ty::Char => Some(IntTy::U8),
            Ty::Enum(e) => Some(e.int),
            Ty::Void | Ty::Never | Ty::Ptr(_) | Ty::Struct(_) | Ty::Array(..) | Ty::Kernel(_) | Ty::Map(_) => None,
        }
    }

    /// Whether a register holds it whole as a number.
    pub fn is_number(&self) -> bool {
        self.as_int().is_some()
    }

    /// The enum, if it is one.
    pub fn as_enum(&self) -> Option<&Rc<EnumDef>> {
        match self {
            Ty::Enum(e) => Some(e),
            _ => None,
        }
    }

    /// The pointer type, if it is one.
    pub fn as_ptr(&self) -> Option<&PtrTy> {
        match self {
            Ty::Ptr(p) => Some(p),
            _ => None,
        }
    }
}

impl std::fmt::Display for Ty {
    /// As the language spells it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Ty::Void => f.write_str("void"),
            Ty::Never => f.write_str("never"),
            Ty::Int(i) => write!(f, "{}{}", if i.signed { 'i' } else { 'u' }, u32::from(i.size) * 8),
            Ty::Bool => f.write_str("bool"),
            Ty::Char => f.write_str("char"),
            Ty::Struct(s) => f.write_str(&s.name),
            Ty::Array(t, n) => write!(f, "(array {t} {n})"),
            Ty::Kernel(name) if name.is_empty() => f.write_str("an anonymous struct"),
            Ty::Kernel(name) => f.write_str(name),
            Ty::Enum(e) => f.write_str(&e.name),
            Ty::Map(m) => write!(f, "map {}", m.name),
            Ty::Ptr(p) => {
                if p.nullable {
                    f.write_str("(nullable ")?;
                }
                match &p.pointee {
                    Some(t) => write!(f, "(ptr {t})")?,
                    None => f.write_str("ptr")?,
                }
                if p.nullable { f.write_str(")") } else { Ok(()) }
            }
        }
    }
}
