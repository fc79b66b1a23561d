//! The eBPF machine as data: instructions with their encoding, and the
//! kernel's interface (helpers, program, map and attach types, contexts,
//! section names) as tables.
//!
//! It must *not* know sources, compilers, object files or system calls.
#![forbid(unsafe_code)]

pub mod asm;
mod attach;
pub mod constants;
pub mod ctx;
pub mod disasm;
pub mod helpers;
mod insn;
pub mod kfuncs;
mod map;
pub mod places;
mod prog;
mod regs;
pub mod sections;
pub mod sock_ops;
pub mod struct_ops;
mod table;
mod target;
pub mod tracing;
pub mod uapi;
pub mod verdicts;

pub use attach::{ATTACH_TYPES, AttachType, AttachTypeInfo};
pub use helpers::{Access, Arg, ArgKind, HELPERS, Helper, HelperFlags, MemSize, ProgSet, Ret};
pub use insn::{Insn, Reg, op};
pub use kfuncs::{KFUNCS, Kfunc, KfuncFlags};
pub use map::{EntriesRule, MAP_TYPES, MapType, MapTypeInfo, MapValueKind, Operation, SizeRule, map_flags};
pub use prog::{ContextKind, PROG_TYPES, PROGRAM_KINDS, ProgType, ProgTypeInfo, ProgramKind, ReturnRule};
pub use regs::{Arch, Registers};
pub use table::same_name;
pub use target::{IsaLevel, KernelVersion, LoopWay, Target};
