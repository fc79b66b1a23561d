//! A file for this language itself, for host code that reads another object's maps. Invariant: loading it declares
//! the structs anew, and fails when they come out otherwise.

use std::fmt::Write;

use crate::layout::{Piece, is_natural, pieces};
use crate::model::{Composite, Field, Model, Type, enumeration};
use crate::names::lisp;

pub(crate) fn write(model: &Model, unit: &str) -> String {
    let mut out = format!(";;; Made by whistler: what the programs of {unit} share with user space.\n");
    for (name, value) in &model.constants {
        let _ = write!(out, "\n(defconstant +{}+ {value})\n", lisp(name));
    }
    for e in &model.enums {
        let n = lisp(&e.name);
        let _ = write!(out, "\n(defenum {n}");
        for (name, v) in &e.values {
            let name = lisp(&name.to_ascii_lowercase());
            let member = name.strip_prefix(&format!("{n}-")).unwrap_or(&name);
            let _ = write!(out, "\n  (:{member} {v})");
        }
        let _ = writeln!(out, ")");
        if e.size == 4 {
            let _ = writeln!(out, "(assert (= (sizeof {n}) 4))");
        }
    }
    for c in &model.composites {
        composite(&mut out, model, c);
    }
    for m in &model.maps {
        let spell = |ty: &Option<Type>| ty.as_ref().map_or_else(|| "nil".to_string(), |t| spelled(model, t));
        let _ = write!(
            out,
            "\n(defconstant +map-{}+ \"{}\")\n(defparameter *{}-types* '(:type :{} :key {} :value {} :max-entries {}))\n",
            lisp(&m.name),
            m.name,
            lisp(&m.name),
            m.map_type.keyword(),
            spell(&m.key),
            spell(&m.value),
            m.max_entries
        );
    }
    for g in &model.globals {
        let (n, kind, ty) = (lisp(&g.name), g.kind(), spelled(model, &g.ty));
        let _ = write!(out, "\n;; A {}.\n(defconstant +{kind}-{n}+ \"{}\")\n", g.what(), g.name);
        let _ = writeln!(out, "(defparameter *{kind}-{n}-type* '{ty})");
    }
    out
}

fn spelled(model: &Model, ty: &Type) -> String {
    match ty {
        Type::Scalar(s) if enumeration(model, s).is_some_and(|e| e.size == 4) => {
            enumeration(model, s).map_or_else(String::new, |e| lisp(&e.name))
        }
        Type::Scalar(s) => {
            let plain = format!("{}{}", if s.signed { "i" } else { "u" }, s.size * 8);
            if s.big_endian { format!("(be {plain})") } else { plain }
        }
        Type::Bool => "bool".to_string(),
        Type::Char => "char".to_string(),
        Type::Array(elem, n) => format!("(array {} {n})", spelled(model, elem)),
        Type::Bytes(n) => format!("(array u8 {n})"),
        Type::Composite(i) => model.composites.get(*i).map_or_else(|| "u8".to_string(), |c| lisp(&c.name)),
    }
}

fn composite(out: &mut String, model: &Model, c: &Composite) {
    let n = lisp(&c.name);
    let member = |out: &mut String, f: &Field| {
        let _ = write!(out, "\n  ({} {})", lisp(&f.name), spelled(model, &f.ty));
    };
    if c.union {
        let _ = write!(out, "\n(defunion {n}");
        c.fields.iter().for_each(|f| member(out, f));
    } else if is_natural(model, c) {
        let _ = write!(out, "\n(defstruct {n}");
        c.fields.iter().for_each(|f| member(out, f));
    } else {
        let _ = match c.align {
            1 => write!(out, "\n(defstruct ({n} :packed)"),
            a => write!(out, "\n(defstruct ({n} :packed :align {a})"),
        };
        let mut pads = 0;
        let all = pieces(model, c);
        for (i, piece) in all.iter().enumerate() {
            match piece {
                // What is left at the end comes of the alignment.
                Piece::Pad { .. } if i + 1 == all.len() && c.align > 1 => {}
                Piece::Pad { size } => {
                    let _ = write!(out, "\n  (pad{pads} (array u8 {size}))");
                    pads += 1;
                }
                Piece::Field(f) => member(out, f),
                Piece::Bits { offset, fields, .. } => {
                    let mut at = offset * 8;
                    for f in fields {
                        let gap = f.bit_offset.saturating_sub(at);
                        if gap > 0 {
                            let _ = write!(out, "\n  (gap{pads} (bits u64 {gap}))");
                            pads += 1;
                        }
                        let _ =
                            write!(out, "\n  ({} (bits {} {}))", lisp(&f.name), spelled(model, &f.ty.plain()), f.bits);
                        at = f.bit_offset + f.bits;
                    }
                }
            }
        }
    }
    let _ = writeln!(out, ")\n(assert (= (sizeof {n}) {}))", c.size);
    for f in c.fields.iter().filter(|f| f.bits == 0) {
        let _ = writeln!(out, "(assert (= (offsetof {n} {}) {}))", lisp(&f.name), f.offset());
    }
}
