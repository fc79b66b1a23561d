//! Open-coded iterators. Invariant: an iterator's state lies in its own bytes on the stack.

use crate::errno;
use crate::exec::Cpu;
use crate::fault::Run;
use crate::task;

/// `BPF_MAX_LOOPS` in linux/bpf.h.
const MAX_LOOPS: i64 = 8 * 1024 * 1024;
/// `BITS_ITER_NR_WORDS_MAX` in kernel/bpf/helpers.c.
const MAX_WORDS: u64 = 511;

/// `struct bpf_iter_num`: the last number given and the end, both 32-bit.
pub(super) fn num_new(cpu: &mut Cpu<'_>, [iter, start, end, ..]: [u64; 5]) -> Run<u64> {
    let (start, end) = (start as i32, end as i32);
    let distance = i64::from(end) - i64::from(start);
    let (state, result) = match distance {
        ..0 => ((0, 0), errno::EINVAL),
        d if d > MAX_LOOPS => ((0, 0), errno::E2BIG),
        _ => ((start.wrapping_sub(1), end), 0),
    };
    cpu.state.mem.store(iter, state.0.to_le_bytes())?;
    cpu.state.mem.store(iter.wrapping_add(4), state.1.to_le_bytes())?;
    Ok(result as u64)
}

pub(super) fn num_next(cpu: &mut Cpu<'_>, [iter, ..]: [u64; 5]) -> Run<u64> {
    let last = i32::from_le_bytes(cpu.state.mem.load(iter)?);
    let end = i32::from_le_bytes(cpu.state.mem.load(iter.wrapping_add(4))?);
    // The first number may be the smallest there is: one less wrapped around.
    let next = last.wrapping_add(1);
    if next >= end {
        cpu.state.mem.store(iter, [0; 8])?;
        return Ok(0);
    }
    cpu.state.mem.store(iter, next.to_le_bytes())?;
    Ok(iter)
}

/// The bits of `nr` words, as positions still to be given: here the words are kept by address, and the second word of
/// the iterator holds the position last given and the number of bits.
pub(super) fn bits_new(cpu: &mut Cpu<'_>, [iter, words, nr, ..]: [u64; 5]) -> Run<u64> {
    let nr = nr as u32 as u64;
    let error = match nr {
        0 => errno::EINVAL,
        n if n > MAX_WORDS => errno::E2BIG,
        _ if cpu.state.mem.bytes(words, nr as usize * 8).is_err()
            && cpu.state.mem.kernel_bytes(words, nr as usize * 8).is_none() =>
        {
            errno::EFAULT
        }
        _ => 0,
    };
    let bits = if error == 0 { nr as u32 * 64 } else { 0 };
    cpu.state.mem.store(iter, words.to_le_bytes())?;
    cpu.state.mem.store(iter.wrapping_add(8), u32::MAX.to_le_bytes())?;
    cpu.state.mem.store(iter.wrapping_add(12), bits.to_le_bytes())?;
    Ok(error as u64)
}

pub(super) fn bits_next(cpu: &mut Cpu<'_>, [iter, ..]: [u64; 5]) -> Run<u64> {
    let words = u64::from_le_bytes(cpu.state.mem.load(iter)?);
    let last = u32::from_le_bytes(cpu.state.mem.load(iter.wrapping_add(8))?);
    let bits = u32::from_le_bytes(cpu.state.mem.load(iter.wrapping_add(12))?);
    let mut at = last.wrapping_add(1);
    while at < bits {
        let byte = words.wrapping_add(u64::from(at / 8));
        let mem = &cpu.state.mem;
        let found = mem.bytes(byte, 1).ok().or_else(|| mem.kernel_bytes(byte, 1));
        if found.and_then(|b| b.first()).is_some_and(|b| b >> (at % 8) & 1 == 1) {
            cpu.state.mem.store(iter.wrapping_add(8), at.to_le_bytes())?;
            return Ok(iter.wrapping_add(8));
        }
        at += 1;
    }
    cpu.state.mem.store(iter.wrapping_add(12), [0; 4])?;
    Ok(0)
}

/// The simulated world has one process: the first word says whether it was given.
pub(super) fn task_new(cpu: &mut Cpu<'_>, [iter, _, flags, ..]: [u64; 5]) -> Run<u64> {
    /// `BPF_TASK_ITER_PROC_THREADS`
    const LAST_FLAG: u64 = 2;
    let fine = flags as u32 as u64 <= LAST_FLAG;
    cpu.state.mem.store(iter, u64::from(!fine).to_le_bytes())?;
    Ok(if fine { 0 } else { errno::EINVAL as u64 })
}

pub(super) fn task_next(cpu: &mut Cpu<'_>, [iter, ..]: [u64; 5]) -> Run<u64> {
    if u64::from_le_bytes(cpu.state.mem.load(iter)?) != 0 {
        return Ok(0);
    }
    cpu.state.mem.store(iter, 1u64.to_le_bytes())?;
    task::current(cpu.state)
}
