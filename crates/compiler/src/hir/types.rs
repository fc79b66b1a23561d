//! Types. Invariant: a type's size and alignment are those of C on the target
//! (LP64), unless its definition says `:packed` or `:align`.

use std::rc::Rc;

use whistler_diag::Span;

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
    /// A pointer.
    Ptr(PtrTy),
    /// A struct or union of ours; only as a place, never as a value in a register.
    Struct(Rc<StructDef>),
    /// `n` elements.
    Array(Rc<Ty>, u32),
    /// A struct or union of the kernel, by name: laid out by the running kernel's BTF.
    Kernel(Rc<str>),
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

impl StructDef {
    /// The field of that name: exactly, else without regard to case and `-`/`_`.
    pub fn field(&self, name: &str) -> Option<&Field> {
        let same = |f: &&Field| {
            f.name.len() == name.len() && f.name.bytes().zip(name.bytes()).all(|(a, b)| fold(a) == fold(b))
        };
        self.fields.iter().find(|f| &*f.name == name).or_else(|| self.fields.iter().find(same))
    }
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
        Ty::Ptr(PtrTy { pointee: pointee.map(Rc::new), space, nullable: false })
    }

    /// A pointer that may be null.
    pub fn nullable_ptr(space: Space, pointee: Option<Ty>) -> Ty {
        Ty::Ptr(PtrTy { pointee: pointee.map(Rc::new), space, nullable: true })
    }

    /// Bytes in memory; 0 for `Void` and `Never`, and for kernel types (only their own BTF knows).
    pub fn size(&self) -> u32 {
        match self {
            Ty::Void | Ty::Never | Ty::Kernel(_) => 0,
            Ty::Int(i) => u32::from(i.size),
            Ty::Bool | Ty::Char => 1,
            Ty::Ptr(_) => 8,
            Ty::Struct(s) => s.size,
            Ty::Array(t, n) => t.size().saturating_mul(*n),
        }
    }

    /// Alignment in bytes.
    pub fn align(&self) -> u32 {
        match self {
            Ty::Void | Ty::Never | Ty::Kernel(_) => 1,
            Ty::Struct(s) => s.align,
            Ty::Array(t, _) => t.align(),
            Ty::Int(_) | Ty::Bool | Ty::Char | Ty::Ptr(_) => self.size(),
        }
    }

    /// The integer type it computes as: itself, `u8` for characters and booleans.
    pub fn as_int(&self) -> Option<IntTy> {
        match self {
            Ty::Int(i) => Some(*i),
            Ty::Bool | Ty::Char => Some(IntTy::U8),
            Ty::Void | Ty::Never | Ty::Ptr(_) | Ty::Struct(_) | Ty::Array(..) | Ty::Kernel(_) => None,
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
            Ty::Kernel(name) => f.write_str(name),
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
