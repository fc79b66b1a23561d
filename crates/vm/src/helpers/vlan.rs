//! VLAN tags of socket buffers. Invariant: as in the kernel, the outermost tag lies beside the packet, in the context's
//! fields, and those within it in the packet.

use super::packet::resized;
use crate::context::skb;
use crate::errno;
use crate::exec::Cpu;
use crate::fault::Run;
use crate::machine::State;

/// Where the tag lies in the frame: behind the two addresses.
const TAG: usize = 12;
/// An Ethernet header with a tag.
const VLAN_ETH_HLEN: usize = 18;
/// The least number that is a protocol and no length.
const ETH_P_802_3_MIN: u16 = 0x0600;
const ETH_P_802_2: u16 = 0x0004;

/// Whether a protocol, in network order, is one of tags.
fn is_tag(protocol: u16) -> bool {
    matches!(u16::from_be(protocol), 0x8100 | 0x88a8)
}

fn hold(state: &mut State, protocol: u16, tci: u16) {
    state.set_context_u32(skb::VLAN_PRESENT, 1);
    state.set_context_u32(skb::VLAN_TCI, u32::from(tci));
    state.set_context_u32(skb::VLAN_PROTO, u32::from(protocol));
}

/// `bpf_skb_vlan_push`: a tag that is held already goes into the packet.
pub(super) fn push(cpu: &mut Cpu<'_>, [_, protocol, tci, ..]: [u64; 5]) -> Run<u64> {
    let protocol = if is_tag(protocol as u16) { protocol as u16 } else { 0x8100u16.to_be() };
    let state = &mut *cpu.state;
    if state.context_u32(skb::VLAN_PRESENT) != 0 {
        let (outer, outer_tci) = (state.context_u32(skb::VLAN_PROTO) as u16, state.context_u32(skb::VLAN_TCI) as u16);
        let p = &mut state.mem.packet;
        if p.end - p.mac < TAG + 2 {
            return Ok(errno::ENOMEM as u64);
        }
        let [a, b] = outer.to_ne_bytes();
        let [c, d] = outer_tci.to_be_bytes();
        // Pointers from before are no longer the verifier's to use, so bytes may move.
        p.buf.splice(p.mac + TAG..p.mac + TAG, [a, b, c, d]);
        p.end += 4;
        state.set_context_u32(skb::PROTOCOL, u32::from(outer));
        resized(state);
    }
    hold(state, protocol, tci as u16);
    Ok(0)
}

/// `bpf_skb_vlan_pop`: the next tag, if there is one in the packet, is held then.
pub(super) fn pop(cpu: &mut Cpu<'_>, _: [u64; 5]) -> Run<u64> {
    let state = &mut *cpu.state;
    if state.context_u32(skb::VLAN_PRESENT) != 0 {
        for field in [skb::VLAN_PRESENT, skb::VLAN_TCI, skb::VLAN_PROTO] {
            state.set_context_u32(field, 0);
        }
    } else {
        if !is_tag(state.context_u32(skb::PROTOCOL) as u16) {
            return Ok(0);
        }
        if take(state).is_none() {
            return Ok(errno::ENOMEM as u64);
        }
    }
    let next = state.context_u32(skb::PROTOCOL) as u16;
    if !is_tag(next) {
        return Ok(0);
    }
    match take(state) {
        Some(tci) => {
            hold(state, next, tci);
            Ok(0)
        }
        None => Ok(errno::ENOMEM as u64),
    }
}

/// Takes the first tag out of the packet.
fn take(state: &mut State) -> Option<u16> {
    let p = &mut state.mem.packet;
    if p.end - p.mac < VLAN_ETH_HLEN {
        return None;
    }
    let at = p.mac + TAG;
    let &[_, _, c, d, e, f] = p.buf.get(at..at + 6)?.first_chunk::<6>()?;
    p.buf.drain(at..at + 4);
    p.end -= 4;
    let within = u16::from_be_bytes([e, f]);
    let within = if within >= ETH_P_802_3_MIN { within } else { ETH_P_802_2 };
    state.set_context_u32(skb::PROTOCOL, u32::from(within.to_be()));
    resized(state);
    Some(u16::from_be_bytes([c, d]))
}
