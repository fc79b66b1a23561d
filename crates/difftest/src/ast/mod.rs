//! Random programs as trees, and their text. Invariant: what a tree prints is accepted by
//! the language's rules: operands of operators that need one signedness are cast to it.

mod expr;
mod stmt;
mod types;

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::templates::templates;

pub use expr::{Expr, Piece};
pub use stmt::Stmt;
pub use types::Ty;

/// A subprogram: `(defsubprog name ((v T) …) T body… e)`.
#[derive(Clone, PartialEq, Debug)]
pub struct Sub {
    /// What it is called.
    pub name: String,
    /// Who verifies it.
    pub linkage: Linkage,
    /// A parameter before the others that points to a `rec`.
    pub pointer: Option<String>,
    /// Its parameters.
    pub params: Vec<(String, Ty)>,
    /// What it does.
    pub body: Vec<Stmt>,
    /// What it gives, and as what.
    pub result: (Ty, Expr),
}

/// A whole program.
#[derive(Clone, PartialEq, Debug)]
pub struct Program {
    /// What it may call.
    pub subs: Vec<Sub>,
    /// What it does.
    pub body: Vec<Stmt>,
    /// What it returns.
    pub result: Expr,
    /// Whether it uses what only the newest instruction set has.
    pub newest: bool,
    /// Whether it has a loop of a thousand rounds or more.
    pub long: bool,
    /// What it is loaded as.
    pub hook: Hook,
    /// The lines of `templates.txt` it was made of.
    pub used: BTreeSet<&'static str>,
}

/// Whether a subprogram is verified where it is called, or on its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Linkage {
    Static,
    Global,
}

/// Where a program sees its packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hook {
    /// Before there is a socket buffer.
    Xdp,
    /// In a socket buffer, whose fields are the context.
    Tc,
}

impl Hook {
    /// How a program of it is declared.
    pub fn options(self) -> &'static str {
        match self {
            Hook::Xdp => "(:type :xdp :section \"xdp\" :license \"GPL\")",
            Hook::Tc => "(:type :tc :section \"tc\" :license \"GPL\")",
        }
    }
}

/// Bytes of packet that every program may read and write.
pub const PACKET_LEN: usize = 64;

/// The fields of the struct `rec`.
pub const FIELDS: [(&str, Ty); 8] = [
    ("a", Ty::U8),
    ("b", Ty::U16),
    ("c", Ty::U32),
    ("d", Ty::U64),
    ("e", Ty::I8),
    ("f", Ty::I16),
    ("g", Ty::I32),
    ("h", Ty::I64),
];

/// Bytes of a `rec`.
pub const REC_LEN: u32 = 32;

/// Maps of scalars, with their value types.
pub const MAPS: [(&str, Ty); 5] =
    [("counts", Ty::U64), ("small", Ty::U16), ("signed", Ty::I32), ("percpu", Ty::U64), ("old", Ty::U64)];

/// What the program's text needs of the declarations in `templates.txt`.
fn declarations(body: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || "-_+*/<>=".contains(c);
    let words = |text: &str| text.split(|c| !is_word(c)).map(str::to_string).collect::<BTreeSet<String>>();
    let mut there = words(body);
    let mut texts = Vec::new();
    for decl in templates().decls.iter().rev() {
        let wanted = decl.words.iter().any(|w| match w.strip_suffix('-') {
            Some(_) => there.iter().any(|t| t.starts_with(w)),
            None => there.contains(w),
        });
        if wanted {
            there.extend(words(&decl.text));
            texts.push(decl.text.as_str());
        }
    }
    texts.into_iter().rev().collect()
}

impl Program {
    /// The source text.
    pub fn text(&self) -> String {
        let mut out = String::new();
        for sub in &self.subs {
            let _ = write!(out, "(defsubprog {} (", sub.name);
            if let Some(p) = &sub.pointer {
                let _ = write!(out, "({p} (ptr rec)) ");
            }
            for (i, (name, t)) in sub.params.iter().enumerate() {
                let _ = write!(out, "{}({name} {})", if i > 0 { " " } else { "" }, t.name());
            }
            let _ = write!(out, ") {}", sub.result.0.name());
            if sub.linkage == Linkage::Global {
                out.push_str(" :global t");
            }
            for s in &sub.body {
                s.print(1, &mut out);
            }
            out.push_str("\n  ");
            sub.result.1.cast(sub.result.0, &mut out);
            out.push_str(")\n");
        }
        let hook = self.hook.options();
        let _ = writeln!(out, "(defprog p {hook}");
        let _ = write!(out, "  (with-packet (data data-end :min-len {PACKET_LEN})");
        for s in &self.body {
            s.print(2, &mut out);
        }
        out.push_str("\n    (return (cast u32 ");
        self.result.print(&mut out);
        out.push_str(")))\n  (packet-pass))\n");
        let newest = if self.newest { "; newest\n" } else { "" };
        format!("{newest}{}{out}", declarations(&out).replace("<HOOK>", hook))
    }
}
