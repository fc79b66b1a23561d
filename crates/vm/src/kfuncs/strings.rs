//! Strings of the kernel (`bpf_str…` in kernel/bpf/helpers.c): any address may be given, and what can't be read is an
//! error. Invariant: positions count from 0, and what is not found is `-ENOENT`.

use crate::errno;
use crate::exec::Cpu;
use crate::fault::Run;

/// `XATTR_SIZE_MAX`, how far the kernel looks.
const LIMIT: u64 = 65536;

/// A byte, or the error that reading it gives.
fn byte(cpu: &Cpu<'_>, at: u64, n: u64) -> Result<u8, i64> {
    let at = at.wrapping_add(n);
    let mem = &cpu.state.mem;
    let found = mem.bytes(at, 1).ok().or_else(|| mem.kernel_bytes(at, 1));
    found.and_then(|b| b.first().copied()).ok_or(errno::EFAULT)
}

fn done(r: Result<i64, i64>) -> Run<u64> {
    let (Ok(n) | Err(n)) = r;
    Ok(n as u64)
}

fn compare(cpu: &Cpu<'_>, a: u64, b: u64, fold: fn(u8) -> u8) -> Result<i64, i64> {
    for i in 0..LIMIT {
        let (x, y) = (fold(byte(cpu, a, i)?), fold(byte(cpu, b, i)?));
        if x != y {
            return Ok(if x < y { -1 } else { 1 });
        }
        if x == 0 {
            return Ok(0);
        }
    }
    Err(errno::E2BIG)
}

pub(super) fn strcmp(cpu: &mut Cpu<'_>, [a, b, ..]: [u64; 5]) -> Run<u64> {
    done(compare(cpu, a, b, |x| x))
}

pub(super) fn strcasecmp(cpu: &mut Cpu<'_>, [a, b, ..]: [u64; 5]) -> Run<u64> {
    done(compare(cpu, a, b, |x| x.to_ascii_lowercase()))
}

fn find(cpu: &Cpu<'_>, s: u64, count: u64, c: u8) -> Result<i64, i64> {
    for i in 0..count.min(LIMIT) {
        match byte(cpu, s, i)? {
            b if b == c => return Ok(i as i64),
            0 => return Err(errno::ENOENT),
            _ => {}
        }
    }
    Err(if count > LIMIT { errno::E2BIG } else { errno::ENOENT })
}

pub(super) fn strchr(cpu: &mut Cpu<'_>, [s, c, ..]: [u64; 5]) -> Run<u64> {
    done(find(cpu, s, LIMIT, c as u8))
}

pub(super) fn strnchr(cpu: &mut Cpu<'_>, [s, count, c, ..]: [u64; 5]) -> Run<u64> {
    done(find(cpu, s, count, c as u8))
}

pub(super) fn strchrnul(cpu: &mut Cpu<'_>, [s, c, ..]: [u64; 5]) -> Run<u64> {
    let found = (0..LIMIT).find_map(|i| match byte(cpu, s, i) {
        Ok(b) if b == c as u8 || b == 0 => Some(Ok(i as i64)),
        Ok(_) => None,
        Err(e) => Some(Err(e)),
    });
    done(found.unwrap_or(Err(errno::E2BIG)))
}

pub(super) fn strrchr(cpu: &mut Cpu<'_>, [s, c, ..]: [u64; 5]) -> Run<u64> {
    let mut last = errno::ENOENT;
    for i in 0..LIMIT {
        match byte(cpu, s, i) {
            Ok(b) => {
                if b == c as u8 {
                    last = i as i64;
                }
                if b == 0 {
                    return Ok(last as u64);
                }
            }
            Err(e) => return Ok(e as u64),
        }
    }
    Ok(errno::E2BIG as u64)
}

fn length(cpu: &Cpu<'_>, s: u64, count: u64) -> Result<i64, i64> {
    for i in 0..count.min(LIMIT) {
        if byte(cpu, s, i)? == 0 {
            return Ok(i as i64);
        }
    }
    if count < LIMIT { Ok(count as i64) } else { Err(errno::E2BIG) }
}

pub(super) fn strlen(cpu: &mut Cpu<'_>, [s, ..]: [u64; 5]) -> Run<u64> {
    done(length(cpu, s, LIMIT))
}

pub(super) fn strnlen(cpu: &mut Cpu<'_>, [s, count, ..]: [u64; 5]) -> Run<u64> {
    done(length(cpu, s, count))
}

/// How many bytes from the start are (or are not) among others.
fn span(cpu: &Cpu<'_>, s: u64, set: u64, among: bool) -> Result<i64, i64> {
    for i in 0..LIMIT {
        let c = byte(cpu, s, i)?;
        if c == 0 {
            return Ok(i as i64);
        }
        let mut found = false;
        for j in 0..LIMIT {
            match byte(cpu, set, j)? {
                0 => break,
                b => found |= b == c,
            }
        }
        if found != among {
            return Ok(i as i64);
        }
    }
    Err(errno::E2BIG)
}

pub(super) fn strspn(cpu: &mut Cpu<'_>, [s, accept, ..]: [u64; 5]) -> Run<u64> {
    done(span(cpu, s, accept, true))
}

pub(super) fn strcspn(cpu: &mut Cpu<'_>, [s, reject, ..]: [u64; 5]) -> Run<u64> {
    done(span(cpu, s, reject, false))
}

fn search(cpu: &Cpu<'_>, a: u64, b: u64, len: u64) -> Result<i64, i64> {
    for i in 0..LIMIT {
        for j in 0..LIMIT {
            let y = byte(cpu, b, j)?;
            if y == 0 {
                return Ok(i as i64);
            }
            if i + j == len {
                return Err(errno::ENOENT);
            }
            let x = byte(cpu, a, i + j)?;
            if x == 0 {
                return Err(errno::ENOENT);
            }
            if x != y {
                break;
            }
        }
    }
    Err(errno::E2BIG)
}

pub(super) fn strstr(cpu: &mut Cpu<'_>, [a, b, ..]: [u64; 5]) -> Run<u64> {
    done(search(cpu, a, b, LIMIT))
}

pub(super) fn strnstr(cpu: &mut Cpu<'_>, [a, b, len, ..]: [u64; 5]) -> Run<u64> {
    done(search(cpu, a, b, len))
}

/// `bpf_copy_from_user_str`: the bytes copied, the zero included.
pub(super) fn copy_from_user(cpu: &mut Cpu<'_>, [to, size, from, flags, _]: [u64; 5]) -> Run<u64> {
    /// `BPF_F_PAD_ZEROS`
    const PAD_ZEROS: u64 = 1;
    let size = size as u32 as usize;
    if flags & !PAD_ZEROS != 0 {
        return Ok(errno::EINVAL as u64);
    }
    if size == 0 {
        return Ok(0);
    }
    let mut text = Vec::new();
    while text.len() < size - 1 {
        match cpu.state.mem.user_bytes(from.wrapping_add(text.len() as u64), 1).and_then(|b| b.first().copied()) {
            Some(0) => break,
            Some(b) => text.push(b),
            None => {
                if flags & PAD_ZEROS != 0 {
                    cpu.state.mem.bytes_mut(to, size)?.fill(0);
                }
                return Ok(errno::EFAULT as u64);
            }
        }
    }
    let place = cpu.state.mem.bytes_mut(to, size)?;
    place[..text.len()].copy_from_slice(&text);
    if flags & PAD_ZEROS != 0 {
        place[text.len()..].fill(0);
    } else {
        place[text.len()] = 0;
    }
    Ok(text.len() as u64 + 1)
}
