//! An [`Object`](whistler_object::Object) into the kernel: maps, globals, BTF and programs loaded,
//! programs attached, rings read.
//!
//! What it makes is held by descriptors, so it ends with its values and with the process. It must
//! *not* know Lisp, the compiler, or where an object comes from; it never prints.
#![forbid(unsafe_code)]

mod attach;
mod core;
mod dispatch;
mod elf_symbols;
mod error;
mod globals;
mod layout;
mod lines;
mod link;
mod load;
mod map;
mod perf_consumer;
mod program;
mod registers;
mod relocate;
mod ring;
mod section;
mod struct_ops;
mod verifier_log;

pub use attach::{
    AttachError, AttachSpec, Counter, Device, Link, Swap, UpdateError, UprobePlace, When, XdpMode, attach, swap_of,
};
pub use dispatch::DispatchSlot;
pub use elf_symbols::{SymbolError, file_offset, find_file};
pub use error::{LoadError, VerifierError};
pub use globals::GlobalHandle;
pub use layout::{Layout, layout};
pub use link::tc::{Leftover, find_leftovers, remove_leftover};
pub use load::{LoadOptions, Loaded, Loader};
pub use map::{Keys, Map, Put};
pub use perf_consumer::PerfConsumer;
pub use program::{Program, RunStatistics, RunStats, TestRun, TestRunOut};
pub use registers::variables;
pub use ring::{LostCounter, RingConsumer};
pub use section::{SectionError, from_section};
pub use struct_ops::{StructOps, register};
pub use verifier_log::{Complaint, complaint, explain};
pub use whistler_sys::netlink::Direction;
pub use whistler_sys::{MapFd, MapShape, Period};

/// A path for the kernel.
fn c_path(path: &std::path::Path) -> Result<std::ffi::CString, whistler_sys::SysError> {
    std::ffi::CString::new(std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str()))
        .map_err(|_| whistler_sys::SysError { call: "path", errno: whistler_sys::Errno::EINVAL })
}
