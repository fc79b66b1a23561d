//! Functions laid out in code sections, and their instructions as a file has
//! them. Invariant: what names something has a relocation against a symbol, and its
//! immediate is what clang would write there.

use std::collections::HashMap;

use whistler_isa::{Insn, op};

use super::data::Layout;
use super::{R_BPF_64_32, R_BPF_64_64, TEXT};
use crate::{Function, Object, ObjectError, Symbol};

/// A code section to be written.
pub(super) struct CodeSection<'a> {
    pub(super) name: &'a str,
    pub(super) parts: Vec<Part<'a>>,
    /// Number of slots.
    pub(super) slots: u32,
}

/// A function in its section.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) function: &'a Function,
    /// Its first slot in the section.
    pub(super) start: u32,
    /// Whether its symbol is seen from other files: programs and global subprograms.
    pub(super) global: bool,
}

/// What a relocation points to.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum Target<'a> {
    /// The section `.text` as a whole.
    Text,
    /// A global subprogram.
    Function(&'a str),
    Map(&'a str),
    /// A data section as a whole, by its index in the layout.
    Data(usize),
    /// A name that the kernel has.
    Extern(&'a str),
}

/// A relocation of a code section.
pub(super) struct Reloc<'a> {
    /// In bytes from the section's start.
    pub(super) offset: u64,
    pub(super) r_type: u32,
    pub(super) target: Target<'a>,
}

/// Puts subprograms into `.text` and programs into their sections.
pub(super) fn sections(object: &Object) -> Result<Vec<CodeSection<'_>>, ObjectError> {
    let mut out: Vec<CodeSection<'_>> = Vec::new();
    for f in &object.subprograms {
        push(&mut out, TEXT, f, f.global, "subprogram")?;
    }
    for p in &object.programs {
        let bad = |what: String| Err(ObjectError::definition("program", &p.function.name, what));
        let name = p.section.as_str();
        let special = name.is_empty() || name.starts_with('.') || name.contains('\0');
        if special || matches!(name, "license" | "version" | "maps") {
            return bad(format!("`{name}` is no section for programs"));
        }
        push(&mut out, name, &p.function, true, "program")?;
    }
    let mut names: HashMap<&str, ()> = HashMap::new();
    for part in out.iter().flat_map(|s| &s.parts) {
        if names.insert(&part.function.name, ()).is_some() {
            return Err(ObjectError::definition("program", &part.function.name, "two functions have this name"));
        }
    }
    Ok(out)
}

fn push<'a>(
    out: &mut Vec<CodeSection<'a>>,
    name: &'a str,
    function: &'a Function,
    global: bool,
    kind: &'static str,
) -> Result<(), ObjectError> {
    if function.insns.is_empty() {
        return Err(ObjectError::definition(kind, &function.name, "it has no instructions"));
    }
    let index = out.iter().position(|s| s.name == name).unwrap_or_else(|| {
        out.push(CodeSection { name, parts: Vec::new(), slots: 0 });
        out.len() - 1
    });
    let section = &mut out[index];
    section.parts.push(Part { function, start: section.slots, global });
    section.slots += function.insns.len() as u32;
    Ok(())
}

/// A section's bytes and relocations.
pub(super) fn encode<'a>(
    object: &'a Object,
    section: &CodeSection<'a>,
    text: &HashMap<&'a str, Part<'a>>,
    data: &Layout<'a>,
) -> Result<(Vec<u8>, Vec<Reloc<'a>>), ObjectError> {
    let mut bytes = Vec::with_capacity(section.slots as usize * 8);
    let mut relocs = Vec::new();
    for part in &section.parts {
        let f = part.function;
        let mut insns = f.insns.clone();
        let mut seen: HashMap<u32, ()> = HashMap::new();
        for r in &f.relocations {
            let bad = |what: String| ObjectError::insn(&f.name, r.insn, what);
            if seen.insert(r.insn, ()).is_some() {
                return Err(bad("it names two things".into()));
            }
            let (target, r_type) = patch(object, &mut insns, r.insn, &r.symbol, text, data).map_err(bad)?;
            relocs.push(Reloc { offset: u64::from(part.start + r.insn) * 8, r_type, target });
        }
        bytes.extend(Insn::encode_all(&insns));
    }
    relocs.sort_by_key(|r| r.offset);
    Ok((bytes, relocs))
}

/// Gives the instruction at `at` the fields that a file has there.
fn patch<'a>(
    object: &'a Object,
    insns: &mut [Insn],
    at: u32,
    symbol: &'a Symbol,
    text: &HashMap<&'a str, Part<'a>>,
    data: &Layout<'a>,
) -> Result<(Target<'a>, u32), String> {
    let slots = insns.get_mut(at as usize..).unwrap_or_default();
    match slots {
        [first, second, ..] if first.is_wide() => {
            let (target, imm) = match symbol {
                Symbol::Map(name) => {
                    object.map(name).ok_or_else(|| format!("there is no map `{name}`"))?;
                    (Target::Map(name.as_str()), 0)
                }
                Symbol::Global { name, offset } => {
                    let (section, start) =
                        data.places.get(name.as_str()).ok_or_else(|| format!("there is no global `{name}`"))?;
                    let imm =
                        start.checked_add(*offset).ok_or_else(|| format!("offset {offset} is outside `{name}`"))?;
                    (Target::Data(*section), imm)
                }
                Symbol::Subprogram(name) => {
                    let part = text.get(name.as_str()).ok_or_else(|| format!("there is no subprogram `{name}`"))?;
                    if part.global { (Target::Function(name.as_str()), 0) } else { (Target::Text, part.start * 8) }
                }
                Symbol::Ksym(name) => (Target::Extern(name.as_str()), 0),
                Symbol::Kfunc(name) => return Err(format!("the address of kernel function `{name}` can't be taken")),
            };
            (first.src, first.off, first.imm) = (0, 0, imm as i32);
            second.imm = 0;
            Ok((target, R_BPF_64_64))
        }
        [call, ..] if call.code == op::JMP | op::CALL => {
            let (target, imm) = match symbol {
                Symbol::Subprogram(name) => {
                    let part = text.get(name.as_str()).ok_or_else(|| format!("there is no subprogram `{name}`"))?;
                    // As clang does: a static function is its section and a distance.
                    if part.global {
                        (Target::Function(name.as_str()), -1)
                    } else {
                        (Target::Text, part.start as i32 - 1)
                    }
                }
                Symbol::Kfunc(name) => (Target::Extern(name.as_str()), -1),
                Symbol::Map(name) | Symbol::Global { name, .. } | Symbol::Ksym(name) => {
                    return Err(format!("`{name}` can't be called"));
                }
            };
            (call.src, call.off, call.imm) = (op::PSEUDO_CALL, 0, imm);
            Ok((target, R_BPF_64_32))
        }
        _ => Err("only a 64-bit immediate load or a call can name something".into()),
    }
}
