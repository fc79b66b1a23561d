//! BTF's numbers as they stand in the bytes (kernel: Documentation/bpf/btf.rst).
//! Invariant: nothing outside this module knows a bit position of the format.

use std::fmt;

/// The magic number at the start, little-endian.
pub(crate) const MAGIC: u16 = 0xeb9f;
/// Bytes of the header of `.BTF`.
pub(crate) const HEADER_LEN: usize = 24;
/// Bytes of a type's fixed part.
pub(crate) const TYPE_LEN: usize = 12;

/// The number of a type; 0 is `void`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct TypeId(pub u32);

impl TypeId {
    /// `void`.
    pub const VOID: TypeId = TypeId(0);
}

impl fmt::Display for TypeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}]", self.0)
    }
}

/// What kind of type a record describes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum TypeKind {
    Void = 0,
    Int = 1,
    Ptr = 2,
    Array = 3,
    Struct = 4,
    Union = 5,
    Enum = 6,
    Fwd = 7,
    Typedef = 8,
    Volatile = 9,
    Const = 10,
    Restrict = 11,
    Func = 12,
    FuncProto = 13,
    Var = 14,
    Datasec = 15,
    Float = 16,
    DeclTag = 17,
    TypeTag = 18,
    Enum64 = 19,
}

impl TypeKind {
    const ALL: [TypeKind; 20] = [
        TypeKind::Void,
        TypeKind::Int,
        TypeKind::Ptr,
        TypeKind::Array,
        TypeKind::Struct,
        TypeKind::Union,
        TypeKind::Enum,
        TypeKind::Fwd,
        TypeKind::Typedef,
        TypeKind::Volatile,
        TypeKind::Const,
        TypeKind::Restrict,
        TypeKind::Func,
        TypeKind::FuncProto,
        TypeKind::Var,
        TypeKind::Datasec,
        TypeKind::Float,
        TypeKind::DeclTag,
        TypeKind::TypeTag,
        TypeKind::Enum64,
    ];

    /// The kind with this number.
    pub fn from_number(n: u8) -> Option<TypeKind> {
        Self::ALL.get(usize::from(n)).copied()
    }

    /// Bytes of one trailing entry and whether there are `vlen` of them (else one, or none).
    pub(crate) const fn trailer(self) -> Trailer {
        match self {
            TypeKind::Int | TypeKind::Var | TypeKind::DeclTag => Trailer::One(4),
            TypeKind::Array => Trailer::One(12),
            TypeKind::Struct | TypeKind::Union | TypeKind::Datasec | TypeKind::Enum64 => Trailer::Each(12),
            TypeKind::Enum | TypeKind::FuncProto => Trailer::Each(8),
            TypeKind::Void
            | TypeKind::Ptr
            | TypeKind::Fwd
            | TypeKind::Typedef
            | TypeKind::Volatile
            | TypeKind::Const
            | TypeKind::Restrict
            | TypeKind::Func
            | TypeKind::Float
            | TypeKind::TypeTag => Trailer::One(0),
        }
    }

    /// The word that C and bpftool print for it.
    pub const fn word(self) -> &'static str {
        match self {
            TypeKind::Void => "void",
            TypeKind::Int => "int",
            TypeKind::Ptr => "ptr",
            TypeKind::Array => "array",
            TypeKind::Struct => "struct",
            TypeKind::Union => "union",
            TypeKind::Enum | TypeKind::Enum64 => "enum",
            TypeKind::Fwd => "fwd",
            TypeKind::Typedef => "typedef",
            TypeKind::Volatile => "volatile",
            TypeKind::Const => "const",
            TypeKind::Restrict => "restrict",
            TypeKind::Func => "func",
            TypeKind::FuncProto => "func_proto",
            TypeKind::Var => "var",
            TypeKind::Datasec => "datasec",
            TypeKind::Float => "float",
            TypeKind::DeclTag => "decl_tag",
            TypeKind::TypeTag => "type_tag",
        }
    }
}

/// What follows a type's fixed part.
#[derive(Clone, Copy)]
pub(crate) enum Trailer {
    /// One entry of this many bytes.
    One(usize),
    /// `vlen` entries of this many bytes each.
    Each(usize),
}

/// Bytes of each kind's record without its entries, 0 where there is no such kind, and bytes of each entry.
pub(crate) static RECORD_LEN: [(u8, u8); 32] = {
    let mut table = [(0, 0); 32];
    let mut i = 1;
    while i < TypeKind::ALL.len() {
        table[i] = match TypeKind::ALL[i].trailer() {
            Trailer::One(n) => ((TYPE_LEN + n) as u8, 0),
            Trailer::Each(n) => (TYPE_LEN as u8, n as u8),
        };
        i += 1;
    }
    table
};

/// The `info` word: kind, number of entries, and the flag whose meaning the kind gives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Info(pub u32);

impl Info {
    pub(crate) const fn new(kind: TypeKind, vlen: u32, flag: bool) -> Info {
        Info(((flag as u32) << 31) | ((kind as u32) << 24) | (vlen & 0xffff))
    }
    pub(crate) const fn kind(self) -> u8 {
        ((self.0 >> 24) & 0x1f) as u8
    }
    pub(crate) const fn vlen(self) -> usize {
        (self.0 & 0xffff) as usize
    }
    pub(crate) const fn flag(self) -> bool {
        self.0 >> 31 == 1
    }
}

/// Encoding bits of an integer type.
#[allow(missing_docs)]
pub mod int_encoding {
    pub const NONE: u8 = 0;
    pub const SIGNED: u8 = 1;
    pub const CHAR: u8 = 2;
    pub const BOOL: u8 = 4;
}

/// Linkage of a function or variable.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum Linkage {
    Static = 0,
    Global = 1,
    Extern = 2,
}

impl Linkage {
    pub(crate) fn from_number(n: u32) -> Linkage {
        match n {
            0 => Linkage::Static,
            2 => Linkage::Extern,
            _ => Linkage::Global,
        }
    }
}
