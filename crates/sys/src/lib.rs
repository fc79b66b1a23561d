//! System calls of the bpf subsystem and its neighbours: bpf(2), perf events, route netlink,
//! shared memory, a detached tracefs.
//!
//! This is the only crate with `unsafe`, and every call goes through one replaceable function
//! ([`with_fake`]), so that those above can be tested without a kernel. It must *not* know programs,
//! objects or policies: it says what the kernel answered, and no more.
#![deny(unsafe_op_in_unsafe_fn, clippy::undocumented_unsafe_blocks)]

mod attr;
pub mod bpf;
mod call;
mod error;
mod fs;
mod mem;
pub mod netlink;
mod perf;
mod perf_ring;
mod real;
mod ring;
mod task;

pub use bpf::{MapFd, MapShape, is_per_cpu, possible_cpus};
pub use call::{Call, IdKind, Reply, Syscaller, with_fake};
pub use error::{Errno, SysError};
pub use fs::{Dir, ifindex};
pub use mem::{ConstFile, ConstMemory, Mapping, one_heap, page_size};
pub use perf::{PerfEvent, PerfKind, Period, perf_disable, perf_enable, perf_query, perf_set_bpf};
pub use perf_ring::PerfRing;
pub use ring::{Epoll, Ring};
pub use task::{Cap, Capabilities, capabilities, group_id, kernel_release, unshare_network};
