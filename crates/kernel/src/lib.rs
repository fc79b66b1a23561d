//! Facts of a kernel, running or saved: its release, types (BTF), tracepoints, symbols, features, and
//! what we may do with it.
//!
//! Everything is found out when first asked, and once. This crate must *not* know objects, programs
//! to load, or the compiler; it loads only the trivial programs that its probes need.
#![forbid(unsafe_code)]

mod btf_file;
pub mod doctor;
mod event_struct;
mod features;
mod format;
mod running;
mod symbols;
mod tracefs;

pub use features::{Feature, Pmu, pmu};
pub use format::parse_format;
pub use running::{Kernel, save_formats};
pub use symbols::{Symbols, matches_glob, nearest};
pub use tracefs::{Origin, Tracefs};
