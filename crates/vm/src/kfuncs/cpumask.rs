//! Sets of processors: objects of the simulated kernel of as many bits as it has processors. Invariant: bits beyond the
//! last processor stay 0.

use super::objects::acquired;
use crate::exec::Cpu;
use crate::fault::{Run, misuse};
use crate::memory::KernelObject;

/// Bytes of a set, whatever the number of processors: `NR_CPUS` of distributions is 8192.
const BYTES: usize = 8;

fn get(cpu: &Cpu<'_>, at: u64) -> Run<u64> {
    let bytes = cpu.state.mem.kernel_bytes(at, BYTES);
    let bytes = bytes.and_then(|b| b.first_chunk::<BYTES>()).ok_or_else(|| misuse(format!("no cpumask at {at:#x}")))?;
    Ok(u64::from_le_bytes(*bytes))
}

fn set(cpu: &mut Cpu<'_>, at: u64, bits: u64) -> Run<u64> {
    get(cpu, at)?;
    let bits = bits & all(cpu);
    cpu.state.mem.set_kernel_object(at, &bits.to_le_bytes());
    Ok(0)
}

fn all(cpu: &Cpu<'_>) -> u64 {
    if cpu.state.cpus >= 64 { u64::MAX } else { (1 << cpu.state.cpus) - 1 }
}

fn bit(cpu: &Cpu<'_>, n: u64) -> Option<u64> {
    let n = n as u32;
    (n < cpu.state.cpus && n < 64).then(|| 1 << n)
}

pub(super) fn create(cpu: &mut Cpu<'_>, _: [u64; 5]) -> Run<u64> {
    let object = KernelObject { name: "a cpumask".into(), bytes: vec![0; BYTES], writable: false };
    let at = cpu.state.mem.add_kernel_object(object).map_err(misuse)?;
    Ok(acquired(cpu, at))
}

pub(super) fn acquire(cpu: &mut Cpu<'_>, [at, ..]: [u64; 5]) -> Run<u64> {
    Ok(acquired(cpu, at))
}

pub(super) fn set_cpu(cpu: &mut Cpu<'_>, [n, at, ..]: [u64; 5]) -> Run<u64> {
    let bits = get(cpu, at)? | bit(cpu, n).unwrap_or(0);
    set(cpu, at, bits)
}

pub(super) fn clear_cpu(cpu: &mut Cpu<'_>, [n, at, ..]: [u64; 5]) -> Run<u64> {
    let bits = get(cpu, at)? & !bit(cpu, n).unwrap_or(0);
    set(cpu, at, bits)
}

pub(super) fn test_cpu(cpu: &mut Cpu<'_>, [n, at, ..]: [u64; 5]) -> Run<u64> {
    Ok(u64::from(bit(cpu, n).is_some_and(|b| get(cpu, at).is_ok_and(|bits| bits & b != 0))))
}

pub(super) fn test_and_set_cpu(cpu: &mut Cpu<'_>, args: [u64; 5]) -> Run<u64> {
    let old = test_cpu(cpu, args)?;
    set_cpu(cpu, args)?;
    Ok(old)
}

pub(super) fn test_and_clear_cpu(cpu: &mut Cpu<'_>, args: [u64; 5]) -> Run<u64> {
    let old = test_cpu(cpu, args)?;
    clear_cpu(cpu, args)?;
    Ok(old)
}

pub(super) fn set_all(cpu: &mut Cpu<'_>, [at, ..]: [u64; 5]) -> Run<u64> {
    set(cpu, at, u64::MAX)
}

pub(super) fn clear(cpu: &mut Cpu<'_>, [at, ..]: [u64; 5]) -> Run<u64> {
    set(cpu, at, 0)
}

pub(super) fn copy(cpu: &mut Cpu<'_>, [to, from, ..]: [u64; 5]) -> Run<u64> {
    let bits = get(cpu, from)?;
    set(cpu, to, bits)
}

pub(super) fn and(cpu: &mut Cpu<'_>, [to, a, b, ..]: [u64; 5]) -> Run<u64> {
    let bits = get(cpu, a)? & get(cpu, b)?;
    set(cpu, to, bits)?;
    Ok(u64::from(bits != 0))
}

pub(super) fn or(cpu: &mut Cpu<'_>, [to, a, b, ..]: [u64; 5]) -> Run<u64> {
    let bits = get(cpu, a)? | get(cpu, b)?;
    set(cpu, to, bits)
}

pub(super) fn xor(cpu: &mut Cpu<'_>, [to, a, b, ..]: [u64; 5]) -> Run<u64> {
    let bits = get(cpu, a)? ^ get(cpu, b)?;
    set(cpu, to, bits)
}

pub(super) fn equal(cpu: &mut Cpu<'_>, [a, b, ..]: [u64; 5]) -> Run<u64> {
    Ok(u64::from(get(cpu, a)? == get(cpu, b)?))
}

pub(super) fn intersects(cpu: &mut Cpu<'_>, [a, b, ..]: [u64; 5]) -> Run<u64> {
    Ok(u64::from(get(cpu, a)? & get(cpu, b)? != 0))
}

pub(super) fn subset(cpu: &mut Cpu<'_>, [a, b, ..]: [u64; 5]) -> Run<u64> {
    Ok(u64::from(get(cpu, a)? & !get(cpu, b)? == 0))
}

pub(super) fn empty(cpu: &mut Cpu<'_>, [at, ..]: [u64; 5]) -> Run<u64> {
    Ok(u64::from(get(cpu, at)? == 0))
}

pub(super) fn full(cpu: &mut Cpu<'_>, [at, ..]: [u64; 5]) -> Run<u64> {
    Ok(u64::from(get(cpu, at)? == all(cpu)))
}

pub(super) fn weight(cpu: &mut Cpu<'_>, [at, ..]: [u64; 5]) -> Run<u64> {
    Ok(u64::from(get(cpu, at)?.count_ones()))
}

/// The number of processors where there is none.
pub(super) fn first(cpu: &mut Cpu<'_>, [at, ..]: [u64; 5]) -> Run<u64> {
    Ok(u64::from(get(cpu, at)?.trailing_zeros().min(cpu.state.cpus)))
}

pub(super) fn first_zero(cpu: &mut Cpu<'_>, [at, ..]: [u64; 5]) -> Run<u64> {
    Ok(u64::from((!get(cpu, at)?).trailing_zeros().min(cpu.state.cpus)))
}
