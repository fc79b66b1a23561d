//! The host Lisp: reader, printer, values on a collected heap, evaluator and
//! macros, in the honest subset of Common Lisp that the manual lists.
//!
//! It must *not* know what eBPF, a map or a kernel is: forms for those are
//! registered by the crates above ([`Interp::define_special`] and the like), and
//! input, output, files and time go through [`HostIo`].
#![forbid(unsafe_code)]

mod chars;
mod form;
mod heap;
pub mod lexer;
mod number;
pub mod printer;
pub mod reader;
mod symbol;
mod value;

pub use form::{Expansion, Form, FormKind, NESTING_LIMIT};
pub use heap::Root;
pub use reader::{is_complete, read, read_text};
pub use symbol::{Package, Symbol};
pub use value::{ConsRef, ObjRef, Value};
