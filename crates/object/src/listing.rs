//! An object as text: instructions with labels, and the names of what they refer
//! to in place of numbers. Invariant: each slot's line starts with its number, in
//! the function's own counting, so that a verifier's message can be looked up.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write;

use whistler_btf::{Btf, TypeId, describe};
use whistler_isa::{disasm, op};

use crate::{Function, Map, Mutability, Object, Registration, StructOps, Symbol};

/// The column that remarks start at.
const REMARK: usize = 48;

/// All maps, globals, structs of operations, programs and subprograms of an object; `with_source` puts each source line before the
/// instructions made of it.
pub fn listing(object: &Object, with_source: bool) -> String {
    let mut out = String::new();
    for m in &object.maps {
        map_line(&mut out, m);
    }
    for g in &object.globals {
        let how = match g.mutability {
            Mutability::ReadOnly => "read-only",
            Mutability::ReadWrite => "read-write",
        };
        // A String takes every line: `write!` to it can't fail, here and below.
        let _ = writeln!(out, "global {}: {} bytes, {how}", g.name, g.init.len());
    }
    let btf = Btf::parse(object.btf.clone()).ok();
    for s in &object.struct_ops {
        struct_ops_line(&mut out, s, btf.as_ref());
    }
    for p in &object.programs {
        gap(&mut out);
        let f = &p.function;
        let _ = write!(out, "program {} (section \"{}\", {}", f.name, p.section, p.prog_type.keyword());
        if let Some(a) = p.attach_type {
            let _ = write!(out, ", {}", a.kernel_name());
        }
        if p.sleepable {
            out.push_str(", sleepable");
        }
        let _ = writeln!(out, ", licence \"{}\"): {} instructions", p.license, f.insns.len());
        function(&mut out, f, btf.as_ref(), with_source);
    }
    for f in &object.subprograms {
        gap(&mut out);
        let kind = if f.global { "global subprogram" } else { "subprogram" };
        let _ = writeln!(out, "{kind} {}: {} instructions", f.name, f.insns.len());
        function(&mut out, f, btf.as_ref(), with_source);
    }
    out
}

fn gap(out: &mut String) {
    if !out.is_empty() {
        out.push('\n');
    }
}

fn struct_ops_line(out: &mut String, s: &StructOps, btf: Option<&Btf>) {
    let of = btf.and_then(|b| b.ty(TypeId(s.type_id)).ok());
    let how = match s.registration {
        Registration::Link => "by a link",
        Registration::Update => "by its map",
    };
    let _ = write!(out, "struct_ops {}: {}, registered {how}", s.name, of.map_or("?", |t| t.name));
    for (at, program) in &s.functions {
        let members = of.and_then(|t| t.composite());
        let member = members.and_then(|c| c.members().find(|m| m.bit_offset == at * 8)).map_or("?", |m| m.name);
        let _ = write!(out, ", {member} {program}");
    }
    out.push('\n');
}

fn map_line(out: &mut String, m: &Map) {
    let _ = write!(out, "map {}: {}", m.name, m.map_type.keyword());
    for (what, n) in [("key", m.key_size), ("value", m.value_size)] {
        if n != 0 {
            let _ = write!(out, ", {what} {n} bytes");
        }
    }
    let _ = write!(out, ", {} entries", m.max_entries);
    if m.flags != 0 {
        let _ = write!(out, ", flags {:#x}", m.flags);
    }
    if let Some(inner) = &m.inner {
        let _ = write!(out, ", of {}", inner.map_type.keyword());
    }
    if let Some(pin) = &m.pin {
        let _ = write!(out, ", pinned at {pin}");
    }
    out.push('\n');
}

fn function(out: &mut String, f: &Function, btf: Option<&Btf>, with_source: bool) {
    let symbols: HashMap<u32, &Symbol> = f.relocations.iter().map(|r| (r.insn, &r.symbol)).collect();
    let named = |at: usize| u32::try_from(at).ok().and_then(|at| symbols.get(&at).copied());
    // What a call names is told by its name; labels are for jumps.
    let target = |at: usize| disasm::target(&f.insns, at).filter(|to| *to <= f.insns.len() && named(at).is_none());
    let labels: BTreeSet<usize> = (0..f.insns.len()).filter_map(target).collect();
    let mut shown = None;
    let mut at = 0;
    while let Some(&insn) = f.insns.get(at) {
        if labels.contains(&at) {
            let _ = writeln!(out, "L{at}:");
        }
        if with_source && let Some(place) = f.location(at) {
            let line = (&place.file, place.line);
            if shown != Some(line) {
                let _ = writeln!(out, "; {}:{}: {}", place.file, place.line, place.text.trim());
                shown = Some(line);
            }
        }
        let text = match named(at) {
            Some(symbol) => with_name(insn, symbol),
            None => disasm::one(insn, f.insns.get(at + 1).copied()),
        };
        let text = match (target(at), text.rsplit_once(' ')) {
            (Some(to), Some((before, _))) => format!("{before} L{to}"),
            _ => text,
        };
        let start = out.len();
        let _ = write!(out, "{at:5}: {text}");
        for c in f.core.iter().filter(|c| c.insn as usize == at) {
            let pad = REMARK.saturating_sub(out.len() - start);
            let what = btf.map_or_else(|| format!("type {}", c.reloc.type_id), |btf| describe(btf, &c.reloc));
            let _ = write!(out, "{:pad$} ; CO-RE {} {what}", "", c.reloc.kind);
        }
        out.push('\n');
        at += if insn.is_wide() && at + 1 < f.insns.len() { 2 } else { 1 };
    }
    if labels.contains(&f.insns.len()) {
        let _ = writeln!(out, "L{}:", f.insns.len());
    }
}

/// An instruction with the name it stands for.
fn with_name(insn: whistler_isa::Insn, symbol: &Symbol) -> String {
    let name = match symbol {
        Symbol::Map(name) => format!("map {name}"),
        Symbol::Global { name, offset: 0 } => format!("&{name}"),
        Symbol::Global { name, offset } => format!("&{name} + {offset}"),
        Symbol::Subprogram(name) => name.clone(),
        Symbol::Kfunc(name) => format!("kernel {name}"),
        Symbol::Ksym(name) => format!("&kernel {name}"),
    };
    if insn.code == op::JMP | op::CALL { format!("call {name}") } else { format!("r{} = {name} ll", insn.dst) }
}
