//! Helpers that ask the world: time, process, chance, identities.

use crate::errno;
use crate::exec::Cpu;
use crate::fault::Run;
use crate::maps::{Cpus, Kind};
use crate::task;

/// Ticks of the kernel's timer a second, as distributions set it.
const HZ: u64 = 250;
/// Bytes of a task's name: `TASK_COMM_LEN` in linux/sched.h.
pub(crate) const COMM_LEN: usize = 16;
/// `BPF_FIB_LKUP_RET_NOT_FWDED`: the simulated world has no routes.
const NOT_FORWARDED: u64 = 4;

/// `find_vma`: the pretended process has memory, but none of the kernel's areas that describe it.
pub(super) fn no_area(_: &mut Cpu<'_>, _: [u64; 5]) -> Run<u64> {
    Ok(errno::ENOENT as u64)
}

pub(super) fn zero(_: &mut Cpu<'_>, _: [u64; 5]) -> Run<u64> {
    Ok(0)
}

pub(super) fn ktime(cpu: &mut Cpu<'_>, _: [u64; 5]) -> Run<u64> {
    Ok(cpu.state.world.clock.read())
}

pub(super) fn ktime_boot(cpu: &mut Cpu<'_>, _: [u64; 5]) -> Run<u64> {
    let clock = &mut cpu.state.world.clock;
    Ok(clock.read().wrapping_add(clock.boot_offset_ns))
}

pub(super) fn ktime_tai(cpu: &mut Cpu<'_>, _: [u64; 5]) -> Run<u64> {
    let clock = &mut cpu.state.world.clock;
    Ok(clock.read().wrapping_add(clock.tai_offset_ns))
}

pub(super) fn jiffies(cpu: &mut Cpu<'_>, _: [u64; 5]) -> Run<u64> {
    Ok(cpu.state.world.clock.read() / (1_000_000_000 / HZ))
}

pub(super) fn random(cpu: &mut Cpu<'_>, _: [u64; 5]) -> Run<u64> {
    Ok(u64::from(cpu.state.world.random.draw()))
}

pub(super) fn cpu(cpu: &mut Cpu<'_>, _: [u64; 5]) -> Run<u64> {
    Ok(u64::from(cpu.state.cpu()))
}

pub(super) fn numa_node(cpu: &mut Cpu<'_>, _: [u64; 5]) -> Run<u64> {
    Ok(u64::from(cpu.state.world.numa_node))
}

pub(super) fn pid_tgid(cpu: &mut Cpu<'_>, _: [u64; 5]) -> Run<u64> {
    let t = &cpu.state.world.task;
    Ok((u64::from(t.tgid) << 32) | u64::from(t.pid))
}

pub(super) fn uid_gid(cpu: &mut Cpu<'_>, _: [u64; 5]) -> Run<u64> {
    let t = &cpu.state.world.task;
    Ok((u64::from(t.gid) << 32) | u64::from(t.uid))
}

pub(super) fn comm(cpu: &mut Cpu<'_>, [to, size, ..]: [u64; 5]) -> Run<u64> {
    let name = task::comm_bytes(&cpu.state.world.task.comm);
    let place = cpu.state.mem.bytes_mut(to, size as u32 as usize)?;
    place.fill(0);
    // As strscpy_pad: cut to what fits in front of a terminating zero.
    let n = place.len().saturating_sub(1).min(COMM_LEN);
    for (to, from) in place.iter_mut().take(n).zip(name) {
        *to = from;
    }
    Ok(0)
}

pub(super) fn task(cpu: &mut Cpu<'_>, _: [u64; 5]) -> Run<u64> {
    task::current(cpu.state)
}

pub(super) fn ns_pid_tgid(cpu: &mut Cpu<'_>, [dev, ino, to, size, _]: [u64; 5]) -> Run<u64> {
    let t = &cpu.state.world.task;
    let (pid, tgid) = (t.pid, t.tgid);
    let known = (dev, ino) == cpu.state.world.pid_namespace;
    let place = cpu.state.mem.bytes_mut(to, size as u32 as usize)?;
    place.fill(0);
    if place.len() != 8 || !known {
        return Ok(errno::EINVAL as u64);
    }
    place.copy_from_slice(&(u64::from(pid) | (u64::from(tgid) << 32)).to_le_bytes());
    Ok(0)
}

pub(super) fn cgroup_id(cpu: &mut Cpu<'_>, _: [u64; 5]) -> Run<u64> {
    Ok(cpu.state.world.cgroup_id)
}

pub(super) fn socket_cookie(cpu: &mut Cpu<'_>, _: [u64; 5]) -> Run<u64> {
    Ok(cpu.state.world.socket_cookie)
}

pub(super) fn socket_uid(cpu: &mut Cpu<'_>, _: [u64; 5]) -> Run<u64> {
    Ok(u64::from(cpu.state.world.socket_uid))
}

pub(super) fn netns_cookie(cpu: &mut Cpu<'_>, _: [u64; 5]) -> Run<u64> {
    Ok(cpu.state.world.netns_cookie)
}

pub(super) fn func_ip(cpu: &mut Cpu<'_>, _: [u64; 5]) -> Run<u64> {
    Ok(cpu.state.world.func_ip)
}

pub(super) fn attach_cookie(cpu: &mut Cpu<'_>, _: [u64; 5]) -> Run<u64> {
    Ok(cpu.state.world.attach_cookie)
}

/// `bpf_get_func_arg`: the context of tracing programs is the array of arguments.
pub(super) fn func_arg(cpu: &mut Cpu<'_>, [context, n, to, ..]: [u64; 5]) -> Run<u64> {
    let count = cpu.state.mem.context.bytes.len() as u64 / 8;
    if n >= count {
        return Ok(errno::EINVAL as u64);
    }
    let value = cpu.state.mem.load::<8>(context.wrapping_add(n * 8))?;
    cpu.state.mem.store(to, value)?;
    Ok(0)
}

pub(super) fn retval(cpu: &mut Cpu<'_>, _: [u64; 5]) -> Run<u64> {
    Ok(cpu.state.world.retval as u64)
}

pub(super) fn set_retval(cpu: &mut Cpu<'_>, [value, ..]: [u64; 5]) -> Run<u64> {
    let value = i64::from(value as i32);
    // bpf_set_retval takes an errno that IS_ERR_VALUE knows, or 0 … of any size for getsockopt.
    cpu.state.world.retval = value;
    Ok(0)
}

fn stack_bytes(cpu: &Cpu<'_>, skip: usize, size: usize) -> Vec<u8> {
    let all = cpu.state.world.stack.iter().skip(skip).flat_map(|ip| ip.to_le_bytes());
    all.take(size / 8 * 8).collect()
}

/// `bpf_get_stackid`: the fixed id, and the world's stack stored under it.
pub(super) fn stack_id(cpu: &mut Cpu<'_>, [_, handle, flags, ..]: [u64; 5]) -> Run<u64> {
    let map = super::map_argument(cpu.state, handle)?;
    let id = cpu.state.world.stack_id;
    let size = cpu.state.mem.maps.get(map).map_or(0, |m| m.value_size);
    let mut bytes = stack_bytes(cpu, (flags & 0xff) as usize, size);
    bytes.resize(size, 0);
    if let (Ok(key), Some(m)) = (u32::try_from(id), cpu.state.mem.maps.get_mut(map))
        && matches!(m.kind, Kind::Hash(_))
        && let Err(errno) = m.update(&key.to_le_bytes(), &bytes, 0, Cpus::All)
    {
        return Ok(errno as u64);
    }
    Ok(id as u64)
}

/// `bpf_get_stack`: bytes written; the rest of the buffer is zeroed.
pub(super) fn stack(cpu: &mut Cpu<'_>, [_, to, size, flags, _]: [u64; 5]) -> Run<u64> {
    let size = size as u32 as usize;
    let bytes = stack_bytes(cpu, (flags & 0xff) as usize, size);
    let place = cpu.state.mem.bytes_mut(to, size)?;
    place.fill(0);
    for (to, from) in place.iter_mut().zip(&bytes) {
        *to = *from;
    }
    Ok(bytes.len() as u64)
}

pub(super) fn fib_lookup(_: &mut Cpu<'_>, [_, _, size, flags, _]: [u64; 5]) -> Run<u64> {
    // Bytes of a `struct bpf_fib_lookup`, and all `BPF_FIB_LOOKUP_*` together.
    const SIZE: u64 = 64;
    const FLAGS: u64 = 0x3f;
    let taken = size >= SIZE && u64::from(flags as u32) & !FLAGS == 0;
    Ok(if taken { NOT_FORWARDED } else { errno::EINVAL as u64 })
}
