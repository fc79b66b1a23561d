//! `.BTF.ext` of the code that is written: functions, lines, CO-RE relocations.
//! Invariant: every function has a line at its first instruction, if only an empty one: the kernel refuses
//! a program where one function has lines and another has none, cilium/ebpf a file without any.

use whistler_btf::{BtfBuilder, CoreReloc, ExtSection, FuncInfo, LineInfo, StrOff, TypeId};

use super::code::CodeSection;

/// Which function starts where.
pub(super) fn func_info(code: &[CodeSection<'_>], types: &[Vec<TypeId>]) -> Vec<ExtSection<FuncInfo>> {
    code.iter()
        .zip(types)
        .map(|(section, types)| ExtSection {
            name: section.name.to_string(),
            records: section
                .parts
                .iter()
                .zip(types)
                .map(|(part, &type_id)| FuncInfo { insn_off: part.start * 8, type_id })
                .collect(),
        })
        .collect()
}

/// A record wherever the line changes; the texts go into the strings.
pub(super) fn line_info(code: &[CodeSection<'_>], strings: &mut BtfBuilder) -> Vec<ExtSection<LineInfo>> {
    code.iter()
        .map(|section| {
            let mut records = Vec::new();
            for part in &section.parts {
                let f = part.function;
                let mut last = None;
                for slot in 0..f.insns.len() {
                    // The second half of a 64-bit immediate load is no instruction.
                    if slot > 0 && f.insns[slot - 1].is_wide() && f.insns[slot].code == 0 {
                        continue;
                    }
                    let index = match f.locs.get(slot).filter(|i| f.locations.len() > **i as usize) {
                        Some(i) => Some(*i),
                        None if slot == 0 => first_location(f),
                        None => continue,
                    };
                    if slot > 0 && index == last {
                        continue;
                    }
                    last = index;
                    let location = index.and_then(|i| f.locations.get(i as usize));
                    records.push(LineInfo {
                        insn_off: (part.start + slot as u32) * 8,
                        file: location.map_or(StrOff(0), |l| strings.string(&l.file)),
                        text: location.map_or(StrOff(0), |l| strings.string(&l.text)),
                        line: location.map_or(0, |l| l.line),
                        col: location.map_or(0, |l| l.col),
                    });
                }
            }
            ExtSection { name: section.name.to_string(), records }
        })
        .collect()
}

fn first_location(f: &crate::Function) -> Option<u32> {
    f.locs.iter().copied().find(|i| (*i as usize) < f.locations.len())
}

/// All CO-RE relocations, their instructions counted from the section's start.
pub(super) fn core_relocations(code: &[CodeSection<'_>]) -> Vec<ExtSection<CoreReloc>> {
    code.iter()
        .map(|section| {
            let mut records: Vec<CoreReloc> = section
                .parts
                .iter()
                .flat_map(|part| part.function.core.iter().map(move |c| (part.start + c.insn, c)))
                .map(|(slot, c)| CoreReloc { insn_off: slot * 8, ..c.reloc.clone() })
                .collect();
            records.sort_by_key(|r| r.insn_off);
            ExtSection { name: section.name.to_string(), records }
        })
        .collect()
}
