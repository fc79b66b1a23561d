//! A Go file that needs only the standard library. Invariant: padding is written out; a member that Go would put
//! elsewhere is kept as bytes, with methods that read and write it.

use std::fmt::Write;

use crate::layout::{Piece, pieces};
use crate::model::{Composite, Field, Model, Scalar, Type, enumeration};
use crate::names::{camel, lower};

const RESERVED: &[&str] = &[
    "break",
    "case",
    "chan",
    "const",
    "continue",
    "default",
    "defer",
    "else",
    "fallthrough",
    "for",
    "func",
    "go",
    "goto",
    "if",
    "import",
    "interface",
    "map",
    "package",
    "range",
    "return",
    "select",
    "struct",
    "switch",
    "type",
    "var",
    "main",
    "init",
    "unsafe",
];

const HELPERS: &str = "
func getBits(bytes []byte, at, width uint) uint64 {
	var low, high uint64
	for i, b := range bytes[at/8:] {
		if i < 8 {
			low |= uint64(b) << (8 * uint(i))
		} else if i == 8 {
			high = uint64(b)
		}
	}
	v := low >> (at % 8)
	if at%8 != 0 {
		v |= high << (64 - at%8)
	}
	if width < 64 {
		v &= 1<<width - 1
	}
	return v
}

func setBits(bytes []byte, at, width uint, value uint64) {
	for i := uint(0); i < width; i++ {
		mask := byte(1) << ((at + i) % 8)
		if value>>i&1 != 0 {
			bytes[(at+i)/8] |= mask
		} else {
			bytes[(at+i)/8] &^= mask
		}
	}
}
";

pub(crate) fn write(model: &Model, unit: &str) -> String {
    let package = lower(unit, RESERVED).to_ascii_lowercase().trim_start_matches('_').to_string();
    let package = if package.is_empty() || package.starts_with(|c: char| c.is_ascii_digit()) {
        format!("bpf{package}")
    } else {
        package
    };
    let mut body = String::new();
    if model.composites.iter().any(|c| c.fields.iter().any(|f| f.bits > 0)) {
        body.push_str(HELPERS);
    }
    for (name, value) in &model.constants {
        let _ = writeln!(body, "\nconst {} = {value}", camel(name));
    }
    for e in &model.enums {
        let n = camel(&e.name);
        let ty = scalar(Scalar::plain(e.size, e.signed));
        let _ = writeln!(body, "\ntype {n} {ty}\n\nconst (");
        let rows: Vec<Row> = e
            .values
            .iter()
            .map(|(name, v)| Row::new(camel(&name.to_ascii_lowercase()), format!("{n} = {v}"), ""))
            .collect();
        aligned(&mut body, &rows);
        let _ = writeln!(body, ")");
        size_check(&mut body, &format!("{n}(0)"), e.size);
    }
    let mut aligns = Vec::new();
    for c in &model.composites {
        let align = if c.union { union(&mut body, model, c, &aligns) } else { structure(&mut body, model, c, &aligns) };
        aligns.push(align);
    }
    for m in &model.maps {
        let n = camel(&m.name);
        let _ = writeln!(
            body,
            "\n// {} map, {} entries\nconst Map{n} = \"{}\"",
            m.map_type.keyword(),
            m.max_entries,
            m.name
        );
        for (what, ty) in [("Key", &m.key), ("Value", &m.value)] {
            let Some(ty) = ty else { continue };
            let _ = writeln!(body, "\ntype {n}{what} = {}", spelled(model, ty));
            size_check(&mut body, &format!("*new({n}{what})"), model.size(ty));
        }
    }
    for g in &model.globals {
        let (n, kind) = (camel(&g.name), camel(g.kind()));
        let _ = writeln!(body, "\n// A {}.\nconst {kind}{n} = \"{}\"", g.what(), g.name);
        let _ = writeln!(body, "\ntype {n}{kind} = {}", spelled(model, &g.ty));
        size_check(&mut body, &format!("*new({n}{kind})"), model.size(&g.ty));
    }
    let mut imports = String::new();
    for (path, used) in [("encoding/binary", "binary."), ("unsafe", "unsafe.")] {
        if body.contains(used) {
            let _ = writeln!(imports, "\t\"{path}\"");
        }
    }
    let imports = if imports.is_empty() { imports } else { format!("\nimport (\n{imports})\n") };
    format!(
        "// Made by whistler: what the programs of {unit} share with user space.\n\npackage {package}\n{imports}{body}"
    )
}

/// A line of a block that gofmt lays out in columns.
struct Row {
    name: String,
    rest: String,
    note: &'static str,
}

impl Row {
    fn new(name: String, rest: String, note: &'static str) -> Row {
        Row { name, rest, note }
    }
}

/// Writes lines as gofmt does: what stands behind the names begins in one column, and the notes of neighbours in another.
fn aligned(out: &mut String, rows: &[Row]) {
    let width = rows.iter().map(|r| r.name.chars().count()).max().unwrap_or(0);
    for run in rows.chunk_by(|a, b| a.note.is_empty() == b.note.is_empty()) {
        let rest = run.iter().map(|r| r.rest.chars().count()).max().unwrap_or(0);
        for r in run {
            let _ = match r.note {
                "" => writeln!(out, "\t{:width$} {}", r.name, r.rest),
                note => writeln!(out, "\t{:width$} {:rest$} {note}", r.name, r.rest),
            };
        }
    }
}

/// An index that is out of range unless the size is right.
fn size_check(out: &mut String, value: &str, size: u32) {
    let _ = writeln!(out, "\nvar _ = [1]struct{{}}{{}}[unsafe.Sizeof({value})-{size}]");
}

fn scalar(s: Scalar) -> String {
    format!("{}int{}", if s.signed { "" } else { "u" }, s.size * 8)
}

fn spelled(model: &Model, ty: &Type) -> String {
    match ty {
        Type::Scalar(s) => enumeration(model, s).map_or_else(|| scalar(*s), |e| camel(&e.name)),
        Type::Bool => "uint8".to_string(),
        Type::Char => "byte".to_string(),
        Type::Array(elem, n) => format!("[{n}]{}", spelled(model, elem)),
        Type::Bytes(n) => format!("[{n}]byte"),
        Type::Composite(i) => model.composites.get(*i).map_or_else(|| "byte".to_string(), |c| camel(&c.name)),
    }
}

/// The alignment that Go gives what we write for a type.
fn align(ty: &Type, aligns: &[u32]) -> u32 {
    match ty {
        Type::Scalar(s) => s.size,
        Type::Bool | Type::Char | Type::Bytes(_) => 1,
        Type::Array(elem, _) => align(elem, aligns),
        Type::Composite(i) => aligns.get(*i).copied().unwrap_or(1),
    }
}

/// Writes a struct; its alignment in Go.
fn structure(out: &mut String, model: &Model, c: &Composite, aligns: &[u32]) -> u32 {
    let n = camel(&c.name);
    let _ = writeln!(out, "\ntype {n} struct {{");
    let (mut most, mut offsets, mut methods) = (1, Vec::new(), String::new());
    let (mut groups, mut rows) = (0, Vec::new());
    for piece in pieces(model, c) {
        match piece {
            Piece::Pad { size } => rows.push(Row::new("_".to_string(), format!("[{size}]byte"), "")),
            Piece::Field(f) => {
                let (field, a) = (camel(&f.name), align(&f.ty, aligns));
                let note = if matches!(&f.ty, Type::Scalar(s) if s.big_endian) { "// big-endian" } else { "" };
                if f.offset().is_multiple_of(a) && a <= c.align {
                    most = most.max(a);
                    rows.push(Row::new(field.clone(), spelled(model, &f.ty), note));
                    offsets.push((field, f.offset()));
                } else {
                    rows.push(Row::new(format!("{field}Bytes"), format!("[{}]byte", model.size(&f.ty)), note));
                    offsets.push((format!("{field}Bytes"), f.offset()));
                    byte_methods(&mut methods, model, &n, &field, f);
                }
            }
            Piece::Bits { offset, size, fields } => {
                rows.push(Row::new(format!("Bits{groups}"), format!("[{size}]byte"), ""));
                offsets.push((format!("Bits{groups}"), offset));
                fields.iter().for_each(|f| bit_methods(&mut methods, &n, groups, offset, f));
                groups += 1;
            }
        }
    }
    aligned(out, &rows);
    let _ = writeln!(out, "}}");
    size_check(out, &format!("{n}{{}}"), c.size);
    for (field, offset) in offsets {
        let _ = writeln!(out, "var _ = [1]struct{{}}{{}}[unsafe.Offsetof({n}{{}}.{field})-{offset}]");
    }
    out.push_str(&methods);
    most
}

fn byte_methods(out: &mut String, model: &Model, n: &str, field: &str, f: &Field) {
    let Type::Scalar(s) = &f.ty else { return };
    let (ty, bits) = (spelled(model, &f.ty), s.size * 8);
    let order = if s.big_endian { "BigEndian" } else { "LittleEndian" };
    let _ = write!(
        out,
        "\nfunc (s *{n}) {field}() {ty} {{\n\treturn {ty}(binary.{order}.Uint{bits}(s.{field}Bytes[:]))\n}}\n\
         \nfunc (s *{n}) Set{field}(v {ty}) {{\n\tbinary.{order}.PutUint{bits}(s.{field}Bytes[:], uint{bits}(v))\n}}\n"
    );
}

fn bit_methods(out: &mut String, n: &str, group: u32, offset: u32, f: &Field) {
    let (field, at) = (camel(&f.name), f.bit_offset - offset * 8);
    let (signed, bytes) = match &f.ty {
        Type::Scalar(s) => (s.signed, s.size),
        _ => (false, 1),
    };
    let bytes = bytes.max(f.bits.div_ceil(8).next_power_of_two());
    let ty = scalar(Scalar::plain(bytes, signed));
    let value = if signed {
        let shift = 64 - f.bits;
        format!("int64(getBits(s.Bits{group}[:], {at}, {})<<{shift}) >> {shift}", f.bits)
    } else {
        format!("getBits(s.Bits{group}[:], {at}, {})", f.bits)
    };
    let _ = write!(
        out,
        "\n// {field} has {} bits.\nfunc (s *{n}) {field}() {ty} {{\n\treturn {ty}({value})\n}}\n\
         \nfunc (s *{n}) Set{field}(v {ty}) {{\n\tsetBits(s.Bits{group}[:], {at}, {}, uint64(v))\n}}\n",
        f.bits, f.bits
    );
}

/// Writes a union: bytes, with methods that give its members. Its alignment in Go.
fn union(out: &mut String, model: &Model, c: &Composite, aligns: &[u32]) -> u32 {
    let n = camel(&c.name);
    let wanted = c.align.min(8);
    let _ =
        writeln!(out, "\ntype {n} struct {{\n\t_          [0]uint{}\n\tUnionBytes [{}]byte\n}}", wanted * 8, c.size);
    size_check(out, &format!("{n}{{}}"), c.size);
    let _ = writeln!(out, "var _ = [1]struct{{}}{{}}[unsafe.Offsetof({n}{{}}.UnionBytes)]");
    for f in c.fields.iter().filter(|f| align(&f.ty, aligns) <= wanted) {
        let (field, ty) = (camel(&f.name), spelled(model, &f.ty));
        let _ =
            write!(out, "\nfunc (u *{n}) {field}() *{ty} {{\n\treturn (*{ty})(unsafe.Pointer(&u.UnionBytes))\n}}\n");
    }
    wanted
}
