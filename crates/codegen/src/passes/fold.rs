//! Arithmetic on known numbers: what the machine would compute.

use crate::ir::{BinOp, Cc, Size, UnOp, Width};

pub(super) fn bin(op: BinOp, w: Width, a: i64, b: i64) -> i64 {
    match w {
        Width::W64 => bin64(op, a, b),
        Width::W32 => i64::from(bin32(op, a as i32, b as i32) as u32),
    }
}

fn bin64(op: BinOp, a: i64, b: i64) -> i64 {
    let (ua, ub) = (a as u64, b as u64);
    match op {
        BinOp::Add => a.wrapping_add(b),
        BinOp::Sub => a.wrapping_sub(b),
        BinOp::Mul => a.wrapping_mul(b),
        BinOp::UDiv => ua.checked_div(ub).unwrap_or(0) as i64,
        BinOp::UMod => ua.checked_rem(ub).unwrap_or(ua) as i64,
        BinOp::SDiv => {
            if b == 0 {
                0
            } else {
                a.wrapping_div(b)
            }
        }
        BinOp::SMod => {
            if b == 0 {
                a
            } else {
                a.wrapping_rem(b)
            }
        }
        BinOp::And => a & b,
        BinOp::Or => a | b,
        BinOp::Xor => a ^ b,
        BinOp::Shl => a << (b & 63),
        BinOp::LShr => (ua >> (b & 63)) as i64,
        BinOp::AShr => a >> (b & 63),
    }
}

fn bin32(op: BinOp, a: i32, b: i32) -> i32 {
    let (ua, ub) = (a as u32, b as u32);
    match op {
        BinOp::Add => a.wrapping_add(b),
        BinOp::Sub => a.wrapping_sub(b),
        BinOp::Mul => a.wrapping_mul(b),
        BinOp::UDiv => ua.checked_div(ub).unwrap_or(0) as i32,
        BinOp::UMod => ua.checked_rem(ub).unwrap_or(ua) as i32,
        BinOp::SDiv => {
            if b == 0 {
                0
            } else {
                a.wrapping_div(b)
            }
        }
        BinOp::SMod => {
            if b == 0 {
                a
            } else {
                a.wrapping_rem(b)
            }
        }
        BinOp::And => a & b,
        BinOp::Or => a | b,
        BinOp::Xor => a ^ b,
        BinOp::Shl => a << (b & 31),
        BinOp::LShr => (ua >> (b & 31)) as i32,
        BinOp::AShr => a >> (b & 31),
    }
}

/// The low bits of that size set.
pub(super) const fn mask(size: Size) -> u64 {
    u64::MAX >> (64 - size.bits())
}

pub(super) fn un(op: UnOp, a: i64) -> i64 {
    match op {
        UnOp::Neg => a.wrapping_neg(),
        UnOp::Zext(s) => (a as u64 & mask(s)) as i64,
        UnOp::Sext(s) => a << (64 - s.bits()) >> (64 - s.bits()),
        UnOp::Bswap(s) => ((a as u64).swap_bytes() >> (64 - s.bits())) as i64,
    }
}

pub(super) fn cmp(cc: Cc, w: Width, a: i64, b: i64) -> bool {
    // Extending by the sign keeps both orders of 32-bit numbers.
    let (a, b) = match w {
        Width::W64 => (a, b),
        Width::W32 => (i64::from(a as i32), i64::from(b as i32)),
    };
    let (ua, ub) = (a as u64, b as u64);
    match cc {
        Cc::Eq => a == b,
        Cc::Ne => a != b,
        Cc::Ult => ua < ub,
        Cc::Ule => ua <= ub,
        Cc::Ugt => ua > ub,
        Cc::Uge => ua >= ub,
        Cc::Slt => a < b,
        Cc::Sle => a <= b,
        Cc::Sgt => a > b,
        Cc::Sge => a >= b,
        Cc::Test => a & b != 0,
    }
}
