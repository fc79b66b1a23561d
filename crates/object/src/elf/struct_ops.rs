//! Structs of operations in a file: libbpf's sections `.struct_ops` and `.struct_ops.link`, whose variables are the
//! structs, with a relocation for every function. Invariant: a relocation names a program of the file.

use object::RelocationFlags;
use object::SectionKind;
use object::SymbolKind;
use object::elf::RelocationType;
use object::write::{Relocation, SectionId};
use whistler_btf::{Kind, Linkage, SecVar, TypeId, TypeKind};
use whistler_diag::Span;

use super::code::Target;
use super::file::File;
use super::functions::Functions;
use super::read::placed_vars;
use super::types::{Types, is_identifier};
use super::write::Writer;
use super::{R_BPF_64_ABS64, STRUCT_OPS, TEXT};
use crate::{Object, ObjectError, StructOps};

/// All of a file.
pub(super) fn read(file: &File<'_>, types: &Types, functions: &Functions) -> Result<Vec<StructOps>, ObjectError> {
    let mut out: Vec<StructOps> = Vec::new();
    for (index, section) in file.sections.iter().enumerate() {
        let Some(registration) = super::registration(section.name).filter(|_| section.size > 0) else { continue };
        let bad = |at: u64, what: String| ObjectError::section(section.name, at, what);
        let first = out.len();
        for var in placed_vars(file, index, &types.own, section.name) {
            let at = var.offset as usize;
            let init = section.bytes.get(at..at + var.size as usize);
            let init = init.ok_or_else(|| bad(var.offset.into(), "a variable reaches past its end".to_string()))?;
            let Ok(t) = types.own.ty(var.var) else { continue };
            let Kind::Var { ty, .. } = t.get() else { continue };
            let ty = types.own.strip(ty).map_err(ObjectError::btf)?;
            if types.own.ty(ty).map_err(ObjectError::btf)?.composite().is_none() {
                return Err(bad(var.offset.into(), format!("`{}` is no struct", t.name)));
            }
            let (name, type_id, init) = (t.name.to_string(), ty.0, init.to_vec());
            out.push(StructOps { name, type_id, init, functions: Vec::new(), registration, span: Span::NONE });
        }
        let places: Vec<SecVar> = placed_vars(file, index, &types.own, section.name);
        for r in &section.relocations {
            let Some(symbol) = file.symbols.get(r.symbol) else { continue };
            let in_program = symbol.section.filter(|s| file.sections.get(*s).is_some_and(|s| s.name != TEXT));
            let named = in_program.and_then(|s| functions.named_at(s, symbol.value));
            let named = named.ok_or_else(|| bad(r.offset, format!("`{}` is no program of the file", symbol.name)))?;
            let holder = places
                .iter()
                .position(|v| (u64::from(v.offset)..u64::from(v.offset) + u64::from(v.size)).contains(&r.offset));
            let Some((holder, place)) = holder.and_then(|i| Some((out.get_mut(first + i)?, places.get(i)?))) else {
                return Err(bad(r.offset, format!("`{named}` is put where there is no struct of operations")));
            };
            holder.functions.push(((r.offset - u64::from(place.offset)) as u32, named.to_string()));
        }
    }
    Ok(out)
}

/// Where each struct of an object lies, in the order of the object.
pub(super) type Places = Vec<(SectionId, u32)>;

/// Writes the sections and their variables.
pub(super) fn write(out: &mut Writer<'_>, object: &Object, types: &mut Types) -> Result<Places, ObjectError> {
    let mut places: Vec<Option<(SectionId, u32)>> = vec![None; object.struct_ops.len()];
    for (section, registration) in STRUCT_OPS {
        let (mut bytes, mut vars, mut here) = (Vec::new(), Vec::new(), Vec::new());
        for (i, def) in object.struct_ops.iter().enumerate().filter(|(_, s)| s.registration == registration) {
            let bad = |what: &str| Err(ObjectError::definition("struct of operations", &def.name, what));
            if !is_identifier(&def.name) {
                return bad("BTF takes only letters, digits and `_` in a name");
            }
            let id = TypeId(def.type_id);
            if types.size_of(id) != u32::try_from(def.init.len()).ok() {
                return bad("its type has another size than its value");
            }
            bytes.resize(bytes.len().next_multiple_of(8), 0);
            let offset = bytes.len() as u32;
            bytes.extend_from_slice(&def.init);
            let var = types.builder.var(&def.name, id, Linkage::Global);
            vars.push(SecVar { var, offset, size: def.init.len() as u32 });
            here.push((i, offset));
        }
        if let Some(old) = types.find(section, TypeKind::Datasec) {
            types.builder.forget(old);
        }
        if vars.is_empty() {
            continue;
        }
        types.builder.datasec(section, bytes.len() as u32, &vars);
        let id = out.section(section, SectionKind::Data, &bytes, 8);
        for (i, offset) in here {
            let def = &object.struct_ops[i];
            out.symbol(&def.name, SymbolKind::Data, id, offset.into(), def.init.len() as u64, true);
            places[i] = Some((id, offset));
        }
    }
    Ok(places.into_iter().flatten().collect())
}

/// Writes a relocation for every function.
pub(super) fn relocate(out: &mut Writer<'_>, object: &Object, places: &Places) -> Result<(), ObjectError> {
    for (def, (section, start)) in object.struct_ops.iter().zip(places) {
        for (at, name) in &def.functions {
            let program = object.program(name).map(|p| p.function.name.as_str());
            let Some(symbol) = program.and_then(|p| out.symbols.get(&Target::Function(p)).copied()) else {
                let what = format!("it names the program `{name}`, which is not in the object");
                return Err(ObjectError::definition("struct of operations", &def.name, what));
            };
            let flags = RelocationFlags::Elf { r_type: RelocationType(R_BPF_64_ABS64) };
            let relocation = Relocation { offset: u64::from(start + at), symbol, addend: 0, flags };
            out.elf.add_relocation(*section, relocation).map_err(|e| ObjectError::NotBpf(e.to_string()))?;
        }
    }
    Ok(())
}
