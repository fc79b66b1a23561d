//! Helpers that send records to user space.

use crate::errno;
use crate::exec::Cpu;
use crate::fault::{Run, misuse};
use crate::machine::State;
use crate::maps::{Kind, Ring};
use crate::memory::Record;

/// `BPF_RB_NO_WAKEUP | BPF_RB_FORCE_WAKEUP`.
const WAKEUP_FLAGS: u64 = 3;
/// `BPF_F_INDEX_MASK`, which as a value means the present CPU.
const INDEX_MASK: u64 = 0xffff_ffff;
/// `BPF_F_CTXLEN_MASK`: how many bytes of the packet follow the record.
const CTXLEN_MASK: u64 = 0xfffff << 32;

fn ring(state: &mut State, map: usize) -> Run<&mut Ring> {
    match state.mem.maps.get_mut(map).map(|m| &mut m.kind) {
        Some(Kind::Ring(ring)) => Ok(ring),
        _ => Err(misuse("a ring-buffer helper on a map that is no ring buffer")),
    }
}

pub(super) fn output(cpu: &mut Cpu<'_>, [handle, data, size, flags, _]: [u64; 5]) -> Run<u64> {
    let map = super::map_argument(cpu.state, handle)?;
    if flags & !WAKEUP_FLAGS != 0 {
        return Ok(errno::EINVAL as u64);
    }
    let bytes = cpu.state.mem.bytes(data, usize::try_from(size).unwrap_or(usize::MAX))?.to_vec();
    let ring = ring(cpu.state, map)?;
    match ring.reserve(size) {
        Some(ticket) => {
            ring.end(ticket, Some(bytes));
            Ok(0)
        }
        None => {
            cpu.state.lost += 1;
            Ok(errno::EAGAIN as u64)
        }
    }
}

pub(super) fn reserve(cpu: &mut Cpu<'_>, [handle, size, flags, ..]: [u64; 5]) -> Run<u64> {
    if flags != 0 {
        super::map_argument(cpu.state, handle)?;
        return Ok(0);
    }
    open(cpu, handle, size)
}

/// A record's address; 0 where there is no room.
pub(crate) fn open(cpu: &mut Cpu<'_>, handle: u64, size: u64) -> Run<u64> {
    let map = super::map_argument(cpu.state, handle)?;
    let ring = ring(cpu.state, map)?;
    let Some(ticket) = ring.reserve(size) else {
        cpu.state.lost += 1;
        return Ok(0);
    };
    let record = Record { map, ticket, bytes: vec![0; size as usize], live: true };
    cpu.state.mem.add_record(record).ok_or_else(|| misuse("too many ring-buffer records in one run"))
}

pub(super) fn submit(cpu: &mut Cpu<'_>, [record, ..]: [u64; 5]) -> Run<u64> {
    end(cpu, record, true)
}

pub(super) fn discard(cpu: &mut Cpu<'_>, [record, ..]: [u64; 5]) -> Run<u64> {
    end(cpu, record, false)
}

pub(crate) fn end(cpu: &mut Cpu<'_>, address: u64, submit: bool) -> Run<u64> {
    let Some(record) = cpu.state.mem.record_at(address) else {
        return Err(misuse(format!("{address:#x} is not the start of a ring-buffer record")));
    };
    if !record.live {
        return Err(misuse("this ring-buffer record was submitted or discarded before"));
    }
    record.live = false;
    let (map, ticket, bytes) = (record.map, record.ticket, std::mem::take(&mut record.bytes));
    ring(cpu.state, map)?.end(ticket, submit.then_some(bytes));
    Ok(0)
}

pub(super) fn query(cpu: &mut Cpu<'_>, [handle, what, ..]: [u64; 5]) -> Run<u64> {
    let map = super::map_argument(cpu.state, handle)?;
    Ok(ring(cpu.state, map)?.query(what))
}

/// `bpf_user_ringbuf_drain`: user space has written nothing.
pub(super) fn user_drain(_: &mut Cpu<'_>, [_, _, _, flags, _]: [u64; 5]) -> Run<u64> {
    Ok(if flags & !WAKEUP_FLAGS == 0 { 0 } else { errno::EINVAL as u64 })
}

/// `bpf_perf_event_output`: every CPU of the machine has an event in the array.
pub(super) fn perf_output(cpu: &mut Cpu<'_>, [_, handle, flags, data, size]: [u64; 5]) -> Run<u64> {
    let map = super::map_argument(cpu.state, handle)?;
    let bytes = cpu.state.mem.bytes(data, usize::try_from(size).unwrap_or(usize::MAX))?.to_vec();
    if flags & !(INDEX_MASK | CTXLEN_MASK) != 0 {
        return Ok(errno::EINVAL as u64);
    }
    let packet_len = ((flags & CTXLEN_MASK) >> 32) as usize;
    let Some(packet) = cpu.state.mem.packet.bytes().get(..packet_len).map(<[u8]>::to_vec) else {
        return Ok(errno::EFAULT as u64);
    };
    let on = cpu.state.cpu();
    let cpus = cpu.state.cpus;
    let Some(m) = cpu.state.mem.maps.get_mut(map) else { return Ok(errno::EINVAL as u64) };
    let index = if flags & INDEX_MASK == INDEX_MASK { on } else { (flags & INDEX_MASK) as u32 };
    if index as usize >= m.max_entries {
        return Ok(errno::E2BIG as u64);
    }
    let Kind::Perf(records) = &mut m.kind else {
        return Err(misuse("perf_event_output on a map that is no perf event array"));
    };
    if index >= cpus {
        return Ok(errno::ENOENT as u64);
    }
    if index != on {
        // The event of another CPU: the kernel refuses (event->oncpu != cpu).
        return Ok(errno::EOPNOTSUPP as u64);
    }
    records.push_back((index, [bytes, packet].concat()));
    Ok(0)
}
