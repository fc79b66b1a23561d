//! References to objects of the simulated kernel. Invariant: what is acquired is counted, and a run that ends with
//! references is a fault.

use crate::exec::Cpu;
use crate::fault::{Run, misuse};
use crate::task;

pub(super) fn acquired(cpu: &mut Cpu<'_>, address: u64) -> u64 {
    if address != 0 {
        cpu.state.references.push(address);
    }
    address
}

pub(super) fn release(cpu: &mut Cpu<'_>, [object, ..]: [u64; 5]) -> Run<u64> {
    let held = cpu.state.references.iter().rposition(|a| *a == object);
    let held = held.ok_or_else(|| misuse(format!("{object:#x} is released, and no reference to it is held")))?;
    cpu.state.references.swap_remove(held);
    Ok(0)
}

pub(super) fn task_acquire(cpu: &mut Cpu<'_>, [task, ..]: [u64; 5]) -> Run<u64> {
    Ok(acquired(cpu, task))
}

/// The simulated world has one process.
pub(super) fn task_from_pid(cpu: &mut Cpu<'_>, [pid, ..]: [u64; 5]) -> Run<u64> {
    if pid as u32 != cpu.state.world.task.pid {
        return Ok(0);
    }
    let task = task::current(cpu.state)?;
    Ok(acquired(cpu, task))
}

/// `bpf_map_sum_elem_count`: how many entries a map has.
pub(super) fn map_count(cpu: &mut Cpu<'_>, [handle, ..]: [u64; 5]) -> Run<u64> {
    let map = crate::helpers::map_argument(cpu.state, handle)?;
    Ok(cpu.state.mem.maps.get(map).map_or(0, |m| m.keys().len() as u64))
}
