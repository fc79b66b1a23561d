//! The eBPF machine as data: instructions with their encoding, and the
//! kernel's interface (helpers, program, map and attach types, contexts,
//! section names) as tables.
//!
//! It must *not* know sources, compilers, object files or system calls.
#![forbid(unsafe_code)]

mod insn;
mod target;

pub use insn::{Insn, Reg, op};
pub use target::{IsaLevel, KernelVersion, Target};
