//! Helpers that read the memory of the kernel and of processes. Invariant: an
//! address that is not there is -EFAULT and a zeroed destination; only the
//! destination has to be the program's own.

use crate::errno;
use crate::exec::Cpu;
use crate::fault::Run;

/// Which memory a read may find.
#[derive(Clone, Copy)]
enum From {
    Kernel,
    User,
    Either,
}

fn source<'a>(cpu: &'a Cpu<'_>, from: From, addr: u64, len: usize) -> Option<&'a [u8]> {
    let mem = &cpu.state.mem;
    match from {
        From::Kernel => mem.kernel_bytes(addr, len),
        From::User => mem.user_bytes(addr, len),
        From::Either => mem.kernel_bytes(addr, len).or_else(|| mem.user_bytes(addr, len)),
    }
}

fn read(cpu: &mut Cpu<'_>, from: From, [to, size, addr, ..]: [u64; 5]) -> Run<u64> {
    let size = size as u32 as usize;
    if size == 0 {
        return Ok(0);
    }
    let found = source(cpu, from, addr, size).map(<[u8]>::to_vec);
    let place = cpu.state.mem.bytes_mut(to, size)?;
    match found {
        Some(bytes) => {
            place.copy_from_slice(&bytes);
            Ok(0)
        }
        None => {
            place.fill(0);
            Ok(errno::EFAULT as u64)
        }
    }
}

/// The string's length with its zero; cut to the buffer, always terminated.
fn read_str(cpu: &mut Cpu<'_>, from: From, [to, size, addr, ..]: [u64; 5]) -> Run<u64> {
    let size = size as u32 as usize;
    if size == 0 {
        return Ok(0);
    }
    let mut text = Vec::new();
    let mut fault = false;
    while text.len() + 1 < size {
        match source(cpu, from, addr.wrapping_add(text.len() as u64), 1).and_then(|b| b.first()) {
            Some(0) => break,
            Some(b) => text.push(*b),
            None => {
                fault = true;
                break;
            }
        }
    }
    let place = cpu.state.mem.bytes_mut(to, size)?;
    if fault {
        place.fill(0);
        return Ok(errno::EFAULT as u64);
    }
    text.push(0);
    for (to, from) in place.iter_mut().zip(&text) {
        *to = *from;
    }
    Ok(text.len() as u64)
}

pub(super) fn kernel(cpu: &mut Cpu<'_>, args: [u64; 5]) -> Run<u64> {
    read(cpu, From::Kernel, args)
}

pub(super) fn user(cpu: &mut Cpu<'_>, args: [u64; 5]) -> Run<u64> {
    read(cpu, From::User, args)
}

pub(super) fn either(cpu: &mut Cpu<'_>, args: [u64; 5]) -> Run<u64> {
    read(cpu, From::Either, args)
}

pub(super) fn kernel_str(cpu: &mut Cpu<'_>, args: [u64; 5]) -> Run<u64> {
    read_str(cpu, From::Kernel, args)
}

pub(super) fn user_str(cpu: &mut Cpu<'_>, args: [u64; 5]) -> Run<u64> {
    read_str(cpu, From::User, args)
}

pub(super) fn either_str(cpu: &mut Cpu<'_>, args: [u64; 5]) -> Run<u64> {
    read_str(cpu, From::Either, args)
}

pub(super) fn write_user(cpu: &mut Cpu<'_>, [to, from, size, ..]: [u64; 5]) -> Run<u64> {
    let bytes = cpu.state.mem.bytes(from, size as u32 as usize)?.to_vec();
    match cpu.state.mem.user_bytes_mut(to, bytes.len()) {
        Some(place) => {
            place.copy_from_slice(&bytes);
            Ok(0)
        }
        None => Ok(errno::EPERM as u64),
    }
}

/// Kernel variables are the same on every simulated CPU.
pub(super) fn per_cpu_ptr(cpu: &mut Cpu<'_>, [ptr, on, ..]: [u64; 5]) -> Run<u64> {
    Ok(if (on as u32) < cpu.state.cpus { ptr } else { 0 })
}

pub(super) fn this_cpu_ptr(_: &mut Cpu<'_>, [ptr, ..]: [u64; 5]) -> Run<u64> {
    Ok(ptr)
}

/// `bpf_kptr_xchg`: swaps the pointer in a map value.
pub(super) fn exchange(cpu: &mut Cpu<'_>, [place, new, ..]: [u64; 5]) -> Run<u64> {
    let old = u64::from_le_bytes(cpu.state.mem.load::<8>(place)?);
    cpu.state.mem.store(place, new.to_le_bytes())?;
    Ok(old)
}
