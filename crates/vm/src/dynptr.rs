//! Dynptrs. On the stack a program only has the number of an entry here; the kernel's own layout is nobody's business.
//! Invariant: sixteen zero bytes are the null dynptr.

use crate::errno;
use crate::exec::Cpu;
use crate::fault::{Run, misuse};
use crate::machine::State;
use crate::memory::Memory;

/// Marks the word on the stack as a dynptr of this machine.
const MAGIC: u64 = 0x6479_6e70 << 32;
/// `DYNPTR_MAX_SIZE` in linux/bpf.h.
const MAX_SIZE: u64 = (1 << 24) - 1;

/// Where the bytes are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Base {
    /// At an address: a map's value, a global.
    Memory(u64),
    /// In a record of a ring buffer that must be submitted or discarded.
    Record(u64),
    /// In the packet.
    Packet,
}

/// What a dynptr points to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Dynptr {
    base: Base,
    offset: u64,
    size: u64,
    read_only: bool,
}

fn put(state: &mut State, at: u64, dynptr: Option<Dynptr>) -> Run<()> {
    let word = match dynptr {
        Some(d) => {
            state.dynptrs.push(d);
            MAGIC | state.dynptrs.len() as u64
        }
        None => 0,
    };
    state.mem.store(at, word.to_le_bytes())?;
    state.mem.store(at.wrapping_add(8), [0; 8])
}

/// The number of an entry; `None` for the null dynptr.
fn number(state: &State, at: u64) -> Run<Option<usize>> {
    match u64::from_le_bytes(state.mem.load(at)?) {
        0 => Ok(None),
        w if w & !0xffff_ffff == MAGIC && (w as u32 as usize) <= state.dynptrs.len() => Ok(Some(w as u32 as usize - 1)),
        _ => Err(misuse(format!("there is no dynptr at {at:#x}"))),
    }
}

fn get(state: &State, at: u64) -> Run<Option<Dynptr>> {
    Ok(number(state, at)?.and_then(|n| state.dynptrs.get(n).copied()))
}

/// Where `len` bytes at an offset are, or the error.
fn range(state: &State, d: &Dynptr, offset: u64, len: u64) -> Result<u64, i64> {
    let (offset, len) = (offset as u32 as u64, len as u32 as u64);
    if offset > d.size || len > d.size - offset {
        return Err(errno::E2BIG);
    }
    let at = d.offset + offset;
    Ok(match d.base {
        Base::Memory(a) | Base::Record(a) => a.wrapping_add(at),
        Base::Packet => Memory::packet_address(state.mem.packet.data + at as usize),
    })
}

pub(crate) fn from_mem(cpu: &mut Cpu<'_>, [data, size, flags, to, _]: [u64; 5]) -> Run<u64> {
    let size = size as u32 as u64;
    let error = if size > MAX_SIZE {
        errno::E2BIG
    } else if flags != 0 {
        errno::EINVAL
    } else {
        0
    };
    let made = (error == 0).then_some(Dynptr { base: Base::Memory(data), offset: 0, size, read_only: false });
    if made.is_some() {
        cpu.state.mem.bytes(data, size as usize)?;
    }
    put(cpu.state, to, made)?;
    Ok(error as u64)
}

pub(crate) fn reserve(cpu: &mut Cpu<'_>, [handle, size, flags, to, _]: [u64; 5]) -> Run<u64> {
    let size = size as u32 as u64;
    if flags != 0 || size > MAX_SIZE {
        put(cpu.state, to, None)?;
        return Ok(if flags != 0 { errno::EINVAL } else { errno::E2BIG } as u64);
    }
    match crate::helpers::ring_reserve(cpu, handle, size)? {
        0 => {
            put(cpu.state, to, None)?;
            Ok(errno::EINVAL as u64)
        }
        record => {
            let d = Dynptr { base: Base::Record(record), offset: 0, size, read_only: false };
            put(cpu.state, to, Some(d))?;
            Ok(0)
        }
    }
}

fn end(cpu: &mut Cpu<'_>, at: u64, how: fn(&mut Cpu<'_>, u64) -> Run<u64>) -> Run<u64> {
    match get(cpu.state, at)?.map(|d| d.base) {
        Some(Base::Record(record)) => {
            how(cpu, record)?;
            put(cpu.state, at, None)?;
            Ok(0)
        }
        // A reservation that failed.
        None => Ok(0),
        Some(_) => Err(misuse("this dynptr is no record of a ring buffer")),
    }
}

pub(crate) fn submit(cpu: &mut Cpu<'_>, [at, ..]: [u64; 5]) -> Run<u64> {
    end(cpu, at, |cpu, r| crate::helpers::ring_end(cpu, r, true))
}

pub(crate) fn discard(cpu: &mut Cpu<'_>, [at, ..]: [u64; 5]) -> Run<u64> {
    end(cpu, at, |cpu, r| crate::helpers::ring_end(cpu, r, false))
}

pub(crate) fn read(cpu: &mut Cpu<'_>, [to, len, at, offset, flags]: [u64; 5]) -> Run<u64> {
    let Some(d) = get(cpu.state, at)?.filter(|_| flags == 0) else { return Ok(errno::EINVAL as u64) };
    match range(cpu.state, &d, offset, len) {
        Ok(from) => {
            let bytes = cpu.state.mem.bytes(from, len as u32 as usize)?.to_vec();
            cpu.state.mem.bytes_mut(to, bytes.len())?.copy_from_slice(&bytes);
            Ok(0)
        }
        Err(e) => Ok(e as u64),
    }
}

/// `BPF_F_RECOMPUTE_CSUM | BPF_F_INVALIDATE_HASH`, of which only socket buffers know.
const STORE_FLAGS: u64 = 3;

pub(crate) fn write(cpu: &mut Cpu<'_>, [at, offset, from, len, flags]: [u64; 5]) -> Run<u64> {
    let Some(d) = get(cpu.state, at)?.filter(|d| !d.read_only) else { return Ok(errno::EINVAL as u64) };
    let known = if d.base == Base::Packet && cpu.state.is_skb() { STORE_FLAGS } else { 0 };
    if flags & !known != 0 {
        return Ok(errno::EINVAL as u64);
    }
    match range(cpu.state, &d, offset, len) {
        Ok(to) => {
            let bytes = cpu.state.mem.bytes(from, len as u32 as usize)?.to_vec();
            cpu.state.mem.bytes_mut(to, bytes.len())?.copy_from_slice(&bytes);
            Ok(0)
        }
        Err(e) => Ok(e as u64),
    }
}

/// `bpf_dynptr_data`: not of packets.
pub(crate) fn data(cpu: &mut Cpu<'_>, [at, offset, len, ..]: [u64; 5]) -> Run<u64> {
    let Some(d) = get(cpu.state, at)? else { return Ok(0) };
    if d.base == Base::Packet || d.read_only {
        return Ok(0);
    }
    Ok(range(cpu.state, &d, offset, len).unwrap_or(0))
}

/// `bpf_dynptr_from_skb`, `bpf_dynptr_from_xdp`.
pub(crate) fn from_packet(cpu: &mut Cpu<'_>, [_, flags, to, ..]: [u64; 5]) -> Run<u64> {
    if flags != 0 {
        put(cpu.state, to, None)?;
        return Ok(errno::EINVAL as u64);
    }
    let size = (cpu.state.mem.packet.end - cpu.state.mem.packet.data) as u64;
    let read_only = !cpu.state.mem.packet_writable;
    put(cpu.state, to, Some(Dynptr { base: Base::Packet, offset: 0, size, read_only }))?;
    Ok(0)
}

pub(crate) fn slice(cpu: &mut Cpu<'_>, [at, offset, _, len, _]: [u64; 5]) -> Run<u64> {
    let Some(d) = get(cpu.state, at)? else { return Ok(0) };
    Ok(range(cpu.state, &d, offset, len).unwrap_or(0))
}

pub(crate) fn slice_rdwr(cpu: &mut Cpu<'_>, args: [u64; 5]) -> Run<u64> {
    match get(cpu.state, args[0])? {
        Some(d) if !d.read_only => slice(cpu, args),
        _ => Ok(0),
    }
}

pub(crate) fn adjust(cpu: &mut Cpu<'_>, [at, start, end, ..]: [u64; 5]) -> Run<u64> {
    let (start, end) = (start as u32 as u64, end as u32 as u64);
    let Some(n) = number(cpu.state, at)? else { return Ok(errno::EINVAL as u64) };
    let Some(d) = cpu.state.dynptrs.get_mut(n) else { return Ok(errno::EINVAL as u64) };
    if start > end {
        return Ok(errno::EINVAL as u64);
    }
    if end > d.size {
        return Ok(errno::ERANGE as u64);
    }
    (d.offset, d.size) = (d.offset + start, end - start);
    Ok(0)
}

pub(crate) fn is_null(cpu: &mut Cpu<'_>, [at, ..]: [u64; 5]) -> Run<u64> {
    Ok(u64::from(get(cpu.state, at)?.is_none()))
}

pub(crate) fn is_read_only(cpu: &mut Cpu<'_>, [at, ..]: [u64; 5]) -> Run<u64> {
    Ok(u64::from(get(cpu.state, at)?.is_some_and(|d| d.read_only)))
}

/// `bpf_dynptr_size`, which gives the error as an unsigned number.
pub(crate) fn size(cpu: &mut Cpu<'_>, [at, ..]: [u64; 5]) -> Run<u64> {
    Ok(get(cpu.state, at)?.map_or(u64::from(errno::EINVAL as u32), |d| d.size))
}

pub(crate) fn clone(cpu: &mut Cpu<'_>, [at, to, ..]: [u64; 5]) -> Run<u64> {
    let d = get(cpu.state, at)?;
    put(cpu.state, to, d)?;
    Ok(if d.is_some() { 0 } else { errno::EINVAL as u64 })
}

pub(crate) fn copy(cpu: &mut Cpu<'_>, [to, to_off, from, from_off, len]: [u64; 5]) -> Run<u64> {
    let (Some(d), Some(s)) = (get(cpu.state, to)?, get(cpu.state, from)?) else { return Ok(errno::EINVAL as u64) };
    if d.read_only {
        return Ok(errno::EINVAL as u64);
    }
    match (range(cpu.state, &d, to_off, len), range(cpu.state, &s, from_off, len)) {
        (Ok(to), Ok(from)) => {
            let bytes = cpu.state.mem.bytes(from, len as u32 as usize)?.to_vec();
            cpu.state.mem.bytes_mut(to, bytes.len())?.copy_from_slice(&bytes);
            Ok(0)
        }
        (Err(e), _) | (_, Err(e)) => Ok(e as u64),
    }
}

pub(crate) fn memset(cpu: &mut Cpu<'_>, [at, offset, len, value, _]: [u64; 5]) -> Run<u64> {
    let Some(d) = get(cpu.state, at)?.filter(|d| !d.read_only) else { return Ok(errno::EINVAL as u64) };
    match range(cpu.state, &d, offset, len) {
        Ok(to) => {
            cpu.state.mem.bytes_mut(to, len as u32 as usize)?.fill(value as u8);
            Ok(0)
        }
        Err(e) => Ok(e as u64),
    }
}

/// Reads memory of the kernel or of the process into a dynptr.
fn read_into(cpu: &mut Cpu<'_>, [at, offset, len, from, _]: [u64; 5], user: bool, text: bool) -> Run<u64> {
    let Some(d) = get(cpu.state, at)?.filter(|d| !d.read_only) else { return Ok(errno::EINVAL as u64) };
    let to = match range(cpu.state, &d, offset, len) {
        Ok(to) => to,
        Err(e) => return Ok(e as u64),
    };
    let len = len as u32 as usize;
    let byte = |n: usize| {
        let from = from.wrapping_add(n as u64);
        let found = if user { cpu.state.mem.user_bytes(from, 1) } else { cpu.state.mem.kernel_bytes(from, 1) };
        found.and_then(|b| b.first().copied())
    };
    let mut bytes = Vec::new();
    while bytes.len() < len {
        match byte(bytes.len()) {
            Some(b) => bytes.push(b),
            None => return Ok(errno::EFAULT as u64),
        }
        if text && bytes.last() == Some(&0) {
            break;
        }
    }
    if text && let Some(last) = bytes.last_mut() {
        *last = 0;
    }
    cpu.state.mem.bytes_mut(to, bytes.len())?.copy_from_slice(&bytes);
    Ok(if text { bytes.len() as u64 } else { 0 })
}

pub(crate) fn read_kernel(cpu: &mut Cpu<'_>, args: [u64; 5]) -> Run<u64> {
    read_into(cpu, args, false, false)
}

pub(crate) fn read_user(cpu: &mut Cpu<'_>, args: [u64; 5]) -> Run<u64> {
    read_into(cpu, args, true, false)
}

pub(crate) fn read_kernel_str(cpu: &mut Cpu<'_>, args: [u64; 5]) -> Run<u64> {
    read_into(cpu, args, false, true)
}

pub(crate) fn read_user_str(cpu: &mut Cpu<'_>, args: [u64; 5]) -> Run<u64> {
    read_into(cpu, args, true, true)
}
