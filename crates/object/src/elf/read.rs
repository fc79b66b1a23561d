//! Reading. Invariant: an [`Object`] that comes out obeys the model's invariants
//! (every name in a relocation is defined or the kernel's), and its BTF is one that the
//! kernel takes: sections have sizes, what the file only declares is gone.

use std::collections::HashMap;

use whistler_btf::{Btf, BtfExt, Kind, Linkage, SecVar, TypeKind};
use whistler_diag::Span;

use super::file::File;
use super::functions::{self, Functions};
use super::types::Types;
use super::{BTF, BTF_EXT, DataKind, KCONFIG, LICENSE, MAPS, MAX_ALL_DATA, MAX_DATA, data_kind, mapdef};
use crate::{Exports, Global, Map, Mutability, Object, ObjectError};

/// An ELF file made by us, by clang or by another compiler as an object.
///
/// Each data section becomes one global, whose `type_id` is the section's `DATASEC` where the file has
/// one. A program in a section whose name is not known has the type [`whistler_isa::ProgType::Unspec`].
///
/// # Errors
/// When the file is malformed, or uses what has no place in an [`Object`]: map definitions of old
/// style (section `maps`), kernel configuration variables.
pub fn read(bytes: &[u8]) -> Result<Object, ObjectError> {
    let file = File::parse(bytes)?;
    refuse_unsupported(&file)?;
    let mut types = Types::new(file.section(BTF).map_or(&[], |s| s.bytes))?;
    let maps = maps(&file, &types)?;
    let globals = globals(&file, &types)?;
    let functions = functions::find(&file)?;
    let ext = match file.section(BTF_EXT) {
        Some(s) if file.section(BTF).is_some() => BtfExt::parse(s.bytes, &types.own).map_err(ObjectError::ext)?,
        _ => BtfExt::default(),
    };
    let config = section_names(&types.own, KCONFIG);
    let license = license(&file)?;
    let struct_ops = super::struct_ops::read(&file, &types, &functions)?;
    let names = functions::Names { maps: &maps, globals: &globals, config: &config };
    let (programs, subprograms) = functions::read(&file, &functions, &names, &ext, &types.own, &license)?;
    clean(&mut types, &file, &functions, &globals);
    let btf = if file.section(BTF).is_some() { types.builder.to_bytes() } else { Vec::new() };
    let maps = maps.into_iter().map(|m| m.map).collect();
    let globals = globals.into_iter().map(|g| g.global).collect();
    Ok(Object { programs, subprograms, maps, globals, struct_ops, btf, exports: Exports::default() })
}

/// A map and where in the file it is defined.
pub(super) struct PlacedMap {
    pub(super) section: usize,
    pub(super) offset: u64,
    /// Bytes of its definition; slots for what it holds lie behind.
    pub(super) definition: u64,
    pub(super) map: Map,
}

/// A data section's global and the section.
pub(super) struct PlacedGlobal {
    pub(super) section: usize,
    pub(super) global: Global,
}

fn refuse_unsupported(file: &File<'_>) -> Result<(), ObjectError> {
    for s in file.sections.iter().filter(|s| s.size > 0) {
        let what = if s.name == "maps" || s.name.starts_with("maps/") {
            "map definitions of the old style (`struct bpf_map_def`) carry no types; define the maps in section `.maps`"
        } else {
            continue;
        };
        return Err(ObjectError::Unsupported { section: s.name.to_string(), what: what.to_string() });
    }
    Ok(())
}

fn license(file: &File<'_>) -> Result<String, ObjectError> {
    let Some(section) = file.section(LICENSE) else { return Ok(String::new()) };
    let text = section.bytes.split(|b| *b == 0).next().unwrap_or_default();
    match std::str::from_utf8(text) {
        Ok(text) => Ok(text.to_string()),
        Err(e) => Err(ObjectError::section(LICENSE, e.valid_up_to() as u64, "the licence is no text")),
    }
}

/// The variables of a section of the BTF, by name.
fn section_vars<'b>(btf: &'b Btf, section: &str) -> Vec<(&'b str, SecVar)> {
    let Ok(Some(id)) = btf.find(section, TypeKind::Datasec) else { return Vec::new() };
    let Ok(Kind::Datasec(d)) = btf.ty(id).map(|t| t.get()) else { return Vec::new() };
    d.vars().filter_map(|v| Some((btf.ty(v.var).ok()?.name, v))).collect()
}

fn section_names(btf: &Btf, section: &str) -> Vec<String> {
    section_vars(btf, section).into_iter().map(|(name, _)| name.to_string()).collect()
}

fn maps(file: &File<'_>, types: &Types) -> Result<Vec<PlacedMap>, ObjectError> {
    let Some(index) = file.sections.iter().position(|s| s.name == MAPS && s.size > 0) else { return Ok(Vec::new()) };
    let defined = section_vars(&types.own, MAPS);
    let mut out: Vec<PlacedMap> = Vec::new();
    for s in file.symbols.iter().filter(|s| s.section == Some(index) && s.kind != object::elf::STT_SECTION) {
        if s.name.is_empty() {
            return Err(ObjectError::section(MAPS, s.value, "a map has no name"));
        }
        let Some((_, var)) = defined.iter().find(|(name, _)| *name == s.name) else {
            return Err(ObjectError::section(MAPS, s.value, format!("map `{}` has no definition in `{BTF}`", s.name)));
        };
        let Ok(Kind::Var { ty, .. }) = types.own.ty(var.var).map(|t| t.get()) else {
            return Err(ObjectError::section(
                MAPS,
                s.value,
                format!("the definition of map `{}` is no variable", s.name),
            ));
        };
        if out.iter().any(|m| m.map.name == s.name || m.offset == s.value) {
            return Err(ObjectError::section(MAPS, s.value, format!("map `{}` is defined twice", s.name)));
        }
        let map = mapdef::decode(&types.own, s.name, ty)?;
        let definition = types.own.size_of(ty).map_or(0, u64::from);
        out.push(PlacedMap { section: index, offset: s.value, definition, map });
    }
    out.sort_by_key(|m| m.offset);
    contents(file, index, &mut out)?;
    Ok(out)
}

/// What lies in maps from the start: a relocation for every slot behind a definition (libbpf:
/// `bpf_object__collect_map_relos`).
fn contents(file: &File<'_>, index: usize, maps: &mut [PlacedMap]) -> Result<(), ObjectError> {
    let Some(section) = file.sections.get(index) else { return Ok(()) };
    for r in &section.relocations {
        let bad = |what: String| Err(ObjectError::section(MAPS, r.offset, what));
        let Some(symbol) = file.symbols.get(r.symbol) else { continue };
        if symbol.kind == object::elf::STT_SECTION || symbol.name.is_empty() {
            return bad("a slot of a map names a section, not a map or program".to_string());
        }
        let name = symbol.name.to_string();
        let Some(map) = maps.iter_mut().rev().find(|m| m.offset <= r.offset) else {
            return bad(format!("`{name}` is put before the first map"));
        };
        let at = r.offset - map.offset;
        let slot = at.checked_sub(map.definition).filter(|b| b % 8 == 0).and_then(|b| u32::try_from(b / 8).ok());
        let Some(slot) = slot.filter(|s| *s < map.map.max_entries) else {
            return bad(format!("`{name}` is put into map `{}` where there is no slot", map.map.name));
        };
        map.map.contents.push((slot, name));
    }
    Ok(())
}

fn globals(file: &File<'_>, types: &Types) -> Result<Vec<PlacedGlobal>, ObjectError> {
    let mut out: Vec<PlacedGlobal> = Vec::new();
    let mut all = 0;
    for (index, s) in file.sections.iter().enumerate() {
        let Some(kind) = data_kind(s.name).filter(|_| s.size > 0 && s.is_allocated() && !s.is_code()) else { continue };
        if s.size > MAX_DATA {
            let what = format!("{} bytes are more than a map can hold ({MAX_DATA})", s.size);
            return Err(ObjectError::section(s.name, None, what));
        }
        all += s.size;
        if all > MAX_ALL_DATA {
            let what = format!("with it, all data sections have {all} bytes, more than are taken ({MAX_ALL_DATA})");
            return Err(ObjectError::section(s.name, None, what));
        }
        if out.iter().any(|g| g.global.name == s.name) {
            return Err(ObjectError::section(s.name, None, "there are two sections of this name"));
        }
        // A section without bytes in the file is all zero, whatever it is called.
        let init = if s.bytes.is_empty() { vec![0; s.size as usize] } else { s.bytes.to_vec() };
        if kind == DataKind::Zero && init.iter().any(|b| *b != 0) {
            return Err(ObjectError::section(s.name, None, "it should be all zero and is not"));
        }
        let align = u32::try_from(s.align).ok().filter(|a| a.is_power_of_two() && *a <= 4096).unwrap_or(8);
        let datasec = types.own.find(s.name, TypeKind::Datasec).ok().flatten();
        let datasec = datasec.filter(|_| !placed_vars(file, index, &types.own, s.name).is_empty());
        out.push(PlacedGlobal {
            section: index,
            global: Global {
                name: s.name.to_string(),
                init,
                align,
                mutability: if kind == DataKind::ReadOnly { Mutability::ReadOnly } else { Mutability::ReadWrite },
                section: Some(s.name.to_string()),
                type_id: datasec.map(|id| id.0),
                span: Span::NONE,
            },
        });
    }
    Ok(out)
}

/// The variables of a section with sizes and offsets filled in (clang leaves both to the loader), in the
/// order of their places and without overlap, as the kernel wants them.
pub(super) fn placed_vars(file: &File<'_>, section: usize, btf: &Btf, name: &str) -> Vec<SecVar> {
    let size = file.sections.get(section).map_or(0, |s| s.size);
    let symbols: HashMap<&str, u64> =
        file.symbols.iter().filter(|s| s.section == Some(section)).map(|s| (s.name, s.value)).collect();
    let mut vars: Vec<SecVar> = section_vars(btf, name)
        .into_iter()
        .filter_map(|(var_name, v)| {
            let var = match btf.ty(v.var).ok()?.get() {
                Kind::Var { ty, .. } => btf.size_of(ty).ok()?,
                _ => return None,
            };
            let offset = match symbols.get(var_name) {
                Some(at) => u32::try_from(*at).ok()?,
                None => v.offset,
            };
            Some(SecVar { var: v.var, offset, size: if v.size == 0 { var } else { v.size } })
        })
        .filter(|v| v.size > 0 && u64::from(v.offset) + u64::from(v.size) <= size)
        .collect();
    vars.sort_by_key(|v| v.offset);
    let mut end = 0;
    vars.retain(|v| {
        let free = v.offset >= end;
        if free {
            end = v.offset + v.size;
        }
        free
    });
    vars
}

/// Makes the file's BTF one that the kernel takes and that says only what the object still is.
fn clean(types: &mut Types, file: &File<'_>, functions: &Functions, globals: &[PlacedGlobal]) {
    let Types { own, builder } = types;
    let Ok(ids) = own.own_ids() else { return };
    for id in ids {
        let Ok(t) = own.ty(id) else { continue };
        match t.get() {
            Kind::Datasec(d) => match globals.iter().find(|g| g.global.type_id == Some(id.0)) {
                Some(g) => {
                    let vars = placed_vars(file, g.section, own, t.name);
                    builder.set_datasec(id, g.global.init.len() as u32, &vars);
                }
                None => {
                    // Maps and what is declared only are no variables of the object.
                    if t.name == MAPS || super::registration(t.name).is_some() {
                        for v in d.vars() {
                            builder.forget(v.var);
                        }
                    }
                    builder.forget(id);
                }
            },
            // The kernel knows no linkage `extern`; what is declared stays as a name with a type.
            Kind::Func { proto, linkage: Linkage::Extern } => {
                builder.name_params(proto, "arg");
                builder.set_linkage(id, Linkage::Global);
            }
            Kind::Func { linkage: Linkage::Global, .. } if functions.is_hidden(t.name) => {
                builder.set_linkage(id, Linkage::Static);
            }
            Kind::Var { ty, linkage: Linkage::Extern } => {
                if own.size_of(ty).is_ok() {
                    builder.set_linkage(id, Linkage::Global);
                } else {
                    builder.forget(id);
                }
            }
            _ => {}
        }
    }
}
