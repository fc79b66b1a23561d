//! The eBPF dialect of the Lisp: declarations, types, checking, lowering to
//! the IR, and the `Object` that comes out. The language's own library is
//! Lisp, in `lib/*.lisp`.
//!
//! It does no input or output: what the kernel knows comes in as a
//! [`whistler_btf::TypeSource`]. It must *not* know loaders, links, terminals.
#![forbid(unsafe_code)]

pub mod assemble;
mod builtin;
pub mod check;
pub mod decl;
pub mod diagnostics;
pub mod env;
mod flavours;
mod follow;
pub mod forms;
pub mod hir;
mod hook;
mod host;
mod hosted;
mod kernel;
pub mod library;
mod lower;
pub mod names;
mod opt_in;
mod outline;
pub mod refeval;
pub mod session;
mod types;
mod unused;
mod views;

pub use decl::{Declared, Mode};
pub use session::{BpfSession, Compiled, Session};
