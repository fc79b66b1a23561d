//! Programs that were loaded for their target: fentry, fexit, fmod_ret, tp_btf, LSM.

use std::os::fd::AsFd;

use whistler_isa::ProgType;
use whistler_kernel::Kernel;
use whistler_sys::Cap;

use crate::attach::{Hold, Made, Why, expect_type};
use crate::program::Program;

pub(crate) fn attach(kernel: &Kernel, program: &Program) -> Made {
    expect_type(program, &[ProgType::Tracing, ProgType::Lsm, ProgType::Ext])?;
    match whistler_sys::bpf::raw_tracepoint_open(program.as_fd(), None, 0) {
        Ok(fd) => Ok((Hold::Link { fd, updates: false }, "tracing link")),
        Err(e) => Err(Why::denied(kernel, e, &[Cap::Bpf, Cap::Perfmon])),
    }
}
