//! The loader's interface under the original's names: sessions, objects, attaching one by one, maps by bytes,
//! records. What of it can be said in Lisp is in `lib/loader.lisp`.

mod attaching;
mod bytes;
mod objects;
mod records;
mod session;

use std::rc::Rc;

use whistler_diag::FileId;
use whistler_isa::{AttachType, ProgType};
use whistler_lisp::{Interp, Value};

use super::define;
use crate::live::Shared;

pub(crate) use records::define_record;

/// The part that is written in Lisp.
const LIBRARY: &str = include_str!("../../../lib/loader.lisp");
/// Where its spans point: to no source of the user's, and to none of the compiler's library.
const LIBRARY_FILE: FileId = FileId(u32::MAX - 100);

pub(super) fn install(interp: &mut Interp, shared: &Rc<Shared>) {
    crate::failure::install(interp);
    session::install(interp, shared);
    objects::install(interp, shared);
    attaching::install(interp, shared);
    bytes::install(interp, shared);
    records::install(interp, shared);
    interp.define_library_source(LIBRARY_FILE, LIBRARY);
    constants(interp);
}

/// `+bpf-cgroup-…+`, `+bpf-prog-type-…+`, and the flags of `map-update`, by the kernel's numbers.
fn constants(interp: &mut Interp) {
    let cgroup = AttachType::ALL.iter().map(|t| (t.info().kernel_name, t.number()));
    for (name, number) in cgroup.filter(|(n, _)| n.starts_with("BPF_CGROUP_")) {
        interp.define_constant(&constant_name(name), Value::Int(i64::from(number)));
    }
    for t in ProgType::ALL {
        interp.define_constant(&constant_name(t.info().kernel_name), Value::Int(i64::from(t.number())));
    }
    for (name, number) in [("+bpf-any+", 0), ("+bpf-noexist+", 1), ("+bpf-exist+", 2)] {
        interp.define_constant(name, Value::Int(number));
    }
}

/// `BPF_CGROUP_INET4_BIND` as `+bpf-cgroup-inet4-bind+`.
fn constant_name(kernel: &str) -> String {
    format!("+{}+", kernel.to_ascii_lowercase().replace('_', "-"))
}
