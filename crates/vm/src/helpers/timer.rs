//! The helpers of `bpf_timer`.

use crate::errno;
use crate::exec::Cpu;
use crate::fault::{Run, misuse};
use crate::memory::Memory;
use crate::timers::Timer;

/// Bytes of a `struct bpf_timer`.
const SIZE: usize = 16;
/// Clocks that `bpf_timer_init` takes: `CLOCK_REALTIME`, `CLOCK_MONOTONIC`, `CLOCK_BOOTTIME`.
const CLOCKS: [u64; 3] = [0, 1, 7];
/// `BPF_F_TIMER_ABS`.
const ABSOLUTE: u64 = 1;
/// `BPF_F_TIMER_CPU_PIN`.
const CPU_PIN: u64 = 2;

pub(super) fn init(cpu: &mut Cpu<'_>, [address, handle, flags, ..]: [u64; 5]) -> Run<u64> {
    cpu.state.mem.bytes(address, SIZE)?;
    if !CLOCKS.contains(&flags) {
        return Ok(errno::EINVAL as u64);
    }
    let map = super::map_argument(cpu.state, handle)?;
    if cpu.state.timers.at(address).is_some() {
        return Ok(errno::EBUSY as u64);
    }
    let on = cpu.state.cpu();
    let Some(m) = cpu.state.mem.maps.get_mut(map) else { return Ok(errno::EINVAL as u64) };
    let found = m.keys().into_iter().find_map(|key| {
        let offset = m.lookup(&key, on, false)?;
        let value = Memory::value_address(map, offset);
        (value..value + m.value_size as u64).contains(&address).then_some((key, value))
    });
    let Some((key, value)) = found else { return Err(misuse("a timer that is in no value of the map")) };
    let prog = cpu.state.prog;
    cpu.state.timers.add(Timer { address, map, key, value, callback: None, due: None, started: 0, prog });
    Ok(0)
}

pub(super) fn set_callback(cpu: &mut Cpu<'_>, [address, function, ..]: [u64; 5]) -> Run<u64> {
    let start = super::control::callback(function)?;
    match cpu.state.timers.at(address) {
        Some(t) => {
            t.callback = Some(start);
            Ok(0)
        }
        None => Ok(errno::EINVAL as u64),
    }
}

pub(super) fn start(cpu: &mut Cpu<'_>, [address, ns, flags, ..]: [u64; 5]) -> Run<u64> {
    let ready = cpu.state.timers.at(address).is_some_and(|t| t.callback.is_some());
    if !ready || flags & !(ABSOLUTE | CPU_PIN) != 0 {
        return Ok(errno::EINVAL as u64);
    }
    let now = if flags & ABSOLUTE != 0 { 0 } else { cpu.state.world.clock.monotonic_ns };
    cpu.state.timers.start(address, now.saturating_add(ns));
    Ok(0)
}

pub(super) fn cancel(cpu: &mut Cpu<'_>, [address, ..]: [u64; 5]) -> Run<u64> {
    if cpu.state.timers.firing == Some(address) {
        return Ok(errno::EDEADLK as u64);
    }
    Ok(match cpu.state.timers.at(address) {
        // The function goes too: to start the timer again takes a new one.
        Some(t) => {
            t.callback = None;
            u64::from(t.due.take().is_some())
        }
        None => errno::EINVAL as u64,
    })
}
