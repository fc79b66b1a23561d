//! Where source variables live, from what the allocator recorded.

use regalloc2::{Allocation, Output, ProgPoint};
use whistler_isa::Reg;

use super::emit::{EDIT, Origin};
use super::inst::MFunc;
use super::phys::{PFunc, bit};
use crate::code::{VarLoc, VarPlace};
use crate::ir::Function;

/// The variables' places, in order of their first slots. `origins` has an entry per slot.
pub(crate) fn locate(f: &Function, machine: &MFunc, output: &Output, phys: &PFunc, origins: &[Origin]) -> Vec<VarLoc> {
    // The slots of each instruction lie together.
    let mut slots: Vec<Option<(u32, u32)>> = vec![None; machine.insts.len()];
    for (slot, origin) in origins.iter().enumerate() {
        if origin.at != EDIT {
            let slot = slot as u32;
            let range = slots[origin.at as usize].get_or_insert((slot, slot));
            range.1 = slot + 1;
        }
    }
    let mut vars: Vec<VarLoc> = Vec::new();
    for &(label, from, to, alloc) in &output.debug_locations {
        let Some((reg, value)) = machine.named.get(label as usize) else { continue };
        let Some(name) = f.values[value.index()].name.clone() else { continue };
        let Some(place) = place(alloc, machine.frame) else { continue };
        let lost_slot = |off: &i16| place == VarPlace::Stack(i32::from(*off));
        if phys.lost_slots.iter().any(lost_slot) {
            continue;
        }
        let mut stay: Option<(u32, u32)> = None;
        let first = from.inst().index();
        let covered = machine.insts.iter().zip(&slots).enumerate().take(to.inst().index() + 1).skip(first);
        for (inst, (machine_inst, slots)) in covered {
            let before = ProgPoint::before(regalloc2::Inst::new(inst));
            // An instruction that writes the register early does not find the value there.
            let defines = |o: &regalloc2::Operand| o.vreg() == *reg && o.kind() == regalloc2::OperandKind::Def;
            if before < from || before >= to || machine.ops(machine_inst).iter().any(defines) {
                continue;
            }
            let Some((start, end)) = *slots else { continue };
            // What made the allocated code better may have removed the write of a register, but
            // only when nobody reads that any more.
            let alive = match place {
                VarPlace::Reg(r) => origins[start as usize..end as usize].iter().all(|o| o.live & bit(r) != 0),
                VarPlace::Stack(_) => true,
            };
            match &mut stay {
                _ if !alive => {}
                Some((_, last)) if *last == start => *last = end,
                _ => {
                    if let Some((start, end)) = stay.replace((start, end)) {
                        vars.push(VarLoc { name: name.clone(), start, end, place });
                    }
                }
            }
        }
        vars.extend(stay.map(|(start, end)| VarLoc { name, start, end, place }));
    }
    join(vars)
}

fn place(alloc: Allocation, frame: u32) -> Option<VarPlace> {
    if let Some(r) = alloc.as_reg() {
        return Some(VarPlace::Reg(r.hw_enc() as Reg));
    }
    alloc.as_stack().map(|s| VarPlace::Stack(-(frame as i32) - 8 * (s.index() as i32 + 1)))
}

/// Makes one stay of those that touch.
fn join(mut vars: Vec<VarLoc>) -> Vec<VarLoc> {
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
            && last.end >= v.start
        {
            last.end = last.end.max(v.end);
        } else {
            joined.push(v);
        }
    }
    joined.sort_by_key(|v| v.start);
    joined
}
