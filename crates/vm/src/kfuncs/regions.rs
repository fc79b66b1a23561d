//! Regions: locks, RCU, preemption, interrupts. One processor runs one program here, so they do nothing but notice what
//! the verifier would refuse. Invariant: what a program begins it has ended when it exits.

use crate::exec::Cpu;
use crate::fault::{Run, misuse};

/// `EDEADLK`, which a resilient lock gives when it is held already.
const EDEADLK: i64 = -35;

/// What is open.
#[derive(Clone, Debug, Default)]
pub(crate) struct Regions {
    rcu: u32,
    preempt: u32,
    irq: Vec<u64>,
    locks: Vec<u64>,
}

/// What a program left open, in words.
pub(crate) fn left_open(r: &Regions) -> Option<&'static str> {
    if !r.locks.is_empty() {
        Some("a resilient spin lock")
    } else if r.rcu > 0 {
        Some("an RCU region")
    } else if r.preempt > 0 {
        Some("a region without preemption")
    } else if !r.irq.is_empty() {
        Some("a region without interrupts")
    } else {
        None
    }
}

pub(super) fn rcu_lock(cpu: &mut Cpu<'_>, _: [u64; 5]) -> Run<u64> {
    cpu.state.regions.rcu += 1;
    Ok(0)
}

pub(super) fn rcu_unlock(cpu: &mut Cpu<'_>, _: [u64; 5]) -> Run<u64> {
    let open = cpu.state.regions.rcu.checked_sub(1);
    cpu.state.regions.rcu = open.ok_or_else(|| misuse("an RCU region ends that has not begun"))?;
    Ok(0)
}

pub(super) fn preempt_disable(cpu: &mut Cpu<'_>, _: [u64; 5]) -> Run<u64> {
    cpu.state.regions.preempt += 1;
    Ok(0)
}

pub(super) fn preempt_enable(cpu: &mut Cpu<'_>, _: [u64; 5]) -> Run<u64> {
    let open = cpu.state.regions.preempt.checked_sub(1);
    cpu.state.regions.preempt = open.ok_or_else(|| misuse("preemption is enabled that was not disabled"))?;
    Ok(0)
}

pub(super) fn irq_save(cpu: &mut Cpu<'_>, [flags, ..]: [u64; 5]) -> Run<u64> {
    cpu.state.mem.store(flags, [0; 8])?;
    cpu.state.regions.irq.push(flags);
    Ok(0)
}

pub(super) fn irq_restore(cpu: &mut Cpu<'_>, [flags, ..]: [u64; 5]) -> Run<u64> {
    match cpu.state.regions.irq.pop() {
        Some(at) if at == flags => Ok(0),
        Some(_) => Err(misuse("interrupts are restored in another order than they were saved")),
        None => Err(misuse("interrupts are restored that were not saved")),
    }
}

pub(super) fn res_lock(cpu: &mut Cpu<'_>, [lock, ..]: [u64; 5]) -> Run<u64> {
    cpu.state.mem.bytes(lock, 4)?;
    if cpu.state.regions.locks.contains(&lock) {
        return Ok(EDEADLK as u64);
    }
    cpu.state.regions.locks.push(lock);
    Ok(0)
}

pub(super) fn res_unlock(cpu: &mut Cpu<'_>, [lock, ..]: [u64; 5]) -> Run<u64> {
    match cpu.state.regions.locks.pop() {
        Some(held) if held == lock => Ok(0),
        Some(_) => Err(misuse("another resilient lock than the last one taken is given back")),
        None => Err(misuse("a resilient lock is given back that is not held")),
    }
}
