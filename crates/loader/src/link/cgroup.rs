//! Programs on a cgroup and all below it, by a link (5.7) that the kernel can update.

use std::os::fd::AsFd;
use std::path::Path;

use whistler_isa::{AttachType, ProgType};
use whistler_kernel::Kernel;
use whistler_sys::bpf::{LinkCreate, LinkExtra, LinkTarget};
use whistler_sys::{Cap, Dir, Errno};

use crate::attach::{Hold, Made, Why};
use crate::program::Program;

/// The attach type of a program that was loaded without one.
fn usual(program: &Program) -> Option<AttachType> {
    program.attach_type().or(match program.prog_type() {
        ProgType::SockOps => Some(AttachType::CgroupSockOps),
        ProgType::CgroupDevice => Some(AttachType::CgroupDevice),
        ProgType::CgroupSysctl => Some(AttachType::CgroupSysctl),
        ProgType::CgroupSock => Some(AttachType::CgroupInetSockCreate),
        _ => None,
    })
}

pub(crate) fn attach(kernel: &Kernel, program: &Program, path: &Path, attach_type: Option<AttachType>) -> Made {
    let attach_type = attach_type.or_else(|| usual(program));
    let Some(attach_type) = attach_type.filter(|t| t.info().progs.contains(&program.prog_type())) else {
        return Err(Why::new(format!(
            "a {} program needs a direction or hook of a cgroup that takes it",
            program.prog_type().keyword()
        )));
    };
    let dir = Dir::open(path).map_err(|e| Why::new(format!("the cgroup can't be opened: {e}")).cause(e))?;
    let link = LinkCreate {
        prog: program.as_fd(),
        target: LinkTarget::Fd(dir.as_fd()),
        attach_type: attach_type.number(),
        flags: 0,
        extra: LinkExtra::None,
    };
    match link.create() {
        Ok(fd) => Ok((Hold::Link { fd, updates: true }, "cgroup link")),
        Err(e) if e.errno == Errno::EBADF => {
            Err(Why::new("this is no directory of cgroup2").mend(mounted_hint()).cause(e))
        }
        Err(e) => Err(Why::denied(kernel, e, &[Cap::Bpf, Cap::NetAdmin])),
    }
}

fn mounted_hint() -> String {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let place = mounts.lines().find_map(|l| {
        let mut words = l.split(' ').skip(1);
        let place = words.next()?;
        (words.next()? == "cgroup2").then_some(place)
    });
    match place {
        Some(p) => format!("cgroup2 is mounted at {p}"),
        None => "sudo mount -t cgroup2 none /sys/fs/cgroup".to_string(),
    }
}
