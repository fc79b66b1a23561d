//! Before allocation: a 64-bit immediate made twice in a block is made once, as long as no call
//! lies between (over a call it would need a register that survives, and making it anew costs less).

use regalloc2::{Operand, OperandKind, RegClass};
use rustc_hash::FxHashMap;

use super::inst::{MFunc, MOp, VReg};
use crate::ir::Sym;

/// What makes two wide immediates the same.
type Key = (u8, u64, Option<(Sym, i32)>);

/// Shares them.
pub(crate) fn share_wide(f: &mut MFunc) {
    let mut instead: FxHashMap<VReg, VReg> = FxHashMap::default();
    let mut insts = Vec::with_capacity(f.insts.len());
    for b in 0..f.blocks.len() {
        let mut made: FxHashMap<Key, VReg> = FxHashMap::default();
        let (start, end) = (f.blocks[b].start as usize, f.blocks[b].end as usize);
        f.blocks[b].start = insts.len() as u32;
        for inst in &f.insts[start..end] {
            if let MOp::Wide { src, imm, sym, core: None } = inst.op {
                let dst = f.operands[inst.first as usize].vreg();
                if let Some(first) = made.get(&(src, imm, sym)) {
                    instead.insert(dst, *first);
                    continue;
                }
                made.insert((src, imm, sym), dst);
            }
            if inst.is_call() {
                made.clear();
            }
            insts.push(*inst);
        }
        f.blocks[b].end = insts.len() as u32;
    }
    f.insts = insts;
    if instead.is_empty() {
        return;
    }
    for o in &mut f.operands {
        if o.kind() == OperandKind::Use
            && let Some(v) = instead.get(&o.vreg())
        {
            *o = Operand::new(VReg::new(v.vreg(), RegClass::Int), o.constraint(), OperandKind::Use, o.pos());
        }
    }
    for args in f.blocks.iter_mut().flat_map(|b| &mut b.args) {
        for a in args {
            if let Some(v) = instead.get(a) {
                *a = *v;
            }
        }
    }
}
