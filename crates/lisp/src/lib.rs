//! The host Lisp: reader, printer, values on a collected heap, evaluator and
//! macros, in the honest subset of Common Lisp that the manual lists.
//!
//! It must *not* know what eBPF, a map or a kernel is: forms for those are
//! registered by the crates above ([`Interp::define_special`] and the like), and
//! input, output, files and time go through [`HostIo`].
#![forbid(unsafe_code)]

mod arith;
mod chars;
mod code;
mod compile;
mod equality;
pub mod error;
mod form;
mod hash;
mod heap;
mod interp;
mod io;
pub mod lexer;
mod macros;
mod natives;
mod nearest;
mod number;
pub mod printer;
pub mod reader;
mod symbol;
mod value;
mod vm;

pub(crate) use compile::split_body as compile_split;
pub use equality::Test;
pub use error::{LispError, LispResult, Slot};
pub use form::{Expansion, Form, FormKind, NESTING_LIMIT};
pub use hash::HashTable;
pub use heap::{CellSpans, Foreign, Heap, Object, Record, RecordLayout, Root, Stream};
pub use interp::{
    CALL_DEPTH_LIMIT, DocKind, HostMacroFn, Interp, LibraryItem, Macro, NativeClosure, OuterConstants, SpecialFn,
};
pub use io::{CapturedIo, HostIo, NoIo};
pub use natives::is_of_c;
pub use nearest::nearest;
pub use printer::pretty;
pub use reader::{is_complete, read, read_text};
pub use symbol::{Package, Symbol};
pub use value::{ConsRef, ObjRef, Value};
