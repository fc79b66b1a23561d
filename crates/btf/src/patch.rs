//! Writing what a relocation resolved to into the code. Invariant: bytes are the
//! kernel's instruction slots, little-endian; nothing but the relocated fields changes.

use crate::resolve::{CoreError, Resolution};

/// The "helper" a poisoned instruction calls: libbpf's (`bpf_core_poison_insn`), so that readers of logs know it.
pub const POISON_HELPER: i32 = 195_896_080;

/// Code of a call with an immediate.
const CALL: u8 = 0x85;
/// Code of the first slot of a 64-bit immediate load.
const LD_IMM64: u8 = 0x18;
const SIZE_MASK: u8 = 0x18;

/// What was done to the instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Patched {
    /// It holds the target's value now.
    Done,
    /// It can't be executed any more: what it asks for does not exist in the target.
    Poisoned,
}

fn size_code(bytes: u32) -> Option<u8> {
    Some(match bytes {
        8 => 0x18,
        4 => 0x00,
        2 => 0x08,
        1 => 0x10,
        _ => return None,
    })
}

fn size_bytes(code: u8) -> u32 {
    match code & SIZE_MASK {
        0x18 => 8,
        0x00 => 4,
        0x08 => 2,
        _ => 1,
    }
}

/// Applies a resolution to the instruction at a byte offset of `code`.
pub fn apply(code: &mut [u8], at: usize, r: &Resolution) -> Result<Patched, CoreError> {
    let wrong = |why| CoreError::Instruction { at, why };
    let len = if code.get(at) == Some(&LD_IMM64) { 16 } else { 8 };
    let end = at.checked_add(len).ok_or_else(|| wrong("it lies outside the code"))?;
    let insn = code.get_mut(at..end).ok_or_else(|| wrong("it lies outside the code"))?;
    let Some(value) = r.value else {
        poison(insn);
        return Ok(Patched::Poisoned);
    };
    let unexpected = |found: i64| CoreError::Unexpected { at, found, expected: r.orig_value };
    let (head, tail) = insn.split_at_mut(8);
    let &mut [op, regs, off0, off1, i0, i1, i2, i3] = head else { return Err(wrong("it lies outside the code")) };
    match op & 0x07 {
        // Arithmetic with an immediate.
        0x04 | 0x07 => {
            if op & 0x08 != 0 {
                return Err(wrong("it has no immediate"));
            }
            let imm = i32::from_le_bytes([i0, i1, i2, i3]);
            if r.validate && i64::from(imm) as u64 != r.orig_value {
                return Err(unexpected(i64::from(imm)));
            }
            head[4..8].copy_from_slice(&(value as u32).to_le_bytes());
        }
        // Loads and stores.
        0x01..=0x03 => {
            let off = i16::from_le_bytes([off0, off1]);
            if r.validate && i64::from(off) as u64 != r.orig_value {
                return Err(unexpected(i64::from(off)));
            }
            let off = i16::try_from(value).map_err(|_| wrong("the offset does not fit into 16 bits"))?;
            if let Some(mem) = r.mem
                && mem.local != mem.target
            {
                if !mem.safe {
                    poison(insn);
                    return Ok(Patched::Poisoned);
                }
                if size_bytes(op) != mem.local {
                    return Err(wrong("it does not access the whole field, whose size differs in the target"));
                }
                let size =
                    size_code(mem.target).ok_or_else(|| wrong("no access has the field's size in the target"))?;
                head[0] = (op & !SIZE_MASK) | size;
            }
            head[2..4].copy_from_slice(&off.to_le_bytes());
        }
        // 64-bit immediates.
        0x00 => {
            let &mut [op1, regs1, o2, o3, j0, j1, j2, j3] = tail else { return Err(wrong("it is of another kind")) };
            if op != LD_IMM64 || regs >> 4 != 0 || (op1, regs1, o2, o3) != (0, 0, 0, 0) || (off0, off1) != (0, 0) {
                return Err(wrong("it is no plain 64-bit immediate"));
            }
            let imm = u64::from_le_bytes([i0, i1, i2, i3, j0, j1, j2, j3]);
            if r.validate && imm != r.orig_value {
                return Err(unexpected(imm as i64));
            }
            let [a0, a1, a2, a3, b0, b1, b2, b3] = value.to_le_bytes();
            head[4..8].copy_from_slice(&[a0, a1, a2, a3]);
            tail[4..8].copy_from_slice(&[b0, b1, b2, b3]);
        }
        _ => return Err(wrong("it is of another kind")),
    }
    Ok(Patched::Done)
}

fn poison(insn: &mut [u8]) {
    let imm = POISON_HELPER.to_le_bytes();
    for slot in insn.chunks_exact_mut(8) {
        slot.copy_from_slice(&[CALL, 0, 0, 0, imm[0], imm[1], imm[2], imm[3]]);
    }
}
