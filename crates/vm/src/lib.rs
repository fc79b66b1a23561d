//! The eBPF machine in user space: runs the programs of an [`Object`] on
//! given contexts and packets, with maps, helpers and a simulated world around
//! them, without privileges.
//!
//! [`Object`]: whistler_object::Object
//!
//! It must *not* know sources, compilers, system calls or the verifier. A
//! program can do no harm here: every access is checked against the region its
//! address belongs to, every loop against a budget, and whatever goes wrong is
//! a [`Fault`] that names the instruction and its source line.
//!
//! - [`Machine`] runs an object; [`raw::run`] runs bare instruction bytes.
//! - [`World`] is what helpers see: clock, current process, randomness.
//! - [`pcap`] reads and writes captured packets.
//! - [`replay`] reads recorded events and feeds them to programs.
#![forbid(unsafe_code)]

mod code;
mod context;
mod dynptr;
mod errno;
mod exec;
mod fault;
mod format;
mod helpers;
mod kfuncs;
mod machine;
mod maps;
mod memory;
pub mod pcap;
pub mod raw;
pub mod replay;
mod task;
mod timers;
mod world;

pub use context::{PacketFields, RunInput};
pub use fault::{Access, Fault, FaultKind, TraceEntry};
pub use helpers::{is_simulated, simulated};
pub use kfuncs::simulated as simulated_kfuncs;
pub use machine::{Machine, MachineError, MachineOptions, PerfRecord, Redirect, RunOutput, Uninit};
pub use maps::{MapError, UpdateFlags};
pub use memory::KernelObject;
pub use world::{Clock, Random, Task, World};
