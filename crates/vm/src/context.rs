//! Contexts: what r1 points to when a program starts, made from what a test or
//! a recorded event gives. Invariant: a context that has a packet is given as
//! `BPF_PROG_TEST_RUN` gives it, so that the same input runs in both worlds.

use whistler_isa::ProgType;

use crate::memory::{Context, Memory, Packet, PacketPointer};

/// Offsets in `struct __sk_buff` of linux/bpf.h.
pub(crate) mod skb {
    pub const LEN: u32 = 0;
    pub const PKT_TYPE: u32 = 4;
    pub const MARK: u32 = 8;
    pub const PROTOCOL: u32 = 16;
    pub const VLAN_PRESENT: u32 = 20;
    pub const VLAN_TCI: u32 = 24;
    pub const VLAN_PROTO: u32 = 28;
    pub const PRIORITY: u32 = 32;
    pub const INGRESS_IFINDEX: u32 = 36;
    pub const IFINDEX: u32 = 40;
    pub const HASH: u32 = 68;
    pub const DATA: u32 = 76;
    pub const DATA_END: u32 = 80;
    pub const DATA_META: u32 = 140;
    pub const TSTAMP: u32 = 152;
    pub const WIRE_LEN: u32 = 160;
    pub const SIZE: usize = 192;
}

/// Offsets in `struct xdp_md` of linux/bpf.h.
mod xdp {
    pub const DATA: u32 = 0;
    pub const DATA_END: u32 = 4;
    pub const DATA_META: u32 = 8;
    pub const INGRESS_IFINDEX: u32 = 12;
    pub const RX_QUEUE_INDEX: u32 = 16;
    pub const SIZE: usize = 24;
}

const ETH_HLEN: usize = 14;
/// The interface a test run pretends a packet came from: loopback.
const LOOPBACK: u32 = 1;

/// Facts about a packet that are not in its bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PacketFields {
    /// Interface the packet is on; the loopback (1) when not given.
    pub ifindex: Option<u32>,
    /// Interface it came in on.
    pub ingress_ifindex: Option<u32>,
    /// Receive queue (XDP).
    pub rx_queue_index: u32,
    /// Mark (socket buffers).
    pub mark: u32,
    /// Priority (socket buffers).
    pub priority: u32,
    /// Flow hash (socket buffers).
    pub hash: u32,
    /// Time stamp in nanoseconds (socket buffers).
    pub tstamp: u64,
}

/// What a program is run on.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RunInput {
    /// The packet, from its Ethernet header on; programs that see packets from the network
    /// header on (cgroup and socket programs) get the rest, as in a kernel's test run.
    pub packet: Option<Vec<u8>>,
    /// The context's bytes. For programs with a packet they overlay the fields that are made
    /// here (all but lengths and pointers); for others they are the context.
    pub ctx: Option<Vec<u8>>,
    /// What else is known of the packet.
    pub fields: PacketFields,
}

impl RunInput {
    /// No packet and an empty context.
    pub fn none() -> RunInput {
        RunInput::default()
    }

    /// A packet, from its Ethernet header on.
    pub fn packet(bytes: impl Into<Vec<u8>>) -> RunInput {
        RunInput { packet: Some(bytes.into()), ..RunInput::default() }
    }

    /// A context as raw bytes: a tracepoint's record, `struct pt_regs`, `struct bpf_sock_addr` …
    pub fn ctx(bytes: impl Into<Vec<u8>>) -> RunInput {
        RunInput { ctx: Some(bytes.into()), ..RunInput::default() }
    }

    /// A context of 64-bit arguments, as raw tracepoints and BTF-based tracing programs have.
    pub fn args(args: &[u64]) -> RunInput {
        RunInput::ctx(args.iter().flat_map(|a| a.to_le_bytes()).collect::<Vec<u8>>())
    }

    /// The same with a context beside the packet.
    pub fn with_ctx(mut self, bytes: impl Into<Vec<u8>>) -> RunInput {
        self.ctx = Some(bytes.into());
        self
    }

    /// The same with facts about the packet.
    pub fn with_fields(mut self, fields: PacketFields) -> RunInput {
        self.fields = fields;
        self
    }
}

/// How a program type sees packets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum View {
    /// `struct xdp_md`.
    Xdp,
    /// `struct __sk_buff`, data from the Ethernet header on.
    SkbL2,
    /// `struct __sk_buff`, data from the network header on.
    SkbL3,
    /// A struct that starts with 64-bit `data` and `data_end`.
    Pointers,
    /// None.
    None,
}

fn view(prog: ProgType) -> View {
    use ProgType::*;
    match prog {
        Xdp => View::Xdp,
        SchedCls | SchedAct | FlowDissector => View::SkbL2,
        SocketFilter | CgroupSkb | LwtIn | LwtOut | LwtXmit | LwtSeg6local | SkSkb | Netfilter => View::SkbL3,
        SkMsg | SkReuseport => View::Pointers,
        _ => View::None,
    }
}

/// Whether the context of a program type is `struct __sk_buff`.
pub(crate) fn has_skb(prog: ProgType) -> bool {
    matches!(view(prog), View::SkbL2 | View::SkbL3)
}

fn put(bytes: &mut [u8], offset: u32, value: &[u8]) {
    let start = offset as usize;
    if let Some(place) = bytes.get_mut(start..start + value.len()) {
        place.copy_from_slice(value);
    }
}

/// Bytes of the context struct of a program type, 0 where there is none or it is not known.
fn struct_size(prog: ProgType) -> usize {
    whistler_isa::ctx::of(prog).map_or(0, |c| c.size as usize)
}

fn struct_name(prog: ProgType) -> &'static str {
    match prog.info().ctx {
        whistler_isa::ContextKind::Struct(name) => name,
        whistler_isa::ContextKind::Args => "an array of arguments",
        whistler_isa::ContextKind::Record => "a tracepoint's record",
        _ => "given bytes",
    }
}

/// Puts the context and packet of a run into memory.
pub(crate) fn enter(mem: &mut Memory, prog: ProgType, input: &RunInput) {
    let given = input.ctx.as_deref().unwrap_or(&[]);
    let bytes = input.packet.as_deref().unwrap_or(&[]);
    let view = view(prog);
    mem.packet = Packet::new(bytes);
    mem.packet_writable = !matches!(prog, ProgType::SocketFilter | ProgType::CgroupSkb | ProgType::FlowDissector);
    let size = given.len().max(struct_size(prog));
    let mut context = Context { bytes: given.to_vec(), pointers: Vec::new(), name: struct_name(prog) };
    match view {
        View::Xdp => enter_xdp(&mut context, given, &input.fields),
        View::SkbL2 | View::SkbL3 => {
            if view == View::SkbL3 {
                let data = mem.packet.data + ETH_HLEN.min(bytes.len());
                (mem.packet.data, mem.packet.meta) = (data, data);
            }
            enter_skb(&mut context, given, bytes, mem.packet.end - mem.packet.data, &input.fields);
        }
        View::Pointers => {
            context.bytes.resize(size, 0);
            if input.packet.is_some() {
                put(&mut context.bytes, 0, &Memory::packet_address(mem.packet.data).to_le_bytes());
                put(&mut context.bytes, 8, &Memory::packet_address(mem.packet.end).to_le_bytes());
            }
        }
        View::None => context.bytes.resize(size, 0),
    }
    mem.context = context;
}

fn enter_xdp(context: &mut Context, given: &[u8], fields: &PacketFields) {
    let mut b = vec![0; xdp::SIZE];
    put(&mut b, xdp::INGRESS_IFINDEX, &fields.ingress_ifindex.unwrap_or(LOOPBACK).to_le_bytes());
    put(&mut b, xdp::RX_QUEUE_INDEX, &fields.rx_queue_index.to_le_bytes());
    overlay(&mut b, given);
    context.bytes = b;
    context.pointers = vec![
        (xdp::DATA, PacketPointer::Data),
        (xdp::DATA_END, PacketPointer::DataEnd),
        (xdp::DATA_META, PacketPointer::DataMeta),
    ];
}

fn enter_skb(context: &mut Context, given: &[u8], frame: &[u8], len: usize, fields: &PacketFields) {
    let mut b = vec![0; skb::SIZE];
    let (pkt_type, protocol) = eth_type_trans(frame);
    put(&mut b, skb::PKT_TYPE, &pkt_type.to_le_bytes());
    put(&mut b, skb::PROTOCOL, &protocol);
    put(&mut b, skb::MARK, &fields.mark.to_le_bytes());
    put(&mut b, skb::PRIORITY, &fields.priority.to_le_bytes());
    put(&mut b, skb::HASH, &fields.hash.to_le_bytes());
    put(&mut b, skb::TSTAMP, &fields.tstamp.to_le_bytes());
    put(&mut b, skb::IFINDEX, &fields.ifindex.unwrap_or(LOOPBACK).to_le_bytes());
    put(&mut b, skb::INGRESS_IFINDEX, &fields.ingress_ifindex.unwrap_or(0).to_le_bytes());
    put(&mut b, skb::WIRE_LEN, &(len as u32).to_le_bytes());
    overlay(&mut b, given);
    put(&mut b, skb::LEN, &(len as u32).to_le_bytes());
    context.bytes = b;
    context.pointers = vec![
        (skb::DATA, PacketPointer::Data),
        (skb::DATA_END, PacketPointer::DataEnd),
        (skb::DATA_META, PacketPointer::DataMeta),
    ];
}

/// Non-zero bytes given by the caller win over those made here.
fn overlay(made: &mut [u8], given: &[u8]) {
    for (to, from) in made.iter_mut().zip(given) {
        if *from != 0 {
            *to = *from;
        }
    }
}

/// Packet type and protocol (in network order) as the kernel's `eth_type_trans` finds them on the
/// loopback, whose own address is all zeros.
fn eth_type_trans(frame: &[u8]) -> (u32, [u8; 2]) {
    const HOST: u32 = 0;
    const BROADCAST: u32 = 1;
    const MULTICAST: u32 = 2;
    const OTHER_HOST: u32 = 3;
    let Some(header) = frame.first_chunk::<ETH_HLEN>() else { return (HOST, [0, 0]) };
    let [d @ .., _, _, _, _, _, _, hi, lo] = *header;
    let pkt_type = match d {
        [0xff, 0xff, 0xff, 0xff, 0xff, 0xff] => BROADCAST,
        [0, 0, 0, 0, 0, 0] => HOST,
        [first, ..] if first & 1 != 0 => MULTICAST,
        _ => OTHER_HOST,
    };
    // Values below 0x600 are lengths of 802.3 frames: raw IPX starts with 0xffff, the rest is LLC.
    let protocol = match u16::from_be_bytes([hi, lo]) {
        0x600.. => [hi, lo],
        _ if frame.get(ETH_HLEN..ETH_HLEN + 2) == Some(&[0xff, 0xff]) => [0, 1],
        _ => [0, 4],
    };
    (pkt_type, protocol)
}
