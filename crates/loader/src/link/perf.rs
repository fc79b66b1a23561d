//! A program on a perf event: by a link where the kernel has them (5.15), else on the event itself.

use std::os::fd::{AsFd, OwnedFd};

use whistler_isa::AttachType;
use whistler_kernel::{Feature, Kernel};
use whistler_sys::SysError;
use whistler_sys::bpf::{LinkCreate, LinkExtra, LinkTarget};

use crate::attach::{Hold, Made, Why};
use crate::program::Program;

/// The two descriptors that hold it; both end with the process.
pub(crate) fn hang(
    kernel: &Kernel,
    program: &Program,
    event: OwnedFd,
    cookie: u64,
) -> Result<(Option<OwnedFd>, OwnedFd), SysError> {
    let link = if kernel.has(Feature::PerfLink) {
        let create = LinkCreate {
            prog: program.as_fd(),
            target: LinkTarget::Fd(event.as_fd()),
            attach_type: AttachType::PerfEvent.number(),
            flags: 0,
            extra: LinkExtra::PerfEvent { cookie },
        };
        Some(create.create()?)
    } else {
        whistler_sys::perf_set_bpf(event.as_fd(), program.as_fd())?;
        None
    };
    whistler_sys::perf_enable(event.as_fd())?;
    Ok((link, event))
}

/// The same for one event, as a link file's answer.
pub(crate) fn attach_one(
    kernel: &Kernel,
    program: &Program,
    event: OwnedFd,
    cookie: u64,
    denied: impl FnOnce(SysError) -> Why,
) -> Made {
    check_cookie(kernel, cookie)?;
    let one = hang(kernel, program, event, cookie).map_err(denied)?;
    Ok(held(vec![one]))
}

/// The old way has no room for a cookie.
pub(crate) fn check_cookie(kernel: &Kernel, cookie: u64) -> Result<(), Why> {
    if cookie != 0 && !kernel.has(Feature::PerfLink) {
        return Err(Why::new("perf events take a cookie only from kernel 5.15 on"));
    }
    Ok(())
}

/// What to hold, and by which means that is.
pub(crate) fn held(events: Vec<(Option<OwnedFd>, OwnedFd)>) -> (Hold, &'static str) {
    let method = if events.iter().all(|(link, _)| link.is_some()) { "perf link" } else { "perf event" };
    (Hold::Perf(events), method)
}
