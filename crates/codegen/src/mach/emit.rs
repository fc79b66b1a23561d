//! The last step: blocks to slots. Jumps are as short as they can be; level 4 has a far one.
//! Invariant: every block but the last ends in a jump or falls into the next one it names.

use whistler_isa::{Insn, IsaLevel, Reg, Target, op};

use super::inst::Rhs;
use super::phys::{PFunc, PInst, PTerm, RegSet};
use super::tidy::{live_out, stale_in};
use crate::code::{Code, CodegenError, SymUse};
use crate::ir::{Cc, SrcLoc, Width};

/// The origin of what the allocator put in.
pub(crate) const EDIT: u32 = u32::MAX;

/// What a slot comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    /// The instruction before allocation, or [`EDIT`].
    pub at: u32,
    /// The registers whose content it or a later one reads.
    pub live: RegSet,
}

/// What a slot, or a few, will hold once the distances are known.
#[derive(Clone, Copy, Debug)]
enum Item {
    Inst(PInst),
    /// A conditional jump to a block, and whether it must reach farther than its field.
    Cond(Insn, usize, bool),
    Jump(usize, bool),
    Exit,
}

impl Item {
    fn slots(&self) -> i64 {
        match self {
            Item::Inst(i) => i64::from(i.slots()),
            // if c goto +1; goto +1; gotol target
            Item::Cond(_, _, true) => 3,
            Item::Cond(..) | Item::Jump(..) | Item::Exit => 1,
        }
    }
}

/// The condition as an instruction, if this level has it.
fn encode_cond(isa: IsaLevel, cc: Cc, width: Width, lhs: Reg, rhs: Rhs<Reg>) -> Option<Insn> {
    let less = matches!(cc, Cc::Ult | Cc::Ule | Cc::Slt | Cc::Sle);
    let (cc, lhs, rhs) = match rhs {
        // The base set has only "greater".
        Rhs::Reg(r) if less && isa < IsaLevel::V2 => (cc.swapped(), r, Rhs::Reg(lhs)),
        Rhs::Imm(_) if less && isa < IsaLevel::V2 => return None,
        _ => (cc, lhs, rhs),
    };
    let code = match cc {
        Cc::Eq => op::JEQ,
        Cc::Ne => op::JNE,
        Cc::Ult => op::JLT,
        Cc::Ule => op::JLE,
        Cc::Ugt => op::JGT,
        Cc::Uge => op::JGE,
        Cc::Slt => op::JSLT,
        Cc::Sle => op::JSLE,
        Cc::Sgt => op::JSGT,
        Cc::Sge => op::JSGE,
        Cc::Test => op::JSET,
    };
    let class = if width == Width::W32 { op::JMP32 } else { op::JMP };
    Some(match rhs {
        Rhs::Reg(r) => Insn::new(class | code | op::X, lhs, r, 0, 0),
        Rhs::Imm(n) => Insn::new(class | code | op::K, lhs, 0, 0, n),
    })
}

/// Writes a function out, with what each slot comes from.
pub(crate) fn emit(name: &str, f: &PFunc, target: &Target) -> Result<(Code, Vec<Origin>), CodegenError> {
    let too_large = |what: String| CodegenError::TooLarge { function: name.into(), what };
    let (mut items, mut starts) = (Vec::new(), Vec::with_capacity(f.blocks.len()));
    let (out, stale) = (live_out(f), stale_in(f));
    for (n, block) in f.blocks.iter().enumerate() {
        starts.push(items.len());
        let mut live = out[n] | block.term.uses();
        let last = Origin { at: block.term_at, live };
        items.extend(block.insts.iter().rev().map(|i| {
            live = (live & !i.defs()) | i.uses();
            (Item::Inst(*i), i.loc, Origin { at: if i.edit { EDIT } else { i.at }, live: live & !i.taken })
        }));
        items[starts[n]..].reverse();
        let mut stale = stale[n];
        for ((_, _, origin), i) in items[starts[n]..].iter_mut().zip(&block.insts) {
            stale |= i.stale;
            origin.live &= !stale;
            stale &= !i.defs();
        }
        let last = Origin { live: last.live & !(stale | block.stale), ..last };
        let mut put = |item| items.push((item, block.term_loc, last));
        match block.term {
            PTerm::Exit => put(Item::Exit),
            PTerm::Jump(t) if t == n + 1 => {}
            PTerm::Jump(t) => put(Item::Jump(t, false)),
            PTerm::MayGoto { then, els } => {
                put(Item::Cond(Insn::new(op::JMP | op::JCOND, 0, 0, 0, 0), els, false));
                if then != n + 1 {
                    put(Item::Jump(then, false));
                }
            }
            PTerm::Branch { cc, width, lhs, rhs, then, els, exact: _ } => {
                let yes = encode_cond(target.isa, cc, width, lhs, rhs);
                let no = cc.inverse().and_then(|cc| encode_cond(target.isa, cc, width, lhs, rhs));
                let (insn, to, other) = match (yes, no) {
                    (_, Some(no)) if then == n + 1 => (no, els, then),
                    (Some(yes), _) => (yes, then, els),
                    (None, Some(no)) => (no, els, then),
                    // Every comparison or its inverse is in the base set.
                    (None, None) => return Err(too_large(format!("no instruction compares by {cc:?}"))),
                };
                put(Item::Cond(insn, to, false));
                if other != n + 1 {
                    put(Item::Jump(other, false));
                }
            }
        }
    }

    // Lengthen jumps until all reach; each round lengthens one at least.
    let mut at = vec![0i64; items.len() + 1];
    loop {
        for (i, (item, ..)) in items.iter().enumerate() {
            at[i + 1] = at[i] + item.slots();
        }
        let mut changed = false;
        for i in 0..items.len() {
            let end = at[i + 1];
            if let (Item::Cond(_, to, far @ false) | Item::Jump(to, far @ false), ..) = &mut items[i]
                && i16::try_from(at[starts[*to]] - end).is_err()
            {
                if target.isa < IsaLevel::V4 {
                    return Err(too_large(
                        "a jump in it goes over more than 32767 instructions; instruction set v4 could do that".into(),
                    ));
                }
                *far = true;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }

    let mut origins = Vec::new();
    let mut code = Code { name: name.into(), ..Code::default() };
    for (i, (item, loc, origin)) in items.iter().enumerate() {
        let here = code.insns.len() as u32;
        let end = at[i + 1];
        let near = |to: usize| (at[starts[to]] - end) as i16;
        let gotol = |to: usize| Insn::new(op::JMP32 | op::JA, 0, 0, 0, (at[starts[to]] - end) as i32);
        match *item {
            Item::Inst(inst) => {
                code.insns.push(inst.insn);
                if inst.insn.is_wide() {
                    code.insns.push(Insn::new(0, 0, 0, 0, inst.high));
                }
                code.syms.extend(inst.sym.map(|(sym, offset)| SymUse { insn: here, sym, offset }));
                code.core.extend(inst.core.map(|core| (here, core)));
            }
            Item::Cond(insn, to, false) => code.insns.push(Insn { off: near(to), ..insn }),
            Item::Cond(insn, to, true) => {
                code.insns.push(Insn { off: 1, ..insn });
                code.insns.push(Insn::new(op::JMP | op::JA, 0, 0, 1, 0));
                code.insns.push(gotol(to));
            }
            Item::Jump(to, false) => code.insns.push(Insn::new(op::JMP | op::JA, 0, 0, near(to), 0)),
            Item::Jump(to, true) => code.insns.push(gotol(to)),
            Item::Exit => code.insns.push(Insn::new(op::JMP | op::EXIT, 0, 0, 0, 0)),
        }
        code.locs.resize(code.insns.len(), *loc);
        origins.resize(code.insns.len(), *origin);
    }
    fill_locs(&mut code.locs);
    Ok((code, origins))
}

/// A slot without a source location gets that of the slot before it, the first ones that of the
/// first that has one: moves and constants belong to what they are made for.
fn fill_locs(locs: &mut [SrcLoc]) {
    let mut last = locs.iter().copied().find(|l| *l != SrcLoc::NONE).unwrap_or(SrcLoc::NONE);
    for loc in locs {
        if *loc == SrcLoc::NONE {
            *loc = last;
        }
        last = *loc;
    }
}
