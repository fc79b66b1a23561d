//! Internet checksums: ones' complement sums over 16-bit words in memory order.

use crate::errno;
use crate::exec::Cpu;
use crate::fault::Run;

const HDR_FIELD_MASK: u64 = 0xf;
const PSEUDO_HDR: u64 = 0x10;
const MARK_MANGLED_0: u64 = 0x20;
const MARK_ENFORCE: u64 = 0x40;
const IPV6: u64 = 0x80;

/// Folds a sum to 16 bits.
fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

/// Folds a sum to 32 bits.
fn fold32(mut sum: u64) -> u32 {
    while sum > u64::from(u32::MAX) {
        sum = (sum & 0xffff_ffff) + (sum >> 32);
    }
    sum as u32
}

/// `csum_partial`: the sum of some 32-bit words and a sum from before.
fn partial(bytes: &[u8], seed: u32) -> u32 {
    let words = bytes.as_chunks::<4>().0.iter().map(|w| u64::from(u32::from_le_bytes(*w)));
    fold32(words.sum::<u64>() + u64::from(seed))
}

/// `bpf_csum_diff`: the folded sum of `seed`, the new bytes and the complement of the old ones.
pub(super) fn diff(cpu: &mut Cpu<'_>, [from, from_size, to, to_size, seed]: [u64; 5]) -> Run<u64> {
    let (from_size, to_size) = (from_size as u32 as usize, to_size as u32 as usize);
    if !from_size.is_multiple_of(4) || !to_size.is_multiple_of(4) {
        return Ok(errno::EINVAL as u64);
    }
    let old = cpu.state.mem.bytes(from, from_size)?;
    let new = cpu.state.mem.bytes(to, to_size)?;
    let seed = seed as u32;
    // One case each, because the two zeros of ones' complement come out as the kernel's do.
    let total = match (from_size, to_size) {
        (0, 0) => seed,
        (0, _) => partial(new, seed),
        (_, 0) => !partial(old, !seed),
        _ => fold32(u64::from(partial(new, seed)) + u64::from(!partial(old, 0))),
    };
    // Kernels since 6.13 fold the result to 16 bits on every architecture.
    Ok(u64::from(fold(u64::from(total))))
}

/// RFC 1624: the checksum after a part of what it covers changed by `delta` (in ones' complement).
fn adjusted(check: u16, delta: u64) -> u16 {
    !fold(u64::from(!check) + delta)
}

/// What the sum changes by, from the `from`, `to` and size arguments; `None` for arguments the kernel refuses.
fn delta(from: u64, to: u64, size: u64) -> Option<u64> {
    match size {
        0 if from == 0 => Some(u64::from(fold(u64::from(to as u32)))),
        2 => Some(u64::from(!(from as u16)) + u64::from(to as u16)),
        4 => Some(u64::from(fold(u64::from(!(from as u32)))) + u64::from(fold(u64::from(to as u32)))),
        _ => None,
    }
}

pub(super) fn l3_replace(cpu: &mut Cpu<'_>, [_, offset, from, to, flags]: [u64; 5]) -> Run<u64> {
    if flags & !HDR_FIELD_MASK != 0 {
        return Ok(errno::EINVAL as u64);
    }
    replace(cpu, offset, from, to, flags)
}

pub(super) fn l4_replace(cpu: &mut Cpu<'_>, [_, offset, from, to, flags]: [u64; 5]) -> Run<u64> {
    if flags & !(HDR_FIELD_MASK | PSEUDO_HDR | MARK_MANGLED_0 | MARK_ENFORCE | IPV6) != 0 {
        return Ok(errno::EINVAL as u64);
    }
    replace(cpu, offset, from, to, flags)
}

fn replace(cpu: &mut Cpu<'_>, offset: u64, from: u64, to: u64, flags: u64) -> Run<u64> {
    let offset = offset as u32 as usize;
    if offset > 0xffff || !offset.is_multiple_of(2) {
        return Ok(errno::EFAULT as u64);
    }
    let packet = &mut cpu.state.mem.packet;
    let at = packet.data + offset;
    if at + 2 > packet.end {
        return Ok(errno::EFAULT as u64);
    }
    let Some([a, b]) = packet.buf.get_mut(at..at + 2) else { return Ok(errno::EFAULT as u64) };
    let check = u16::from_le_bytes([*a, *b]);
    // UDP: 0 means there is no checksum to keep.
    if flags & MARK_MANGLED_0 != 0 && flags & MARK_ENFORCE == 0 && check == 0 {
        return Ok(0);
    }
    let Some(delta) = delta(from, to, flags & HDR_FIELD_MASK) else { return Ok(errno::EINVAL as u64) };
    let mut check = adjusted(check, delta);
    if flags & MARK_MANGLED_0 != 0 && check == 0 {
        check = 0xffff;
    }
    [*a, *b] = check.to_le_bytes();
    Ok(0)
}

/// `bpf_csum_update` touches only a hardware checksum, which simulated packets have not.
pub(super) fn update(_: &mut Cpu<'_>, _: [u64; 5]) -> Run<u64> {
    Ok(crate::errno::EOPNOTSUPP as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(bytes: &[u8]) -> u64 {
        bytes.as_chunks::<2>().0.iter().map(|w| u64::from(u16::from_le_bytes(*w))).sum()
    }

    #[test]
    fn replacing_keeps_a_header_valid() {
        // RFC 1071 header example: the whole sums to 0xffff with its checksum in.
        let mut header = [0x45, 0, 0, 0x73, 0, 0, 0x40, 0, 0x40, 0x11, 0, 0, 192, 168, 0, 1, 192, 168, 0, 199];
        let check = !fold(sum(&header));
        header[10..12].copy_from_slice(&check.to_le_bytes());
        assert_eq!(fold(sum(&header)), 0xffff);
        let old = u32::from_le_bytes([192, 168, 0, 1]);
        let new = u32::from_le_bytes([10, 9, 8, 7]);
        header[12..16].copy_from_slice(&new.to_le_bytes());
        let check = adjusted(check, delta(old.into(), new.into(), 4).unwrap());
        header[10..12].copy_from_slice(&check.to_le_bytes());
        assert_eq!(fold(sum(&header)), 0xffff);
    }
}
