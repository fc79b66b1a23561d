//! Programs of a network namespace (sk_lookup 5.9, flow dissector 5.8), by a link the kernel can update.

use std::os::fd::AsFd;
use std::path::Path;

use whistler_isa::{AttachType, ProgType};
use whistler_kernel::Kernel;
use whistler_sys::Cap;
use whistler_sys::bpf::{LinkCreate, LinkExtra, LinkTarget};

use crate::attach::{Hold, Made, Why, expect_type};
use crate::program::Program;

pub(crate) fn attach(kernel: &Kernel, program: &Program, path: Option<&Path>) -> Made {
    expect_type(program, &[ProgType::SkLookup, ProgType::FlowDissector])?;
    let own = Path::new("/proc/thread-self/ns/net");
    let file = std::fs::File::open(path.unwrap_or(own))
        .map_err(|e| Why::new(format!("the network namespace can't be opened: {e}")))?;
    let flow = program.prog_type() == ProgType::FlowDissector;
    let link = LinkCreate {
        prog: program.as_fd(),
        target: LinkTarget::Fd(file.as_fd()),
        attach_type: if flow { AttachType::FlowDissector } else { AttachType::SkLookup }.number(),
        flags: 0,
        extra: LinkExtra::None,
    };
    match link.create() {
        Ok(fd) => Ok((Hold::Link { fd, updates: true }, "netns link")),
        Err(e) => Err(Why::denied(kernel, e, &[Cap::Bpf, Cap::NetAdmin])),
    }
}
