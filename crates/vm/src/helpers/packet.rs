//! Helpers on packets, of XDP programs and of those that get a socket buffer.

use crate::context::skb;
use crate::errno;
use crate::exec::Cpu;
use crate::fault::Run;
use crate::machine::{Redirect, State};
use whistler_isa::{MapType, ProgType};

const ETH_HLEN: usize = 14;
/// `sizeof(struct xdp_frame)`, which the kernel keeps at the start of the headroom.
const XDP_FRAME: usize = 40;
/// The largest metadata: `meta_len` of the kernel's skb_shared_info is a byte.
const XDP_META_MAX: usize = 255;
const EACCES: i64 = -13;
/// The longest socket buffer the helpers make: `BPF_SKB_MAX_LEN`, two pages and more.
const SKB_MAX_LEN: usize = 16 * 1024;
/// Bases of negative offsets of packet loads: `SKF_NET_OFF`, `SKF_LL_OFF` in linux/filter.h.
const NET_OFF: i64 = -0x10_0000;
const LL_OFF: i64 = -0x20_0000;

const XDP_ABORTED: u64 = 0;
const XDP_REDIRECT: u64 = 4;
const TC_ACT_SHOT: u64 = 2;
const TC_ACT_REDIRECT: u64 = 7;

/// A legacy packet load (RFC 9669 §5.5): big-endian, `None` outside the packet.
pub(crate) fn packet_word(state: &State, offset: i64, len: usize) -> Option<u64> {
    let p = &state.mem.packet;
    let start = match offset {
        0.. => p.data as i64 + offset,
        o if o >= NET_OFF => p.mac as i64 + ETH_HLEN as i64 + (o - NET_OFF),
        o if o >= LL_OFF => p.mac as i64 + (o - LL_OFF),
        _ => return None,
    };
    let start = usize::try_from(start).ok()?;
    let end = start.checked_add(len)?;
    if end > p.end {
        return None;
    }
    Some(p.buf.get(start..end)?.iter().fold(0, |v, b| (v << 8) | u64::from(*b)))
}

/// Keeps the context's length field in step with a socket buffer.
pub(super) fn resized(state: &mut State) {
    let len = (state.mem.packet.end - state.mem.packet.data) as u32;
    if state.is_skb() {
        state.set_context_u32(skb::LEN, len);
    }
}

pub(super) fn load_bytes(cpu: &mut Cpu<'_>, [_, offset, to, len, _]: [u64; 5]) -> Run<u64> {
    let base = cpu.state.mem.packet.data;
    copy_out(cpu, base, offset, to, len)
}

/// `bpf_skb_load_bytes_relative`: 0 counts from the link layer's header, 1 from the network's.
pub(super) fn load_bytes_relative(cpu: &mut Cpu<'_>, [_, offset, to, len, from]: [u64; 5]) -> Run<u64> {
    let mac = cpu.state.mem.packet.mac;
    match from {
        0 => copy_out(cpu, mac, offset, to, len),
        1 => copy_out(cpu, mac + ETH_HLEN, offset, to, len),
        _ => {
            cpu.state.mem.bytes_mut(to, len as u32 as usize)?.fill(0);
            Ok(errno::EFAULT as u64)
        }
    }
}

fn copy_out(cpu: &mut Cpu<'_>, base: usize, offset: u64, to: u64, len: u64) -> Run<u64> {
    let (offset, len) = (offset as u32 as usize, len as u32 as usize);
    let p = &cpu.state.mem.packet;
    let end = base + offset + len;
    let found = if end <= p.end { p.buf.get(base + offset..end).map(<[u8]>::to_vec) } else { None };
    let place = cpu.state.mem.bytes_mut(to, len)?;
    match found {
        Some(bytes) => {
            place.copy_from_slice(&bytes);
            Ok(0)
        }
        None => {
            place.fill(0);
            Ok(errno::EFAULT as u64)
        }
    }
}

pub(super) fn store_bytes(cpu: &mut Cpu<'_>, [_, offset, from, len, flags]: [u64; 5]) -> Run<u64> {
    const KNOWN: u64 = 3; // BPF_F_RECOMPUTE_CSUM | BPF_F_INVALIDATE_HASH
    if flags & !KNOWN != 0 {
        return Ok(errno::EINVAL as u64);
    }
    copy_in(cpu, offset, from, len, errno::EFAULT)
}

/// What `bpf_xdp_pointer` says of a range that is not in the packet.
fn xdp_outside(offset: u64, len: u64) -> i64 {
    if offset as u32 > 0xffff || len as u32 > 0xffff { errno::EFAULT } else { errno::EINVAL }
}

/// Unlike its sibling for socket buffers, this leaves the destination alone when it fails.
pub(super) fn xdp_load_bytes(cpu: &mut Cpu<'_>, [_, offset, to, len, _]: [u64; 5]) -> Run<u64> {
    let p = &cpu.state.mem.packet;
    let start = p.data + offset as u32 as usize;
    let end = start + len as u32 as usize;
    let found = if end <= p.end { p.buf.get(start..end).map(<[u8]>::to_vec) } else { None };
    let place = cpu.state.mem.bytes_mut(to, len as u32 as usize)?;
    match found {
        Some(bytes) => {
            place.copy_from_slice(&bytes);
            Ok(0)
        }
        None => Ok(xdp_outside(offset, len) as u64),
    }
}

pub(super) fn xdp_store_bytes(cpu: &mut Cpu<'_>, [_, offset, from, len, _]: [u64; 5]) -> Run<u64> {
    copy_in(cpu, offset, from, len, xdp_outside(offset, len))
}

fn copy_in(cpu: &mut Cpu<'_>, offset: u64, from: u64, len: u64, outside: i64) -> Run<u64> {
    let (offset, len) = (offset as u32 as usize, len as u32 as usize);
    let bytes = cpu.state.mem.bytes(from, len)?.to_vec();
    let p = &mut cpu.state.mem.packet;
    let start = p.data + offset;
    if start + len > p.end {
        return Ok(outside as u64);
    }
    match p.buf.get_mut(start..start + len) {
        Some(place) => {
            place.copy_from_slice(&bytes);
            Ok(0)
        }
        None => Ok(outside as u64),
    }
}

pub(super) fn adjust_head(cpu: &mut Cpu<'_>, [_, delta, ..]: [u64; 5]) -> Run<u64> {
    let delta = i64::from(delta as i32);
    let p = &mut cpu.state.mem.packet;
    let meta_len = p.data - p.meta;
    let data = p.data as i64 + delta;
    if data < (XDP_FRAME + meta_len) as i64 || data > p.end as i64 - ETH_HLEN as i64 {
        return Ok(errno::EINVAL as u64);
    }
    let data = data as usize;
    // Metadata stays in front of the packet.
    p.buf.copy_within(p.meta..p.data, data - meta_len);
    (p.meta, p.data, p.mac) = (data - meta_len, data, data);
    Ok(0)
}

pub(super) fn adjust_tail(cpu: &mut Cpu<'_>, [_, delta, ..]: [u64; 5]) -> Run<u64> {
    let p = &mut cpu.state.mem.packet;
    let end = p.end as i64 + i64::from(delta as i32);
    if end > p.buf.len() as i64 || end < (p.data + ETH_HLEN) as i64 {
        return Ok(errno::EINVAL as u64);
    }
    let end = end as usize;
    if let Some(grown) = p.buf.get_mut(p.end..end) {
        grown.fill(0);
    }
    p.end = end;
    Ok(0)
}

pub(super) fn adjust_meta(cpu: &mut Cpu<'_>, [_, delta, ..]: [u64; 5]) -> Run<u64> {
    let p = &mut cpu.state.mem.packet;
    let meta = p.meta as i64 + i64::from(delta as i32);
    if meta < XDP_FRAME as i64 || meta > p.data as i64 {
        return Ok(errno::EINVAL as u64);
    }
    let len = p.data - meta as usize;
    if !len.is_multiple_of(4) || len > XDP_META_MAX {
        return Ok(EACCES as u64);
    }
    p.meta = meta as usize;
    Ok(0)
}

pub(super) fn buff_len(cpu: &mut Cpu<'_>, _: [u64; 5]) -> Run<u64> {
    Ok((cpu.state.mem.packet.end - cpu.state.mem.packet.data) as u64)
}

pub(super) fn change_tail(cpu: &mut Cpu<'_>, [_, len, flags, ..]: [u64; 5]) -> Run<u64> {
    let len = len as u32 as usize;
    let p = &mut cpu.state.mem.packet;
    let least = (p.mac + ETH_HLEN).saturating_sub(p.data);
    if flags != 0 || len < least || len > SKB_MAX_LEN {
        return Ok(errno::EINVAL as u64);
    }
    let end = p.data + len;
    if p.buf.len() < end {
        p.buf.resize(end, 0);
    }
    if let Some(grown) = p.buf.get_mut(p.end..end) {
        grown.fill(0);
    }
    p.end = end;
    resized(cpu.state);
    Ok(0)
}

pub(super) fn change_head(cpu: &mut Cpu<'_>, [_, room, flags, ..]: [u64; 5]) -> Run<u64> {
    let room = room as u32 as usize;
    let p = &mut cpu.state.mem.packet;
    if flags != 0 || room > SKB_MAX_LEN || p.end - p.data + room > SKB_MAX_LEN {
        return Ok(errno::EINVAL as u64);
    }
    // Pointers from before are no longer the verifier's to use, so bytes may move.
    p.buf.splice(p.data..p.data, std::iter::repeat_n(0, room));
    p.end += room;
    p.mac = p.data;
    resized(cpu.state);
    Ok(0)
}

/// Simulated packets are linear: nothing has to be pulled, only to be there.
pub(super) fn pull_data(cpu: &mut Cpu<'_>, [_, len, ..]: [u64; 5]) -> Run<u64> {
    let p = &cpu.state.mem.packet;
    let there = p.end - p.data;
    Ok(if len as u32 as usize <= there { 0 } else { errno::ENOMEM as u64 })
}

pub(super) fn change_type(cpu: &mut Cpu<'_>, [_, kind, ..]: [u64; 5]) -> Run<u64> {
    const OTHER_HOST: u32 = 3;
    let kind = kind as u32;
    if kind > OTHER_HOST || cpu.state.context_u32(skb::PKT_TYPE) > OTHER_HOST {
        return Ok(errno::EINVAL as u64);
    }
    cpu.state.set_context_u32(skb::PKT_TYPE, kind);
    Ok(0)
}

pub(super) fn hash(cpu: &mut Cpu<'_>, _: [u64; 5]) -> Run<u64> {
    Ok(u64::from(cpu.state.context_u32(skb::HASH)))
}

pub(super) fn set_hash(cpu: &mut Cpu<'_>, [_, hash, ..]: [u64; 5]) -> Run<u64> {
    cpu.state.set_context_u32(skb::HASH, hash as u32);
    Ok(0)
}

pub(super) fn hash_invalid(cpu: &mut Cpu<'_>, _: [u64; 5]) -> Run<u64> {
    cpu.state.set_context_u32(skb::HASH, 0);
    Ok(0)
}

pub(super) fn redirect(cpu: &mut Cpu<'_>, [ifindex, flags, ..]: [u64; 5]) -> Run<u64> {
    const INGRESS: u64 = 1;
    let (known, bad, good) = match cpu.state.prog {
        ProgType::Xdp => (0, XDP_ABORTED, XDP_REDIRECT),
        _ => (INGRESS, TC_ACT_SHOT, TC_ACT_REDIRECT),
    };
    if flags & !known != 0 {
        return Ok(bad);
    }
    cpu.state.redirect = Some(Redirect::Interface { ifindex: ifindex as u32, ingress: flags & INGRESS != 0 });
    Ok(good)
}

pub(super) fn redirect_map(cpu: &mut Cpu<'_>, [handle, key, flags, ..]: [u64; 5]) -> Run<u64> {
    const ACTIONS: u64 = 3;
    const BROADCAST: u64 = 1 << 3;
    const EXCLUDE_INGRESS: u64 = 1 << 4;
    let map = super::map_argument(cpu.state, handle)?;
    let Some(m) = cpu.state.mem.maps.get_mut(map) else { return Ok(XDP_ABORTED) };
    // Only packets for devices can go to all of them.
    let own = match m.map_type {
        MapType::Devmap | MapType::DevmapHash => BROADCAST | EXCLUDE_INGRESS,
        _ => 0,
    };
    if flags & !(ACTIONS | own) != 0 {
        return Ok(XDP_ABORTED);
    }
    let key = key as u32;
    if flags & BROADCAST == 0 && m.lookup(&key.to_le_bytes(), 0, true).is_none() {
        return Ok(flags & ACTIONS);
    }
    cpu.state.redirect = Some(Redirect::Map { map: m.name.clone(), key });
    Ok(XDP_REDIRECT)
}
