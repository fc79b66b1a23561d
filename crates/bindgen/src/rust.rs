//! A Rust module without dependencies. Invariant: everything is `repr(C)` and `Copy`; a member that can't lie at its
//! offset is kept as bytes, with methods that read and write it.

use std::fmt::Write;

use crate::layout::{Piece, is_natural, pieces};
use crate::model::{Composite, Field, Model, Scalar, Type, enumeration};
use crate::names::{camel, lower, upper};

const RESERVED: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate", "do", "dyn", "else",
    "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro", "match", "mod",
    "move", "mut", "override", "priv", "pub", "ref", "return", "self", "Self", "static", "struct", "super", "trait",
    "true", "try", "type", "typeof", "union", "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

const HELPERS: &str = "
#[allow(dead_code)]
fn get_bits(bytes: &[u8], at: usize, width: u32) -> u64 {
    let mut n = 0u128;
    for (i, b) in bytes.iter().skip(at / 8).take(9).enumerate() {
        n |= u128::from(*b) << (8 * i);
    }
    ((n >> (at % 8)) & ((1u128 << width) - 1)) as u64
}

#[allow(dead_code)]
fn set_bits(bytes: &mut [u8], at: usize, width: u32, value: u64) {
    let mask = ((1u128 << width) - 1) << (at % 8);
    let value = (u128::from(value) << (at % 8)) & mask;
    for (i, b) in bytes.iter_mut().skip(at / 8).take(9).enumerate() {
        *b = (*b & !((mask >> (8 * i)) as u8)) | (value >> (8 * i)) as u8;
    }
}
";

pub(crate) fn write(model: &Model, unit: &str) -> String {
    let mut out = format!("// Made by whistler: what the programs of {unit} share with user space.\n");
    if model.composites.iter().any(|c| c.fields.iter().any(|f| f.bits > 0)) {
        out.push_str(HELPERS);
    }
    for (name, value) in &model.constants {
        let ty = match *value {
            v if v > i128::from(u64::MAX) || v < i128::from(i64::MIN) => "i128",
            v if v > i128::from(i64::MAX) => "u64",
            _ => "i64",
        };
        let _ = writeln!(out, "\npub const {}: {ty} = {value};", upper(name));
    }
    for e in &model.enums {
        let n = camel(&e.name);
        let ty = scalar(Scalar::plain(e.size, e.signed));
        // Not a Rust enum: memory that the kernel wrote may hold any number.
        let _ =
            writeln!(out, "\npub type {n} = {ty};\nconst _: () = assert!(core::mem::size_of::<{n}>() == {});", e.size);
        for (name, v) in &e.values {
            let _ = writeln!(out, "pub const {}: {n} = {v};", upper(name));
        }
    }
    let mut aligned = Vec::new();
    for c in &model.composites {
        let attribute = composite(&mut out, model, c, &aligned);
        aligned.push(attribute);
    }
    for m in &model.maps {
        let n = camel(&m.name);
        let _ = writeln!(out, "\n/// {} map, {} entries.", m.map_type.keyword(), m.max_entries);
        let _ = writeln!(out, "pub const MAP_{}: &str = \"{}\";", upper(&m.name), m.name);
        for (what, ty) in [("Key", &m.key), ("Value", &m.value)] {
            let Some(ty) = ty else { continue };
            let _ = writeln!(out, "pub type {n}{what} = {};", spelled(model, ty));
            let _ = writeln!(out, "const _: () = assert!(core::mem::size_of::<{n}{what}>() == {});", model.size(ty));
        }
    }
    for g in &model.globals {
        let (n, kind) = (camel(&g.name), camel(g.kind()));
        let _ = writeln!(out, "\n/// A {}.", g.what());
        let _ = writeln!(out, "pub const {}_{}: &str = \"{}\";", upper(g.kind()), upper(&g.name), g.name);
        let _ = writeln!(out, "pub type {n}{kind} = {};", spelled(model, &g.ty));
        let _ = writeln!(out, "const _: () = assert!(core::mem::size_of::<{n}{kind}>() == {});", model.size(&g.ty));
    }
    out
}

fn scalar(s: Scalar) -> String {
    format!("{}{}", if s.signed { "i" } else { "u" }, s.size * 8)
}

fn spelled(model: &Model, ty: &Type) -> String {
    match ty {
        Type::Scalar(s) => enumeration(model, s).map_or_else(|| scalar(*s), |e| camel(&e.name)),
        Type::Bool | Type::Char => "u8".to_string(),
        Type::Array(elem, n) => format!("[{}; {n}]", spelled(model, elem)),
        Type::Bytes(n) => format!("[u8; {n}]"),
        Type::Composite(i) => model.composites.get(*i).map_or_else(|| "u8".to_string(), |c| camel(&c.name)),
    }
}

/// Whether a type has an alignment attribute in it, which packed structs can't hold.
fn is_aligned(ty: &Type, aligned: &[bool]) -> bool {
    match ty {
        Type::Array(elem, _) => is_aligned(elem, aligned),
        Type::Composite(i) => aligned.get(*i).copied().unwrap_or(false),
        Type::Scalar(_) | Type::Bool | Type::Char | Type::Bytes(_) => false,
    }
}

fn note(ty: &Type) -> &'static str {
    match ty {
        Type::Scalar(s) if s.big_endian => "    /// Big-endian in memory.\n",
        Type::Bool => "    /// 0 or 1.\n",
        _ => "",
    }
}

/// Writes one; whether it has an alignment attribute.
fn composite(out: &mut String, model: &Model, c: &Composite, aligned: &[bool]) -> bool {
    let n = camel(&c.name);
    let natural = is_natural(model, c);
    let inner = c.fields.iter().any(|f| is_aligned(&f.ty, aligned));
    let (repr, attribute) = match (natural, c.align) {
        (true, _) => ("C".to_string(), inner),
        (false, 1) => ("C, packed".to_string(), false),
        (false, a) => (format!("C, align({a})"), true),
    };
    let word = if c.union { "union" } else { "struct" };
    let _ = writeln!(out, "\n#[repr({repr})]\n#[derive(Clone, Copy)]\npub {word} {n} {{");
    let (mut offsets, mut methods) = (Vec::new(), String::new());
    let mut typed = |out: &mut String, f: &Field| {
        let packed = !natural && c.align == 1;
        let fits = match packed {
            true => !is_aligned(&f.ty, aligned),
            false => {
                let a = model.align(&f.ty).max(1);
                f.offset().is_multiple_of(a) && a <= c.align
            }
        };
        if fits {
            let field = lower(&f.name, RESERVED);
            let _ = writeln!(out, "{}    pub {field}: {},", note(&f.ty), spelled(model, &f.ty));
            offsets.push((field, f.offset()));
            return;
        }
        let plain = lower(&f.name, &[]);
        let raw = format!("{plain}_bytes");
        let _ = writeln!(out, "{}    pub {raw}: [u8; {}],", note(&f.ty), model.size(&f.ty));
        if let Type::Scalar(s) = &f.ty {
            let (ty, end) = (scalar(*s), if s.big_endian { "be" } else { "ne" });
            let _ = write!(
                methods,
                "    pub fn {}(&self) -> {ty} {{\n        {ty}::from_{end}_bytes(self.{raw})\n    }}\n    \
                 pub fn set_{plain}(&mut self, value: {ty}) {{\n        self.{raw} = value.to_{end}_bytes();\n    }}\n",
                lower(&f.name, RESERVED)
            );
        }
        offsets.push((raw, f.offset()));
    };
    if c.union {
        c.fields.iter().for_each(|f| typed(out, f));
        if !natural {
            let _ = writeln!(out, "    pub _bytes: [u8; {}],", c.size);
        }
    } else {
        let (mut pads, mut groups) = (0, 0);
        let mut shared = Vec::new();
        for piece in pieces(model, c) {
            match piece {
                // C's own padding, and Rust's, too.
                Piece::Pad { .. } if natural => {}
                Piece::Pad { size } => {
                    let _ = writeln!(out, "    pub _pad{pads}: [u8; {size}],");
                    pads += 1;
                }
                Piece::Field(f) => typed(out, f),
                Piece::Bits { offset, size, fields } => {
                    let _ = writeln!(out, "    pub _bits{groups}: [u8; {size}],");
                    shared.push((groups, offset, fields));
                    groups += 1;
                }
            }
        }
        for (group, offset, fields) in shared {
            offsets.push((format!("_bits{group}"), offset));
            fields.iter().for_each(|f| bit_methods(&mut methods, group, offset, f));
        }
    }
    let _ = writeln!(out, "}}\nconst _: () = assert!(core::mem::size_of::<{n}>() == {});", c.size);
    let _ = writeln!(out, "const _: () = assert!(core::mem::align_of::<{n}>() == {});", c.align);
    for (field, offset) in offsets {
        let _ = writeln!(out, "const _: () = assert!(core::mem::offset_of!({n}, {field}) == {offset});");
    }
    if !methods.is_empty() {
        let _ = writeln!(out, "#[allow(dead_code)]\nimpl {n} {{\n{methods}}}");
    }
    attribute
}

fn bit_methods(out: &mut String, group: u32, offset: u32, f: &Field) {
    let (field, at) = (lower(&f.name, RESERVED), f.bit_offset - offset * 8);
    let (signed, bytes) = match &f.ty {
        Type::Scalar(s) => (s.signed, s.size),
        _ => (false, 1),
    };
    let bytes = bytes.max(f.bits.div_ceil(8).next_power_of_two());
    let ty = scalar(Scalar::plain(bytes, signed));
    let value = if signed {
        let shift = 64 - f.bits;
        format!("((get_bits(&self._bits{group}, {at}, {}) << {shift}) as i64 >> {shift}) as {ty}", f.bits)
    } else {
        format!("get_bits(&self._bits{group}, {at}, {}) as {ty}", f.bits)
    };
    let _ = write!(
        out,
        "    /// {} bits.\n    pub fn {field}(&self) -> {ty} {{\n        {value}\n    }}\n    \
         pub fn set_{}(&mut self, value: {ty}) {{\n        set_bits(&mut self._bits{group}, {at}, {}, value as u64);\n    }}\n",
        f.bits,
        lower(&f.name, &[]),
        f.bits
    );
}
