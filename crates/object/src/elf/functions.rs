//! The code of a file that is read: functions, what their instructions name,
//! lines and CO-RE relocations. Invariant: every function starts where a symbol says so and none
//! overlaps another.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use object::elf::{STT_FUNC, STT_SECTION};
use whistler_btf::{Btf, BtfError, BtfExt, CoreReloc, ExtSection, FuncInfo, LineInfo, StrOff, TypeId, TypeKind};
use whistler_diag::Span;
use whistler_isa::{Insn, ProgType, op, sections};

use super::file::{File, Section, Symbol as ElfSymbol};
use super::read::{PlacedGlobal, PlacedMap};
use super::{MAPS, R_BPF_64_32, R_BPF_64_64, TEXT};
use crate::{CoreRelocation, Function, Location, ObjectError, Program, Relocation, Symbol};

/// All functions of a file, by section and start.
pub(super) struct Functions {
    list: Vec<Found>,
    /// Where in `list` the function is that starts at a slot of a section.
    at: HashMap<(usize, u32), usize>,
}

/// A function in its section.
struct Found {
    section: usize,
    /// Its first slot in the section.
    start: u32,
    slots: u32,
    name: String,
    /// The name its symbol has; the same unless two static functions share it.
    symbol: String,
    global: bool,
    hidden: bool,
}

impl Functions {
    /// Whether a function of this name is global to the linker only: its BTF must say static.
    pub(super) fn is_hidden(&self, name: &str) -> bool {
        self.list.iter().any(|f| f.hidden && f.symbol == name)
    }

    /// The name of the function that starts at a byte of a section.
    pub(super) fn named_at(&self, section: usize, byte: u64) -> Option<&str> {
        let slot = byte.is_multiple_of(8).then_some(byte / 8)?;
        self.starting_at(section, slot).map(|f| f.name.as_str())
    }

    fn starting_at(&self, section: usize, slot: u64) -> Option<&Found> {
        self.list.get(*self.at.get(&(section, u32::try_from(slot).ok()?))?)
    }
}

/// What relocations can name besides functions.
pub(super) struct Names<'a> {
    pub(super) maps: &'a [PlacedMap],
    pub(super) globals: &'a [PlacedGlobal],
    /// Names of kernel configuration variables.
    pub(super) config: &'a [String],
}

/// Finds all functions.
pub(super) fn find(file: &File<'_>) -> Result<Functions, ObjectError> {
    let mut list: Vec<Found> = Vec::new();
    for (index, section) in file.sections.iter().enumerate().filter(|(_, s)| s.is_code()) {
        if !section.size.is_multiple_of(8) {
            return Err(ObjectError::section(
                section.name,
                section.size,
                "its length is no multiple of an instruction's 8 bytes",
            ));
        }
        let mut here = Vec::new();
        for s in file.symbols.iter().filter(|s| s.section == Some(index) && s.kind == STT_FUNC) {
            here.push(one(section, index, s)?);
        }
        here.sort_by_key(|f: &Found| f.start);
        if let Some([a, b]) = here.array_windows().find(|[a, b]| b.start < a.start + a.slots) {
            let what = format!("functions `{}` and `{}` overlap", a.name, b.name);
            return Err(ObjectError::section(section.name, u64::from(b.start) * 8, what));
        }
        list.extend(here);
    }
    let mut names: HashSet<String> = HashSet::new();
    for f in &mut list {
        if names.contains(&f.name) {
            if f.global {
                return Err(ObjectError::definition("function", &f.name, "it is defined twice"));
            }
            // Static functions of two files that were linked together may share a name.
            let free = (2u32..).map(|n| format!("{}_{n}", f.name)).find(|n| !names.contains(n));
            f.name = free.unwrap_or_default();
        }
        names.insert(f.name.clone());
    }
    let at = list.iter().enumerate().map(|(i, f)| ((f.section, f.start), i)).collect();
    Ok(Functions { list, at })
}

fn one(section: &Section<'_>, index: usize, s: &ElfSymbol<'_>) -> Result<Found, ObjectError> {
    let bad = |what: String| Err(ObjectError::section(section.name, s.value, what));
    if s.name.is_empty() {
        return bad("a function has no name".into());
    }
    let end = s.value.checked_add(s.size).filter(|end| *end <= section.size);
    if end.is_none() || !s.value.is_multiple_of(8) || !s.size.is_multiple_of(8) {
        return bad(format!(
            "function `{}` ({} bytes) does not lie on whole instructions of the section",
            s.name, s.size
        ));
    }
    if s.size == 0 {
        return bad(format!("function `{}` has no instructions", s.name));
    }
    if s.local && section.name != TEXT {
        return bad(format!("function `{}` is static; only programs can stand in this section", s.name));
    }
    let (Ok(start), Ok(slots)) = (u32::try_from(s.value / 8), u32::try_from(s.size / 8)) else {
        return bad("it is too large".into());
    };
    Ok(Found {
        section: index,
        start,
        slots,
        name: s.name.to_string(),
        symbol: s.name.to_string(),
        global: !s.local,
        hidden: s.hidden && !s.local,
    })
}

/// Reads all functions: programs and subprograms.
pub(super) fn read(
    file: &File<'_>,
    functions: &Functions,
    names: &Names<'_>,
    ext: &BtfExt,
    btf: &Btf,
    license: &str,
) -> Result<(Vec<Program>, Vec<Function>), ObjectError> {
    let mut reader = Reader { file, functions, names, btf, ext: Records::new(file, ext)?, strings: HashMap::new() };
    let (mut programs, mut subprograms) = (Vec::new(), Vec::new());
    let relocations = reader.by_slot()?;
    for f in &functions.list {
        let function = reader.function(f, &relocations)?;
        // `sections[f.section]` exists: `find` made `f` from it.
        let section = file.sections[f.section].name;
        if section == TEXT {
            subprograms.push(function);
            continue;
        }
        let known = sections::parse(section).or_else(|| sections::parse_lenient(section));
        programs.push(Program {
            function,
            section: section.to_string(),
            prog_type: known.map_or(ProgType::Unspec, |k| k.prog()),
            attach_type: known.and_then(|k| k.attach()),
            attach_target: known.and_then(|k| k.target).map(str::to_string),
            license: license.to_string(),
            sleepable: known.is_some_and(|k| k.sleepable()),
        });
    }
    Ok((programs, subprograms))
}

/// `.BTF.ext` by section number and slot, each list sorted by slot.
struct Records<'a> {
    funcs: Table<'a, FuncInfo>,
    lines: Table<'a, LineInfo>,
    core: Table<'a, CoreReloc>,
}

type Table<'a, T> = HashMap<usize, Vec<(u32, &'a T)>>;

impl<'a> Records<'a> {
    fn new(file: &File<'a>, ext: &'a BtfExt) -> Result<Records<'a>, ObjectError> {
        let sections: HashMap<&str, usize> =
            file.sections.iter().enumerate().filter(|(_, s)| s.is_code()).map(|(i, s)| (s.name, i)).collect();
        Ok(Records {
            funcs: table(&sections, &ext.funcs, |r| r.insn_off)?,
            lines: table(&sections, &ext.lines, |r| r.insn_off)?,
            core: table(&sections, &ext.core, |r| r.insn_off)?,
        })
    }
}

fn table<'a, T>(
    sections: &HashMap<&str, usize>,
    list: &'a [ExtSection<T>],
    off: fn(&T) -> u32,
) -> Result<Table<'a, T>, ObjectError> {
    let mut out: Table<'a, T> = HashMap::new();
    for section in list {
        let Some(index) = sections.get(section.name.as_str()) else { continue };
        let records = out.entry(*index).or_default();
        for r in &section.records {
            if !off(r).is_multiple_of(8) {
                let what = format!("a record for section `{}` stands between instructions", section.name);
                return Err(ObjectError::section(super::BTF_EXT, u64::from(off(r)), what));
            }
            records.push((off(r) / 8, r));
        }
    }
    out.values_mut().for_each(|records| records.sort_by_key(|(slot, _)| *slot));
    Ok(out)
}

/// The records of a function, each with its slot in the section.
fn records_of<'a, 't, T>(table: &'t Table<'a, T>, f: &Found) -> &'t [(u32, &'a T)] {
    let Some(all) = table.get(&f.section) else { return &[] };
    let from = all.partition_point(|(slot, _)| *slot < f.start);
    let to = all.partition_point(|(slot, _)| *slot < f.start + f.slots);
    &all[from..to]
}

struct Reader<'a> {
    file: &'a File<'a>,
    functions: &'a Functions,
    names: &'a Names<'a>,
    btf: &'a Btf,
    ext: Records<'a>,
    strings: HashMap<u32, Arc<str>>,
}

/// Relocations by section and slot.
type BySlot = HashMap<(usize, u32), super::file::Relocation>;

impl Reader<'_> {
    fn by_slot(&self) -> Result<BySlot, ObjectError> {
        let mut out = HashMap::new();
        for (index, section) in self.file.sections.iter().enumerate() {
            for r in &section.relocations {
                let slot =
                    u32::try_from(r.offset / 8).ok().filter(|_| r.offset.is_multiple_of(8) && r.offset < section.size);
                let Some(slot) = slot else {
                    return Err(ObjectError::section(section.name, r.offset, "a relocation stands at no instruction"));
                };
                if out.insert((index, slot), *r).is_some() {
                    return Err(ObjectError::section(section.name, r.offset, "an instruction has two relocations"));
                }
            }
        }
        Ok(out)
    }

    fn function(&mut self, f: &Found, relocations: &BySlot) -> Result<Function, ObjectError> {
        let section = &self.file.sections[f.section];
        let bytes = section.bytes.get(f.start as usize * 8..(f.start + f.slots) as usize * 8);
        let mut insns = bytes.and_then(Insn::decode_all).ok_or_else(|| {
            ObjectError::section(section.name, u64::from(f.start) * 8, "the instructions are not in the file")
        })?;
        let mut relocs = Vec::new();
        for slot in 0..f.slots {
            let symbol = match relocations.get(&(f.section, f.start + slot)) {
                Some(r) => Some(self.relocated(section, f, &insns, slot, r)?),
                None => self.local_call(section, f, &insns, slot)?,
            };
            let Some(symbol) = symbol else { continue };
            name_in(&mut insns, slot, &symbol);
            relocs.push(Relocation { insn: slot, symbol });
        }
        let (locations, locs) = self.lines(f)?;
        let funcs = records_of(&self.ext.funcs, f);
        let type_id = funcs.first().filter(|(slot, _)| *slot == f.start).map(|(_, r)| r.type_id);
        if let Some(id) = type_id {
            self.check_func(id)?;
        }
        let mut core = Vec::new();
        for (slot, r) in records_of(&self.ext.core, f) {
            self.btf.ty(r.type_id).map_err(ObjectError::ext)?;
            let insn = slot - f.start;
            core.push(CoreRelocation { insn, reloc: CoreReloc { insn_off: insn * 8, ..(*r).clone() } });
        }
        let global = f.global && !f.hidden;
        Ok(Function {
            name: f.name.clone(),
            insns,
            relocations: relocs,
            core,
            locations,
            locs,
            vars: Vec::new(),
            type_id: type_id.map(|id| id.0),
            global: global && section.name == TEXT,
            span: Span::NONE,
        })
    }

    fn check_func(&self, id: TypeId) -> Result<(), ObjectError> {
        let t = self.btf.ty(id).map_err(ObjectError::ext)?;
        if t.kind() == TypeKind::Func {
            Ok(())
        } else {
            Err(ObjectError::ext(BtfError::WrongKind { id, wanted: "function" }))
        }
    }

    /// What a relocation names.
    fn relocated(
        &self,
        section: &Section<'_>,
        f: &Found,
        insns: &[Insn],
        slot: u32,
        r: &super::file::Relocation,
    ) -> Result<Symbol, ObjectError> {
        let bad = |what: String| Err(ObjectError::section(section.name, r.offset, what));
        // `slot` is one of `f`'s, and `insns` has all of them.
        let insn = insns[slot as usize];
        // `File::parse` checked the number.
        let s = &self.file.symbols[r.symbol];
        let call = insn.code == op::JMP | op::CALL;
        let wide = insn.is_wide() && slot + 1 < f.slots;
        match r.r_type {
            R_BPF_64_64 if wide => {}
            R_BPF_64_32 if call => {}
            R_BPF_64_64 | R_BPF_64_32 => {
                return bad(format!("a relocation against `{}` does not fit the instruction {insn:?}", s.name));
            }
            other => return bad(format!("relocation type {other} against `{}` is not one of instructions", s.name)),
        }
        if s.undefined {
            if s.name.is_empty() {
                return bad("a relocation names nothing".into());
            }
            if self.names.config.iter().any(|c| c == s.name) {
                let what =
                    format!("`{}` is a kernel configuration variable (`__kconfig`), which is not supported", s.name);
                return Err(ObjectError::Unsupported { section: section.name.to_string(), what });
            }
            return Ok(if call { Symbol::Kfunc(s.name.to_string()) } else { Symbol::Ksym(s.name.to_string()) });
        }
        let Some(target) = s.section else { return bad(format!("`{}` is in no section", s.name)) };
        let target_section = &self.file.sections[target];
        let imm = i64::from(insn.imm);
        if target_section.is_code() {
            let byte = if call {
                imm.checked_add(1).and_then(|n| n.checked_mul(8)).and_then(|n| n.checked_add_unsigned(s.value))
            } else {
                imm.checked_add_unsigned(s.value)
            };
            let to = byte.and_then(|b| u64::try_from(b).ok()).filter(|b| b.is_multiple_of(8));
            return match to.and_then(|b| self.functions.starting_at(target, b / 8)) {
                Some(g) if target_section.name == TEXT => Ok(Symbol::Subprogram(g.name.clone())),
                Some(g) => bad(format!("`{}` is a program and can't be called", g.name)),
                None => bad(format!("no function starts where it points to (`{}` and {imm})", s.name)),
            };
        }
        if call {
            return bad(format!("`{}` is no function and can't be called", s.name));
        }
        let addend = if s.kind == STT_SECTION || target_section.name != MAPS { i64::from(insn.imm as u32) } else { 0 };
        let offset = addend.checked_add_unsigned(s.value).unwrap_or(i64::MAX) as u64;
        if target_section.name == MAPS {
            return match self.names.maps.iter().find(|m| m.section == target && m.offset == offset) {
                Some(m) => Ok(Symbol::Map(m.map.name.clone())),
                None => bad(format!("there is no map at byte {offset} of `{MAPS}`")),
            };
        }
        match self.names.globals.iter().find(|g| g.section == target) {
            Some(g) if offset <= g.global.init.len() as u64 => {
                // `MAX_DATA` is far below `u32::MAX`.
                Ok(Symbol::Global { name: g.global.name.clone(), offset: offset as u32 })
            }
            Some(g) => bad(format!("byte {offset} is outside section `{}`", g.global.name)),
            None => bad(format!(
                "section `{}` of `{}` holds nothing that instructions can name",
                target_section.name, s.name
            )),
        }
    }

    /// The subprogram that a call without relocation reaches: one in the same section.
    fn local_call(
        &self,
        section: &Section<'_>,
        f: &Found,
        insns: &[Insn],
        slot: u32,
    ) -> Result<Option<Symbol>, ObjectError> {
        let insn = insns[slot as usize];
        if insn.code != op::JMP | op::CALL || insn.src != op::PSEUDO_CALL {
            return Ok(None);
        }
        let from = i64::from(f.start + slot);
        let to = u64::try_from(from + 1 + i64::from(insn.imm)).ok();
        match to.and_then(|to| self.functions.starting_at(f.section, to)) {
            Some(g) if section.name == TEXT => Ok(Some(Symbol::Subprogram(g.name.clone()))),
            _ => Err(ObjectError::section(section.name, from as u64 * 8, "a call leads to where no subprogram starts")),
        }
    }

    fn lines(&mut self, f: &Found) -> Result<(Vec<Location>, Vec<u32>), ObjectError> {
        let records = records_of(&self.ext.lines, f).to_vec();
        let mut locations: Vec<Location> = Vec::new();
        let mut index: HashMap<(u32, u32, u32, u32), u32> = HashMap::new();
        let mut locs = vec![u32::MAX; f.slots as usize];
        let mut starts: Vec<(usize, u32)> = Vec::new();
        for (slot, r) in records {
            let key = (r.file.0, r.text.0, r.line, r.col);
            let at = match index.get(&key) {
                Some(at) => *at,
                None => {
                    let file = self.string(r.file)?;
                    let text = self.string(r.text)?;
                    locations.push(Location {
                        span: Span::NONE,
                        file,
                        line: r.line,
                        col: r.col,
                        text,
                        expansion: Vec::new(),
                    });
                    let at = locations.len() as u32 - 1;
                    index.insert(key, at);
                    at
                }
            };
            // A record holds until the next one; line 0 without a file says that nothing is known.
            let known = r.line != 0 || r.file.0 != 0;
            starts.push(((slot - f.start) as usize, if known { at } else { u32::MAX }));
        }
        for (i, (slot, at)) in starts.iter().enumerate() {
            let end = starts.get(i + 1).map_or(locs.len(), |next| next.0);
            locs[*slot..end].fill(*at);
        }
        Ok((locations, locs))
    }

    fn string(&mut self, at: StrOff) -> Result<Arc<str>, ObjectError> {
        if let Some(s) = self.strings.get(&at.0) {
            return Ok(s.clone());
        }
        let s: Arc<str> = self.btf.string(at).map_err(ObjectError::ext)?.into();
        self.strings.insert(at.0, s.clone());
        Ok(s)
    }
}

/// Gives an instruction that names something the form it has in every [`crate::Object`] that is read.
fn name_in(insns: &mut [Insn], slot: u32, symbol: &Symbol) {
    let call = !insns[slot as usize].is_wide();
    let src = match symbol {
        Symbol::Map(_) => op::PSEUDO_MAP_FD,
        Symbol::Global { .. } => op::PSEUDO_MAP_VALUE,
        Symbol::Subprogram(_) if call => op::PSEUDO_CALL,
        Symbol::Subprogram(_) => op::PSEUDO_FUNC,
        Symbol::Kfunc(_) => op::PSEUDO_KFUNC_CALL,
        Symbol::Ksym(_) => op::PSEUDO_BTF_ID,
    };
    if let Some(first) = insns.get_mut(slot as usize) {
        (first.src, first.off, first.imm) = (src, 0, 0);
    }
    if !call && let Some(second) = insns.get_mut(slot as usize + 1) {
        second.imm = 0;
    }
}
