//! Route netlink, as far as clsact needs it, and veth pairs for tests (rtnetlink(7),
//! include/uapi/linux/rtnetlink.h). Messages are made and read in safe code; invariant: a length
//! that comes from a message is checked before anything is read by it.

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with};

use crate::call::{Call, expect_reply};
use crate::{Errno, Reply, SysError};

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const NLM_F_DUMP: u16 = 0x300;
const NLM_F_EXCL: u16 = 0x200;
const NLM_F_REPLACE: u16 = 0x100;
const NLM_F_CREATE: u16 = 0x400;

const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_GETLINK: u16 = 18;
const RTM_NEWADDR: u16 = 20;
const RTM_NEWQDISC: u16 = 36;
const RTM_DELQDISC: u16 = 37;
const RTM_NEWTFILTER: u16 = 44;
const RTM_DELTFILTER: u16 = 45;
const RTM_GETTFILTER: u16 = 46;

const TCA_KIND: u16 = 1;
const TCA_OPTIONS: u16 = 2;
const TCA_BPF_FD: u16 = 6;
const TCA_BPF_NAME: u16 = 7;
const TCA_BPF_FLAGS: u16 = 8;
const TCA_BPF_ID: u16 = 11;
const TCA_BPF_FLAG_ACT_DIRECT: u32 = 1;
const NLA_F_NESTED: u16 = 1 << 15;

const TC_H_CLSACT: u32 = 0xffff_fff1;
const TC_H_CLSACT_MAJOR: u32 = 0xffff_0000;
const ETH_P_ALL_BE: u32 = 0x0300;

/// Which packets of a device.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Direction {
    /// Those that come in.
    Ingress,
    /// Those that go out.
    Egress,
}

impl Direction {
    /// TC_H_MIN_INGRESS and TC_H_MIN_EGRESS below the clsact qdisc.
    const fn parent(self) -> u32 {
        TC_H_CLSACT_MAJOR
            | match self {
                Direction::Ingress => 0xfff2,
                Direction::Egress => 0xfff3,
            }
    }
}

/// A bpf filter at a clsact qdisc.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcFilter {
    /// The device.
    pub ifindex: u32,
    /// The side.
    pub direction: Direction,
    /// Its place in the order; small ones first.
    pub priority: u16,
    /// Its number there.
    pub handle: u32,
    /// The name it was given.
    pub name: String,
    /// The program.
    pub prog_id: u32,
}

/// A request that grows.
struct Message(Vec<u8>);

impl Message {
    fn new(kind: u16, flags: u16) -> Message {
        let mut m = Message(vec![0; 4]);
        m.0.extend(kind.to_ne_bytes());
        m.0.extend((NLM_F_REQUEST | flags).to_ne_bytes());
        m.0.extend(1u32.to_ne_bytes());
        m.0.extend(0u32.to_ne_bytes());
        m
    }

    /// `struct tcmsg`.
    fn tc(kind: u16, flags: u16, ifindex: u32, handle: u32, parent: u32, info: u32) -> Message {
        let mut m = Message::new(kind, flags);
        m.0.extend([0; 4]);
        for word in [ifindex, handle, parent, info] {
            m.0.extend(word.to_ne_bytes());
        }
        m
    }

    /// `struct ifinfomsg`.
    fn link(kind: u16, flags: u16, ifindex: u32, set: u32) -> Message {
        let mut m = Message::new(kind, flags);
        m.0.extend(ifinfomsg(ifindex, set));
        m
    }

    fn attr(mut self, kind: u16, data: &[u8]) -> Message {
        self.0.extend(((data.len() + 4) as u16).to_ne_bytes());
        self.0.extend(kind.to_ne_bytes());
        self.0.extend(data);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    fn attr_str(self, kind: u16, text: &str) -> Message {
        let mut bytes = text.as_bytes().to_vec();
        bytes.push(0);
        self.attr(kind, &bytes)
    }

    fn attr_u32(self, kind: u16, value: u32) -> Message {
        self.attr(kind, &value.to_ne_bytes())
    }

    fn nested(mut self, kind: u16, build: impl FnOnce(Message) -> Message) -> Message {
        let start = self.0.len();
        self.0.extend([0; 2]);
        self.0.extend((kind | NLA_F_NESTED).to_ne_bytes());
        let mut inner = build(self);
        let len = ((inner.0.len() - start) as u16).to_ne_bytes();
        inner.0[start..start + 2].copy_from_slice(&len);
        inner
    }

    fn send(mut self) -> Result<Vec<Vec<u8>>, SysError> {
        let len = (self.0.len() as u32).to_ne_bytes();
        self.0[..4].copy_from_slice(&len);
        expect_reply!(Call::Netlink { request: &self.0 }, Reply::Messages(m) => m)
    }
}

fn ifinfomsg(ifindex: u32, set: u32) -> [u8; 16] {
    let mut out = [0; 16];
    out[4..8].copy_from_slice(&ifindex.to_ne_bytes());
    out[8..12].copy_from_slice(&set.to_ne_bytes());
    out[12..16].copy_from_slice(&set.to_ne_bytes());
    out
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_ne_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes)
}

/// The attribute of this kind in a run of attributes.
fn find(mut attrs: &[u8], kind: u16) -> Option<&[u8]> {
    loop {
        let len = u16_at(attrs, 0)? as usize;
        let data = attrs.get(4..len)?;
        if u16_at(attrs, 2)? & !NLA_F_NESTED == kind {
            return Some(data);
        }
        attrs = attrs.get(len.next_multiple_of(4)..)?;
    }
}

/// Sends a request on a socket of its own; the messages that answer it.
pub(crate) fn transact(request: &[u8]) -> Result<Vec<Vec<u8>>, Errno> {
    // Protocol 0 of the netlink family is NETLINK_ROUTE.
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
    send(&socket, request, SendFlags::empty())?;
    let mut messages = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let (len, _) = match recv(&socket, &mut buffer[..], RecvFlags::empty()) {
            Err(rustix::io::Errno::INTR) => continue,
            other => other?,
        };
        let mut rest = buffer.get(..len).unwrap_or_default();
        if rest.is_empty() {
            return Err(Errno::EPROTO);
        }
        while !rest.is_empty() {
            let size = u32_at(rest, 0).ok_or(Errno::EPROTO)? as usize;
            let kind = u16_at(rest, 4).ok_or(Errno::EPROTO)?;
            let message = rest.get(..size).filter(|m| m.len() >= 16).ok_or(Errno::EPROTO)?;
            match kind {
                NLMSG_DONE => return Ok(messages),
                NLMSG_ERROR => {
                    let code = u32_at(message, 16).ok_or(Errno::EPROTO)? as i32;
                    return if code == 0 { Ok(messages) } else { Err(Errno(code.wrapping_neg())) };
                }
                _ => messages.push(message.to_vec()),
            }
            rest = rest.get(size.next_multiple_of(4)..).unwrap_or_default();
        }
    }
}

/// Gives a device the qdisc that bpf filters hang on; false when it was there.
pub fn clsact_add(ifindex: u32) -> Result<bool, SysError> {
    let flags = NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
    let request = Message::tc(RTM_NEWQDISC, flags, ifindex, TC_H_CLSACT_MAJOR, TC_H_CLSACT, 0);
    match request.attr_str(TCA_KIND, "clsact").send() {
        Ok(_) => Ok(true),
        Err(e) if e.errno == Errno::EEXIST => Ok(false),
        Err(e) => Err(e),
    }
}

/// Takes the qdisc off again, with all its filters.
pub fn clsact_remove(ifindex: u32) -> Result<(), SysError> {
    let request = Message::tc(RTM_DELQDISC, NLM_F_ACK, ifindex, TC_H_CLSACT_MAJOR, TC_H_CLSACT, 0);
    request.attr_str(TCA_KIND, "clsact").send().map(|_| ())
}

/// Which filter: device, side, place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FilterPlace {
    /// The device.
    pub ifindex: u32,
    /// The side.
    pub direction: Direction,
    /// Its place in the order.
    pub priority: u16,
    /// Its number there.
    pub handle: u32,
}

impl FilterPlace {
    fn message(&self, kind: u16, flags: u16) -> Message {
        let info = u32::from(self.priority) << 16 | ETH_P_ALL_BE;
        Message::tc(kind, NLM_F_ACK | flags, self.ifindex, self.handle, self.direction.parent(), info)
    }
}

/// Whether a filter may take another's place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnExisting {
    /// EEXIST.
    Fail,
    /// The kernel swaps the program; no packet goes without.
    Replace,
}

/// Hangs a program (in direct-action mode) on a device that has the clsact qdisc.
pub fn filter_add(place: FilterPlace, prog: BorrowedFd<'_>, name: &str, existing: OnExisting) -> Result<(), SysError> {
    let flags = NLM_F_CREATE | if existing == OnExisting::Replace { NLM_F_REPLACE } else { NLM_F_EXCL };
    let request = place.message(RTM_NEWTFILTER, flags).attr_str(TCA_KIND, "bpf").nested(TCA_OPTIONS, |m| {
        m.attr_u32(TCA_BPF_FD, prog.as_raw_fd() as u32)
            .attr_str(TCA_BPF_NAME, name)
            .attr_u32(TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT)
    });
    request.send().map(|_| ())
}

/// Removes a filter.
pub fn filter_remove(place: FilterPlace) -> Result<(), SysError> {
    place.message(RTM_DELTFILTER, 0).attr_str(TCA_KIND, "bpf").send().map(|_| ())
}

/// The bpf filters of one side of a device; none where it has no clsact qdisc.
pub fn filters(ifindex: u32, direction: Direction) -> Result<Vec<TcFilter>, SysError> {
    let request = Message::tc(RTM_GETTFILTER, NLM_F_DUMP, ifindex, 0, direction.parent(), 0);
    let messages = match request.send() {
        Err(e) if e.errno == Errno::EINVAL || e.errno == Errno::ENOENT => Vec::new(),
        other => other?,
    };
    Ok(messages.iter().filter_map(|m| filter_of(m, ifindex, direction)).collect())
}

fn filter_of(message: &[u8], ifindex: u32, direction: Direction) -> Option<TcFilter> {
    if u16_at(message, 4)? != RTM_NEWTFILTER || u32_at(message, 20)? != ifindex {
        return None;
    }
    let (handle, info) = (u32_at(message, 24)?, u32_at(message, 32)?);
    let attrs = message.get(36..)?;
    if find(attrs, TCA_KIND)? != b"bpf\0" {
        return None;
    }
    // The dump names each priority once without options: that is the chain, not a filter.
    let options = find(attrs, TCA_OPTIONS)?;
    let name = find(options, TCA_BPF_NAME).unwrap_or_default();
    let name = String::from_utf8_lossy(name.strip_suffix(&[0]).unwrap_or(name)).into_owned();
    let prog_id = find(options, TCA_BPF_ID).and_then(|b| u32_at(b, 0)).unwrap_or(0);
    Some(TcFilter { ifindex, direction, priority: (info >> 16) as u16, handle, name, prog_id })
}

/// The devices of the calling thread's network namespace: number and name. (What `/sys/class/net`
/// shows are those of the namespace in which sysfs was mounted.)
pub fn links() -> Result<Vec<(u32, String)>, SysError> {
    const IFLA_IFNAME: u16 = 3;
    let messages = Message::link(RTM_GETLINK, NLM_F_DUMP, 0, 0).send()?;
    let device = |m: &Vec<u8>| {
        let name = find(m.get(32..)?, IFLA_IFNAME)?;
        let name = String::from_utf8_lossy(name.strip_suffix(&[0]).unwrap_or(name)).into_owned();
        (u16_at(m, 4)? == RTM_NEWLINK).then_some((u32_at(m, 20)?, name))
    };
    Ok(messages.iter().filter_map(device).collect())
}

/// Makes a pair of connected devices; `peer_pid` puts the second into that process's network namespace.
pub fn veth_add(name: &str, peer: &str, peer_pid: Option<u32>) -> Result<(), SysError> {
    const IFLA_IFNAME: u16 = 3;
    const IFLA_LINKINFO: u16 = 18;
    const IFLA_NET_NS_PID: u16 = 19;
    const IFLA_INFO_KIND: u16 = 1;
    const IFLA_INFO_DATA: u16 = 2;
    const VETH_INFO_PEER: u16 = 1;
    let request = Message::link(RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, 0, 0)
        .attr_str(IFLA_IFNAME, name)
        .nested(IFLA_LINKINFO, |m| {
            m.attr_str(IFLA_INFO_KIND, "veth").nested(IFLA_INFO_DATA, |m| {
                m.nested(VETH_INFO_PEER, |mut m| {
                    m.0.extend(ifinfomsg(0, 0));
                    let m = m.attr_str(IFLA_IFNAME, peer);
                    match peer_pid {
                        Some(pid) => m.attr_u32(IFLA_NET_NS_PID, pid),
                        None => m,
                    }
                })
            })
        });
    request.send().map(|_| ())
}

/// Removes a device (of a veth pair: both).
pub fn link_remove(ifindex: u32) -> Result<(), SysError> {
    Message::link(RTM_DELLINK, NLM_F_ACK, ifindex, 0).send().map(|_| ())
}

/// Switches a device on.
pub fn link_up(ifindex: u32) -> Result<(), SysError> {
    const IFF_UP: u32 = 1;
    Message::link(RTM_NEWLINK, NLM_F_ACK, ifindex, IFF_UP).send().map(|_| ())
}

/// Gives a device an IPv4 address.
pub fn address_add(ifindex: u32, address: std::net::Ipv4Addr, prefix: u8) -> Result<(), SysError> {
    const AF_INET: u8 = 2;
    const IFA_ADDRESS: u16 = 1;
    const IFA_LOCAL: u16 = 2;
    let mut m = Message::new(RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
    m.0.extend([AF_INET, prefix, 0, 0]);
    m.0.extend(ifindex.to_ne_bytes());
    m.attr(IFA_LOCAL, &address.octets()).attr(IFA_ADDRESS, &address.octets()).send().map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_found_and_cut_ones_are_not() {
        let m = Message(Vec::new()).attr_str(1, "bpf").attr_u32(11, 7).nested(2, |m| m.attr_u32(6, 9));
        assert_eq!(find(&m.0, 1), Some(&b"bpf\0"[..]));
        assert_eq!(find(&m.0, 11).and_then(|b| u32_at(b, 0)), Some(7));
        assert_eq!(find(&m.0, 2).and_then(|b| find(b, 6)).and_then(|b| u32_at(b, 0)), Some(9));
        assert_eq!(find(&m.0, 3), None);
        for cut in 0..m.0.len() {
            // No panic, and nothing made up.
            assert!(find(&m.0[..cut], 99).is_none());
        }
        assert_eq!(find(&[0, 0, 1, 0], 1), None, "a length of 0 must not loop");
    }

    /// Damaged answers of the kernel (or of a fake): something or nothing is read from them, no panic.
    #[test]
    fn damaged_filters_do_not_panic() {
        let good = Message::tc(RTM_NEWTFILTER, 0, 7, 1, Direction::Ingress.parent(), 0x7768 << 16)
            .attr_str(TCA_KIND, "bpf")
            .nested(TCA_OPTIONS, |m| m.attr_str(TCA_BPF_NAME, "whistler:1:2:x").attr_u32(TCA_BPF_ID, 9));
        let read = |m: &[u8]| filter_of(m, 7, Direction::Ingress);
        let filter = read(&good.0).expect("a filter");
        assert_eq!((filter.priority, filter.handle, filter.prog_id), (0x7768, 1, 9));
        assert_eq!(filter.name, "whistler:1:2:x");
        let mut state = 0x2545_f491_4f6c_dd1du64;
        for _ in 0..50_000 {
            let mut bytes = good.0.clone();
            for _ in 0..3 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                let at = state as usize % bytes.len();
                bytes[at] = (state >> 40) as u8;
            }
            bytes.truncate(bytes.len() - (state >> 50) as usize % 8);
            let _ = read(&bytes);
        }
    }
}
