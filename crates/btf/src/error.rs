//! What can be wrong with BTF. Invariant: every malformed input ends as one of
//! these, naming where; nothing here panics or loops.

use crate::TypeId;

/// Why BTF could not be read or asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BtfError {
    /// The header is not BTF's.
    #[error("this is no BTF: {0}")]
    Header(&'static str),
    /// A section or a record reaches past the end.
    #[error("BTF cut short: {what} at byte {offset}")]
    Truncated {
        /// What was being read.
        what: &'static str,
        /// Where, from the start of its section.
        offset: usize,
    },
    /// A type id that the BTF does not have.
    #[error("BTF has no type {0}")]
    NoType(TypeId),
    /// A string offset outside the strings.
    #[error("BTF has no string at offset {0}")]
    NoString(u32),
    /// A kind number that is not known.
    #[error("BTF type {id} has the unknown kind {kind}")]
    UnknownKind {
        /// The type.
        id: TypeId,
        /// Its kind's number.
        kind: u8,
    },
    /// A type that was asked for something its kind does not have.
    #[error("BTF type {id} is no {wanted}")]
    WrongKind {
        /// The type.
        id: TypeId,
        /// What was needed.
        wanted: &'static str,
    },
    /// A chain of types without an end, or one too large to follow.
    #[error("BTF type {0} refers to itself or nests too deeply")]
    TooDeep(TypeId),
    /// Bytes that could not be read when they were needed.
    #[error("the BTF can't be read: {0}")]
    Unread(String),
    /// A record of `.BTF.ext` that makes no sense.
    #[error("bad .BTF.ext: {0}")]
    Ext(&'static str),
}
