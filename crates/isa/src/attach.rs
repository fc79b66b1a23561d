//! Attach types. Invariant: the table is indexed by the kernel's number.

use crate::prog::ReturnRule::{self, Any, Enforced, Hook};
use crate::table::kernel_enum;
use crate::{KernelVersion, ProgType};

/// The facts of one attach type.
#[derive(Debug)]
pub struct AttachTypeInfo {
    /// As in `linux/bpf.h`.
    pub kernel_name: &'static str,
    /// The program types that take it as their expected attach type.
    pub progs: &'static [ProgType],
    /// What such a program may return, where it differs from the program type's rule.
    pub ret: Option<ReturnRule>,
    /// The first kernel that has it.
    pub since: KernelVersion,
}

const fn row(
    kernel_name: &'static str,
    progs: &'static [ProgType],
    ret: Option<ReturnRule>,
    since: (u16, u16),
) -> AttachTypeInfo {
    AttachTypeInfo { kernel_name, progs, ret, since: KernelVersion::new(since.0, since.1) }
}

use ProgType as P;

kernel_enum! {
    /// Where a program is attached (`enum bpf_attach_type`).
    AttachType, AttachTypeInfo, ATTACH_TYPES;
    CgroupInetIngress = 0, row("BPF_CGROUP_INET_INGRESS", &[P::CgroupSkb], None, (4, 10));
    CgroupInetEgress = 1, row("BPF_CGROUP_INET_EGRESS", &[P::CgroupSkb], Some(Enforced(0, 3)), (4, 10));
    CgroupInetSockCreate = 2, row("BPF_CGROUP_INET_SOCK_CREATE", &[P::CgroupSock], None, (4, 10));
    CgroupSockOps = 3, row("BPF_CGROUP_SOCK_OPS", &[P::SockOps], None, (4, 13));
    SkSkbStreamParser = 4, row("BPF_SK_SKB_STREAM_PARSER", &[P::SkSkb], None, (4, 14));
    SkSkbStreamVerdict = 5, row("BPF_SK_SKB_STREAM_VERDICT", &[P::SkSkb], None, (4, 14));
    CgroupDevice = 6, row("BPF_CGROUP_DEVICE", &[P::CgroupDevice], None, (4, 15));
    SkMsgVerdict = 7, row("BPF_SK_MSG_VERDICT", &[P::SkMsg], None, (4, 17));
    CgroupInet4Bind = 8, row("BPF_CGROUP_INET4_BIND", &[P::CgroupSockAddr], Some(Enforced(0, 3)), (4, 17));
    CgroupInet6Bind = 9, row("BPF_CGROUP_INET6_BIND", &[P::CgroupSockAddr], Some(Enforced(0, 3)), (4, 17));
    CgroupInet4Connect = 10, row("BPF_CGROUP_INET4_CONNECT", &[P::CgroupSockAddr], None, (4, 17));
    CgroupInet6Connect = 11, row("BPF_CGROUP_INET6_CONNECT", &[P::CgroupSockAddr], None, (4, 17));
    CgroupInet4PostBind = 12, row("BPF_CGROUP_INET4_POST_BIND", &[P::CgroupSock], None, (4, 17));
    CgroupInet6PostBind = 13, row("BPF_CGROUP_INET6_POST_BIND", &[P::CgroupSock], None, (4, 17));
    CgroupUdp4Sendmsg = 14, row("BPF_CGROUP_UDP4_SENDMSG", &[P::CgroupSockAddr], None, (4, 18));
    CgroupUdp6Sendmsg = 15, row("BPF_CGROUP_UDP6_SENDMSG", &[P::CgroupSockAddr], None, (4, 18));
    LircMode2 = 16, row("BPF_LIRC_MODE2", &[P::LircMode2], None, (4, 18));
    FlowDissector = 17, row("BPF_FLOW_DISSECTOR", &[P::FlowDissector], None, (4, 20));
    CgroupSysctl = 18, row("BPF_CGROUP_SYSCTL", &[P::CgroupSysctl], None, (5, 2));
    CgroupUdp4Recvmsg = 19, row("BPF_CGROUP_UDP4_RECVMSG", &[P::CgroupSockAddr], Some(Enforced(1, 1)), (5, 2));
    CgroupUdp6Recvmsg = 20, row("BPF_CGROUP_UDP6_RECVMSG", &[P::CgroupSockAddr], Some(Enforced(1, 1)), (5, 2));
    CgroupGetsockopt = 21, row("BPF_CGROUP_GETSOCKOPT", &[P::CgroupSockopt], None, (5, 3));
    CgroupSetsockopt = 22, row("BPF_CGROUP_SETSOCKOPT", &[P::CgroupSockopt], None, (5, 3));
    TraceRawTp = 23, row("BPF_TRACE_RAW_TP", &[P::Tracing], Some(Any), (5, 5));
    TraceFentry = 24, row("BPF_TRACE_FENTRY", &[P::Tracing], Some(Enforced(0, 0)), (5, 5));
    TraceFexit = 25, row("BPF_TRACE_FEXIT", &[P::Tracing], Some(Enforced(0, 0)), (5, 5));
    ModifyReturn = 26, row("BPF_MODIFY_RETURN", &[P::Tracing], Some(Any), (5, 7));
    LsmMac = 27, row("BPF_LSM_MAC", &[P::Lsm], Some(Hook), (5, 7));
    TraceIter = 28, row("BPF_TRACE_ITER", &[P::Tracing], Some(Enforced(0, 1)), (5, 8));
    CgroupInet4Getpeername = 29, row("BPF_CGROUP_INET4_GETPEERNAME", &[P::CgroupSockAddr], Some(Enforced(1, 1)), (5, 8));
    CgroupInet6Getpeername = 30, row("BPF_CGROUP_INET6_GETPEERNAME", &[P::CgroupSockAddr], Some(Enforced(1, 1)), (5, 8));
    CgroupInet4Getsockname = 31, row("BPF_CGROUP_INET4_GETSOCKNAME", &[P::CgroupSockAddr], Some(Enforced(1, 1)), (5, 8));
    CgroupInet6Getsockname = 32, row("BPF_CGROUP_INET6_GETSOCKNAME", &[P::CgroupSockAddr], Some(Enforced(1, 1)), (5, 8));
    XdpDevmap = 33, row("BPF_XDP_DEVMAP", &[P::Xdp], None, (5, 8));
    CgroupInetSockRelease = 34, row("BPF_CGROUP_INET_SOCK_RELEASE", &[P::CgroupSock], None, (5, 9));
    XdpCpumap = 35, row("BPF_XDP_CPUMAP", &[P::Xdp], None, (5, 9));
    SkLookup = 36, row("BPF_SK_LOOKUP", &[P::SkLookup], None, (5, 9));
    Xdp = 37, row("BPF_XDP", &[P::Xdp], None, (5, 9));
    SkSkbVerdict = 38, row("BPF_SK_SKB_VERDICT", &[P::SkSkb], None, (5, 13));
    SkReuseportSelect = 39, row("BPF_SK_REUSEPORT_SELECT", &[P::SkReuseport], None, (5, 14));
    SkReuseportSelectOrMigrate = 40, row("BPF_SK_REUSEPORT_SELECT_OR_MIGRATE", &[P::SkReuseport], None, (5, 14));
    PerfEvent = 41, row("BPF_PERF_EVENT", &[P::PerfEvent, P::Kprobe, P::Tracepoint], None, (5, 15));
    TraceKprobeMulti = 42, row("BPF_TRACE_KPROBE_MULTI", &[P::Kprobe], None, (5, 18));
    LsmCgroup = 43, row("BPF_LSM_CGROUP", &[P::Lsm], Some(Enforced(0, 1)), (6, 0));
    StructOps = 44, row("BPF_STRUCT_OPS", &[P::StructOps], None, (6, 4));
    Netfilter = 45, row("BPF_NETFILTER", &[P::Netfilter], None, (6, 4));
    TcxIngress = 46, row("BPF_TCX_INGRESS", &[P::SchedCls], None, (6, 6));
    TcxEgress = 47, row("BPF_TCX_EGRESS", &[P::SchedCls], None, (6, 6));
    TraceUprobeMulti = 48, row("BPF_TRACE_UPROBE_MULTI", &[P::Kprobe], None, (6, 6));
    CgroupUnixConnect = 49, row("BPF_CGROUP_UNIX_CONNECT", &[P::CgroupSockAddr], None, (6, 7));
    CgroupUnixSendmsg = 50, row("BPF_CGROUP_UNIX_SENDMSG", &[P::CgroupSockAddr], None, (6, 7));
    CgroupUnixRecvmsg = 51, row("BPF_CGROUP_UNIX_RECVMSG", &[P::CgroupSockAddr], Some(Enforced(1, 1)), (6, 7));
    CgroupUnixGetpeername = 52, row("BPF_CGROUP_UNIX_GETPEERNAME", &[P::CgroupSockAddr], Some(Enforced(1, 1)), (6, 7));
    CgroupUnixGetsockname = 53, row("BPF_CGROUP_UNIX_GETSOCKNAME", &[P::CgroupSockAddr], Some(Enforced(1, 1)), (6, 7));
    NetkitPrimary = 54, row("BPF_NETKIT_PRIMARY", &[P::SchedCls], None, (6, 7));
    NetkitPeer = 55, row("BPF_NETKIT_PEER", &[P::SchedCls], None, (6, 7));
    TraceKprobeSession = 56, row("BPF_TRACE_KPROBE_SESSION", &[P::Kprobe], Some(Enforced(0, 1)), (6, 10));
    TraceUprobeSession = 57, row("BPF_TRACE_UPROBE_SESSION", &[P::Kprobe], Some(Enforced(0, 1)), (6, 13));
}
