//! Kernel functions that are simulated: those which compilers emit for
//! control flow, and a few that only hand their argument through.

use crate::errno;
use crate::exec::Cpu;
use crate::fault::{FaultKind, Run};

/// `BPF_MAX_LOOPS` in linux/bpf.h.
const MAX_LOOPS: i64 = 8 * 1024 * 1024;

type KfuncFn = fn(&mut Cpu<'_>, [u64; 5]) -> Run<u64>;

static KFUNCS: &[(&str, KfuncFn)] = &[
    ("bpf_cast_to_kern_ctx", argument),
    ("bpf_iter_num_destroy", nothing),
    ("bpf_iter_num_new", num_new),
    ("bpf_iter_num_next", num_next),
    ("bpf_preempt_disable", nothing),
    ("bpf_preempt_enable", nothing),
    ("bpf_rcu_read_lock", nothing),
    ("bpf_rcu_read_unlock", nothing),
    ("bpf_rdonly_cast", argument),
    ("bpf_task_acquire", argument),
    ("bpf_task_release", nothing),
];

/// Runs the kernel function that the code knows under this number.
pub(crate) fn call(cpu: &mut Cpu<'_>, index: usize, args: [u64; 5]) -> Run<u64> {
    let name = cpu.code.kfuncs.get(index).map_or("", |n| n.as_str());
    match KFUNCS.binary_search_by_key(&name, |(n, _)| n).ok().and_then(|i| KFUNCS.get(i)) {
        Some((_, run)) => run(cpu, args),
        None => Err(FaultKind::Kfunc(name.to_string()).into()),
    }
}

fn nothing(_: &mut Cpu<'_>, _: [u64; 5]) -> Run<u64> {
    Ok(0)
}

fn argument(_: &mut Cpu<'_>, [value, ..]: [u64; 5]) -> Run<u64> {
    Ok(value)
}

/// `struct bpf_iter_num`: the last number given and the end, both 32-bit.
fn num_new(cpu: &mut Cpu<'_>, [iter, start, end, ..]: [u64; 5]) -> Run<u64> {
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

fn num_next(cpu: &mut Cpu<'_>, [iter, ..]: [u64; 5]) -> Run<u64> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted() {
        assert!(KFUNCS.is_sorted_by(|a, b| a.0 < b.0));
    }
}
