//! Raw tracepoints: the arguments as the kernel passes them. One link (4.17), cookie since 6.10.

use std::os::fd::AsFd;

use whistler_isa::ProgType;
use whistler_kernel::{Feature, Kernel};
use whistler_sys::{Cap, Errno};

use super::c_name;
use crate::attach::{Hold, Made, Why, expect_type};
use crate::program::Program;

pub(crate) fn attach(kernel: &Kernel, program: &Program, name: &str, cookie: u64) -> Made {
    expect_type(program, &[ProgType::RawTracepoint, ProgType::RawTracepointWritable])?;
    if cookie != 0 && !kernel.has(Feature::RawTracepointCookie) {
        return Err(Why::new("raw tracepoints take a cookie only from kernel 6.10 on"));
    }
    match whistler_sys::bpf::raw_tracepoint_open(program.as_fd(), Some(&c_name(name)?), cookie) {
        Ok(fd) => Ok((Hold::Link { fd, updates: false }, "raw tracepoint link")),
        Err(e) if e.errno == Errno::ENOENT => {
            let near = kernel.nearest_tracepoints(name);
            let near: Vec<String> =
                near.into_iter().map(|n| n.rsplit('/').next().unwrap_or_default().to_string()).collect();
            Err(Why::new(format!("this kernel has no tracepoint `{name}`")).near(near).cause(e))
        }
        Err(e) => Err(Why::denied(kernel, e, &[Cap::Bpf, Cap::Perfmon])),
    }
}
