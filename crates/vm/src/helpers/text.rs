//! Helpers that make and take apart text.

use crate::errno;
use crate::exec::Cpu;
use crate::fault::Run;
use crate::format::{Strings, format};
use crate::memory::Memory;

/// The most bytes of a formatted line or string argument: `MAX_BPRINTF_BUF` in linux/bpf.h.
const MAX_TEXT: usize = 1024;

/// `%s` may name memory of the kernel or of the process.
struct InMemory<'a>(&'a Memory);

impl Strings for InMemory<'_> {
    fn string(&self, addr: u64) -> Option<Vec<u8>> {
        let mut text = Vec::new();
        while text.len() < MAX_TEXT {
            match *self.raw(addr.wrapping_add(text.len() as u64), 1)?.first()? {
                0 => break,
                b => text.push(b),
            }
        }
        Some(text)
    }

    fn raw(&self, addr: u64, len: usize) -> Option<Vec<u8>> {
        self.0.kernel_bytes(addr, len).or_else(|| self.0.user_bytes(addr, len)).map(<[u8]>::to_vec)
    }
}

/// The format string at an address; its length argument counts the zero.
fn format_text(cpu: &Cpu<'_>, fmt: u64, size: usize) -> Run<Option<Vec<u8>>> {
    let bytes = cpu.state.mem.bytes(fmt, size)?;
    // bpf_bprintf_prepare wants the zero within the size.
    Ok(bytes.iter().position(|b| *b == 0).and_then(|n| bytes.get(..n)).map(<[u8]>::to_vec))
}

fn data_args(cpu: &Cpu<'_>, data: u64, len: u64) -> Run<Option<Vec<u64>>> {
    let len = len as u32 as usize;
    if !len.is_multiple_of(8) || len > 12 * 8 {
        return Ok(None);
    }
    let bytes = cpu.state.mem.bytes(data, len)?;
    Ok(Some(bytes.as_chunks::<8>().0.iter().map(|b| u64::from_le_bytes(*b)).collect()))
}

fn print(cpu: &mut Cpu<'_>, fmt: u64, size: u64, args: &[u64]) -> Run<u64> {
    let Some(fmt) = format_text(cpu, fmt, size as u32 as usize)? else { return Ok(errno::EINVAL as u64) };
    match format(&fmt, args, &InMemory(&cpu.state.mem)) {
        Ok(mut text) => {
            text.truncate(MAX_TEXT - 1);
            let len = text.len() as u64;
            let line = String::from_utf8_lossy(&text);
            cpu.state.printk.push(line.strip_suffix('\n').unwrap_or(&line).to_string());
            Ok(len)
        }
        Err(errno) => Ok(errno as u64),
    }
}

pub(super) fn trace_printk(cpu: &mut Cpu<'_>, [fmt, size, a, b, c]: [u64; 5]) -> Run<u64> {
    print(cpu, fmt, size, &[a, b, c])
}

pub(super) fn trace_vprintk(cpu: &mut Cpu<'_>, [fmt, size, data, len, _]: [u64; 5]) -> Run<u64> {
    match data_args(cpu, data, len)? {
        Some(args) => print(cpu, fmt, size, &args),
        None => Ok(errno::EINVAL as u64),
    }
}

pub(super) fn snprintf(cpu: &mut Cpu<'_>, [to, size, fmt, data, len]: [u64; 5]) -> Run<u64> {
    let size = size as u32 as usize;
    let Some(args) = data_args(cpu, data, len)? else { return Ok(errno::EINVAL as u64) };
    // The format is a constant string without a length of its own.
    let Some(fmt) = InMemory(&cpu.state.mem).string(fmt) else { return Ok(errno::EFAULT as u64) };
    match format(&fmt, &args, &InMemory(&cpu.state.mem)) {
        Ok(text) => {
            let place = cpu.state.mem.bytes_mut(to, size)?;
            let fits = size.saturating_sub(1).min(text.len());
            for (to, from) in place.iter_mut().zip(text.iter().take(fits).chain(&[0])) {
                *to = *from;
            }
            Ok(text.len() as u64 + 1)
        }
        Err(errno) => Ok(errno as u64),
    }
}

pub(super) fn seq_printf(cpu: &mut Cpu<'_>, [_, fmt, size, data, len]: [u64; 5]) -> Run<u64> {
    let Some(args) = data_args(cpu, data, len)? else { return Ok(errno::EINVAL as u64) };
    let Some(fmt) = format_text(cpu, fmt, size as u32 as usize)? else { return Ok(errno::EINVAL as u64) };
    match format(&fmt, &args, &InMemory(&cpu.state.mem)) {
        Ok(text) => {
            cpu.state.seq.extend(text);
            Ok(0)
        }
        Err(errno) => Ok(errno as u64),
    }
}

pub(super) fn seq_write(cpu: &mut Cpu<'_>, [_, data, len, ..]: [u64; 5]) -> Run<u64> {
    let bytes = cpu.state.mem.bytes(data, len as u32 as usize)?.to_vec();
    cpu.state.seq.extend(bytes);
    Ok(0)
}

pub(super) fn strncmp(cpu: &mut Cpu<'_>, [a, size, b, ..]: [u64; 5]) -> Run<u64> {
    let size = size as u32 as usize;
    let first = cpu.state.mem.bytes(a, size)?;
    for (i, x) in first.iter().enumerate() {
        // The second string is a constant; only what the comparison reaches is read.
        let y = cpu.state.mem.bytes(b.wrapping_add(i as u64), 1)?.first().copied().unwrap_or(0);
        if *x != y {
            return Ok(if *x < y { -1i64 as u64 } else { 1 });
        }
        if *x == 0 {
            break;
        }
    }
    Ok(0)
}

/// What `_parse_integer` takes: the value, whether it is negative, and how many bytes were used.
fn parse_integer(cpu: &Cpu<'_>, text: u64, size: u64, flags: u64) -> Run<Result<(u64, bool, usize), i64>> {
    let bytes = cpu.state.mem.bytes(text, usize::try_from(size).unwrap_or(usize::MAX))?;
    let base = flags & 0x1f;
    if bytes.is_empty() || !matches!(base, 0 | 8 | 10 | 16) || flags & !0x1f != 0 {
        return Ok(Err(errno::EINVAL));
    }
    let mut at = bytes.iter().take_while(|b| b.is_ascii_whitespace()).count();
    let negative = bytes.get(at) == Some(&b'-');
    at += usize::from(negative);
    let tail = bytes.get(at..).unwrap_or(&[]);
    let hex = matches!(tail, [b'0', b'x' | b'X', d, ..] if d.is_ascii_hexdigit());
    let base = match base {
        0 if hex => 16,
        0 if tail.first() == Some(&b'0') => 8,
        0 => 10,
        b => b as u32,
    };
    if base == 16 && hex {
        at += 2;
    }
    let mut value = 0u64;
    let start = at;
    while let Some(digit) = bytes.get(at).and_then(|b| char::from(*b).to_digit(base)) {
        let next = value.checked_mul(u64::from(base)).and_then(|v| v.checked_add(u64::from(digit)));
        match next {
            Some(v) => value = v,
            None => return Ok(Err(errno::ERANGE)),
        }
        at += 1;
    }
    Ok(if at == start { Err(errno::EINVAL) } else { Ok((value, negative, at)) })
}

pub(super) fn strtol(cpu: &mut Cpu<'_>, [text, size, flags, to, _]: [u64; 5]) -> Run<u64> {
    let (value, negative, used) = match parse_integer(cpu, text, size, flags)? {
        Ok(parsed) => parsed,
        Err(errno) => return Ok(errno as u64),
    };
    let signed = if negative { 0i64.checked_sub_unsigned(value) } else { i64::try_from(value).ok() };
    let Some(signed) = signed else { return Ok(errno::ERANGE as u64) };
    cpu.state.mem.store(to, signed.to_le_bytes())?;
    Ok(used as u64)
}

pub(super) fn strtoul(cpu: &mut Cpu<'_>, [text, size, flags, to, _]: [u64; 5]) -> Run<u64> {
    match parse_integer(cpu, text, size, flags)? {
        Ok((value, false, used)) => {
            cpu.state.mem.store(to, value.to_le_bytes())?;
            Ok(used as u64)
        }
        Ok((_, true, _)) => Ok(errno::EINVAL as u64),
        Err(errno) => Ok(errno as u64),
    }
}
