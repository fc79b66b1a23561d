//! The reference: evaluates a checked unit directly, as the language defines it.
//!
//! It exists to judge the compiler, so it shares nothing with lowering, the
//! passes, or the virtual machine: not the arithmetic, not the memory, not the
//! maps. It is slow and plain on purpose. Invariant: a run that would do
//! something undefined (a read outside an object, a null access) is a
//! [`Fault`], never a number.

mod dynptrs;
mod eval;
mod helpers;
mod kinds;
mod memory;
mod world;

pub use eval::{Fault, Outcome, run};
pub use world::{RefMap, World};
