//! Program types. Invariant: the table is indexed by the kernel's number;
//! what a program's *attach* type changes stands in [`crate::AttachType`].

use crate::table::{kernel_enum, same_name};
use crate::{AttachType, KernelVersion};

/// What r1 points to when a program of the type starts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ContextKind {
    /// A struct of the user-space interface: a row of [`crate::ctx`].
    Struct(&'static str),
    /// An array of 64-bit arguments, typed by the kernel's BTF.
    Args,
    /// The record of a tracepoint, described by its format in tracefs.
    Record,
    /// Bytes that the one who runs the program brings along.
    Bytes,
    /// That of the program it replaces.
    Target,
}

/// What a program of the type may return.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReturnRule {
    /// Anything, or nothing is known.
    Any,
    /// The kernel takes any 32-bit value, but only these (signed) mean something.
    Usual(i32, i32),
    /// The verifier refuses a program that could return anything else (as signed 32-bit numbers).
    Enforced(i32, i32),
    /// What the function it hooks into may return: BTF knows (void, boolean or negative errno).
    Hook,
}

impl ReturnRule {
    /// Whether the rule knows `value` as good; unknown rules know everything as good.
    pub fn allows(self, value: i64) -> bool {
        match self {
            ReturnRule::Any | ReturnRule::Hook => true,
            ReturnRule::Usual(lo, hi) | ReturnRule::Enforced(lo, hi) => {
                // r0 is read as 32 bits: a 0xffffffff is as good as a -1.
                let value = value as i32;
                (lo..=hi).contains(&value)
            }
        }
    }
}

/// The facts of one program type.
#[derive(Debug)]
pub struct ProgTypeInfo {
    /// As in `linux/bpf.h`.
    pub kernel_name: &'static str,
    /// The keyword (without `:`) that names it in a source.
    pub keyword: &'static str,
    /// What r1 points to.
    pub ctx: ContextKind,
    /// What may be returned, unless the attach type says otherwise.
    pub ret: ReturnRule,
    /// The section such a program goes into unless told otherwise (for some types not complete: the
    /// target's name follows).
    pub section: &'static str,
    /// The first kernel that has it.
    pub since: KernelVersion,
}

const fn row(
    kernel_name: &'static str,
    keyword: &'static str,
    ctx: ContextKind,
    ret: ReturnRule,
    section: &'static str,
    since: (u16, u16),
) -> ProgTypeInfo {
    ProgTypeInfo { kernel_name, keyword, ctx, ret, section, since: KernelVersion::new(since.0, since.1) }
}

use ContextKind::{Args, Bytes, Record, Struct, Target};
use ReturnRule::{Any, Enforced, Hook, Usual};

// Return values: `check_return_code` in the kernel's verifier.c; each was tried on 6.18, in every way of attaching. First kernels: bcc's kernel-versions.md.
kernel_enum! {
    /// The type of a program (`BPF_PROG_TYPE_*`).
    ProgType, ProgTypeInfo, PROG_TYPES;
    Unspec = 0, row("BPF_PROG_TYPE_UNSPEC", "unspec", Target, Any, "", (3, 18));
    SocketFilter = 1, row("BPF_PROG_TYPE_SOCKET_FILTER", "socket-filter", Struct("__sk_buff"), Any, "socket", (3, 19));
    Kprobe = 2, row("BPF_PROG_TYPE_KPROBE", "kprobe", Struct("pt_regs"), Any, "kprobe", (4, 1));
    SchedCls = 3, row("BPF_PROG_TYPE_SCHED_CLS", "tc", Struct("__sk_buff"), Usual(-1, 8), "tc", (4, 1));
    SchedAct = 4, row("BPF_PROG_TYPE_SCHED_ACT", "action", Struct("__sk_buff"), Usual(-1, 8), "action", (4, 1));
    Tracepoint = 5, row("BPF_PROG_TYPE_TRACEPOINT", "tracepoint", Record, Any, "tracepoint", (4, 7));
    Xdp = 6, row("BPF_PROG_TYPE_XDP", "xdp", Struct("xdp_md"), Usual(0, 4), "xdp", (4, 8));
    PerfEvent = 7, row("BPF_PROG_TYPE_PERF_EVENT", "perf-event", Struct("bpf_perf_event_data"), Any, "perf_event", (4, 9));
    CgroupSkb = 8, row("BPF_PROG_TYPE_CGROUP_SKB", "cgroup-skb", Struct("__sk_buff"), Enforced(0, 1), "cgroup/skb", (4, 10));
    CgroupSock = 9, row("BPF_PROG_TYPE_CGROUP_SOCK", "cgroup-sock", Struct("bpf_sock"), Enforced(0, 1), "cgroup/sock", (4, 10));
    LwtIn = 10, row("BPF_PROG_TYPE_LWT_IN", "lwt-in", Struct("__sk_buff"), Any, "lwt_in", (4, 10));
    LwtOut = 11, row("BPF_PROG_TYPE_LWT_OUT", "lwt-out", Struct("__sk_buff"), Any, "lwt_out", (4, 10));
    LwtXmit = 12, row("BPF_PROG_TYPE_LWT_XMIT", "lwt-xmit", Struct("__sk_buff"), Any, "lwt_xmit", (4, 10));
    SockOps = 13, row("BPF_PROG_TYPE_SOCK_OPS", "sock-ops", Struct("bpf_sock_ops"), Enforced(0, 1), "sockops", (4, 13));
    SkSkb = 14, row("BPF_PROG_TYPE_SK_SKB", "sk-skb", Struct("__sk_buff"), Any, "sk_skb", (4, 14));
    CgroupDevice = 15, row("BPF_PROG_TYPE_CGROUP_DEVICE", "cgroup-device", Struct("bpf_cgroup_dev_ctx"), Enforced(0, 1), "cgroup/dev", (4, 15));
    SkMsg = 16, row("BPF_PROG_TYPE_SK_MSG", "sk-msg", Struct("sk_msg_md"), Usual(0, 1), "sk_msg", (4, 17));
    RawTracepoint = 17, row("BPF_PROG_TYPE_RAW_TRACEPOINT", "raw-tracepoint", Struct("bpf_raw_tracepoint_args"), Any, "raw_tp", (4, 17));
    CgroupSockAddr = 18, row("BPF_PROG_TYPE_CGROUP_SOCK_ADDR", "cgroup-sock-addr", Struct("bpf_sock_addr"), Enforced(0, 1), "cgroup/connect4", (4, 17));
    LwtSeg6local = 19, row("BPF_PROG_TYPE_LWT_SEG6LOCAL", "lwt-seg6local", Struct("__sk_buff"), Any, "lwt_seg6local", (4, 18));
    LircMode2 = 20, row("BPF_PROG_TYPE_LIRC_MODE2", "lirc-mode2", Struct("lirc_mode2"), Any, "lirc_mode2", (4, 18));
    SkReuseport = 21, row("BPF_PROG_TYPE_SK_REUSEPORT", "sk-reuseport", Struct("sk_reuseport_md"), Usual(0, 1), "sk_reuseport", (4, 19));
    FlowDissector = 22, row("BPF_PROG_TYPE_FLOW_DISSECTOR", "flow-dissector", Struct("__sk_buff"), Any, "flow_dissector", (4, 20));
    CgroupSysctl = 23, row("BPF_PROG_TYPE_CGROUP_SYSCTL", "cgroup-sysctl", Struct("bpf_sysctl"), Enforced(0, 1), "cgroup/sysctl", (5, 2));
    RawTracepointWritable = 24, row("BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE", "raw-tracepoint-writable", Struct("bpf_raw_tracepoint_args"), Any, "raw_tp.w", (5, 2));
    CgroupSockopt = 25, row("BPF_PROG_TYPE_CGROUP_SOCKOPT", "cgroup-sockopt", Struct("bpf_sockopt"), Enforced(0, 1), "cgroup/getsockopt", (5, 3));
    Tracing = 26, row("BPF_PROG_TYPE_TRACING", "tracing", Args, Any, "fentry", (5, 5));
    StructOps = 27, row("BPF_PROG_TYPE_STRUCT_OPS", "struct-ops", Args, Hook, "struct_ops", (5, 6));
    Ext = 28, row("BPF_PROG_TYPE_EXT", "ext", Target, Any, "freplace", (5, 6));
    Lsm = 29, row("BPF_PROG_TYPE_LSM", "lsm", Args, Hook, "lsm", (5, 7));
    SkLookup = 30, row("BPF_PROG_TYPE_SK_LOOKUP", "sk-lookup", Struct("bpf_sk_lookup"), Enforced(0, 1), "sk_lookup", (5, 9));
    Syscall = 31, row("BPF_PROG_TYPE_SYSCALL", "syscall", Bytes, Any, "syscall", (5, 14));
    Netfilter = 32, row("BPF_PROG_TYPE_NETFILTER", "netfilter", Struct("bpf_nf_ctx"), Enforced(0, 1), "netfilter", (6, 4));
}

/// What a `:type` keyword can name: a program type, often with the way it is attached.
#[derive(Debug)]
pub struct ProgramKind {
    /// The keyword, without `:`.
    pub keyword: &'static str,
    /// Its program type.
    pub prog: ProgType,
    /// Its attach type where the keyword fixes one.
    pub attach: Option<AttachType>,
    /// The section it goes into unless told otherwise.
    pub section: &'static str,
}

const fn kind(keyword: &'static str, prog: ProgType, attach: Option<AttachType>, section: &'static str) -> ProgramKind {
    ProgramKind { keyword, prog, attach, section }
}

/// Keywords beyond the program types' own, each with what it stands for.
pub static PROGRAM_KINDS: &[ProgramKind] = &[
    kind("socket", ProgType::SocketFilter, None, "socket"),
    kind("sched-cls", ProgType::SchedCls, None, "tc"),
    kind("classifier", ProgType::SchedCls, None, "tc"),
    kind("sched-act", ProgType::SchedAct, None, "action"),
    kind("tcx-ingress", ProgType::SchedCls, Some(AttachType::TcxIngress), "tcx/ingress"),
    kind("tcx-egress", ProgType::SchedCls, Some(AttachType::TcxEgress), "tcx/egress"),
    kind("netkit-primary", ProgType::SchedCls, Some(AttachType::NetkitPrimary), "netkit/primary"),
    kind("netkit-peer", ProgType::SchedCls, Some(AttachType::NetkitPeer), "netkit/peer"),
    kind("xdp-devmap", ProgType::Xdp, Some(AttachType::XdpDevmap), "xdp/devmap"),
    kind("xdp-cpumap", ProgType::Xdp, Some(AttachType::XdpCpumap), "xdp/cpumap"),
    kind("kretprobe", ProgType::Kprobe, None, "kretprobe"),
    kind("uprobe", ProgType::Kprobe, None, "uprobe"),
    kind("uretprobe", ProgType::Kprobe, None, "uretprobe"),
    kind("kprobe-multi", ProgType::Kprobe, Some(AttachType::TraceKprobeMulti), "kprobe.multi"),
    kind("kretprobe-multi", ProgType::Kprobe, Some(AttachType::TraceKprobeMulti), "kretprobe.multi"),
    kind("kprobe-session", ProgType::Kprobe, Some(AttachType::TraceKprobeSession), "kprobe.session"),
    kind("uprobe-multi", ProgType::Kprobe, Some(AttachType::TraceUprobeMulti), "uprobe.multi"),
    kind("uretprobe-multi", ProgType::Kprobe, Some(AttachType::TraceUprobeMulti), "uretprobe.multi"),
    kind("uprobe-session", ProgType::Kprobe, Some(AttachType::TraceUprobeSession), "uprobe.session"),
    kind("ksyscall", ProgType::Kprobe, None, "ksyscall"),
    kind("kretsyscall", ProgType::Kprobe, None, "kretsyscall"),
    kind("usdt", ProgType::Kprobe, None, "usdt"),
    kind("tp", ProgType::Tracepoint, None, "tp"),
    kind("raw-tp", ProgType::RawTracepoint, None, "raw_tp"),
    kind("tp-btf", ProgType::Tracing, Some(AttachType::TraceRawTp), "tp_btf"),
    kind("fentry", ProgType::Tracing, Some(AttachType::TraceFentry), "fentry"),
    kind("fexit", ProgType::Tracing, Some(AttachType::TraceFexit), "fexit"),
    kind("fmod-ret", ProgType::Tracing, Some(AttachType::ModifyReturn), "fmod_ret"),
    kind("iter", ProgType::Tracing, Some(AttachType::TraceIter), "iter"),
    kind("freplace", ProgType::Ext, None, "freplace"),
    kind("lsm-mac", ProgType::Lsm, Some(AttachType::LsmMac), "lsm"),
    kind("lsm-cgroup", ProgType::Lsm, Some(AttachType::LsmCgroup), "lsm_cgroup"),
    kind("sockops", ProgType::SockOps, Some(AttachType::CgroupSockOps), "sockops"),
    kind("cgroup-dev", ProgType::CgroupDevice, Some(AttachType::CgroupDevice), "cgroup/dev"),
    kind("sk-skb-stream-parser", ProgType::SkSkb, Some(AttachType::SkSkbStreamParser), "sk_skb/stream_parser"),
    kind("sk-skb-stream-verdict", ProgType::SkSkb, Some(AttachType::SkSkbStreamVerdict), "sk_skb/stream_verdict"),
    kind("sk-skb-verdict", ProgType::SkSkb, Some(AttachType::SkSkbVerdict), "sk_skb/verdict"),
];

impl ProgType {
    /// The keyword (without `:`) of the type.
    pub fn keyword(self) -> &'static str {
        self.info().keyword
    }

    /// What a `:type` keyword (with or without `:`) names; `-` and `_` are the same.
    pub fn by_keyword(keyword: &str) -> Option<(ProgType, Option<AttachType>)> {
        Self::kind_by_keyword(keyword).map(|(prog, attach, _)| (prog, attach))
    }

    /// The same with the section such a program goes into unless told otherwise.
    pub fn kind_by_keyword(keyword: &str) -> Option<(ProgType, Option<AttachType>, &'static str)> {
        let keyword = keyword.strip_prefix(':').unwrap_or(keyword);
        let own = Self::ALL.iter().skip(1).find(|p| same_name(p.keyword(), keyword));
        if let Some(p) = own {
            return Some((*p, None, p.info().section));
        }
        PROGRAM_KINDS.iter().find(|k| same_name(k.keyword, keyword)).map(|k| (k.prog, k.attach, k.section))
    }

    /// The keyword that people know such a program by: `fentry` rather than `tracing`.
    pub fn shown(self, attach: Option<AttachType>) -> &'static str {
        let by_attach = matches!(self, ProgType::Tracing | ProgType::Kprobe | ProgType::SchedCls | ProgType::Xdp);
        let kind = PROGRAM_KINDS.iter().find(|k| by_attach && k.prog == self && k.attach == attach && attach.is_some());
        kind.map_or(self.keyword(), |k| k.keyword)
    }

    /// What a program of this type, attached in this way, may return.
    pub fn return_rule(self, attach: Option<AttachType>) -> ReturnRule {
        attach.and_then(|a| a.info().ret).unwrap_or(self.info().ret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords() {
        for p in ProgType::ALL.iter().skip(1) {
            assert_eq!(ProgType::by_keyword(p.keyword()), Some((*p, None)));
        }
        for k in PROGRAM_KINDS {
            assert_eq!(ProgType::kind_by_keyword(k.keyword), Some((k.prog, k.attach, k.section)), "{}", k.keyword);
        }
        assert_eq!(ProgType::by_keyword(":tp_btf"), Some((ProgType::Tracing, Some(AttachType::TraceRawTp))));
        assert_eq!(ProgType::by_keyword("nothing"), None);
    }

    #[test]
    fn return_values() {
        let rule = |p: ProgType, a| p.return_rule(a);
        assert_eq!(rule(ProgType::CgroupSkb, None), ReturnRule::Enforced(0, 1));
        assert_eq!(rule(ProgType::CgroupSkb, Some(AttachType::CgroupInetEgress)), ReturnRule::Enforced(0, 3));
        assert_eq!(rule(ProgType::Tracing, Some(AttachType::TraceFentry)), ReturnRule::Enforced(0, 0));
        assert!(rule(ProgType::SchedCls, None).allows(0xffff_ffff) && !rule(ProgType::Xdp, None).allows(5));
        assert!(rule(ProgType::Kprobe, None).allows(i64::MIN));
    }
}
