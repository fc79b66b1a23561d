//! CO-RE relocations: what a program says about a kernel type, to be filled in
//! at load. Invariant: numbers are the kernel's `enum bpf_core_relo_kind`.

use crate::TypeId;
use std::fmt;

/// What a relocation asks for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum CoreKind {
    /// A field's offset in bytes.
    FieldByteOffset = 0,
    /// A field's size in bytes.
    FieldByteSize = 1,
    /// Whether a field exists.
    FieldExists = 2,
    /// Whether a field is signed.
    FieldSigned = 3,
    /// Left shift that brings a bit-field to the top of 64 bits.
    FieldLShiftU64 = 4,
    /// Right shift that then brings it down.
    FieldRShiftU64 = 5,
    /// The type's number in the program's own BTF.
    TypeIdLocal = 6,
    /// The type's number in the kernel's BTF.
    TypeIdTarget = 7,
    /// Whether a type exists.
    TypeExists = 8,
    /// A type's size in bytes.
    TypeSize = 9,
    /// Whether an enumerator exists.
    EnumvalExists = 10,
    /// An enumerator's value.
    EnumvalValue = 11,
    /// Whether a type exists that matches member by member.
    TypeMatches = 12,
}

impl CoreKind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [CoreKind; 13] = [
        CoreKind::FieldByteOffset,
        CoreKind::FieldByteSize,
        CoreKind::FieldExists,
        CoreKind::FieldSigned,
        CoreKind::FieldLShiftU64,
        CoreKind::FieldRShiftU64,
        CoreKind::TypeIdLocal,
        CoreKind::TypeIdTarget,
        CoreKind::TypeExists,
        CoreKind::TypeSize,
        CoreKind::EnumvalExists,
        CoreKind::EnumvalValue,
        CoreKind::TypeMatches,
    ];

    /// The kind with this number.
    pub fn from_number(n: u32) -> Option<CoreKind> {
        Self::ALL.get(usize::try_from(n).ok()?).copied()
    }

    /// Whether it asks about a field.
    pub const fn is_field(self) -> bool {
        (self as u8) <= CoreKind::FieldRShiftU64 as u8
    }

    /// Whether it asks about an enumerator.
    pub const fn is_enumval(self) -> bool {
        matches!(self, CoreKind::EnumvalExists | CoreKind::EnumvalValue)
    }
}

impl fmt::Display for CoreKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CoreKind::FieldByteOffset => "byte_off",
            CoreKind::FieldByteSize => "byte_sz",
            CoreKind::FieldExists => "field_exists",
            CoreKind::FieldSigned => "signed",
            CoreKind::FieldLShiftU64 => "lshift_u64",
            CoreKind::FieldRShiftU64 => "rshift_u64",
            CoreKind::TypeIdLocal => "local_type_id",
            CoreKind::TypeIdTarget => "target_type_id",
            CoreKind::TypeExists => "type_exists",
            CoreKind::TypeSize => "type_size",
            CoreKind::EnumvalExists => "enumval_exists",
            CoreKind::EnumvalValue => "enumval_value",
            CoreKind::TypeMatches => "type_matches",
        })
    }
}

/// One relocation: an instruction that depends on a kernel type.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct CoreReloc {
    /// The instruction, in bytes from the start of its section (or program).
    pub insn_off: u32,
    /// The type in the program's own BTF that the access starts from.
    pub type_id: TypeId,
    /// The access, as indices: `0:1:2` is element 0, member 1, its member 2; for an
    /// enumerator its index; for a type `0`.
    pub access: String,
    /// What is asked.
    pub kind: CoreKind,
}

/// The access string of indices (`[0, 1, 2]` is `0:1:2`).
pub fn access_string(indices: &[u32]) -> String {
    let words: Vec<String> = indices.iter().map(u32::to_string).collect();
    words.join(":")
}
