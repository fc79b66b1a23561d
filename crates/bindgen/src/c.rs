//! A C header. Invariant: what C would lay out otherwise is `packed` and `aligned` with its padding written out.

use std::fmt::Write;

use crate::layout::{Piece, is_natural, pieces};
use crate::model::{Composite, Enumeration, Field, Model, Type, enumeration};
use crate::names::{lower, upper};

const RESERVED: &[&str] = &[
    "alignas",
    "alignof",
    "asm",
    "auto",
    "bool",
    "break",
    "case",
    "catch",
    "char",
    "class",
    "const",
    "constexpr",
    "continue",
    "default",
    "delete",
    "do",
    "double",
    "else",
    "enum",
    "explicit",
    "export",
    "extern",
    "false",
    "float",
    "for",
    "friend",
    "goto",
    "if",
    "inline",
    "int",
    "long",
    "mutable",
    "namespace",
    "new",
    "nullptr",
    "operator",
    "private",
    "protected",
    "public",
    "register",
    "restrict",
    "return",
    "short",
    "signed",
    "sizeof",
    "static",
    "struct",
    "switch",
    "template",
    "this",
    "throw",
    "true",
    "try",
    "typedef",
    "typeid",
    "typename",
    "typeof",
    "union",
    "unsigned",
    "using",
    "virtual",
    "void",
    "volatile",
    "while",
];

pub(crate) fn write(model: &Model, unit: &str) -> String {
    let guard = format!("{}_BPF_H", upper(unit));
    let mut out = format!(
        "/* Made by whistler: what the programs of {unit} share with user space. */\n#ifndef {guard}\n#define {guard}\n\n\
         #include <stdbool.h>\n#include <stddef.h>\n#include <stdint.h>\n\n\
         #ifdef __cplusplus\n#define WHISTLER_ASSERT(what, text) static_assert(what, text)\n#else\n\
         #define WHISTLER_ASSERT(what, text) _Static_assert(what, text)\n#endif\n"
    );
    for (name, value) in &model.constants {
        let _ = writeln!(out, "\n#define {} {}", upper(name), number(*value));
    }
    for e in &model.enums {
        let _ = writeln!(out, "\nenum {} {{", name(&e.name));
        for (n, v) in &e.values {
            let _ = writeln!(out, "\t{} = {},", upper(n), number(i128::from(*v)));
        }
        let _ = writeln!(out, "}};");
        if has_size(Some(e)) {
            let n = name(&e.name);
            let _ = writeln!(out, "WHISTLER_ASSERT(sizeof(enum {n}) == {}, \"size of {n}\");", e.size);
        }
    }
    for c in &model.composites {
        composite(&mut out, model, c);
    }
    for m in &model.maps {
        let (n, max) = (name(&m.name), m.max_entries);
        let _ = writeln!(
            out,
            "\n/* {} map, {max} entries */\n#define MAP_{} \"{}\"",
            m.map_type.keyword(),
            upper(&m.name),
            m.name
        );
        for (what, ty) in [("key", &m.key), ("value", &m.value)] {
            let Some(ty) = ty else { continue };
            let _ = writeln!(out, "typedef {};", declaration(model, ty, &format!("{n}_{what}_t")));
            let _ =
                writeln!(out, "WHISTLER_ASSERT(sizeof({n}_{what}_t) == {}, \"size of {n}'s {what}\");", model.size(ty));
        }
    }
    for g in &model.globals {
        let (what, kind) = (g.what(), upper(g.kind()));
        let _ = writeln!(out, "\n/* {what} */\n#define {kind}_{} \"{}\"", upper(&g.name), g.name);
        let ty = format!("{}_{}_t", name(&g.name), g.kind());
        let _ = writeln!(out, "typedef {};", declaration(model, &g.ty, &ty));
        let _ = writeln!(out, "WHISTLER_ASSERT(sizeof({ty}) == {}, \"size of {}\");", model.size(&g.ty), g.name);
    }
    let _ = writeln!(out, "\n#endif");
    out
}

fn name(n: &str) -> String {
    lower(n, RESERVED)
}

fn number(n: i128) -> String {
    match n {
        _ if n > i128::from(i64::MAX) => format!("{n}ULL"),
        _ if n == i128::from(i64::MIN) => "(-9223372036854775807LL - 1)".to_string(),
        _ if n > i128::from(i32::MAX) => format!("{n}LL"),
        _ if n < i128::from(i32::MIN) => format!("({n}LL)"),
        _ if n < 0 => format!("({n})"),
        _ => n.to_string(),
    }
}

/// Whether C gives an enum the size that it has in memory: without more said, that of an `int`.
fn has_size(e: Option<&Enumeration>) -> bool {
    e.is_some_and(|e| e.size == 4)
}

/// `uint8_t name[16]`.
fn declaration(model: &Model, ty: &Type, name: &str) -> String {
    match ty {
        Type::Scalar(s) if has_size(enumeration(model, s)) => {
            let n = enumeration(model, s).map_or_else(String::new, |e| self::name(&e.name));
            format!("enum {n} {name}")
        }
        Type::Scalar(s) => format!("{}int{}_t {name}", if s.signed { "" } else { "u" }, s.size * 8),
        Type::Bool => format!("bool {name}"),
        Type::Char => format!("char {name}"),
        Type::Array(elem, n) => declaration(model, elem, &format!("{name}[{n}]")),
        Type::Bytes(n) => format!("uint8_t {name}[{n}]"),
        Type::Composite(i) => match model.composites.get(*i) {
            Some(c) => format!("{} {} {name}", word(c), self::name(&c.name)),
            None => format!("uint8_t {name}"),
        },
    }
}

fn word(c: &Composite) -> &'static str {
    if c.union { "union" } else { "struct" }
}

fn member(out: &mut String, model: &Model, f: &Field) {
    let note = matches!(&f.ty, Type::Scalar(s) if s.big_endian);
    let _ = writeln!(
        out,
        "\t{};{}",
        declaration(model, &f.ty, &name(&f.name)),
        if note { " /* big-endian */" } else { "" }
    );
}

fn composite(out: &mut String, model: &Model, c: &Composite) {
    let n = name(&c.name);
    let natural = is_natural(model, c);
    let _ = writeln!(out, "\n{} {n} {{", word(c));
    if c.union || natural {
        c.fields.iter().for_each(|f| member(out, model, f));
        if c.union && !natural {
            let _ = writeln!(out, "\tuint8_t _bytes[{}];", c.size);
        }
    } else {
        let mut pads = 0;
        for piece in pieces(model, c) {
            match piece {
                Piece::Pad { size } => {
                    let _ = writeln!(out, "\tuint8_t _pad{pads}[{size}];");
                    pads += 1;
                }
                Piece::Field(f) => member(out, model, f),
                Piece::Bits { offset, size, fields } => bits(out, offset, size, &fields),
            }
        }
    }
    let attributes = if natural { String::new() } else { format!(" __attribute__((packed, aligned({})))", c.align) };
    let _ = writeln!(out, "}}{attributes};");
    let kind = word(c);
    let _ = writeln!(out, "WHISTLER_ASSERT(sizeof({kind} {n}) == {}, \"size of {n}\");", c.size);
    for f in c.fields.iter().filter(|f| f.bits == 0) {
        let field = name(&f.name);
        let _ = writeln!(
            out,
            "WHISTLER_ASSERT(offsetof({kind} {n}, {field}) == {}, \"offset of {n}.{field}\");",
            f.offset()
        );
    }
}

/// Bit-fields in their order, the bits between them unnamed. Packed ones follow each other bit by bit.
fn bits(out: &mut String, offset: u32, size: u32, fields: &[&Field]) {
    let mut at = offset * 8;
    let end = (offset + size) * 8;
    let gap = |out: &mut String, mut n: u32| {
        while n > 0 {
            let part = n.min(64);
            let _ = writeln!(out, "\tuint64_t : {part};");
            n -= part;
        }
    };
    for f in fields {
        gap(out, f.bit_offset.saturating_sub(at));
        let (signed, bytes) = match &f.ty {
            Type::Scalar(s) => (s.signed, s.size),
            _ => (false, 1),
        };
        let width = (bytes * 8).max(f.bits.next_power_of_two()).clamp(8, 64);
        let _ = writeln!(out, "\t{}int{width}_t {} : {};", if signed { "" } else { "u" }, name(&f.name), f.bits);
        at = f.bit_offset + f.bits;
    }
    gap(out, end.saturating_sub(at));
}
