//! Instructions as text, in the kernel's own style. Invariant: every slot has a
//! text that [`crate::asm`] reads back as the same slot; what has no meaning, or has unused fields
//! set, is shown as `.slot` with its bytes.

use crate::helpers;
use crate::insn::{Insn, op};
use std::fmt::Write;

/// Signs of arithmetic, by the upper half of the code: `+` of `r1 += r2`.
pub(crate) const ALU_SIGNS: [(u8, &str); 12] = [
    (op::ADD, "+"),
    (op::SUB, "-"),
    (op::MUL, "*"),
    (op::DIV, "/"),
    (op::OR, "|"),
    (op::AND, "&"),
    (op::LSH, "<<"),
    (op::RSH, ">>"),
    (op::MOD, "%"),
    (op::XOR, "^"),
    (op::MOV, ""),
    (op::ARSH, "s>>"),
];

/// Signs of conditional jumps.
pub(crate) const JMP_SIGNS: [(u8, &str); 11] = [
    (op::JEQ, "=="),
    (op::JNE, "!="),
    (op::JGT, ">"),
    (op::JGE, ">="),
    (op::JLT, "<"),
    (op::JLE, "<="),
    (op::JSGT, "s>"),
    (op::JSGE, "s>="),
    (op::JSLT, "s<"),
    (op::JSLE, "s<="),
    (op::JSET, "&"),
];

/// Atomic read-modify-writes with their sign and their word.
pub(crate) const ATOMICS: [(u8, &str, &str); 4] =
    [(op::ADD, "+=", "add"), (op::AND, "&=", "and"), (op::OR, "|=", "or"), (op::XOR, "^=", "xor")];

/// Names of unsigned memory widths.
pub(crate) const WIDTHS: [(u8, &str, &str); 4] =
    [(op::B, "u8", "s8"), (op::H, "u16", "s16"), (op::W, "u32", "s32"), (op::DW, "u64", "s64")];

/// The text of the instruction that starts with `insn`; `next` is the slot after it, needed for 64-bit immediates.
pub fn one(insn: Insn, next: Option<Insn>) -> String {
    let text = plain(insn, next);
    // What the text does not carry would be lost: then the bytes are shown.
    let slots: &[Insn] = match (insn.is_wide(), next) {
        (true, Some(n)) => &[insn, n],
        _ => &[insn],
    };
    match text {
        Some(t) if crate::asm::line(&t).is_ok_and(|back| back == slots) => t,
        _ => format!(".slot {:#018x}", u64::from_le_bytes(insn.to_bytes())),
    }
}

/// A whole program, one instruction a line, numbered by slots; jump targets get labels.
pub fn program(insns: &[Insn]) -> String {
    let mut targets: Vec<usize> = (0..insns.len()).filter_map(|at| target(insns, at)).collect();
    targets.sort_unstable();
    targets.dedup();
    let mut out = String::new();
    let mut at = 0;
    while let Some(insn) = insns.get(at).copied() {
        if targets.binary_search(&at).is_ok() {
            let _ = writeln!(out, "L{at}:");
        }
        let text = one(insn, insns.get(at + 1).copied());
        let wide = insn.is_wide() && !text.starts_with('.');
        let label = target(insns, at).filter(|t| *t <= insns.len()).map(|t| format!(" <L{t}>")).unwrap_or_default();
        let _ = writeln!(out, "{at:5}: {text}{label}");
        at += if wide { 2 } else { 1 };
    }
    out
}

/// The slot that the jump or call at a slot goes to.
pub fn target(insns: &[Insn], at: usize) -> Option<usize> {
    let i = insns.get(at)?;
    // The second half of a 64-bit immediate has code 0, which is no jump.
    let distance = match (i.class(), i.code & 0xf0) {
        (op::JMP, op::CALL) => (i.src == op::PSEUDO_CALL).then_some(i.imm)?,
        (op::JMP | op::JMP32, op::EXIT | op::CALL) => return None,
        (op::JMP32, op::JA) => i.imm,
        (op::JMP | op::JMP32, _) => i32::from(i.off),
        _ => return None,
    };
    usize::try_from(i64::try_from(at).ok()? + 1 + i64::from(distance)).ok()
}

fn sign<'a>(table: &[(u8, &'a str)], code: u8) -> Option<&'a str> {
    table.iter().find(|(c, _)| *c == code).map(|(_, s)| *s)
}

fn plain(i: Insn, next: Option<Insn>) -> Option<String> {
    match i.class() {
        op::ALU | op::ALU64 => alu(i),
        op::JMP | op::JMP32 => jump(i),
        op::LD => load_special(i, next),
        op::LDX => {
            let (width, signed) = width_of(i)?;
            let ty = match i.code & 0xe0 {
                op::MEM => width,
                op::MEMSX => signed,
                _ => return None,
            };
            Some(format!("r{} = *({ty} *)(r{} {:+})", i.dst, i.src, i.off))
        }
        op::ST => {
            let (width, _) = width_of(i)?;
            (i.code & 0xe0 == op::MEM).then(|| format!("*({width} *)(r{} {:+}) = {}", i.dst, i.off, i.imm))
        }
        _ => store(i),
    }
}

fn width_of(i: Insn) -> Option<(&'static str, &'static str)> {
    WIDTHS.iter().find(|(c, ..)| *c == i.code & 0x18).map(|(_, u, s)| (*u, *s))
}

fn alu(i: Insn) -> Option<String> {
    let wide = i.class() == op::ALU64;
    let r = if wide { 'r' } else { 'w' };
    let d = i.dst;
    match i.code & 0xf0 {
        op::NEG => return Some(format!("{r}{d} = -{r}{d}")),
        op::END => {
            let kind = match (wide, i.code & op::X != 0) {
                (true, false) => "bswap",
                (false, false) => "le",
                (false, true) => "be",
                (true, true) => return None,
            };
            return Some(format!("r{d} = {kind}{} r{d}", i.imm));
        }
        _ => {}
    }
    let code = i.code & 0xf0;
    let mut text = sign(&ALU_SIGNS, code)?.to_owned();
    if i.code & op::X != 0 {
        let s = i.src;
        match (code, i.off) {
            (_, 0) => {}
            (op::DIV | op::MOD, 1) => text.insert(0, 's'),
            (op::MOV, 1) if wide => {
                return Some(format!("r{d} = addr_space_cast(r{s}, {}, {})", i.imm >> 16, i.imm & 0xffff));
            }
            (op::MOV, 8 | 16 | 32) => return Some(format!("{r}{d} = (s{}){r}{s}", i.off)),
            _ => return None,
        }
        return Some(format!("{r}{d} {text}= {r}{s}"));
    }
    match (code, i.off) {
        (_, 0) => {}
        (op::DIV | op::MOD, 1) => text.insert(0, 's'),
        _ => return None,
    }
    Some(format!("{r}{d} {text}= {}", i.imm))
}

fn jump(i: Insn) -> Option<String> {
    let (r, wide) = if i.class() == op::JMP { ('r', true) } else { ('w', false) };
    match i.code & 0xf0 {
        op::JA if wide => return Some(format!("goto {:+}", i.off)),
        op::JA => return Some(format!("gotol {:+}", i.imm)),
        op::JCOND if wide => return Some(format!("may_goto {:+}", i.off)),
        op::EXIT if wide => return Some("exit".to_owned()),
        op::CALL if wide => return call(i),
        _ => {}
    }
    let s = sign(&JMP_SIGNS, i.code & 0xf0)?;
    Some(if i.code & op::X != 0 {
        format!("if {r}{} {s} {r}{} goto {:+}", i.dst, i.src, i.off)
    } else {
        format!("if {r}{} {s} {:#x} goto {:+}", i.dst, i.imm, i.off)
    })
}

fn call(i: Insn) -> Option<String> {
    Some(match i.src {
        0 => match u32::try_from(i.imm).ok().and_then(helpers::by_id) {
            Some(h) => format!("call bpf_{}#{}", h.name, h.id),
            None => format!("call unknown#{}", i.imm),
        },
        op::PSEUDO_CALL => format!("call {:+}", i.imm),
        op::PSEUDO_KFUNC_CALL if i.off == 0 => format!("call kfunc#{}", i.imm),
        op::PSEUDO_KFUNC_CALL => format!("call kfunc#{}:{}", i.imm, i.off),
        _ => return None,
    })
}

fn load_special(i: Insn, next: Option<Insn>) -> Option<String> {
    let d = i.dst;
    if i.is_wide() {
        let low = i.imm as u32;
        let high = next?.imm as u32;
        return Some(match i.src {
            0 => format!("r{d} = {:#x} ll", u64::from(low) | (u64::from(high) << 32)),
            op::PSEUDO_MAP_FD => format!("r{d} = map[fd:{low}]"),
            op::PSEUDO_MAP_VALUE => format!("r{d} = map[fd:{low}][0]+{high}"),
            op::PSEUDO_MAP_IDX => format!("r{d} = map[idx:{low}]"),
            op::PSEUDO_MAP_IDX_VALUE => format!("r{d} = map[idx:{low}][0]+{high}"),
            op::PSEUDO_BTF_ID => format!("r{d} = btf[id:{low} fd:{high}]"),
            op::PSEUDO_FUNC => format!("r{d} = subprog[{:+}]", i.imm),
            _ => return None,
        });
    }
    let (width, _) = width_of(i)?;
    match i.code & 0xe0 {
        op::ABS => Some(format!("r0 = *({width} *)skb[{}]", i.imm)),
        op::IND => Some(format!("r0 = *({width} *)skb[r{} + {}]", i.src, i.imm)),
        _ => None,
    }
}

fn store(i: Insn) -> Option<String> {
    let (width, _) = width_of(i)?;
    let (d, s) = (i.dst, i.src);
    if i.code & 0xe0 == op::MEM {
        return Some(format!("*({width} *)(r{d} {:+}) = r{s}", i.off));
    }
    if i.code & 0xe0 != op::ATOMIC {
        return None;
    }
    let place = format!("({width} *)(r{d} {:+})", i.off);
    match i.imm {
        op::LOAD_ACQ => return Some(format!("r{d} = load_acquire(({width} *)(r{s} {:+}))", i.off)),
        op::STORE_REL => return Some(format!("store_release({place}, r{s})")),
        _ => {}
    }
    let wide = match i.code & 0x18 {
        op::DW => "64",
        op::W => "",
        _ => return None,
    };
    match i.imm {
        op::XCHG => return Some(format!("r{s} = atomic{wide}_xchg({place}, r{s})")),
        op::CMPXCHG => return Some(format!("r0 = atomic{wide}_cmpxchg({place}, r0, r{s})")),
        _ => {}
    }
    let (_, sign, word) = ATOMICS.iter().find(|(c, ..)| i32::from(*c) == i.imm & !op::FETCH)?;
    Some(if i.imm & op::FETCH == 0 {
        format!("lock *{place} {sign} r{s}")
    } else {
        format!("r{s} = atomic{wide}_fetch_{word}({place}, r{s})")
    })
}
