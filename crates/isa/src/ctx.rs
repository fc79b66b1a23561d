//! Context structs: what r1 points to when a program starts. Invariants: offsets
//! and sizes are the kernel's (checked against its BTF), and a field that no program type reads does not stand here.
//!
//! Layouts from the kernel's user-space interface; who may read and write what from the
//! `*_is_valid_access` functions of net/core/filter.c and kernel/bpf/cgroup.c, and every access in every size by every
//! way of attaching tried on 6.18 (the loader's test `tables`); first kernels from the history of `linux/bpf.h`.

use crate::AttachType as A;
use crate::helpers::ProgSet;
use crate::table::same_name;
use crate::{AttachType, KernelVersion, ProgType};

/// What lies in a field of a context.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FieldKind {
    /// An unsigned number of the field's size.
    Int,
    /// A signed number of the field's size.
    Signed,
    /// Numbers of so many bytes each, so many of them.
    Array(u32, u32),
    /// A pointer to the packet's (or buffer's) first byte.
    PacketStart,
    /// A pointer past its last byte.
    PacketEnd,
    /// A pointer to the metadata before it.
    PacketMeta,
    /// A pointer to a full socket (`bpf_sock`), or null.
    Socket,
    /// A pointer to a socket of any state (`bpf_sock`), or null.
    SockCommon,
    /// A pointer to the dissector's keys (`bpf_flow_keys`).
    FlowKeys,
    /// A trusted pointer to this kernel struct.
    Btf(&'static str),
}

/// One field of a context.
#[derive(Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Where it lies, in bytes.
    pub offset: u32,
    /// How many bytes it takes. A pointer into the packet takes 4 here and holds 8 in the register.
    pub size: u32,
    /// What lies there.
    pub kind: FieldKind,
    /// The program types that may read it (attached in some way).
    pub read: ProgSet,
    /// The program types that may write it (attached in some way).
    pub write: ProgSet,
    /// The first kernel that has it.
    pub since: KernelVersion,
    /// In what pieces it may be read.
    pub pieces: Pieces,
    /// The attach types whose programs may touch it; empty where all may.
    pub only: &'static [AttachType],
    /// The attach types whose programs may write it; empty where all of [`Field::write`] may.
    pub write_only: &'static [AttachType],
}

/// In what pieces a field may be read, at offsets that are multiples of the piece. Writes are of the whole field
/// (or element), but where said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pieces {
    /// The whole field or element alone.
    Whole,
    /// Parts of an element, too.
    Parts,
    /// Parts, but only from the element's first byte on.
    Head,
    /// Parts of two bytes and more.
    Halves,
    /// Parts, and two elements at once; two elements may be written at once as well.
    Pairs,
    /// Any piece of the array; writes as well.
    Any,
}

impl Field {
    /// Bytes of one element, and of the field if it is no array.
    pub const fn elem_size(&self) -> u32 {
        match self.kind {
            FieldKind::Array(elem, _) => elem,
            _ => self.size,
        }
    }

    /// Whether programs of this type, attached in this way, may read `size` bytes `at` bytes into the field.
    pub fn reads(&self, prog: ProgType, attach: Option<AttachType>, size: u32, at: u32) -> bool {
        if !self.read.contains(prog) || !in_list(self.only, attach) || !self.lies_in(size, at) {
            return false;
        }
        let elem = self.elem_size();
        let whole = size == elem;
        let part = size < elem;
        match self.pieces {
            Pieces::Whole => whole,
            Pieces::Parts => whole || part,
            Pieces::Head => whole || (part && at.is_multiple_of(elem)),
            Pieces::Halves => whole || (part && size >= 2),
            Pieces::Pairs => whole || part || size == 2 * elem,
            Pieces::Any => true,
        }
    }

    /// Whether they may write them.
    pub fn writes(&self, prog: ProgType, attach: Option<AttachType>, size: u32, at: u32) -> bool {
        if !self.write.contains(prog)
            || !in_list(self.only, attach)
            || !in_list(self.write_only, attach)
            || !self.lies_in(size, at)
        {
            return false;
        }
        let whole = size == self.elem_size();
        match self.pieces {
            Pieces::Whole | Pieces::Parts | Pieces::Head | Pieces::Halves => whole,
            Pieces::Pairs => whole || size == 2 * self.elem_size(),
            Pieces::Any => true,
        }
    }

    fn lies_in(&self, size: u32, at: u32) -> bool {
        size > 0 && at.is_multiple_of(size) && at + size <= self.size
    }

    const fn parts(mut self) -> Field {
        self.pieces = Pieces::Parts;
        self
    }
    const fn head(mut self) -> Field {
        self.pieces = Pieces::Head;
        self
    }
    const fn halves(mut self) -> Field {
        self.pieces = Pieces::Halves;
        self
    }
    const fn pairs(mut self) -> Field {
        self.pieces = Pieces::Pairs;
        self
    }
    const fn any_piece(mut self) -> Field {
        self.pieces = Pieces::Any;
        self
    }
    const fn only(mut self, attach: &'static [AttachType]) -> Field {
        self.only = attach;
        self
    }
    const fn write_only(mut self, attach: &'static [AttachType]) -> Field {
        self.write_only = attach;
        self
    }

    /// Whether a read gives a pointer.
    pub const fn is_pointer(&self) -> bool {
        !matches!(self.kind, FieldKind::Int | FieldKind::Signed | FieldKind::Array(..))
    }
}

/// A context struct.
#[derive(Debug)]
pub struct Ctx {
    /// Its name in C.
    pub name: &'static str,
    /// Its size in bytes.
    pub size: u32,
    /// Its fields.
    pub fields: &'static [Field],
}

impl Ctx {
    /// The field of this name; `-` and `_` are the same letter.
    pub fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|f| same_name(f.name, name))
    }

    /// All fields that cover this offset (unions have several).
    pub fn fields_at(&self, offset: u32) -> impl Iterator<Item = &'static Field> {
        self.fields.iter().filter(move |f| (f.offset..f.offset + f.size).contains(&offset))
    }

    /// The first field that covers this offset.
    pub fn field_at(&self, offset: u32) -> Option<&'static Field> {
        self.fields.iter().find(|f| (f.offset..f.offset + f.size).contains(&offset))
    }
}

/// The context struct of this name.
pub fn by_name(name: &str) -> Option<&'static Ctx> {
    CONTEXTS.iter().find(|c| same_name(c.name, name))
}

/// The context struct of a program type, where it has one.
pub fn of(prog: ProgType) -> Option<&'static Ctx> {
    match prog.info().ctx {
        crate::ContextKind::Struct(name) => by_name(name),
        _ => None,
    }
}

const fn field(
    name: &'static str,
    offset: u32,
    size: u32,
    kind: FieldKind,
    read: ProgSet,
    write: ProgSet,
    since: (u16, u16),
) -> Field {
    Field {
        name,
        offset,
        size,
        kind,
        read,
        write,
        since: KernelVersion::new(since.0, since.1),
        pieces: Pieces::Whole,
        only: &[],
        write_only: &[],
    }
}

/// An attach type that isn't known is taken for one that is in the list.
fn in_list(list: &[AttachType], attach: Option<AttachType>) -> bool {
    list.is_empty() || attach.is_none_or(|a| list.contains(&a))
}

const fn any(list: &[ProgSet]) -> ProgSet {
    let mut bits = 0;
    let mut i = 0;
    while i < list.len() {
        bits |= list[i].0;
        i += 1;
    }
    ProgSet(bits)
}

const fn of_type(p: ProgType) -> ProgSet {
    ProgSet(1 << p as u32)
}

const NO: ProgSet = ProgSet(0);
const ALL: ProgSet = ProgSet(u64::MAX);
const SOCKET: ProgSet = of_type(ProgType::SocketFilter);
const CLS: ProgSet = any(&[of_type(ProgType::SchedCls), of_type(ProgType::SchedAct)]);
const CGSKB: ProgSet = of_type(ProgType::CgroupSkb);
const SKSKB: ProgSet = of_type(ProgType::SkSkb);
const FLOW: ProgSet = of_type(ProgType::FlowDissector);
const LWT: ProgSet = any(&[
    of_type(ProgType::LwtIn),
    of_type(ProgType::LwtOut),
    of_type(ProgType::LwtXmit),
    of_type(ProgType::LwtSeg6local),
]);
/// Every user of `__sk_buff` but the flow dissector, which sees the packet and its keys alone.
const SKB: ProgSet = any(&[SOCKET, CLS, CGSKB, SKSKB, LWT]);

use FieldKind::{Array, Btf, FlowKeys, Int, PacketEnd, PacketMeta, PacketStart, Signed, SockCommon, Socket};

/// Programs on sockets being made or released.
const CREATE: &[A] = &[A::CgroupInetSockCreate, A::CgroupInetSockRelease];
const POST_BIND: &[A] = &[A::CgroupInet4PostBind, A::CgroupInet6PostBind];
const ADDR4: &[A] = &[
    A::CgroupInet4Bind,
    A::CgroupInet4Connect,
    A::CgroupUdp4Sendmsg,
    A::CgroupUdp4Recvmsg,
    A::CgroupInet4Getpeername,
    A::CgroupInet4Getsockname,
];
const ADDR6: &[A] = &[
    A::CgroupInet6Bind,
    A::CgroupInet6Connect,
    A::CgroupUdp6Sendmsg,
    A::CgroupUdp6Recvmsg,
    A::CgroupInet6Getpeername,
    A::CgroupInet6Getsockname,
];

/// What `pt_regs` means to a probe on x86-64: parameters 1–6 and the result of a function, and where it is.
pub static PT_REGS_X86_64: &[(&str, &str)] = &[
    ("parm1", "di"),
    ("parm2", "si"),
    ("parm3", "dx"),
    ("parm4", "cx"),
    ("parm5", "r8"),
    ("parm6", "r9"),
    ("ret", "ax"),
    ("fp", "bp"),
    ("sp", "sp"),
    ("ip", "ip"),
];

const fn reg(name: &'static str, index: u32) -> Field {
    field(name, index * 8, 8, Int, ALL, NO, (4, 1)).parts()
}

/// All context structs.
#[rustfmt::skip]
pub static CONTEXTS: &[Ctx] = &[
    Ctx { name: "xdp_md", size: 24, fields: &[
        field("data", 0, 4, PacketStart, ALL, NO, (4, 8)),
        field("data_end", 4, 4, PacketEnd, ALL, NO, (4, 8)),
        field("data_meta", 8, 4, PacketMeta, ALL, NO, (4, 15)),
        field("ingress_ifindex", 12, 4, Int, ALL, NO, (4, 16)),
        field("rx_queue_index", 16, 4, Int, ALL, NO, (4, 16)),
        field("egress_ifindex", 20, 4, Int, ALL, NO, (5, 8)).only(&[A::XdpDevmap]),
    ] },
    Ctx { name: "__sk_buff", size: 192, fields: &[
        field("len", 0, 4, Int, SKB, NO, (4, 1)).parts(),
        field("pkt_type", 4, 4, Int, SKB, NO, (4, 1)).parts(),
        field("mark", 8, 4, Int, any(&[SOCKET, CLS, CGSKB, LWT]), any(&[CLS, CGSKB, LWT]), (4, 1)).parts(),
        field("queue_mapping", 12, 4, Int, SKB, CLS, (4, 1)).parts(),
        field("protocol", 16, 4, Int, SKB, NO, (4, 1)).parts(),
        field("vlan_present", 20, 4, Int, SKB, NO, (4, 1)).parts(),
        field("vlan_tci", 24, 4, Int, SKB, NO, (4, 1)).parts(),
        field("vlan_proto", 28, 4, Int, SKB, NO, (4, 1)).parts(),
        field("priority", 32, 4, Int, SKB, any(&[CLS, CGSKB, LWT, SKSKB]), (4, 2)).parts(),
        field("ingress_ifindex", 36, 4, Int, SKB, NO, (4, 2)).parts(),
        field("ifindex", 40, 4, Int, SKB, NO, (4, 2)).parts(),
        field("tc_index", 44, 4, Int, SKB, any(&[CLS, SKSKB]), (4, 2)).parts(),
        field("cb", 48, 20, Array(4, 5), SKB, any(&[CLS, CGSKB, LWT, SOCKET]), (4, 2)).any_piece(),
        field("hash", 68, 4, Int, SKB, NO, (4, 3)).parts(),
        field("tc_classid", 72, 4, Int, CLS, CLS, (4, 3)).parts(),
        field("data", 76, 4, PacketStart, any(&[CLS, CGSKB, LWT, SKSKB, FLOW]), NO, (4, 7)),
        field("data_end", 80, 4, PacketEnd, any(&[CLS, CGSKB, LWT, SKSKB, FLOW]), NO, (4, 7)),
        field("napi_id", 84, 4, Int, SKB, NO, (4, 12)).parts(),
        field("family", 88, 4, Int, any(&[CGSKB, SKSKB]), NO, (4, 14)).parts(),
        field("remote_ip4", 92, 4, Int, any(&[CGSKB, SKSKB]), NO, (4, 14)),
        field("local_ip4", 96, 4, Int, any(&[CGSKB, SKSKB]), NO, (4, 14)),
        field("remote_ip6", 100, 16, Array(4, 4), any(&[CGSKB, SKSKB]), NO, (4, 14)),
        field("local_ip6", 116, 16, Array(4, 4), any(&[CGSKB, SKSKB]), NO, (4, 14)),
        field("remote_port", 132, 4, Int, any(&[CGSKB, SKSKB]), NO, (4, 14)).parts(),
        field("local_port", 136, 4, Int, any(&[CGSKB, SKSKB]), NO, (4, 14)).parts(),
        field("data_meta", 140, 4, PacketMeta, CLS, NO, (4, 15)),
        field("flow_keys", 144, 8, FlowKeys, FLOW, NO, (4, 20)),
        field("tstamp", 152, 8, Int, any(&[CLS, CGSKB]), any(&[CLS, CGSKB]), (4, 20)),
        field("wire_len", 160, 4, Int, CLS, NO, (5, 0)).parts(),
        field("gso_segs", 164, 4, Int, SKB, NO, (5, 1)).parts(),
        field("sk", 168, 8, SockCommon, SKB, NO, (5, 1)),
        field("gso_size", 176, 4, Int, SKB, NO, (5, 7)).parts(),
        field("tstamp_type", 180, 1, Int, CLS, NO, (5, 18)),
        field("hwtstamp", 184, 8, Int, any(&[CLS, CGSKB]), NO, (5, 16)),
    ] },
    Ctx { name: "bpf_sock", size: 80, fields: &[
        field("bound_dev_if", 0, 4, Int, ALL, ALL, (4, 10)).only(CREATE),
        field("family", 4, 4, Int, ALL, NO, (4, 10)).head(),
        field("type", 8, 4, Int, ALL, NO, (4, 10)).head(),
        field("protocol", 12, 4, Int, ALL, NO, (4, 10)).head(),
        field("mark", 16, 4, Int, ALL, ALL, (4, 15)).only(CREATE),
        field("priority", 20, 4, Int, ALL, ALL, (4, 15)).only(CREATE),
        field("src_ip4", 24, 4, Int, ALL, NO, (4, 17)).parts().only(&[A::CgroupInet4PostBind]),
        field("src_ip6", 28, 16, Array(4, 4), ALL, NO, (4, 17)).parts().only(&[A::CgroupInet6PostBind]),
        field("src_port", 44, 4, Int, ALL, NO, (4, 17)).head().only(POST_BIND),
        field("dst_port", 48, 2, Int, ALL, NO, (5, 1)).parts(),
        field("dst_ip4", 52, 4, Int, ALL, NO, (5, 1)).parts(),
        field("dst_ip6", 56, 16, Array(4, 4), ALL, NO, (5, 1)).parts(),
        field("state", 72, 4, Int, ALL, NO, (5, 1)).head(),
        field("rx_queue_mapping", 76, 4, Signed, ALL, NO, (5, 8)).head(),
    ] },
    Ctx { name: "bpf_sock_addr", size: 72, fields: &[
        field("user_family", 0, 4, Int, ALL, NO, (4, 17)),
        field("user_ip4", 4, 4, Int, ALL, ALL, (4, 17)).parts().only(ADDR4),
        field("user_ip6", 8, 16, Array(4, 4), ALL, ALL, (4, 17)).pairs().only(ADDR6),
        field("user_port", 24, 4, Int, ALL, ALL, (4, 17)).parts(),
        field("family", 28, 4, Int, ALL, NO, (4, 17)),
        field("type", 32, 4, Int, ALL, NO, (4, 17)),
        field("protocol", 36, 4, Int, ALL, NO, (4, 17)),
        field("msg_src_ip4", 40, 4, Int, ALL, ALL, (4, 18)).parts().only(&[A::CgroupUdp4Sendmsg]),
        field("msg_src_ip6", 44, 16, Array(4, 4), ALL, ALL, (4, 18)).parts().only(&[A::CgroupUdp6Sendmsg]),
        field("sk", 64, 8, Socket, ALL, NO, (5, 3)),
    ] },
    Ctx { name: "bpf_sock_ops", size: 224, fields: &[
        field("op", 0, 4, Int, ALL, NO, (4, 13)),
        field("args", 4, 16, Array(4, 4), ALL, NO, (4, 16)),
        field("reply", 4, 4, Int, ALL, ALL, (4, 13)),
        field("replylong", 4, 16, Array(4, 4), ALL, NO, (4, 13)),
        field("family", 20, 4, Int, ALL, NO, (4, 13)),
        field("remote_ip4", 24, 4, Int, ALL, NO, (4, 13)),
        field("local_ip4", 28, 4, Int, ALL, NO, (4, 13)),
        field("remote_ip6", 32, 16, Array(4, 4), ALL, NO, (4, 13)),
        field("local_ip6", 48, 16, Array(4, 4), ALL, NO, (4, 13)),
        field("remote_port", 64, 4, Int, ALL, NO, (4, 13)),
        field("local_port", 68, 4, Int, ALL, NO, (4, 13)),
        field("is_fullsock", 72, 4, Int, ALL, NO, (4, 15)),
        field("snd_cwnd", 76, 4, Int, ALL, NO, (4, 15)),
        field("srtt_us", 80, 4, Int, ALL, NO, (4, 15)),
        field("bpf_sock_ops_cb_flags", 84, 4, Int, ALL, NO, (4, 16)),
        field("state", 88, 4, Int, ALL, NO, (4, 16)),
        field("rtt_min", 92, 4, Int, ALL, NO, (4, 16)),
        field("snd_ssthresh", 96, 4, Int, ALL, NO, (4, 16)),
        field("rcv_nxt", 100, 4, Int, ALL, NO, (4, 16)),
        field("snd_nxt", 104, 4, Int, ALL, NO, (4, 16)),
        field("snd_una", 108, 4, Int, ALL, NO, (4, 16)),
        field("mss_cache", 112, 4, Int, ALL, NO, (4, 16)),
        field("ecn_flags", 116, 4, Int, ALL, NO, (4, 16)),
        field("rate_delivered", 120, 4, Int, ALL, NO, (4, 16)),
        field("rate_interval_us", 124, 4, Int, ALL, NO, (4, 16)),
        field("packets_out", 128, 4, Int, ALL, NO, (4, 16)),
        field("retrans_out", 132, 4, Int, ALL, NO, (4, 16)),
        field("total_retrans", 136, 4, Int, ALL, NO, (4, 16)),
        field("segs_in", 140, 4, Int, ALL, NO, (4, 16)),
        field("data_segs_in", 144, 4, Int, ALL, NO, (4, 16)),
        field("segs_out", 148, 4, Int, ALL, NO, (4, 16)),
        field("data_segs_out", 152, 4, Int, ALL, NO, (4, 16)),
        field("lost_out", 156, 4, Int, ALL, NO, (4, 16)),
        field("sacked_out", 160, 4, Int, ALL, NO, (4, 16)),
        field("sk_txhash", 164, 4, Int, ALL, ALL, (4, 16)),
        field("bytes_received", 168, 8, Int, ALL, NO, (4, 16)),
        field("bytes_acked", 176, 8, Int, ALL, NO, (4, 16)),
        field("sk", 184, 8, Socket, ALL, NO, (5, 3)),
        field("skb_data", 192, 8, PacketStart, ALL, NO, (5, 10)),
        field("skb_data_end", 200, 8, PacketEnd, ALL, NO, (5, 10)),
        field("skb_len", 208, 4, Int, ALL, NO, (5, 10)),
        field("skb_tcp_flags", 212, 4, Int, ALL, NO, (5, 10)).head(),
        field("skb_hwtstamp", 216, 8, Int, ALL, NO, (6, 2)),
    ] },
    Ctx { name: "sk_msg_md", size: 80, fields: &[
        field("data", 0, 8, PacketStart, ALL, NO, (4, 17)),
        field("data_end", 8, 8, PacketEnd, ALL, NO, (4, 17)),
        field("family", 16, 4, Int, ALL, NO, (4, 18)),
        field("remote_ip4", 20, 4, Int, ALL, NO, (4, 18)),
        field("local_ip4", 24, 4, Int, ALL, NO, (4, 18)),
        field("remote_ip6", 28, 16, Array(4, 4), ALL, NO, (4, 18)),
        field("local_ip6", 44, 16, Array(4, 4), ALL, NO, (4, 18)),
        field("remote_port", 60, 4, Int, ALL, NO, (4, 18)),
        field("local_port", 64, 4, Int, ALL, NO, (4, 18)),
        field("size", 68, 4, Int, ALL, NO, (5, 0)),
        field("sk", 72, 8, Socket, ALL, NO, (5, 8)),
    ] },
    Ctx { name: "sk_reuseport_md", size: 56, fields: &[
        field("data", 0, 8, PacketStart, ALL, NO, (4, 19)),
        field("data_end", 8, 8, PacketEnd, ALL, NO, (4, 19)),
        field("len", 16, 4, Int, ALL, NO, (4, 19)).parts(),
        field("eth_protocol", 20, 4, Int, ALL, NO, (4, 19)).halves(),
        field("ip_protocol", 24, 4, Int, ALL, NO, (4, 19)).parts(),
        field("bind_inany", 28, 4, Int, ALL, NO, (4, 19)).parts(),
        field("hash", 32, 4, Int, ALL, NO, (4, 19)),
        field("sk", 40, 8, Socket, ALL, NO, (5, 14)),
        field("migrating_sk", 48, 8, SockCommon, ALL, NO, (5, 14)),
    ] },
    Ctx { name: "bpf_sk_lookup", size: 72, fields: &[
        field("sk", 0, 8, Socket, ALL, NO, (5, 9)),
        field("cookie", 0, 8, Int, ALL, NO, (5, 10)),
        field("family", 8, 4, Int, ALL, NO, (5, 9)).parts(),
        field("protocol", 12, 4, Int, ALL, NO, (5, 9)).parts(),
        field("remote_ip4", 16, 4, Int, ALL, NO, (5, 9)).parts(),
        field("remote_ip6", 20, 16, Array(4, 4), ALL, NO, (5, 9)).parts(),
        field("remote_port", 36, 2, Int, ALL, NO, (5, 9)).parts(),
        field("local_ip4", 40, 4, Int, ALL, NO, (5, 9)).parts(),
        field("local_ip6", 44, 16, Array(4, 4), ALL, NO, (5, 9)).parts(),
        field("local_port", 60, 4, Int, ALL, NO, (5, 9)).parts(),
        field("ingress_ifindex", 64, 4, Int, ALL, NO, (5, 17)).parts(),
    ] },
    Ctx { name: "bpf_sysctl", size: 8, fields: &[
        field("write", 0, 4, Int, ALL, NO, (5, 2)).parts(),
        field("file_pos", 4, 4, Int, ALL, ALL, (5, 2)).parts(),
    ] },
    Ctx { name: "bpf_sockopt", size: 40, fields: &[
        field("sk", 0, 8, Socket, ALL, NO, (5, 3)),
        field("optval", 8, 8, PacketStart, ALL, NO, (5, 3)),
        field("optval_end", 16, 8, PacketEnd, ALL, NO, (5, 3)),
        field("level", 24, 4, Signed, ALL, ALL, (5, 3)).write_only(&[A::CgroupSetsockopt]),
        field("optname", 28, 4, Signed, ALL, ALL, (5, 3)).write_only(&[A::CgroupSetsockopt]),
        field("optlen", 32, 4, Signed, ALL, ALL, (5, 3)),
        field("retval", 36, 4, Signed, ALL, ALL, (5, 3)).only(&[A::CgroupGetsockopt]),
    ] },
    Ctx { name: "bpf_cgroup_dev_ctx", size: 12, fields: &[
        field("access_type", 0, 4, Int, ALL, NO, (4, 15)).parts(),
        field("major", 4, 4, Int, ALL, NO, (4, 15)),
        field("minor", 8, 4, Int, ALL, NO, (4, 15)),
    ] },
    Ctx { name: "bpf_nf_ctx", size: 16, fields: &[
        field("state", 0, 8, Btf("nf_hook_state"), ALL, NO, (6, 4)),
        field("skb", 8, 8, Btf("sk_buff"), ALL, NO, (6, 4)),
    ] },
    Ctx { name: "bpf_raw_tracepoint_args", size: 0, fields: &[
        field("args", 0, 96, Array(8, 12), ALL, NO, (4, 17)).any_piece(),
    ] },
    Ctx { name: "bpf_perf_event_data", size: 184, fields: &[
        field("regs", 0, 168, Array(8, 21), ALL, NO, (4, 9)),
        field("sample_period", 168, 8, Int, ALL, NO, (4, 9)).parts(),
        field("addr", 176, 8, Int, ALL, NO, (4, 16)).parts(),
    ] },
    Ctx { name: "lirc_mode2", size: 4, fields: &[
        field("sample", 0, 4, Int, ALL, NO, (4, 18)),
    ] },
    Ctx { name: "pt_regs", size: 168, fields: &[
        reg("r15", 0), reg("r14", 1), reg("r13", 2), reg("r12", 3), reg("bp", 4), reg("bx", 5), reg("r11", 6),
        reg("r10", 7), reg("r9", 8), reg("r8", 9), reg("ax", 10), reg("cx", 11), reg("dx", 12), reg("si", 13),
        reg("di", 14), reg("orig_ax", 15), reg("ip", 16), reg("cs", 17), reg("flags", 18), reg("sp", 19), reg("ss", 20),
    ] },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_by_name_and_offset() {
        let xdp = of(ProgType::Xdp).unwrap();
        assert_eq!(xdp.field("data-end").unwrap().offset, 4);
        assert!(xdp.field("data").unwrap().is_pointer());
        let skb = by_name("__sk_buff").unwrap();
        let mark = skb.field("mark").unwrap();
        assert!(mark.write.contains(ProgType::SchedCls) && !mark.write.contains(ProgType::SocketFilter));
        assert!(!skb.field("data").unwrap().read.contains(ProgType::SocketFilter));
        assert_eq!(skb.field_at(skb.field("cb").unwrap().offset + 8).unwrap().name, "cb");
        assert_eq!(by_name("pt_regs").unwrap().field("di").unwrap().offset, 112);
    }

    #[test]
    fn every_program_type_with_a_struct_finds_it() {
        for p in ProgType::ALL {
            if let crate::ContextKind::Struct(name) = p.info().ctx {
                assert!(of(*p).is_some(), "{p}: {name}");
            }
        }
        for (_, reg) in PT_REGS_X86_64 {
            assert!(by_name("pt_regs").unwrap().field(reg).is_some(), "{reg}");
        }
    }
}
