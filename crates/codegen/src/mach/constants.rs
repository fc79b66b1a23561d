//! After allocation: constants that are in their register already, because it was just set so on
//! every way, or because a branch said so, are not loaded again. Invariant: only what the verifier
//! sees as the same number counts ([`super::inst::Cond::exact`]).

use whistler_isa::{Insn, Reg, op};

use super::inst::Rhs;
use super::phys::{PBlock, PFunc, PInst, PTerm, bit};
use crate::ir::{Cc, Width};

/// The number that each register is known to hold.
type Known = [Option<i64>; 10];

/// Removes loads of constants into registers that hold them.
pub(crate) fn drop_known(f: &mut PFunc) {
    let entry = at_entry(f);
    for (b, block) in f.blocks.iter_mut().enumerate() {
        let Some(mut known) = entry[b] else { continue };
        block.retain(|i, _| {
            // A copy of a number is a load of it, and the number may then be dead where it was.
            if let Some((dst, src)) = i.as_move()
                && let Some(n) = known.get(src as usize).copied().flatten()
                && let Ok(n) = i32::try_from(n)
            {
                i.insn = Insn::new(op::ALU64 | op::MOV | op::K, dst, 0, 0, n);
            }
            let drop = number(i).is_some_and(|n| known[i.insn.dst as usize] == Some(n));
            step(&mut known, i);
            !drop
        });
    }
}

/// The number an instruction loads.
fn number(i: &PInst) -> Option<i64> {
    if i.core.is_some() || i.sym.is_some() {
        return None;
    }
    match i.insn.code {
        c if c == op::ALU64 | op::MOV | op::K => Some(i64::from(i.insn.imm)),
        c if c == op::ALU | op::MOV | op::K => Some(i64::from(i.insn.imm as u32)),
        op::LD_IMM64 if i.insn.src == 0 => Some(i64::from(i.insn.imm as u32) | i64::from(i.high) << 32),
        _ => None,
    }
}

fn step(known: &mut Known, i: &PInst) {
    let value = match i.as_move() {
        Some((_, src)) => known.get(src as usize).copied().flatten(),
        None => number(i),
    };
    let defs = i.defs();
    for r in (0..10u8).filter(|r| defs & bit(*r) != 0) {
        known[r as usize] = None;
    }
    if let (Some(_), false) = (value, i.is_call())
        && let Some(k) = known.get_mut(i.insn.dst as usize)
        && i.is_pure()
    {
        *k = value;
    }
}

/// What is known where each block begins; `None` for those not reached.
fn at_entry(f: &PFunc) -> Vec<Option<Known>> {
    let mut entry: Vec<Option<Known>> = vec![None; f.blocks.len()];
    if let Some(first) = entry.first_mut() {
        *first = Some([None; 10]);
    }
    let mut work = vec![0];
    while let Some(b) = work.pop() {
        let Some(mut known) = entry[b] else { continue };
        f.blocks[b].insts.iter().for_each(|i| step(&mut known, i));
        for s in f.blocks[b].term.succs() {
            let mut there = known;
            if let Some((r, n)) = learned(&f.blocks[b], s) {
                there[r as usize] = Some(n);
            }
            let met = match entry[s] {
                None => there,
                Some(old) => std::array::from_fn(|r| old[r].filter(|_| old[r] == there[r])),
            };
            if entry[s] != Some(met) {
                entry[s] = Some(met);
                work.push(s);
            }
        }
    }
    entry
}

/// What going from `block` to `succ` says about a register.
fn learned(block: &PBlock, succ: usize) -> Option<(Reg, i64)> {
    match block.term {
        PTerm::Branch { cc: Cc::Eq, width: Width::W64, lhs, rhs: Rhs::Imm(n), exact: true, then, els }
            if then == succ && els != succ =>
        {
            Some((lhs, i64::from(n)))
        }
        PTerm::Branch { cc: Cc::Ne, width: Width::W64, lhs, rhs: Rhs::Imm(n), exact: true, then, els }
            if els == succ && then != succ =>
        {
            Some((lhs, i64::from(n)))
        }
        _ => None,
    }
}
