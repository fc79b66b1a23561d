//! A Python module on `ctypes`. Invariant: every struct is packed with its padding written out, so `ctypes` has
//! nothing to decide; byte order is `ctypes`' business.

use std::fmt::Write;

use crate::layout::{Piece, pieces};
use crate::model::{Composite, Field, Model, Scalar, Type};
use crate::names::{camel, lower, upper};

const RESERVED: &[&str] = &[
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "case", "class", "continue", "def",
    "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is", "lambda", "match",
    "nonlocal", "not", "or", "pass", "raise", "return", "try", "type", "while", "with", "yield",
];

const HELPERS: &str = "

def _get_bits(data, at, width, signed):
    n = (int.from_bytes(bytes(data), \"little\") >> at) & ((1 << width) - 1)
    return n - (1 << width) if signed and n >> (width - 1) else n


def _set_bits(data, at, width, value):
    mask = ((1 << width) - 1) << at
    n = int.from_bytes(bytes(data), \"little\") & ~mask | (value << at & mask)
    data[:] = n.to_bytes(len(data), \"little\")
";

pub(crate) fn write(model: &Model, unit: &str) -> String {
    let mut out = format!(
        "\"\"\"Made by whistler: what the programs of {unit} share with user space.\"\"\"\n\nimport ctypes\nimport enum\nimport typing\n"
    );
    if model.composites.iter().any(|c| c.fields.iter().any(|f| f.bits > 0)) {
        out.push_str(HELPERS);
    }
    out.push_str(
        "\n\nclass Map(typing.NamedTuple):\n    \"\"\"A map: its name in the object, and the types of its keys and values.\"\"\"\n\n    \
         name: str\n    type: str\n    key: typing.Any\n    value: typing.Any\n    max_entries: int\n",
    );
    for (name, value) in &model.constants {
        let _ = write!(out, "\n{} = {value}\n", upper(name));
    }
    for e in &model.enums {
        let _ = write!(out, "\n\nclass {}(enum.IntEnum):\n", camel(&e.name));
        for (name, v) in &e.values {
            let _ = writeln!(out, "    {} = {v}", upper(name));
        }
    }
    for c in &model.composites {
        composite(&mut out, model, c);
    }
    for m in &model.maps {
        let spell = |ty: &Option<Type>| ty.as_ref().map_or_else(|| "None".to_string(), |t| spelled(model, t));
        let _ = write!(
            out,
            "\n\nMAP_{} = Map(\"{}\", \"{}\", {}, {}, {})\n",
            upper(&m.name),
            m.name,
            m.map_type.keyword(),
            spell(&m.key),
            spell(&m.value),
            m.max_entries
        );
        for (what, ty) in [("key", &m.key), ("value", &m.value)] {
            if let Some(ty) = ty {
                let _ = writeln!(out, "assert ctypes.sizeof(MAP_{}.{what}) == {}", upper(&m.name), model.size(ty));
            }
        }
    }
    for g in &model.globals {
        let name = format!("{}_{}", upper(g.kind()), upper(&g.name));
        let _ = write!(out, "\n\n# A {}.\n{name} = \"{}\"\n", g.what(), g.name);
        let _ = writeln!(out, "{name}_TYPE = {}", spelled(model, &g.ty));
        let _ = writeln!(out, "assert ctypes.sizeof({name}_TYPE) == {}", model.size(&g.ty));
    }
    out
}

fn scalar(s: Scalar) -> String {
    let order = if s.big_endian && s.size > 1 { ".__ctype_be__" } else { "" };
    format!("ctypes.c_{}int{}{order}", if s.signed { "" } else { "u" }, s.size * 8)
}

fn spelled(model: &Model, ty: &Type) -> String {
    match ty {
        Type::Scalar(s) => scalar(*s),
        Type::Bool => "ctypes.c_bool".to_string(),
        Type::Char => "ctypes.c_char".to_string(),
        Type::Array(elem, n) => format!("({} * {n})", spelled(model, elem)),
        Type::Bytes(n) => format!("(ctypes.c_uint8 * {n})"),
        Type::Composite(i) => model.composites.get(*i).map_or_else(|| "ctypes.c_uint8".to_string(), |c| camel(&c.name)),
    }
}

fn composite(out: &mut String, model: &Model, c: &Composite) {
    let n = camel(&c.name);
    let base = if c.union { "Union" } else { "Structure" };
    let _ = write!(out, "\n\nclass {n}(ctypes.{base}):\n    _pack_ = 1\n    _layout_ = \"ms\"\n    _fields_ = [\n");
    let (mut offsets, mut properties) = (Vec::new(), String::new());
    let mut field = |out: &mut String, f: &Field| {
        let name = lower(&f.name, RESERVED);
        let _ = writeln!(out, "        (\"{name}\", {}),", spelled(model, &f.ty));
        offsets.push((name, f.offset()));
    };
    if c.union {
        c.fields.iter().for_each(|f| field(out, f));
        let _ = writeln!(out, "        (\"_bytes\", ctypes.c_uint8 * {}),", c.size);
    } else {
        let (mut pads, mut groups) = (0, 0);
        for piece in pieces(model, c) {
            match piece {
                Piece::Pad { size } => {
                    let _ = writeln!(out, "        (\"_pad{pads}\", ctypes.c_uint8 * {size}),");
                    pads += 1;
                }
                Piece::Field(f) => field(out, f),
                Piece::Bits { offset, size, fields } => {
                    let _ = writeln!(out, "        (\"_bits{groups}\", ctypes.c_uint8 * {size}),");
                    fields.iter().for_each(|f| property(&mut properties, groups, offset, f));
                    groups += 1;
                }
            }
        }
    }
    let _ = writeln!(out, "    ]");
    out.push_str(&properties);
    let _ = writeln!(out, "\n\nassert ctypes.sizeof({n}) == {}", c.size);
    for (name, offset) in offsets {
        let _ = writeln!(out, "assert {n}.{name}.offset == {offset}");
    }
}

fn property(out: &mut String, group: u32, offset: u32, f: &Field) {
    let (name, at, bits) = (lower(&f.name, RESERVED), f.bit_offset - offset * 8, f.bits);
    let signed = if matches!(&f.ty, Type::Scalar(s) if s.signed) { "True" } else { "False" };
    let _ = write!(
        out,
        "\n    @property\n    def {name}(self):\n        return _get_bits(self._bits{group}, {at}, {bits}, {signed})\n\
         \n    @{name}.setter\n    def {name}(self, value):\n        _set_bits(self._bits{group}, {at}, {bits}, value)\n"
    );
}
