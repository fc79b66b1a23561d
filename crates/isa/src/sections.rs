//! Section names of object files: libbpf's list. Invariant: a row matches a
//! name exactly, or, when it takes a target, also what follows a `/`.

use crate::table::same_name;
use crate::{AttachType as A, ProgType as P};

/// What a section's name says of how its program is attached.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Hook {
    /// By program and attach type alone.
    Plain,
    /// To a kernel function (or `function+offset`).
    Kprobe,
    /// To a function of a binary: `path:function+offset`.
    Uprobe,
    /// To kernel functions that match a pattern.
    KprobeMulti,
    /// To functions of a binary that match a pattern: `path:pattern`.
    UprobeMulti,
    /// To a system call, by its bare name.
    Syscall,
    /// To a probe compiled into a binary: `path:provider:name`.
    Usdt,
    /// To a tracepoint: `category/event`.
    Tracepoint,
    /// To a tracepoint, before its record is made: `event`.
    RawTracepoint,
    /// The same with arguments typed by BTF.
    BtfTracepoint,
    /// To a kernel function (or LSM hook, or program function) found by BTF.
    BtfFunction,
    /// To an iterator: the kind of object it walks.
    Iterator,
    /// As a member of a struct of functions.
    StructOps,
}

bitflags::bitflags! {
    /// What else a section's name says.
    #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
    pub struct SectionFlags: u8 {
        /// A target may follow after `/`.
        const TARGET = 1;
        /// The program may sleep.
        const SLEEPABLE = 1 << 1;
        /// It takes packets in several buffers.
        const FRAGS = 1 << 2;
        /// Kernels before the attach type take the program without it.
        const ATTACH_OPTIONAL = 1 << 3;
        /// It runs on return from the function.
        const RETURN = 1 << 4;
        /// It runs on entry and on return.
        const SESSION = 1 << 5;
    }
}

const NONE: SectionFlags = SectionFlags::empty();
const TARGET: SectionFlags = SectionFlags::TARGET;
const SLEEPABLE: SectionFlags = SectionFlags::SLEEPABLE;
const FRAGS: SectionFlags = SectionFlags::FRAGS;
const ATTACH_OPTIONAL: SectionFlags = SectionFlags::ATTACH_OPTIONAL;
const RETURN: SectionFlags = SectionFlags::RETURN;
const SESSION: SectionFlags = SectionFlags::SESSION;

/// One name libbpf knows.
#[derive(Debug)]
pub struct SectionDef {
    /// The name, without target.
    pub name: &'static str,
    /// The program type it stands for.
    pub prog: P,
    /// The attach type it stands for.
    pub attach: Option<A>,
    /// How the program is attached.
    pub hook: Hook,
    /// What else it says.
    pub flags: SectionFlags,
}

const fn section(name: &'static str, prog: P, attach: Option<A>, hook: Hook, flags: SectionFlags) -> SectionDef {
    SectionDef { name, prog, attach, hook, flags }
}

const fn flags(list: &[SectionFlags]) -> SectionFlags {
    let mut bits = 0;
    let mut i = 0;
    while i < list.len() {
        bits |= list[i].bits();
        i += 1;
    }
    SectionFlags::from_bits_truncate(bits)
}

/// What a section's name means.
#[derive(Clone, Copy, Debug)]
pub struct Section<'a> {
    /// The row that matched.
    pub def: &'static SectionDef,
    /// What follows the row's name and `/`.
    pub target: Option<&'a str>,
    /// Whether the program is loaded only on demand (`?` before the name).
    pub optional: bool,
}

impl Section<'_> {
    /// The program type.
    pub fn prog(&self) -> P {
        self.def.prog
    }

    /// The attach type.
    pub fn attach(&self) -> Option<A> {
        self.def.attach
    }

    /// Whether the program may sleep.
    pub fn sleepable(&self) -> bool {
        self.def.flags.contains(SLEEPABLE)
    }
}

/// What libbpf takes this section name for; `None` when it would refuse it.
pub fn parse(name: &str) -> Option<Section<'_>> {
    let (name, optional) = match name.strip_prefix('?') {
        Some(rest) => (rest, true),
        None => (name, false),
    };
    SECTIONS.iter().find_map(|def| {
        let rest = name.strip_prefix(def.name)?;
        let target = match rest.strip_prefix('/') {
            None if rest.is_empty() => None,
            Some(target) if def.flags.contains(TARGET) => Some(target),
            _ => return None,
        };
        Some(Section { def, target, optional })
    })
}

/// The same for names written by hand: what libbpf would refuse loses its last parts until it is known
/// (`xdp/my_prog` is `xdp`, `cgroup_skb` is `cgroup/skb`).
pub fn parse_lenient(name: &str) -> Option<Section<'_>> {
    let mut rest = name;
    loop {
        if let Some(s) = parse(rest) {
            return Some(s);
        }
        let bare = rest.strip_prefix('?').unwrap_or(rest);
        let dashed = |d: &&SectionDef| same_name(&d.name.replace('/', "_"), bare);
        if let Some(def) = SECTIONS.iter().find(dashed) {
            return Some(Section { def, target: None, optional: rest.starts_with('?') });
        }
        rest = rest.rsplit_once('/')?.0;
    }
}

/// The section name libbpf takes for such a program, with the target if it takes one.
pub fn name_for(prog: P, attach: Option<A>, sleepable: bool, target: Option<&str>) -> Option<String> {
    let fits = |d: &&SectionDef| d.prog == prog && d.flags.contains(SLEEPABLE) == (sleepable || prog == P::Syscall);
    let def = SECTIONS
        .iter()
        .filter(fits)
        .find(|d| d.attach == attach && !d.flags.intersects(RETURN | FRAGS))
        .or_else(|| SECTIONS.iter().filter(fits).find(|d| attach.is_none() && d.name == prog.info().section))?;
    Some(match target {
        Some(t) if def.flags.contains(TARGET) => format!("{}/{t}", def.name),
        _ => def.name.to_owned(),
    })
}

/// All names, in the order libbpf tries them.
#[rustfmt::skip]
pub static SECTIONS: &[SectionDef] = &[
    section("socket", P::SocketFilter, None, Hook::Plain, NONE),
    section("sk_reuseport/migrate", P::SkReuseport, Some(A::SkReuseportSelectOrMigrate), Hook::Plain, NONE),
    section("sk_reuseport", P::SkReuseport, Some(A::SkReuseportSelect), Hook::Plain, NONE),
    section("kprobe", P::Kprobe, None, Hook::Kprobe, TARGET),
    section("uprobe", P::Kprobe, None, Hook::Uprobe, TARGET),
    section("uprobe.s", P::Kprobe, None, Hook::Uprobe, flags(&[TARGET, SLEEPABLE])),
    section("kretprobe", P::Kprobe, None, Hook::Kprobe, flags(&[TARGET, RETURN])),
    section("uretprobe", P::Kprobe, None, Hook::Uprobe, flags(&[TARGET, RETURN])),
    section("uretprobe.s", P::Kprobe, None, Hook::Uprobe, flags(&[TARGET, SLEEPABLE, RETURN])),
    section("kprobe.multi", P::Kprobe, Some(A::TraceKprobeMulti), Hook::KprobeMulti, TARGET),
    section("kretprobe.multi", P::Kprobe, Some(A::TraceKprobeMulti), Hook::KprobeMulti, flags(&[TARGET, RETURN])),
    section("kprobe.session", P::Kprobe, Some(A::TraceKprobeSession), Hook::KprobeMulti, flags(&[TARGET, SESSION])),
    section("uprobe.multi", P::Kprobe, Some(A::TraceUprobeMulti), Hook::UprobeMulti, TARGET),
    section("uretprobe.multi", P::Kprobe, Some(A::TraceUprobeMulti), Hook::UprobeMulti, flags(&[TARGET, RETURN])),
    section("uprobe.session", P::Kprobe, Some(A::TraceUprobeSession), Hook::UprobeMulti, flags(&[TARGET, SESSION])),
    section("uprobe.multi.s", P::Kprobe, Some(A::TraceUprobeMulti), Hook::UprobeMulti, flags(&[TARGET, SLEEPABLE])),
    section("uretprobe.multi.s", P::Kprobe, Some(A::TraceUprobeMulti), Hook::UprobeMulti, flags(&[TARGET, SLEEPABLE, RETURN])),
    section("uprobe.session.s", P::Kprobe, Some(A::TraceUprobeSession), Hook::UprobeMulti, flags(&[TARGET, SLEEPABLE, SESSION])),
    section("ksyscall", P::Kprobe, None, Hook::Syscall, TARGET),
    section("kretsyscall", P::Kprobe, None, Hook::Syscall, flags(&[TARGET, RETURN])),
    section("usdt", P::Kprobe, None, Hook::Usdt, TARGET),
    section("usdt.s", P::Kprobe, None, Hook::Usdt, flags(&[TARGET, SLEEPABLE])),
    section("tc/ingress", P::SchedCls, Some(A::TcxIngress), Hook::Plain, NONE),
    section("tc/egress", P::SchedCls, Some(A::TcxEgress), Hook::Plain, NONE),
    section("tcx/ingress", P::SchedCls, Some(A::TcxIngress), Hook::Plain, NONE),
    section("tcx/egress", P::SchedCls, Some(A::TcxEgress), Hook::Plain, NONE),
    section("tc", P::SchedCls, None, Hook::Plain, NONE),
    section("classifier", P::SchedCls, None, Hook::Plain, NONE),
    section("action", P::SchedAct, None, Hook::Plain, NONE),
    section("netkit/primary", P::SchedCls, Some(A::NetkitPrimary), Hook::Plain, NONE),
    section("netkit/peer", P::SchedCls, Some(A::NetkitPeer), Hook::Plain, NONE),
    section("tracepoint", P::Tracepoint, None, Hook::Tracepoint, TARGET),
    section("tp", P::Tracepoint, None, Hook::Tracepoint, TARGET),
    section("raw_tracepoint", P::RawTracepoint, None, Hook::RawTracepoint, TARGET),
    section("raw_tp", P::RawTracepoint, None, Hook::RawTracepoint, TARGET),
    section("raw_tracepoint.w", P::RawTracepointWritable, None, Hook::RawTracepoint, TARGET),
    section("raw_tp.w", P::RawTracepointWritable, None, Hook::RawTracepoint, TARGET),
    section("tp_btf", P::Tracing, Some(A::TraceRawTp), Hook::BtfTracepoint, TARGET),
    section("fentry", P::Tracing, Some(A::TraceFentry), Hook::BtfFunction, TARGET),
    section("fmod_ret", P::Tracing, Some(A::ModifyReturn), Hook::BtfFunction, TARGET),
    section("fexit", P::Tracing, Some(A::TraceFexit), Hook::BtfFunction, TARGET),
    section("fentry.s", P::Tracing, Some(A::TraceFentry), Hook::BtfFunction, flags(&[TARGET, SLEEPABLE])),
    section("fmod_ret.s", P::Tracing, Some(A::ModifyReturn), Hook::BtfFunction, flags(&[TARGET, SLEEPABLE])),
    section("fexit.s", P::Tracing, Some(A::TraceFexit), Hook::BtfFunction, flags(&[TARGET, SLEEPABLE])),
    section("freplace", P::Ext, None, Hook::BtfFunction, TARGET),
    section("lsm", P::Lsm, Some(A::LsmMac), Hook::BtfFunction, TARGET),
    section("lsm.s", P::Lsm, Some(A::LsmMac), Hook::BtfFunction, flags(&[TARGET, SLEEPABLE])),
    section("lsm_cgroup", P::Lsm, Some(A::LsmCgroup), Hook::BtfFunction, TARGET),
    section("iter", P::Tracing, Some(A::TraceIter), Hook::Iterator, TARGET),
    section("iter.s", P::Tracing, Some(A::TraceIter), Hook::Iterator, flags(&[TARGET, SLEEPABLE])),
    section("syscall", P::Syscall, None, Hook::Plain, SLEEPABLE),
    section("xdp.frags/devmap", P::Xdp, Some(A::XdpDevmap), Hook::Plain, FRAGS),
    section("xdp/devmap", P::Xdp, Some(A::XdpDevmap), Hook::Plain, NONE),
    section("xdp.frags/cpumap", P::Xdp, Some(A::XdpCpumap), Hook::Plain, FRAGS),
    section("xdp/cpumap", P::Xdp, Some(A::XdpCpumap), Hook::Plain, NONE),
    section("xdp.frags", P::Xdp, Some(A::Xdp), Hook::Plain, FRAGS),
    section("xdp", P::Xdp, Some(A::Xdp), Hook::Plain, ATTACH_OPTIONAL),
    section("perf_event", P::PerfEvent, None, Hook::Plain, NONE),
    section("lwt_in", P::LwtIn, None, Hook::Plain, NONE),
    section("lwt_out", P::LwtOut, None, Hook::Plain, NONE),
    section("lwt_xmit", P::LwtXmit, None, Hook::Plain, NONE),
    section("lwt_seg6local", P::LwtSeg6local, None, Hook::Plain, NONE),
    section("sockops", P::SockOps, Some(A::CgroupSockOps), Hook::Plain, ATTACH_OPTIONAL),
    section("sk_skb/stream_parser", P::SkSkb, Some(A::SkSkbStreamParser), Hook::Plain, ATTACH_OPTIONAL),
    section("sk_skb/stream_verdict", P::SkSkb, Some(A::SkSkbStreamVerdict), Hook::Plain, ATTACH_OPTIONAL),
    section("sk_skb/verdict", P::SkSkb, Some(A::SkSkbVerdict), Hook::Plain, ATTACH_OPTIONAL),
    section("sk_skb", P::SkSkb, None, Hook::Plain, NONE),
    section("sk_msg", P::SkMsg, Some(A::SkMsgVerdict), Hook::Plain, ATTACH_OPTIONAL),
    section("lirc_mode2", P::LircMode2, Some(A::LircMode2), Hook::Plain, ATTACH_OPTIONAL),
    section("flow_dissector", P::FlowDissector, Some(A::FlowDissector), Hook::Plain, ATTACH_OPTIONAL),
    section("cgroup_skb/ingress", P::CgroupSkb, Some(A::CgroupInetIngress), Hook::Plain, ATTACH_OPTIONAL),
    section("cgroup_skb/egress", P::CgroupSkb, Some(A::CgroupInetEgress), Hook::Plain, ATTACH_OPTIONAL),
    section("cgroup/skb", P::CgroupSkb, None, Hook::Plain, NONE),
    section("cgroup/sock_create", P::CgroupSock, Some(A::CgroupInetSockCreate), Hook::Plain, NONE),
    section("cgroup/sock_release", P::CgroupSock, Some(A::CgroupInetSockRelease), Hook::Plain, NONE),
    section("cgroup/sock", P::CgroupSock, Some(A::CgroupInetSockCreate), Hook::Plain, ATTACH_OPTIONAL),
    section("cgroup/post_bind4", P::CgroupSock, Some(A::CgroupInet4PostBind), Hook::Plain, NONE),
    section("cgroup/post_bind6", P::CgroupSock, Some(A::CgroupInet6PostBind), Hook::Plain, NONE),
    section("cgroup/bind4", P::CgroupSockAddr, Some(A::CgroupInet4Bind), Hook::Plain, NONE),
    section("cgroup/bind6", P::CgroupSockAddr, Some(A::CgroupInet6Bind), Hook::Plain, NONE),
    section("cgroup/connect4", P::CgroupSockAddr, Some(A::CgroupInet4Connect), Hook::Plain, NONE),
    section("cgroup/connect6", P::CgroupSockAddr, Some(A::CgroupInet6Connect), Hook::Plain, NONE),
    section("cgroup/connect_unix", P::CgroupSockAddr, Some(A::CgroupUnixConnect), Hook::Plain, NONE),
    section("cgroup/sendmsg4", P::CgroupSockAddr, Some(A::CgroupUdp4Sendmsg), Hook::Plain, NONE),
    section("cgroup/sendmsg6", P::CgroupSockAddr, Some(A::CgroupUdp6Sendmsg), Hook::Plain, NONE),
    section("cgroup/sendmsg_unix", P::CgroupSockAddr, Some(A::CgroupUnixSendmsg), Hook::Plain, NONE),
    section("cgroup/recvmsg4", P::CgroupSockAddr, Some(A::CgroupUdp4Recvmsg), Hook::Plain, NONE),
    section("cgroup/recvmsg6", P::CgroupSockAddr, Some(A::CgroupUdp6Recvmsg), Hook::Plain, NONE),
    section("cgroup/recvmsg_unix", P::CgroupSockAddr, Some(A::CgroupUnixRecvmsg), Hook::Plain, NONE),
    section("cgroup/getpeername4", P::CgroupSockAddr, Some(A::CgroupInet4Getpeername), Hook::Plain, NONE),
    section("cgroup/getpeername6", P::CgroupSockAddr, Some(A::CgroupInet6Getpeername), Hook::Plain, NONE),
    section("cgroup/getpeername_unix", P::CgroupSockAddr, Some(A::CgroupUnixGetpeername), Hook::Plain, NONE),
    section("cgroup/getsockname4", P::CgroupSockAddr, Some(A::CgroupInet4Getsockname), Hook::Plain, NONE),
    section("cgroup/getsockname6", P::CgroupSockAddr, Some(A::CgroupInet6Getsockname), Hook::Plain, NONE),
    section("cgroup/getsockname_unix", P::CgroupSockAddr, Some(A::CgroupUnixGetsockname), Hook::Plain, NONE),
    section("cgroup/sysctl", P::CgroupSysctl, Some(A::CgroupSysctl), Hook::Plain, NONE),
    section("cgroup/getsockopt", P::CgroupSockopt, Some(A::CgroupGetsockopt), Hook::Plain, NONE),
    section("cgroup/setsockopt", P::CgroupSockopt, Some(A::CgroupSetsockopt), Hook::Plain, NONE),
    section("cgroup/dev", P::CgroupDevice, Some(A::CgroupDevice), Hook::Plain, ATTACH_OPTIONAL),
    section("struct_ops", P::StructOps, None, Hook::StructOps, TARGET),
    section("struct_ops.s", P::StructOps, None, Hook::StructOps, flags(&[TARGET, SLEEPABLE])),
    section("sk_lookup", P::SkLookup, Some(A::SkLookup), Hook::Plain, NONE),
    section("netfilter", P::Netfilter, Some(A::Netfilter), Hook::Plain, NONE),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_targets() {
        let s = parse("tracepoint/sched/sched_switch").unwrap();
        assert_eq!((s.prog(), s.attach(), s.target), (P::Tracepoint, None, Some("sched/sched_switch")));
        let s = parse("?lsm.s/file_open").unwrap();
        assert!(s.optional && s.sleepable());
        assert_eq!((s.attach(), s.target), (Some(A::LsmMac), Some("file_open")));
        let s = parse("xdp.frags/devmap").unwrap();
        assert_eq!((s.attach(), s.target), (Some(A::XdpDevmap), None));
        assert!(s.def.flags.contains(FRAGS));
        let s = parse("uretprobe.multi.s//bin/sh:main*").unwrap();
        assert!(s.sleepable() && s.def.flags.contains(RETURN));
        assert_eq!((s.target, s.def.hook), (Some("/bin/sh:main*"), Hook::UprobeMulti));
        assert_eq!(parse("kprobe").unwrap().target, None);
        for bad in ["xdp/foo", "tracepoints/x", "", "kprobex", "maps"] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn lenient_names_lose_what_libbpf_would_refuse() {
        assert_eq!(parse_lenient("xdp/my_prog").unwrap().def.name, "xdp");
        assert_eq!(parse_lenient("tc/ingress/x").unwrap().def.name, "tc/ingress");
        assert_eq!(parse_lenient("cgroup_skb").unwrap().def.name, "cgroup/skb");
        assert_eq!(parse_lenient("cgroup/connect4").unwrap().def.name, "cgroup/connect4");
        assert!(parse_lenient("nonsense/x").is_none());
    }

    #[test]
    fn every_row_is_found_and_its_types_agree() {
        for d in SECTIONS {
            assert!(std::ptr::eq(parse(d.name).unwrap().def, d), "{}", d.name);
            if let Some(a) = d.attach {
                assert!(a.info().progs.contains(&d.prog), "{}", d.name);
            }
        }
        for p in P::ALL.iter().skip(1) {
            let s = parse(p.info().section).unwrap_or_else(|| panic!("{p}"));
            assert_eq!(s.prog(), *p);
        }
        for k in crate::PROGRAM_KINDS {
            let s = parse(k.section).unwrap_or_else(|| panic!("{}", k.keyword));
            assert_eq!(s.prog(), k.prog, "{}", k.keyword);
            if k.attach.is_some() {
                assert_eq!(s.attach(), k.attach, "{}", k.keyword);
            }
        }
    }

    #[test]
    fn names_made_are_names_read() {
        let name = name_for(P::Tracing, Some(A::TraceFentry), true, Some("do_exit")).unwrap();
        assert_eq!(name, "fentry.s/do_exit");
        assert_eq!(name_for(P::Syscall, None, false, None).unwrap(), "syscall");
        assert_eq!(name_for(P::SchedCls, None, false, None).unwrap(), "tc");
        for d in SECTIONS {
            let name = name_for(d.prog, d.attach, d.flags.contains(SLEEPABLE), None).unwrap();
            let s = parse(&name).unwrap();
            assert_eq!((s.prog(), s.attach(), s.sleepable()), (d.prog, d.attach, d.flags.contains(SLEEPABLE)));
        }
    }
}
