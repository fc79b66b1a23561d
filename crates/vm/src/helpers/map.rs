//! Helpers on maps.

use crate::errno;
use crate::exec::Cpu;
use crate::fault::{FaultKind, Run, misuse};
use crate::machine::State;
use crate::maps::{Cpus, Kind, LOCK, Map};
use crate::memory::Memory;

/// The map that an argument stands for.
pub(crate) fn map_argument(state: &State, handle: u64) -> Run<usize> {
    match Memory::as_map(handle).filter(|m| *m < state.mem.maps.len()) {
        Some(map) => Ok(map),
        None => Err(misuse(format!("{handle:#x} is no map"))),
    }
}

fn map(state: &mut State, index: usize) -> Run<&mut Map> {
    match state.mem.maps.get_mut(index) {
        Some(m) if matches!(m.kind, Kind::Unsupported) => {
            Err(FaultKind::Misuse(format!("map `{}` ({}) is not simulated in the VM", m.name, m.map_type)).into())
        }
        Some(m) => Ok(m),
        None => Err(misuse("no such map")),
    }
}

/// The key bytes that an argument points to.
fn map_key(state: &mut State, index: usize, address: u64) -> Run<Vec<u8>> {
    let size = map(state, index)?.key_size;
    Ok(state.mem.bytes(address, size)?.to_vec())
}

pub(super) fn lookup(cpu: &mut Cpu<'_>, [handle, key, ..]: [u64; 5]) -> Run<u64> {
    let on = cpu.state.cpu();
    lookup_on(cpu, handle, key, on)
}

pub(super) fn lookup_percpu(cpu: &mut Cpu<'_>, [handle, key, on, ..]: [u64; 5]) -> Run<u64> {
    match u32::try_from(on) {
        Ok(on) if on < cpu.state.cpus => lookup_on(cpu, handle, key, on),
        _ => Ok(0),
    }
}

fn lookup_on(cpu: &mut Cpu<'_>, handle: u64, key: u64, on: u32) -> Run<u64> {
    let index = map_argument(cpu.state, handle)?;
    // The common sizes need no allocation.
    let size = map(cpu.state, index)?.key_size;
    let mut small = [0; 64];
    let bytes = cpu.state.mem.bytes(key, size)?;
    let large;
    let key: &[u8] = match small.get_mut(..size) {
        Some(k) => {
            k.copy_from_slice(bytes);
            k
        }
        None => {
            large = bytes.to_vec();
            &large
        }
    };
    let m = map(cpu.state, index)?;
    if matches!(m.kind, Kind::Objects(_) | Kind::HashOfMaps(..)) {
        return Ok(m.object(key).map_or(0, Memory::map_handle));
    }
    Ok(m.lookup(key, on, true).map_or(0, |offset| Memory::value_address(index, offset)))
}

pub(super) fn update(cpu: &mut Cpu<'_>, [handle, key, value, flags, _]: [u64; 5]) -> Run<u64> {
    let state = &mut *cpu.state;
    let index = map_argument(state, handle)?;
    let key = map_key(state, index, key)?;
    let size = map(state, index)?.value_size;
    let value = state.mem.bytes(value, size)?.to_vec();
    let on = state.cpu();
    let m = map(state, index)?;
    if !m.program_may_write() {
        return Err(misuse(format!("programs can't write map `{}`", m.name)));
    }
    // An update of a hash makes a new element, but where it is to take the old one's lock.
    let replaces = matches!(m.kind, Kind::Hash(_)) && flags & LOCK == 0;
    let result = m.update(&key, &value, flags, Cpus::One(on));
    if replaces && result.is_ok() {
        state.timers.forget(index, &key);
    }
    Ok(super::status(result))
}

pub(super) fn delete(cpu: &mut Cpu<'_>, [handle, key, ..]: [u64; 5]) -> Run<u64> {
    let index = map_argument(cpu.state, handle)?;
    let key = map_key(cpu.state, index, key)?;
    let result = map(cpu.state, index)?.delete(&key);
    if result.is_ok() {
        cpu.state.timers.forget(index, &key);
    }
    Ok(super::status(result))
}

pub(super) fn push(cpu: &mut Cpu<'_>, [handle, value, flags, ..]: [u64; 5]) -> Run<u64> {
    let index = map_argument(cpu.state, handle)?;
    let size = map(cpu.state, index)?.value_size;
    let value = cpu.state.mem.bytes(value, size)?.to_vec();
    Ok(super::status(map(cpu.state, index)?.push(&value, flags)))
}

pub(super) fn pop(cpu: &mut Cpu<'_>, [handle, to, ..]: [u64; 5]) -> Run<u64> {
    take(cpu, handle, to, true)
}

pub(super) fn peek(cpu: &mut Cpu<'_>, [handle, to, ..]: [u64; 5]) -> Run<u64> {
    let index = map_argument(cpu.state, handle)?;
    let m = map(cpu.state, index)?;
    if let Kind::Bloom(_) = m.kind {
        // For bloom filters a peek asks whether the value was pushed.
        let size = m.value_size;
        let value = cpu.state.mem.bytes(to, size)?.to_vec();
        let Kind::Bloom(all) = &map(cpu.state, index)?.kind else { return Ok(errno::EINVAL as u64) };
        return Ok(if all.contains(&value[..]) { 0 } else { errno::ENOENT as u64 });
    }
    take(cpu, handle, to, false)
}

fn take(cpu: &mut Cpu<'_>, handle: u64, to: u64, remove: bool) -> Run<u64> {
    let index = map_argument(cpu.state, handle)?;
    let m = map(cpu.state, index)?;
    let size = m.value_size;
    let taken = m.take(remove);
    let place = cpu.state.mem.bytes_mut(to, size)?;
    match taken {
        Ok(value) => {
            place.copy_from_slice(&value);
            Ok(0)
        }
        Err(errno) => {
            place.fill(0);
            Ok(errno as u64)
        }
    }
}

/// `bpf_{task,sk,inode,cgrp}_storage_get`: the value that belongs to a kernel object.
pub(super) fn storage_get(cpu: &mut Cpu<'_>, [handle, object, value, flags, _]: [u64; 5]) -> Run<u64> {
    const CREATE: u64 = 1;
    if object == 0 || flags & !CREATE != 0 {
        return Ok(0);
    }
    let state = &mut *cpu.state;
    let index = map_argument(state, handle)?;
    let size = map(state, index)?.value_size;
    let initial = if value == 0 { vec![0; size] } else { state.mem.bytes(value, size)?.to_vec() };
    let key = object.to_le_bytes();
    let m = map(state, index)?;
    // Storages have no max_entries: their entries live in the objects.
    m.max_entries = usize::MAX;
    if m.lookup(&key, 0, true).is_none() && (flags & CREATE == 0 || m.update(&key, &initial, 1, Cpus::All).is_err()) {
        return Ok(0);
    }
    Ok(m.lookup(&key, 0, true).map_or(0, |offset| Memory::value_address(index, offset)))
}

pub(super) fn storage_delete(cpu: &mut Cpu<'_>, [handle, object, ..]: [u64; 5]) -> Run<u64> {
    if object == 0 {
        return Ok(errno::EINVAL as u64);
    }
    let index = map_argument(cpu.state, handle)?;
    Ok(super::status(map(cpu.state, index)?.delete(&object.to_le_bytes())))
}

/// `bpf_get_local_storage`: the one value of the cgroup the program is attached to; never null.
pub(super) fn local_storage(cpu: &mut Cpu<'_>, [handle, ..]: [u64; 5]) -> Run<u64> {
    let index = map_argument(cpu.state, handle)?;
    let on = cpu.state.cpu();
    let key = cpu.state.world.cgroup_id.to_le_bytes();
    let m = map(cpu.state, index)?;
    m.max_entries = usize::MAX;
    if m.lookup(&key, on, true).is_none() {
        let zero = vec![0; m.value_size];
        if m.update(&key, &zero, 0, Cpus::All).is_err() {
            return Err(misuse(format!("map `{}` is no cgroup storage", m.name)));
        }
    }
    Ok(m.lookup(&key, on, true).map_or(0, |offset| Memory::value_address(index, offset)))
}

/// `bpf_current_task_under_cgroup` and `bpf_skb_under_cgroup`: the array has no cgroup in any slot.
fn under_cgroup(cpu: &mut Cpu<'_>, handle: u64, index: u64) -> Run<u64> {
    let map = map_argument(cpu.state, handle)?;
    let entries = cpu.state.mem.maps.get(map).map_or(0, |m| m.max_entries as u64);
    Ok(if index as u32 as u64 >= entries { errno::E2BIG } else { errno::EAGAIN } as u64)
}

pub(super) fn current_under_cgroup(cpu: &mut Cpu<'_>, [handle, index, ..]: [u64; 5]) -> Run<u64> {
    under_cgroup(cpu, handle, index)
}

pub(super) fn skb_under_cgroup(cpu: &mut Cpu<'_>, [_, handle, index, ..]: [u64; 5]) -> Run<u64> {
    under_cgroup(cpu, handle, index)
}
