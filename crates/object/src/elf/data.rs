//! Where globals lie in a file's data sections. Invariant: a global that *is* a
//! section starts it, single variables follow in the object's order, each aligned.

use std::collections::HashMap;

use whistler_btf::{Kind, Linkage, SecVar, TypeId, TypeKind};

use super::types::{Types, is_identifier};
use super::{DataKind, MAX_DATA, data_kind};
use crate::{Global, Mutability, Object, ObjectError};

/// A data section to be written.
pub(super) struct DataSection {
    pub(super) name: String,
    pub(super) kind: DataKind,
    /// Its bytes; in a `.bss` all zero.
    pub(super) bytes: Vec<u8>,
    pub(super) align: u64,
    pub(super) symbols: Vec<DataSymbol>,
}

/// A variable's symbol.
pub(super) struct DataSymbol {
    pub(super) name: String,
    pub(super) offset: u32,
    pub(super) size: u32,
    pub(super) global: bool,
}

/// All data sections, and each global's section and offset.
pub(super) struct Layout<'a> {
    pub(super) sections: Vec<DataSection>,
    pub(super) places: HashMap<&'a str, (usize, u32)>,
}

/// Lays the globals out and writes their variables and sections into the BTF.
pub(super) fn layout<'a>(object: &'a Object, types: &mut Types) -> Result<Layout<'a>, ObjectError> {
    let mut out = Layout { sections: Vec::new(), places: HashMap::new() };
    let mut vars: Vec<Vec<SecVar>> = Vec::new();
    let (whole, single): (Vec<&Global>, Vec<&Global>) = object.globals.iter().partition(|g| g.section.is_some());
    for g in whole.into_iter().chain(single) {
        let name = section_name(g)?;
        let index = match out.sections.iter().position(|s| s.name == name.0) {
            Some(i) if g.section.is_some() => {
                let what = format!("section `{}` is given by two globals", out.sections[i].name);
                return Err(ObjectError::definition("global", &g.name, what));
            }
            Some(i) => i,
            None => {
                out.sections.push(DataSection {
                    name: name.0.to_string(),
                    kind: name.1,
                    bytes: Vec::new(),
                    align: 1,
                    symbols: Vec::new(),
                });
                vars.push(Vec::new());
                out.sections.len() - 1
            }
        };
        let section = &mut out.sections[index];
        let offset = place(section, g)?;
        if g.section.is_some() {
            section_vars(section, types, &mut vars[index]);
        } else {
            single_var(section, types, g, offset, &mut vars[index])?;
        }
        if out.places.insert(&g.name, (index, offset)).is_some() {
            return Err(ObjectError::definition("global", &g.name, "it is defined twice"));
        }
    }
    for (section, vars) in out.sections.iter().zip(&vars) {
        let size = section.bytes.len() as u32;
        let known = types.find(&section.name, TypeKind::Datasec);
        // The kernel takes no section without variables.
        if vars.is_empty() {
            known.map(|id| types.builder.forget(id));
        } else if let Some(id) = known {
            types.builder.set_datasec(id, size, vars);
        } else {
            types.builder.datasec(&section.name, size, vars);
        }
    }
    Ok(out)
}

fn section_name(g: &Global) -> Result<(&str, DataKind), ObjectError> {
    let bad = |what: String| Err(ObjectError::definition("global", &g.name, what));
    let Some(name) = &g.section else {
        return Ok(match g.mutability {
            Mutability::ReadOnly => (".rodata", DataKind::ReadOnly),
            Mutability::ReadWrite if g.init.iter().all(|b| *b == 0) => (".bss", DataKind::Zero),
            Mutability::ReadWrite => (".data", DataKind::ReadWrite),
        });
    };
    let Some(kind) = data_kind(name) else { return bad(format!("`{name}` is no section for data")) };
    if (kind == DataKind::ReadOnly) != (g.mutability == Mutability::ReadOnly) {
        return bad(format!("it can't be in section `{name}`: one is read-only, the other is not"));
    }
    if kind == DataKind::Zero && g.init.iter().any(|b| *b != 0) {
        return bad(format!("it can't be in section `{name}`: not all its bytes are zero"));
    }
    Ok((name, kind))
}

/// Appends a global's bytes; its offset.
fn place(section: &mut DataSection, g: &Global) -> Result<u32, ObjectError> {
    let align = u64::from(g.align.max(1));
    if !align.is_power_of_two() || align > 4096 {
        return Err(ObjectError::definition("global", &g.name, format!("an alignment of {align} is not possible")));
    }
    let offset = (section.bytes.len() as u64).next_multiple_of(align);
    if offset + g.init.len() as u64 > MAX_DATA {
        let what =
            format!("section `{}` would have more than {MAX_DATA} bytes, more than a map can hold", section.name);
        return Err(ObjectError::definition("global", &g.name, what));
    }
    section.align = section.align.max(align);
    section.bytes.resize(offset as usize, 0);
    section.bytes.extend_from_slice(&g.init);
    Ok(offset as u32)
}

/// The variables that the object's own BTF has for a whole section.
fn section_vars(section: &mut DataSection, types: &mut Types, vars: &mut Vec<SecVar>) {
    let Some(id) = types.find(&section.name, TypeKind::Datasec) else { return };
    let Ok(Kind::Datasec(datasec)) = types.own.ty(id).map(|t| t.get()) else { return };
    for v in datasec.vars() {
        let Ok(var) = types.own.ty(v.var) else { continue };
        let Kind::Var { linkage, .. } = var.get() else { continue };
        let inside = u64::from(v.offset) + u64::from(v.size) <= section.bytes.len() as u64;
        if v.size == 0 || !inside {
            continue;
        }
        vars.push(v);
        section.symbols.push(DataSymbol {
            name: var.name.to_string(),
            offset: v.offset,
            size: v.size,
            global: linkage != Linkage::Static,
        });
    }
}

fn single_var(
    section: &mut DataSection,
    types: &mut Types,
    g: &Global,
    offset: u32,
    vars: &mut Vec<SecVar>,
) -> Result<(), ObjectError> {
    let size = g.init.len() as u32;
    let named = is_identifier(&g.name);
    section.symbols.push(DataSymbol { name: g.name.clone(), offset, size, global: named });
    let mut ty = match g.type_id {
        None => types.bytes(size),
        Some(id) => {
            let found = types.size_of(TypeId(id));
            if found != Some(size) {
                let found = found.map_or("no size".to_string(), |n| format!("{n} bytes"));
                return Err(ObjectError::definition(
                    "global",
                    &g.name,
                    format!("it has {size} bytes, its type {found}"),
                ));
            }
            TypeId(id)
        }
    };
    // BTF knows neither variables without a size nor names that C does not have.
    if size == 0 || !named {
        return Ok(());
    }
    if g.mutability == Mutability::ReadOnly {
        ty = types.builder.const_(ty);
    }
    let var = types.builder.var(&g.name, ty, Linkage::Global);
    vars.push(SecVar { var, offset, size });
    Ok(())
}
