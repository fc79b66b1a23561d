//! Programs that were loaded for their target: fentry, fexit, fmod_ret, tp_btf, LSM, iterators.

use std::os::fd::AsFd;

use whistler_isa::{AttachType, ProgType};
use whistler_kernel::Kernel;
use whistler_sys::Cap;
use whistler_sys::bpf::{LinkCreate, LinkExtra, LinkTarget};

use crate::attach::{Hold, Made, Why, expect_type};
use crate::program::Program;

pub(crate) fn attach(kernel: &Kernel, program: &Program) -> Made {
    expect_type(program, &[ProgType::Tracing, ProgType::Lsm, ProgType::Ext])?;
    if program.attach_type() == Some(AttachType::TraceIter) {
        return iterator(kernel, program);
    }
    match whistler_sys::bpf::raw_tracepoint_open(program.as_fd(), None, 0) {
        Ok(fd) => Ok((Hold::Link { fd, updates: false }, "tracing link")),
        Err(e) => Err(Why::denied(kernel, e, &[Cap::Bpf, Cap::Perfmon])),
    }
}

/// A walk over all objects of the iterator's kind; it starts when the link is read.
fn iterator(kernel: &Kernel, program: &Program) -> Made {
    let attach_type = AttachType::TraceIter.number();
    let (target, extra) = (LinkTarget::None, LinkExtra::None);
    match (LinkCreate { prog: program.as_fd(), target, attach_type, flags: 0, extra }).create() {
        Ok(fd) => Ok((Hold::Link { fd, updates: true }, "iterator link")),
        Err(e) => Err(Why::denied(kernel, e, &[Cap::Bpf, Cap::Perfmon])),
    }
}
