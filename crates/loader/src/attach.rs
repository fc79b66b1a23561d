//! Attaching: to what, the link that comes of it, and why it may fail.
//!
//! Invariant: dropping a [`Link`] undoes it, and so does the end of the process however it comes,
//! except for clsact filters, which [`crate::find_leftovers`] finds afterwards, and structs of operations that were
//! registered without a link.

use std::fmt;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use whistler_isa::{AttachType, ProgType};
use whistler_kernel::Kernel;
use whistler_sys::netlink::Direction;
use whistler_sys::{Cap, Errno, Period, SysError};

use crate::link;
use crate::program::Program;

/// A network device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Device {
    /// By name, in the calling thread's network namespace.
    Name(String),
    /// By number.
    Index(u32),
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Device::Name(n) => f.write_str(n),
            Device::Index(i) => write!(f, "device {i}"),
        }
    }
}

/// Whether a probe fires when a function is entered or left.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum When {
    /// At the place itself.
    Entry,
    /// When the function returns.
    Return,
}

/// How XDP runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum XdpMode {
    /// The driver if it can, else generic.
    #[default]
    Auto,
    /// In the driver.
    Driver,
    /// After the driver, on socket buffers.
    Generic,
    /// On the card.
    Offload,
}

/// A place in a program or library.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum UprobePlace {
    /// A function, and bytes into it.
    Symbol(String, u64),
    /// An offset in the file.
    Offset(u64),
}

/// What a perf_event program samples.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Counter {
    /// Time on a processor (PERF_COUNT_SW_CPU_CLOCK).
    CpuClock,
    /// Page faults (PERF_COUNT_SW_PAGE_FAULTS).
    PageFaults,
    /// Cycles of the hardware.
    Cycles,
    /// Another, by PERF_TYPE_… and PERF_COUNT_….
    Raw(u32, u64),
}

/// Where to attach a program.
#[derive(Clone, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum AttachSpec {
    RawTracepoint {
        name: String,
        cookie: u64,
    },
    Tracepoint {
        category: String,
        name: String,
        cookie: u64,
    },
    /// One kernel function, or with [`AttachType::TraceKprobeMulti`] any number.
    Kprobe {
        functions: Vec<String>,
        offset: u64,
        when: When,
        cookie: u64,
    },
    /// `pid` `None`: in every process.
    Uprobe {
        file: PathBuf,
        place: UprobePlace,
        when: When,
        pid: Option<u32>,
        cookie: u64,
    },
    Xdp {
        device: Device,
        mode: XdpMode,
    },
    Tc {
        device: Device,
        direction: Direction,
    },
    /// The attach type is the program's own where `None`.
    Cgroup {
        path: PathBuf,
        attach_type: Option<AttachType>,
    },
    /// On every processor.
    PerfEvent {
        counter: Counter,
        period: Period,
        pid: Option<u32>,
    },
    /// Network namespace programs (sk_lookup, flow dissector); `None`: the calling thread's.
    NetNs {
        path: Option<PathBuf>,
    },
    /// As the struct of operations of that kernel type ([`crate::register`]).
    StructOps {
        of: String,
    },
    /// What the program itself says: fentry, fexit, fmod_ret, tp_btf, LSM.
    OwnTarget,
}

impl fmt::Display for AttachSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |w| if w == When::Return { "return of " } else { "" };
        match self {
            AttachSpec::RawTracepoint { name, .. } => write!(f, "raw tracepoint {name}"),
            AttachSpec::Tracepoint { category, name, .. } => write!(f, "tracepoint {category}/{name}"),
            AttachSpec::Kprobe { functions, offset, when, .. } => {
                write!(f, "{}kernel function {}", word(*when), functions.join(", "))?;
                if *offset == 0 { Ok(()) } else { write!(f, "+{offset:#x}") }
            }
            AttachSpec::Uprobe { file, place, when, pid, .. } => {
                write!(f, "{}{}:", word(*when), file.display())?;
                match place {
                    UprobePlace::Symbol(s, 0) => write!(f, "{s}")?,
                    UprobePlace::Symbol(s, o) => write!(f, "{s}+{o:#x}")?,
                    UprobePlace::Offset(o) => write!(f, "{o:#x}")?,
                }
                pid.map_or(Ok(()), |p| write!(f, " of process {p}"))
            }
            AttachSpec::Xdp { device, .. } => write!(f, "xdp on {device}"),
            AttachSpec::Tc { device, direction } => {
                write!(f, "tc {} of {device}", if *direction == Direction::Ingress { "ingress" } else { "egress" })
            }
            AttachSpec::Cgroup { path, .. } => write!(f, "cgroup {}", path.display()),
            AttachSpec::PerfEvent { counter, .. } => match counter {
                Counter::CpuClock => f.write_str("samples of the CPU clock"),
                Counter::PageFaults => f.write_str("page faults"),
                Counter::Cycles => f.write_str("samples of CPU cycles"),
                Counter::Raw(t, c) => write!(f, "samples of perf counter {t}:{c:#x}"),
            },
            AttachSpec::NetNs { path: None } => f.write_str("this network namespace"),
            AttachSpec::NetNs { path: Some(p) } => write!(f, "network namespace {}", p.display()),
            AttachSpec::StructOps { of } => f.write_str(of),
            AttachSpec::OwnTarget => f.write_str("its own target"),
        }
    }
}

/// Why a program could not be attached, in the words of the one who wanted it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{program}` can't be attached to {target}: {why}")]
pub struct AttachError {
    /// The program.
    pub program: Box<str>,
    /// Where to.
    pub target: Box<str>,
    /// What is wrong.
    pub why: String,
    /// What would mend it.
    pub mend: Option<String>,
    /// Names that may have been meant, best first.
    pub near: Box<[String]>,
    /// The call that failed.
    pub cause: Option<SysError>,
}

/// A reason, before it is known whose.
#[derive(Debug)]
pub(crate) struct Why {
    why: String,
    mend: Option<String>,
    near: Vec<String>,
    cause: Option<SysError>,
}

impl Why {
    pub(crate) fn new(why: impl Into<String>) -> Why {
        Why { why: why.into(), mend: None, near: Vec::new(), cause: None }
    }

    pub(crate) fn mend(mut self, mend: impl Into<String>) -> Why {
        self.mend = Some(mend.into());
        self
    }

    pub(crate) fn near(mut self, near: Vec<String>) -> Why {
        self.near = near;
        self
    }

    pub(crate) fn cause(mut self, cause: SysError) -> Why {
        self.cause = Some(cause);
        self
    }

    /// A failed call: what is missing when it is a matter of rights, else the kernel's words.
    pub(crate) fn denied(kernel: &Kernel, cause: SysError, needed: &[Cap]) -> Why {
        if !matches!(cause.errno, Errno::EPERM | Errno::EACCES) {
            return Why::new(cause.to_string()).cause(cause);
        }
        let held = kernel.capabilities();
        let missing: Vec<&str> = needed.iter().filter(|c| !held.has(**c)).map(|c| c.name()).collect();
        if missing.is_empty() {
            return Why::new(format!("the kernel forbids it ({cause}), although the capabilities are there"))
                .cause(cause);
        }
        let names = missing.join(", ");
        Why::new(format!("{names} is missing"))
            .mend(format!("give {names} to the program (`whistler doctor` has the command), or run it as root"))
            .cause(cause)
    }
}

/// How a link's program can be exchanged while events go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Swap {
    /// By the kernel, at once: [`Link::update`].
    Update,
    /// Through a [`crate::DispatchSlot`] that was attached instead of the program.
    Dispatch,
    /// Attach the new one, then drop the old: both may see one event.
    Overlap,
}

/// An attached program.
#[derive(Debug)]
pub struct Link {
    pub(crate) hold: Hold,
    pub(crate) target: String,
    pub(crate) method: &'static str,
}

/// What keeps a program attached.
#[derive(Debug)]
pub(crate) enum Hold {
    /// A bpf link; whether the kernel updates its kind.
    Link { fd: OwnedFd, updates: bool },
    /// Perf events with the bpf links on them (without, the program hangs on the event itself).
    Perf(#[allow(dead_code)] Vec<(Option<OwnedFd>, OwnedFd)>),
    /// A filter at a clsact qdisc.
    Filter(link::tc::Filter),
    /// A registered struct of operations.
    StructOps(crate::struct_ops::Registered),
}

/// Why a link did not take another program.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UpdateError {
    /// Its kind can't: use dispatch or overlap.
    #[error("the kernel can't exchange the program of this kind of link")]
    Unsupported,
    /// It could, but refused this one.
    #[error("{0}")]
    Sys(#[from] SysError),
}

impl Link {
    /// What it is attached to, in words.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// By which of the kernel's means: `perf link`, `tcx`, `clsact`, …
    pub fn method(&self) -> &'static str {
        self.method
    }

    /// Puts another program in, at once: every event sees the old one or the new one.
    pub fn update(&self, program: &Program) -> Result<(), UpdateError> {
        match &self.hold {
            Hold::Link { fd, updates: true } => Ok(whistler_sys::bpf::link_update(fd.as_fd(), program.as_fd(), None)?),
            Hold::Filter(filter) => Ok(filter.replace(program)?),
            Hold::Link { updates: false, .. } | Hold::Perf(_) | Hold::StructOps(_) => Err(UpdateError::Unsupported),
        }
    }

    /// Puts another struct of operations in the place of a registered one, at once. [`UpdateError::Unsupported`] where
    /// it was registered without a link.
    pub fn update_struct_ops(&mut self, new: &std::sync::Arc<crate::StructOps>) -> Result<(), UpdateError> {
        match &mut self.hold {
            Hold::StructOps(registered) => registered.update(new),
            Hold::Link { .. } | Hold::Perf(_) | Hold::Filter(_) => Err(UpdateError::Unsupported),
        }
    }

    /// Whether [`Link::update`] works.
    pub fn can_update(&self) -> bool {
        matches!(self.hold, Hold::Link { updates: true, .. } | Hold::Filter(_))
    }

    /// The kernel's number of the link; `None` where it is held by other means.
    pub fn id(&self) -> Option<u32> {
        let fd = match &self.hold {
            Hold::Link { fd, .. } => fd,
            Hold::Perf(events) => events.first()?.0.as_ref()?,
            Hold::Filter(_) => return None,
            Hold::StructOps(registered) => registered.link()?,
        };
        whistler_sys::bpf::link_info(fd.as_fd()).ok().map(|i| i.id)
    }

    /// Walks the objects of an iterator's kind, the program called for each, and what it wrote meanwhile. An error also
    /// where the link is none of an iterator.
    pub fn read_iterator(&self) -> Result<Vec<u8>, SysError> {
        let Hold::Link { fd, .. } = &self.hold else {
            return Err(SysError { call: "BPF_ITER_CREATE", errno: Errno::EINVAL });
        };
        let mut text = Vec::new();
        let mut reader = std::fs::File::from(whistler_sys::bpf::iter_create(fd.as_fd())?);
        std::io::Read::read_to_end(&mut reader, &mut text).map_err(|e| SysError { call: "read", errno: e.into() })?;
        Ok(text)
    }

    /// Takes the program off and says whether that worked; dropping does the same silently.
    pub fn detach(self) -> Result<(), SysError> {
        match self.hold {
            Hold::Filter(mut filter) => filter.remove(),
            Hold::StructOps(mut registered) => registered.end(),
            Hold::Link { .. } | Hold::Perf(_) => Ok(()),
        }
    }
}

/// Attaches a program.
pub fn attach(kernel: &Kernel, program: &Program, spec: &AttachSpec) -> Result<Link, AttachError> {
    let made = match spec {
        AttachSpec::RawTracepoint { name, cookie } => link::raw_tracepoint::attach(kernel, program, name, *cookie),
        AttachSpec::Tracepoint { category, name, cookie } => {
            link::tracepoint::attach(kernel, program, category, name, *cookie)
        }
        AttachSpec::Kprobe { functions, offset, when, cookie } => {
            link::kprobe::attach(kernel, program, functions, *offset, *when, *cookie)
        }
        AttachSpec::Uprobe { file, place, when, pid, cookie } => {
            link::uprobe::attach(kernel, program, file, place, *when, *pid, *cookie)
        }
        AttachSpec::Xdp { device, mode } => link::xdp::attach(kernel, program, device, *mode),
        AttachSpec::Tc { device, direction } => link::tc::attach(kernel, program, device, *direction),
        AttachSpec::Cgroup { path, attach_type } => link::cgroup::attach(kernel, program, path, *attach_type),
        AttachSpec::PerfEvent { counter, period, pid } => {
            link::perf_event::attach(kernel, program, *counter, *period, *pid)
        }
        AttachSpec::NetNs { path } => link::netns::attach(kernel, program, path.as_deref()),
        AttachSpec::StructOps { .. } => {
            Err(Why::new("it is registered with the struct of operations that names it, not by itself"))
        }
        AttachSpec::OwnTarget => link::tracing::attach(kernel, program),
    };
    match made {
        Ok((hold, method)) => Ok(Link { hold, target: spec.to_string(), method }),
        Err(Why { why, mend, near, cause }) => {
            let (program, target) = (program.name().into(), spec.to_string().into());
            Err(AttachError { program, target, why, mend, near: near.into(), cause })
        }
    }
}

/// Which way of exchanging a kind of attachment has.
pub fn swap_of(spec: &AttachSpec, sleepable: bool) -> Swap {
    match spec {
        AttachSpec::Xdp { .. }
        | AttachSpec::Tc { .. }
        | AttachSpec::Cgroup { .. }
        | AttachSpec::NetNs { .. }
        | AttachSpec::StructOps { .. } => Swap::Update,
        _ if sleepable => Swap::Overlap,
        AttachSpec::RawTracepoint { .. }
        | AttachSpec::Tracepoint { .. }
        | AttachSpec::Kprobe { .. }
        | AttachSpec::Uprobe { .. }
        | AttachSpec::PerfEvent { .. } => Swap::Dispatch,
        AttachSpec::OwnTarget => Swap::Overlap,
    }
}

/// What a link file gives back.
pub(crate) type Made = Result<(Hold, &'static str), Why>;

/// Refuses a program of another type than the target takes.
pub(crate) fn expect_type(program: &Program, wanted: &[ProgType]) -> Result<(), Why> {
    if wanted.contains(&program.prog_type()) {
        return Ok(());
    }
    let names: Vec<&str> = wanted.iter().map(|t| t.keyword()).collect();
    Err(Why::new(format!(
        "it is a program of type {}, and this takes {}",
        program.prog_type().keyword(),
        names.join(" or ")
    )))
}
