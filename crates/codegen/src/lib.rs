//! From meaning to machine code: an SSA IR with its passes, instruction
//! selection, register allocation and emission.
//!
//! It must *not* know Lisp, source files, BTF or object files: symbols, CO-RE
//! ids and source locations pass through it as opaque numbers.
#![forbid(unsafe_code)]

mod code;
mod compile;
pub mod ir;
mod mach;
pub mod passes;
#[cfg(any(test, feature = "testgen"))]
#[doc(hidden)]
pub mod testgen;

pub use code::{Code, CodegenError, OptLevel, SymUse, VarLoc, VarPlace};
pub use compile::{Report, compile, compile_with_report};
