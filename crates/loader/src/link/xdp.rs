//! XDP: one program per device and mode, by a link (5.9) that the kernel can update.

use std::os::fd::AsFd;

use whistler_isa::{AttachType, ProgType};
use whistler_kernel::Kernel;
use whistler_sys::bpf::{LinkCreate, LinkExtra, LinkTarget};
use whistler_sys::{Cap, Errno};

use super::index_of;
use crate::attach::{Device, Hold, Made, Why, XdpMode, expect_type};
use crate::program::Program;

pub(crate) fn attach(kernel: &Kernel, program: &Program, device: &Device, mode: XdpMode) -> Made {
    expect_type(program, &[ProgType::Xdp])?;
    // XDP_FLAGS_SKB_MODE, XDP_FLAGS_DRV_MODE, XDP_FLAGS_HW_MODE
    let (flags, method) = match mode {
        XdpMode::Auto => (0, "xdp link"),
        XdpMode::Generic => (1 << 1, "xdp link, generic"),
        XdpMode::Driver => (1 << 2, "xdp link, in the driver"),
        XdpMode::Offload => (1 << 3, "xdp link, on the card"),
    };
    let link = LinkCreate {
        prog: program.as_fd(),
        target: LinkTarget::Ifindex(index_of(device)?),
        attach_type: AttachType::Xdp.number(),
        flags,
        extra: LinkExtra::None,
    };
    match link.create() {
        Ok(fd) => Ok((Hold::Link { fd, updates: true }, method)),
        Err(e) => Err(match e.errno {
            Errno::EBUSY | Errno::EEXIST => Why::new(format!("{device} has an XDP program already"))
                .mend(format!("ip link show dev {device} names it; a device takes one"))
                .cause(e),
            Errno::ENODEV => Why::new(format!("{device} is gone")).cause(e),
            Errno::EOPNOTSUPP | Errno::EINVAL if mode != XdpMode::Generic && mode != XdpMode::Auto => {
                Why::new(format!("the driver of {device} can't run XDP in this mode"))
                    .mend("use the mode `generic`")
                    .cause(e)
            }
            _ => Why::denied(kernel, e, &[Cap::Bpf, Cap::NetAdmin]),
        }),
    }
}
