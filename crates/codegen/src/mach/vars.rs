//! Where source variables live, from what the allocator recorded.

use regalloc2::{Allocation, Output, ProgPoint};
use whistler_isa::Reg;

use super::inst::MFunc;
use super::emit::EDIT;
use super::phys::PFunc;
use crate::code::{VarLoc, VarPlace};
use crate::ir::Function;

/// The variables' places, in order of their first slots. `origins` says for each slot which
/// instruction before allocation it is of.
pub(crate) fn locate(
    f: &Function,
    machine: &MFunc,
    output: &Output,
    phys: &PFunc,
    origins: &[u32],
) -> Vec<VarLoc> {
    // The slots of each instruction lie together.
    let mut slots: Vec<Option<(u32, u32)>> = vec![None; machine.insts.len()];
    for (slot, &origin) in origins.iter().enumerate() {
        if origin != EDIT {
            let slot = slot as u32;
            let range = slots[origin as usize].get_or_insert((slot, slot));
            range.1 = slot + 1;
        }
    }
    let mut vars: Vec<VarLoc> = Vec::new();
    for &(label, from, to, alloc) in &output.debug_locations {
        let Some(name) = machine.named.get(label as usize).and_then(|(_, v)| f.values[v.index()].name.clone()) else {
            continue;
        };
        let Some(place) = place(alloc, machine.frame) else { continue };
        // The value never gets there when the write was removed.
        let lost = |(at, r): &(u32, Reg)| {
            place == VarPlace::Reg(*r) && from.inst().index() as u32 <= *at + 1 && *at <= to.inst().index() as u32
        };
        if phys.lost.iter().any(lost) {
            continue;
        }
        for inst in from.inst().index()..=to.inst().index().min(machine.insts.len().saturating_sub(1)) {
            let before = ProgPoint::before(regalloc2::Inst::new(inst));
            if before < from || before >= to {
                continue;
            }
            if let Some((start, end)) = slots[inst] {
                vars.push(VarLoc { name: name.clone(), start, end, place });
            }
        }
    }
    join(vars, origins)
}

fn place(alloc: Allocation, frame: u32) -> Option<VarPlace> {
    if let Some(r) = alloc.as_reg() {
        return Some(VarPlace::Reg(r.hw_enc() as Reg));
    }
    alloc.as_stack().map(|s| VarPlace::Stack(-(frame as i32) - 8 * (s.index() as i32 + 1)))
}

/// Makes one stay of those that touch, or have only the allocator's own moves between them.
fn join(mut vars: Vec<VarLoc>, origins: &[u32]) -> Vec<VarLoc> {
    let key = |v: &VarLoc| match v.place {
        VarPlace::Reg(r) => i32::from(r),
        VarPlace::Stack(off) => off,
    };
    vars.sort_by(|a, b| (&a.name, key(a), a.start).cmp(&(&b.name, key(b), b.start)));
    let mut joined: Vec<VarLoc> = Vec::new();
    for v in vars {
        if let Some(last) = joined.last_mut()
            && last.name == v.name
            && last.place == v.place
            && (last.end >= v.start || origins[last.end as usize..v.start as usize].iter().all(|o| *o == EDIT))
        {
            last.end = last.end.max(v.end);
        } else {
            joined.push(v);
        }
    }
    joined.sort_by_key(|v| v.start);
    joined
}
