//! After allocation: `s = …; …; d = s` where `s` is not read afterwards becomes `d = …`, when `d`
//! is free from the one to the other. Invariant: both lie in one block, and nothing in between
//! has its registers fixed (a call's arguments, an exchange's r0).

use whistler_isa::{Reg, op};

use super::phys::{PFunc, PInst, PTerm, bit};
use super::tidy::live_out;

/// Removes such moves.
pub(crate) fn coalesce(f: &mut PFunc) {
    let out = live_out(f);
    for (block, out) in f.blocks.iter_mut().zip(out) {
        let mut n = 0;
        while n < block.insts.len() {
            if let Some((dst, src)) = block.insts[n].as_move()
                && src != 10
                && dst != src
                && !read_later(&block.insts[n + 1..], &block.term, out, src)
                && let Some(start) = definition(&block.insts[..n], dst, src)
            {
                for i in &mut block.insts[start..n] {
                    rename(i, src, dst);
                    i.taken |= bit(dst);
                }
                block.insts[start].stale |= bit(src);
                let gone = block.insts.remove(n).stale;
                match block.insts.get_mut(n) {
                    Some(next) => next.stale |= gone,
                    None => block.stale |= gone,
                }
            } else {
                n += 1;
            }
        }
        block.retain(|i, _| i.as_move().is_none_or(|(d, s)| d != s));
    }
}

fn read_later(rest: &[PInst], term: &PTerm, out: u16, r: Reg) -> bool {
    for i in rest {
        if i.uses() & bit(r) != 0 {
            return true;
        }
        if i.defs() & bit(r) != 0 {
            return false;
        }
    }
    (term.uses() | out) & bit(r) != 0
}

/// Where `src` gets its value, if from there to the end `dst` is free and `src` can be renamed.
fn definition(before: &[PInst], dst: Reg, src: Reg) -> Option<usize> {
    for (n, i) in before.iter().enumerate().rev() {
        let (uses, defs) = (i.uses(), i.defs());
        if (uses | defs) & bit(dst) != 0 && !(defs & bit(src) != 0 && uses & bit(src) == 0 && defs & bit(dst) == 0) {
            return None;
        }
        if (uses | defs) & bit(src) != 0 && !can_rename(i) {
            return None;
        }
        if defs & bit(src) != 0 && uses & bit(src) == 0 {
            return Some(n);
        }
    }
    None
}

fn can_rename(i: &PInst) -> bool {
    let exchanges = i.insn.class() == op::STX && i.insn.code & 0xe0 == op::ATOMIC && i.insn.imm == op::CMPXCHG;
    !i.is_call() && !exchanges
}

fn rename(i: &mut PInst, from: Reg, to: Reg) {
    let names_src = matches!(i.insn.class(), op::LDX | op::STX)
        || (matches!(i.insn.class(), op::ALU | op::ALU64)
            && i.insn.code & op::X != 0
            && !matches!(i.insn.code & 0xf0, op::END | op::NEG));
    if i.insn.dst == from {
        i.insn.dst = to;
    }
    if names_src && i.insn.src == from {
        i.insn.src = to;
    }
}
