//! Writing. Invariant: the same object gives the same bytes.

use std::collections::HashMap;

use object::elf::RelocationType;
use object::write::{Object as Elf, Relocation, SectionId, Symbol as ElfSymbol, SymbolId, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, RelocationFlags, SectionKind, SymbolFlags, SymbolKind, SymbolScope,
};
use whistler_btf::{BtfExt, Kind, Linkage, SecVar, TypeId, TypeKind};

use super::code::{self, CodeSection, Part, Target};
use super::data::{self, Layout};
use super::types::{Types, is_identifier};
use super::{BTF, BTF_EXT, DataKind, KSYMS, LICENSE, MAPS, TEXT, mapdef};
use crate::elf::lines;
use crate::{Object, ObjectError, Symbol};

/// The object as an ELF file that libbpf, aya and cilium/ebpf load.
///
/// # Errors
/// When the object contradicts itself (a relocation names nothing, a type has another size than what
/// it describes) or says what the format can't: programs with different licences, a map pinned
/// under another name, a kernel function whose prototype is in no BTF.
pub fn write(object: &Object) -> Result<Vec<u8>, ObjectError> {
    let license = license(object)?;
    let mut types = Types::new(&object.btf)?;
    let code = code::sections(object)?;
    let funcs = function_types(&mut types, &code)?;
    let data = data::layout(object, &mut types)?;
    let maps = map_section(object, &mut types)?;
    let externs = externs(object, &mut types)?;
    forget_stale_sections(&mut types, &data);

    let mut out =
        Writer { elf: Elf::new(BinaryFormat::Elf, Architecture::Bpf, Endianness::Little), symbols: HashMap::new() };
    let text: HashMap<&str, Part<'_>> =
        code.iter().filter(|s| s.name == TEXT).flat_map(|s| &s.parts).map(|p| (p.function.name.as_str(), *p)).collect();
    let mut relocations = Vec::new();
    for section in &code {
        let (bytes, relocs) = code::encode(object, section, &text, &data)?;
        let id = out.section(section.name, SectionKind::Text, &bytes, 8);
        if section.name == TEXT {
            let symbol = out.elf.section_symbol(id);
            out.symbols.insert(Target::Text, symbol);
        }
        for part in &section.parts {
            let f = part.function;
            let size = f.insns.len() as u64 * 8;
            let symbol = out.symbol(&f.name, SymbolKind::Text, id, u64::from(part.start) * 8, size, part.global);
            out.symbols.insert(Target::Function(&f.name), symbol);
        }
        relocations.push((id, relocs));
    }
    write_data(&mut out, &data);
    let mut slots = None;
    if !maps.is_empty() {
        let size = maps.iter().map(|m| m.size).sum::<u32>();
        let id = out.section(MAPS, SectionKind::Data, &vec![0; size as usize], 8);
        for m in &maps {
            let symbol = out.symbol(m.name, SymbolKind::Data, id, m.offset.into(), m.size.into(), true);
            out.symbols.insert(Target::Map(m.name), symbol);
        }
        slots = Some(id);
    }
    let ops = super::struct_ops::write(&mut out, object, &mut types)?;
    if let Some(license) = license {
        let bytes = [license.as_bytes(), &[0]].concat();
        let id = out.section(LICENSE, SectionKind::Data, &bytes, 1);
        out.symbol("_license", SymbolKind::Data, id, 0, bytes.len() as u64, true);
    }
    for name in externs {
        let symbol = out.undefined(name);
        out.symbols.insert(Target::Extern(name), symbol);
    }
    for (section, relocs) in relocations {
        for r in relocs {
            // Every target got its symbol above: `code::encode` found it in the same object.
            let Some(&symbol) = out.symbols.get(&r.target) else { continue };
            let flags = RelocationFlags::Elf { r_type: RelocationType(r.r_type) };
            out.elf
                .add_relocation(section, Relocation { offset: r.offset, symbol, addend: 0, flags })
                .map_err(|e| ObjectError::NotBpf(e.to_string()))?;
        }
    }
    super::struct_ops::relocate(&mut out, object, &ops)?;
    if let Some(section) = slots {
        for (map, place) in object.maps.iter().zip(&maps) {
            fill(&mut out, object, map, place, section)?;
        }
    }
    let ext = BtfExt {
        funcs: lines::func_info(&code, &funcs),
        lines: lines::line_info(&code, &mut types.builder),
        core: lines::core_relocations(&code),
    };
    let ext = ext.to_bytes(&mut types.builder);
    let btf = types.builder.to_bytes();
    out.section(BTF, SectionKind::Other, &btf, 8);
    // One without records is an error to some loaders.
    if !code.is_empty() {
        out.section(BTF_EXT, SectionKind::Other, &ext, 8);
    }
    out.elf.write().map_err(|e| ObjectError::NotBpf(e.to_string()))
}

/// The ELF file in the making, and the symbols that relocations need.
pub(super) struct Writer<'a> {
    pub(super) elf: Elf<'static>,
    pub(super) symbols: HashMap<Target<'a>, SymbolId>,
}

impl Writer<'_> {
    pub(super) fn section(&mut self, name: &str, kind: SectionKind, bytes: &[u8], align: u64) -> SectionId {
        let id = self.elf.add_section(Vec::new(), name.into(), kind);
        if kind == SectionKind::UninitializedData {
            self.elf.append_section_bss(id, bytes.len() as u64, align);
        } else {
            self.elf.append_section_data(id, bytes, align);
        }
        id
    }

    pub(super) fn symbol(
        &mut self,
        name: &str,
        kind: SymbolKind,
        section: SectionId,
        value: u64,
        size: u64,
        global: bool,
    ) -> SymbolId {
        // `Dynamic` is what ELF calls global with default visibility.
        let scope = if global { SymbolScope::Dynamic } else { SymbolScope::Compilation };
        self.elf.add_symbol(ElfSymbol {
            name: name.into(),
            value,
            size,
            kind,
            scope,
            weak: false,
            section: SymbolSection::Section(section),
            flags: SymbolFlags::None,
        })
    }

    fn undefined(&mut self, name: &str) -> SymbolId {
        self.elf.add_symbol(ElfSymbol {
            name: name.into(),
            value: 0,
            size: 0,
            kind: SymbolKind::Unknown,
            scope: SymbolScope::Unknown,
            weak: false,
            section: SymbolSection::Undefined,
            flags: SymbolFlags::None,
        })
    }
}

/// The one licence of all programs.
fn license(object: &Object) -> Result<Option<&str>, ObjectError> {
    let Some((first, rest)) = object.programs.split_first() else { return Ok(None) };
    match rest.iter().find(|p| p.license != first.license) {
        None => Ok(Some(&first.license)),
        Some(second) => Err(ObjectError::Licenses {
            first: first.function.name.clone(),
            first_license: first.license.clone(),
            second: second.function.name.clone(),
            second_license: second.license.clone(),
        }),
    }
}

/// The `FUNC` of every function, in the order of the sections; made where there is none.
fn function_types(types: &mut Types, code: &[CodeSection<'_>]) -> Result<Vec<Vec<TypeId>>, ObjectError> {
    let mut all = Vec::new();
    for section in code {
        let mut ids = Vec::new();
        for part in &section.parts {
            let (name, linkage) = (&part.function.name, if part.global { Linkage::Global } else { Linkage::Static });
            ids.push(match part.function.type_id {
                Some(id) if types.is_func(id) => {
                    types.builder.set_linkage(TypeId(id), linkage);
                    TypeId(id)
                }
                Some(id) => {
                    let what = format!("BTF type [{id}] is not that of a function");
                    return Err(ObjectError::definition("program", name, what));
                }
                None if section.name == TEXT => types.subprogram_func(name, linkage),
                None => types.program_func(name),
            });
        }
        all.push(ids);
    }
    Ok(all)
}

fn write_data<'a>(out: &mut Writer<'a>, data: &Layout<'a>) {
    for (i, section) in data.sections.iter().enumerate() {
        let kind = match section.kind {
            DataKind::ReadOnly => SectionKind::ReadOnlyData,
            DataKind::ReadWrite => SectionKind::Data,
            DataKind::Zero => SectionKind::UninitializedData,
        };
        let id = out.section(&section.name, kind, &section.bytes, section.align);
        let symbol = out.elf.section_symbol(id);
        out.symbols.insert(Target::Data(i), symbol);
        for s in &section.symbols {
            out.symbol(&s.name, SymbolKind::Data, id, s.offset.into(), s.size.into(), s.global);
        }
    }
}

/// A map's place in `.maps`.
struct MapPlace<'a> {
    name: &'a str,
    offset: u32,
    size: u32,
}

/// Writes a relocation for everything that lies in a map from the start, behind the map's definition.
fn fill(
    out: &mut Writer<'_>,
    object: &Object,
    map: &crate::Map,
    place: &MapPlace<'_>,
    section: SectionId,
) -> Result<(), ObjectError> {
    let slots = 8 * map.contents.iter().map(|(i, _)| i + 1).max().unwrap_or(0);
    let first = place.offset + place.size - slots;
    for (index, name) in &map.contents {
        let symbol = match map.map_type {
            whistler_isa::MapType::ProgArray => object.program(name).and_then(|p| {
                let name = p.function.name.as_str();
                out.symbols.get(&Target::Function(name)).copied()
            }),
            _ => out.symbols.get(&Target::Map(name)).copied(),
        };
        let Some(symbol) = symbol else {
            let what = format!("`{name}` lies in it from the start, and is not in the object");
            return Err(ObjectError::definition("map", &map.name, what));
        };
        let flags = RelocationFlags::Elf { r_type: RelocationType(super::R_BPF_64_ABS64) };
        let relocation = Relocation { offset: u64::from(first + 8 * index), symbol, addend: 0, flags };
        out.elf.add_relocation(section, relocation).map_err(|e| ObjectError::NotBpf(e.to_string()))?;
    }
    Ok(())
}

/// Writes all maps' definitions into the BTF.
fn map_section<'a>(object: &'a Object, types: &mut Types) -> Result<Vec<MapPlace<'a>>, ObjectError> {
    let (mut places, mut vars, mut offset) = (Vec::new(), Vec::new(), 0);
    for map in &object.maps {
        let bad = |what: &str| Err(ObjectError::definition("map", &map.name, what));
        if !is_identifier(&map.name) {
            return bad("BTF takes only letters, digits and `_` in a name");
        }
        if places.iter().any(|p: &MapPlace<'_>| p.name == map.name) {
            return bad("it is defined twice");
        }
        let (definition, size) = mapdef::encode(types, map)?;
        let var = types.builder.var(&map.name, definition, Linkage::Global);
        vars.push(SecVar { var, offset, size });
        places.push(MapPlace { name: &map.name, offset, size });
        offset += size;
    }
    if let Some(old) = types.find(MAPS, TypeKind::Datasec) {
        types.builder.forget(old);
    }
    if !vars.is_empty() {
        types.builder.datasec(MAPS, offset, &vars);
    }
    Ok(places)
}

/// The kernel's functions and variables that are named, in the order of first use; they are declared in `.ksyms`.
fn externs<'a>(object: &'a Object, types: &mut Types) -> Result<Vec<&'a str>, ObjectError> {
    let mut names: Vec<&str> = Vec::new();
    let mut vars = Vec::new();
    let functions = object.subprograms.iter().chain(object.programs.iter().map(|p| &p.function));
    for (f, r) in functions.flat_map(|f| f.relocations.iter().map(move |r| (f, r))) {
        let (name, found) = match &r.symbol {
            Symbol::Kfunc(name) => {
                let Some(id) = types.find(name, TypeKind::Func) else {
                    let what = format!(
                        "kernel function `{name}` has no prototype in the object's types, so loaders could not check it"
                    );
                    return Err(ObjectError::insn(&f.name, r.insn, what));
                };
                (name, id)
            }
            Symbol::Ksym(name) => {
                let id = types.find(name, TypeKind::Var).unwrap_or_else(|| {
                    // Without a type it is an address and nothing more.
                    let void = types.builder.const_(TypeId::VOID);
                    types.builder.var(name, void, Linkage::Extern)
                });
                (name, id)
            }
            Symbol::Map(_) | Symbol::Global { .. } | Symbol::Subprogram(_) => continue,
        };
        if names.contains(&name.as_str()) {
            continue;
        }
        types.builder.set_linkage(found, Linkage::Extern);
        names.push(name);
        vars.push(SecVar { var: found, offset: 0, size: 0 });
    }
    if let Some(old) = types.find(KSYMS, TypeKind::Datasec) {
        types.builder.forget(old);
    }
    if !vars.is_empty() {
        types.builder.datasec(KSYMS, 0, &vars);
    }
    Ok(names)
}

/// A section of variables that the file does not have would make libbpf refuse it.
fn forget_stale_sections(types: &mut Types, data: &Layout<'_>) {
    let Ok(ids) = types.own.own_ids() else { return };
    for id in ids {
        let Ok(t) = types.own.ty(id) else { continue };
        let kept = matches!(t.name, MAPS | KSYMS)
            || super::registration(t.name).is_some()
            || data.sections.iter().any(|s| s.name == t.name);
        if matches!(t.get(), Kind::Datasec(_)) && !kept {
            types.builder.forget(id);
        }
    }
}
