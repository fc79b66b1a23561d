//! One file per kind of link: what it checks, the means it prefers, what its errors mean.

pub(crate) mod cgroup;
pub(crate) mod kprobe;
pub(crate) mod netns;
pub(crate) mod perf;
pub(crate) mod perf_event;
pub(crate) mod raw_tracepoint;
pub(crate) mod tc;
pub(crate) mod tracepoint;
pub(crate) mod tracing;
pub(crate) mod uprobe;
pub(crate) mod xdp;

use std::ffi::CString;

use whistler_kernel::Kernel;
use whistler_sys::Errno;

use crate::attach::{Device, Why};

/// A name for the kernel.
fn c_name(name: &str) -> Result<CString, Why> {
    CString::new(name).map_err(|_| Why::new("the name has a zero byte in it"))
}

/// The number of a device.
fn index_of(device: &Device) -> Result<u32, Why> {
    match device {
        Device::Index(i) => Ok(*i),
        Device::Name(name) => whistler_sys::ifindex(&c_name(name)?).map_err(|e| {
            let near = devices();
            let near = whistler_kernel::nearest(name, near.iter().map(|(_, n)| n.as_str()), 3);
            let near = near.into_iter().map(str::to_string).collect();
            Why::new(format!("there is no network device `{name}`")).near(near).cause(e)
        }),
    }
}

/// The devices here: number and name.
fn devices() -> Vec<(u32, String)> {
    whistler_sys::netlink::links().unwrap_or_default()
}

/// What perf_event_open's refusal means: distributions close it above level 2.
fn perf_denied(kernel: &Kernel, cause: whistler_sys::SysError, needed: &[whistler_sys::Cap]) -> Why {
    let paranoid = std::fs::read_to_string("/proc/sys/kernel/perf_event_paranoid").unwrap_or_default();
    let level: i32 = paranoid.trim().parse().unwrap_or(2);
    let admin = kernel.capabilities().has(whistler_sys::Cap::SysAdmin);
    if matches!(cause.errno, Errno::EPERM | Errno::EACCES) && level > 2 && !admin {
        return Why::new(format!("perf events are closed (kernel.perf_event_paranoid is {level})"))
            .mend("sudo sysctl kernel.perf_event_paranoid=2")
            .cause(cause);
    }
    Why::denied(kernel, cause, needed)
}
