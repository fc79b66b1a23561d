//! What the running kernel can do beyond its version number: found out by trying, each once.
//!
//! A probe asks for something that must fail, and reads from *how* it fails whether the kernel knew
//! what was asked. Nothing is attached by a probe.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::OnceLock;

use crate::Kernel;
use whistler_btf::{TypeKind, TypeSource};
use whistler_isa::{AttachType, Insn, KernelVersion, ProgType, op};
use whistler_sys::Errno;
use whistler_sys::bpf::{AttachBtf, LinkCreate, LinkExtra, LinkTarget, ProgLoad};

/// Something that not every kernel has.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Feature {
    /// Perf events hold programs by links (5.15).
    PerfLink,
    /// One link for many kernel functions (5.18, where fprobe is built in).
    KprobeMulti,
    /// One link for many places of a program (6.6).
    UprobeMulti,
    /// tc programs hold by links (6.6).
    Tcx,
    /// A raw tracepoint's program can be given a cookie (6.10).
    RawTracepointCookie,
    /// Kprobes through perf events.
    KprobePmu,
    /// Uprobes through perf events.
    UprobePmu,
    /// Programs at the entry and end of functions: fentry, fexit, `fmod_ret`, LSM.
    Trampolines,
}

impl Feature {
    /// All, in the order of their probes.
    pub const ALL: [Feature; 8] = [
        Feature::PerfLink,
        Feature::KprobeMulti,
        Feature::UprobeMulti,
        Feature::Tcx,
        Feature::RawTracepointCookie,
        Feature::KprobePmu,
        Feature::UprobePmu,
        Feature::Trampolines,
    ];

    /// The name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Feature::PerfLink => "perf links",
            Feature::KprobeMulti => "kprobe.multi links",
            Feature::UprobeMulti => "uprobe.multi links",
            Feature::Tcx => "tcx links",
            Feature::RawTracepointCookie => "cookies of raw tracepoints",
            Feature::KprobePmu => "kprobes",
            Feature::UprobePmu => "uprobes",
            Feature::Trampolines => "fentry, fexit and LSM",
        }
    }
}

/// The answers so far.
#[derive(Debug, Default)]
pub(crate) struct Probes([OnceLock<bool>; Feature::ALL.len()]);

impl Probes {
    pub(crate) fn has(&self, feature: Feature, kernel: &Kernel) -> bool {
        let slot = Feature::ALL.iter().position(|f| *f == feature).and_then(|i| self.0.get(i));
        slot.map_or_else(|| probe(feature, kernel), |s| *s.get_or_init(|| probe(feature, kernel)))
    }
}

fn probe(feature: Feature, kernel: &Kernel) -> bool {
    let version = kernel.version().unwrap_or(KernelVersion::new(0, 0));
    let at_least = |major, minor| version >= KernelVersion::new(major, minor);
    match feature {
        // By version where the probe can't be made (no capability to load programs).
        Feature::PerfLink => probe_perf_link().unwrap_or(at_least(5, 15)),
        Feature::KprobeMulti => at_least(5, 18) && probe_kprobe_multi().unwrap_or(false),
        Feature::UprobeMulti => at_least(6, 6) && probe_uprobe_multi().unwrap_or(true),
        Feature::Tcx => probe_tcx().unwrap_or(at_least(6, 6)),
        Feature::RawTracepointCookie => at_least(6, 10),
        Feature::KprobePmu => pmu("kprobe").is_some(),
        Feature::UprobePmu => pmu("uprobe").is_some(),
        Feature::Trampolines => probe_trampolines(kernel).unwrap_or(false),
    }
}

/// A kind of dynamic perf event as the kernel numbers it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pmu {
    /// The type of the event.
    pub number: u32,
    /// The bit of the configuration that makes it a return probe.
    pub return_bit: u8,
}

/// The perf event source `kprobe` or `uprobe`; `None` where it is not built in.
pub fn pmu(name: &str) -> Option<Pmu> {
    let base = format!("/sys/bus/event_source/devices/{name}");
    let number = std::fs::read_to_string(format!("{base}/type")).ok()?.trim().parse().ok()?;
    let format = std::fs::read_to_string(format!("{base}/format/retprobe")).unwrap_or_default();
    let return_bit =
        format.trim().strip_prefix("config:").and_then(|b| b.parse().ok()).filter(|b| *b < 64).unwrap_or(0);
    Some(Pmu { number, return_bit })
}

/// `return 0`.
fn trivial(prog_type: ProgType, attach: Option<AttachType>) -> Option<OwnedFd> {
    trivial_at(prog_type, attach, AttachBtf::None)
}

fn trivial_at(prog_type: ProgType, attach: Option<AttachType>, attach_btf: AttachBtf<'_>) -> Option<OwnedFd> {
    let insns = [Insn::new(op::ALU64 | op::MOV | op::K, 0, 0, 0, 0), Insn::new(op::JMP | op::EXIT, 0, 0, 0, 0)];
    let load = ProgLoad {
        prog_type: prog_type.number(),
        expected_attach_type: attach.map_or(0, AttachType::number),
        insns: &Insn::encode_all(&insns),
        license: c"GPL",
        name: "whistler_probe",
        attach_btf,
        ..ProgLoad::default()
    };
    load.load().ok().map(|l| l.fd)
}

/// How the creation of a link fails that can't succeed; `None` when it could not be tried.
fn failure(prog: &OwnedFd, target: LinkTarget<'_>, attach: AttachType, extra: LinkExtra<'_>) -> Option<Errno> {
    let link = LinkCreate { prog: prog.as_fd(), target, attach_type: attach.number(), flags: 0, extra };
    link.create().err().map(|e| e.errno)
}

/// The kernel keeps this function for its own tests of fentry programs (net/bpf/test_run.c). Loading finds its address
/// and whether it may be patched.
fn probe_trampolines(kernel: &Kernel) -> Option<bool> {
    let function = kernel.btf()?.find("bpf_fentry_test1", TypeKind::Func).ok()??;
    let at = AttachBtf::Vmlinux(function.0);
    Some(trivial_at(ProgType::Tracing, Some(AttachType::TraceFentry), at).is_some())
}

fn probe_perf_link() -> Option<bool> {
    let prog = trivial(ProgType::Tracepoint, None)?;
    // A descriptor that is no perf event: EBADF from a kernel that looked.
    let extra = LinkExtra::PerfEvent { cookie: 0 };
    Some(failure(&prog, LinkTarget::Fd(prog.as_fd()), AttachType::PerfEvent, extra)? == Errno::EBADF)
}

fn probe_kprobe_multi() -> Option<bool> {
    let prog = trivial(ProgType::Kprobe, Some(AttachType::TraceKprobeMulti))?;
    let symbols = [c"whistler_has_no_such_function".to_owned()];
    let extra = LinkExtra::KprobeMulti { flags: 0, symbols: &symbols, cookies: &[] };
    let errno = failure(&prog, LinkTarget::None, AttachType::TraceKprobeMulti, extra)?;
    // The name is looked up (ESRCH, ENOENT) only where the rest is there; else EOPNOTSUPP or EINVAL.
    Some(errno == Errno::ESRCH || errno == Errno::ENOENT)
}

fn probe_uprobe_multi() -> Option<bool> {
    let prog = trivial(ProgType::Kprobe, Some(AttachType::TraceUprobeMulti))?;
    // The path is opened and found to be no regular file: EBADF.
    let extra =
        LinkExtra::UprobeMulti { path: c"/", offsets: &[0], ref_ctr_offsets: &[], cookies: &[], flags: 0, pid: 0 };
    Some(failure(&prog, LinkTarget::None, AttachType::TraceUprobeMulti, extra)? == Errno::EBADF)
}

fn probe_tcx() -> Option<bool> {
    let prog = trivial(ProgType::SchedCls, None)?;
    // No device has this number: ENODEV from a kernel that looked.
    let target = LinkTarget::Ifindex(i32::MAX as u32);
    Some(failure(&prog, target, AttachType::TcxIngress, LinkExtra::None)? == Errno::ENODEV)
}
