//! Helpers that call back, lock, or go elsewhere.

use crate::errno;
use crate::exec::Cpu;
use crate::fault::{Run, misuse};
use crate::machine::State;
use crate::maps::Kind;
use crate::memory::Memory;

/// `MAX_TAIL_CALL_CNT` in linux/bpf.h.
const MAX_TAIL_CALLS: u32 = 33;
/// `BPF_MAX_LOOPS` in linux/bpf.h.
const MAX_LOOPS: u64 = 8 * 1024 * 1024;

/// Where `bpf_tail_call` leads; `None` when it fails and the program goes on.
pub(crate) fn tail_call(state: &mut State, handle: u64, index: u64) -> Run<Option<usize>> {
    let map = super::map_argument(state, handle)?;
    let Some(m) = state.mem.maps.get_mut(map) else { return Ok(None) };
    if !matches!(m.kind, Kind::Objects(_)) {
        return Err(misuse(format!("tail call through map `{}`, which is no program array", m.name)));
    }
    let program = m.object(&(index as u32).to_le_bytes());
    if state.tail_calls >= MAX_TAIL_CALLS {
        return Ok(None);
    }
    let Some(start) = program.and_then(|p| state.programs.get(p)).map(|p| p.start) else { return Ok(None) };
    state.tail_calls += 1;
    Ok(Some(start))
}

pub(super) fn callback(address: u64) -> Run<usize> {
    Memory::as_function(address).ok_or_else(|| misuse(format!("{address:#x} is not the address of a callback")))
}

/// `bpf_loop`: the iterations done.
pub(super) fn loop_(cpu: &mut Cpu<'_>, [count, function, context, flags, _]: [u64; 5]) -> Run<u64> {
    let count = count as u32 as u64;
    if flags != 0 {
        return Ok(errno::EINVAL as u64);
    }
    if count > MAX_LOOPS {
        return Ok(errno::E2BIG as u64);
    }
    let start = callback(function)?;
    for i in 0..count {
        if cpu.call(start, [i, context, 0, 0, 0])? != 0 {
            return Ok(i + 1);
        }
    }
    Ok(count)
}

/// `bpf_for_each_map_elem`: the elements visited.
pub(super) fn for_each(cpu: &mut Cpu<'_>, [handle, function, context, flags, _]: [u64; 5]) -> Run<u64> {
    if flags != 0 {
        return Ok(errno::EINVAL as u64);
    }
    let map = super::map_argument(cpu.state, handle)?;
    let start = callback(function)?;
    let on = cpu.state.cpu();
    let Some(m) = cpu.state.mem.maps.get(map) else { return Ok(errno::EINVAL as u64) };
    if !matches!(m.kind, Kind::Array | Kind::Hash(_)) {
        return Err(misuse(format!("for_each_map_elem on map `{}` ({})", m.name, m.map_type)));
    }
    let keys = m.keys();
    let mut visited = 0;
    for key in keys {
        let Some(m) = cpu.state.mem.maps.get_mut(map) else { break };
        // An element that a callback before deleted is not there to visit.
        let Some(offset) = m.lookup(&key, on, false) else { continue };
        let key = cpu.state.key_cell(&key);
        visited += 1;
        if cpu.call(start, [handle, key, Memory::value_address(map, offset), context, 0])? != 0 {
            break;
        }
    }
    Ok(visited)
}

pub(super) fn lock(cpu: &mut Cpu<'_>, [address, ..]: [u64; 5]) -> Run<u64> {
    cpu.state.mem.bytes(address, 4)?;
    if cpu.state.locked.is_some() {
        return Err(misuse("a spin lock is taken while another is held"));
    }
    cpu.state.locked = Some(address);
    Ok(0)
}

pub(super) fn unlock(cpu: &mut Cpu<'_>, [address, ..]: [u64; 5]) -> Run<u64> {
    match cpu.state.locked.take() {
        Some(held) if held == address => Ok(0),
        Some(_) => Err(misuse("another spin lock than the held one is released")),
        None => Err(misuse("a spin lock is released that is not held")),
    }
}
