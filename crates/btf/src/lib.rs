//! BTF, the kernel's type format, and `.BTF.ext`: read lazily, built, asked,
//! printed as C; CO-RE relocations, made and resolved; and [`TypeSource`], by which a
//! kernel's types reach the compiler.
//!
//! It must *not* know instructions' meaning beyond the fields a relocation patches,
//! object files, Lisp, or where BTF bytes come from.
#![forbid(unsafe_code)]

mod builder;
mod bytes;
mod core;
mod error;
mod ext;
mod header;
mod import;
mod index;
mod lisp;
mod offsets;
mod patch;
mod print;
mod query;
mod raw;
mod read;
mod resolve;
mod source;

pub use builder::{BtfBuilder, CompositeKind, MemberDef, Merged, SecVar, StrOff};
pub use bytes::{Memory, Parts};
pub use core::{CoreKind, CoreReloc, access_string};
pub use error::BtfError;
pub use ext::{BtfExt, ExtSection, FuncInfo, LineInfo};
pub use lisp::OWN_STRUCTS;
pub use patch::{POISON_HELPER, Patched, apply};
pub use query::{FieldPath, Step};
pub use raw::{Linkage, TypeId, TypeKind, int_encoding};
pub use read::{Btf, Composite, Datasec, Enum, FuncProto, Int, Kind, Member, Param, Type};
pub use resolve::{CoreError, MemAdjust, Resolution, describe, essential_name, resolve, resolve_in};
pub use source::{NoTypes, TracepointField, TracepointFieldKind, TracepointFormat, TypeSource, TypeSourceError};
