//! How a kernel's types reach whoever compiles for it. Invariant: a source
//! answers from what it has and says why when it has nothing; it never fails silently.

use crate::Btf;
use std::sync::Arc;

/// Where facts about a kernel's types come from: a running kernel, saved files, or nothing.
pub trait TypeSource {
    /// The kernel's BTF.
    fn btf(&self) -> Option<&Btf>;

    /// Why there is no BTF and what would mend it; `None` when there is.
    fn btf_problem(&self) -> Option<String>;

    /// The record of a tracepoint, as tracefs describes it.
    fn tracepoint(&self, category: &str, event: &str) -> Result<Arc<TracepointFormat>, TypeSourceError>;

    /// The modules that have types of their own, sorted.
    fn modules(&self) -> Vec<String> {
        Vec::new()
    }

    /// A module's types, on top of the kernel's.
    fn module_btf(&self, _module: &str) -> Option<Arc<Btf>> {
        None
    }

    /// The kernel's release (major, minor), when it is known.
    fn kernel_version(&self) -> Option<(u16, u16)>;
}

/// Why a source has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TypeSourceError {
    /// The kernel has no such event; `near` are the closest names it has.
    #[error("there is no tracepoint {category}/{event}")]
    NoTracepoint {
        /// The category asked for.
        category: String,
        /// The event asked for.
        event: String,
        /// Names like it, best first, as `category/event`.
        near: Vec<String>,
    },
    /// The source can't be read; the text says why and what would mend it.
    #[error("{0}")]
    Unavailable(String),
    /// What was read makes no sense.
    #[error("the format of {what} can't be understood: {why}")]
    Malformed {
        /// Which tracepoint or file.
        what: String,
        /// What is wrong with it.
        why: String,
    },
}

/// The record of a tracepoint.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TracepointFormat {
    /// `sched` of `sched/sched_switch`.
    pub category: String,
    /// `sched_switch` of `sched/sched_switch`.
    pub name: String,
    /// The number to attach by; 0 when it comes from no running kernel.
    pub id: u32,
    /// All fields, the common ones (`common_…`) first.
    pub fields: Vec<TracepointField>,
    /// Why this is put together from the kernel's types and is no `format` file, and what would mend that.
    pub from_types: Option<String>,
}

impl TracepointFormat {
    /// The field of this name; `-` and `_` are the same letter.
    pub fn field(&self, name: &str) -> Option<&TracepointField> {
        let fold = |c: u8| if c == b'-' { b'_' } else { c };
        self.fields.iter().find(|f| f.name.bytes().map(fold).eq(name.bytes().map(fold)))
    }
}

/// One field of a tracepoint's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TracepointField {
    /// Its name.
    pub name: String,
    /// Its type in C, without name and array bounds, as the kernel prints it.
    pub c_type: String,
    /// Where it lies in the record, in bytes.
    pub offset: u32,
    /// How many bytes it takes there.
    pub size: u32,
    /// Whether it is signed (an array: whether its elements are).
    pub signed: bool,
    /// What lies there.
    pub kind: TracepointFieldKind,
}

/// What lies in a tracepoint's field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TracepointFieldKind {
    /// A number or a pointer.
    Scalar,
    /// An array in the record itself.
    Array {
        /// Number of elements.
        len: u32,
        /// Bytes of one.
        elem_size: u32,
    },
    /// `__data_loc`: a 32-bit word with the data's offset from the record's start in its
    /// low half and the data's size in its high half.
    DataLoc,
    /// `__rel_loc`: the same, the offset counted from the end of the word itself.
    RelLoc,
}

impl TracepointFieldKind {
    /// Whether the field is a word that says where data of variable size lie.
    pub const fn is_located(self) -> bool {
        matches!(self, TracepointFieldKind::DataLoc | TracepointFieldKind::RelLoc)
    }
}

/// A source that knows nothing, and why.
#[derive(Debug, Clone)]
pub struct NoTypes {
    reason: String,
}

impl NoTypes {
    /// A source that answers every question with this reason.
    pub fn new(reason: impl Into<String>) -> NoTypes {
        NoTypes { reason: reason.into() }
    }
}

impl TypeSource for NoTypes {
    fn btf(&self) -> Option<&Btf> {
        None
    }

    fn btf_problem(&self) -> Option<String> {
        Some(self.reason.clone())
    }

    fn tracepoint(&self, _category: &str, _event: &str) -> Result<Arc<TracepointFormat>, TypeSourceError> {
        Err(TypeSourceError::Unavailable(self.reason.clone()))
    }

    fn kernel_version(&self) -> Option<(u16, u16)> {
        None
    }
}
