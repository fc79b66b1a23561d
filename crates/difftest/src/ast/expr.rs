//! Expressions and the parts of templates, and their text. Invariant: what [`Expr::ty`] tells is what the
//! language's rules give the printed form.

use std::fmt::Write;

use super::stmt::print_body;
use super::{REC_LEN, Stmt, Ty};

/// A part of a form made from a template.
#[derive(Clone, PartialEq, Debug)]
pub enum Piece {
    /// As it stands.
    Text(String),
    /// An operand, cast to the type if there is one.
    Expr(Option<Ty>, Expr),
    /// Statements.
    Body(Vec<Stmt>),
}

impl Piece {
    pub(super) fn print(&self, depth: usize, out: &mut String) {
        match self {
            Piece::Text(t) => out.push_str(t),
            Piece::Expr(Some(t), e) => e.cast(*t, out),
            Piece::Expr(None, e) => e.print(out),
            Piece::Body(body) => print_body(body, depth, out),
        }
    }
}

/// An expression with a type that [`Expr::ty`] tells.
#[derive(Clone, PartialEq, Debug)]
pub enum Expr {
    /// A typed number, printed as a cast.
    Lit(Ty, i64),
    /// A variable.
    Var(String, Ty),
    /// `(op a b)` with the result type of arithmetic.
    Arith(&'static str, Box<Expr>, Box<Expr>),
    /// `(op a b)` where both operands are cast to that 64-bit type, which is the result's.
    Same(&'static str, Ty, Box<Expr>, Box<Expr>),
    /// `(op a n)`: shift by a constant; operand cast to that 64-bit type.
    Shift(&'static str, Ty, Box<Expr>, u32),
    /// `(op a b)`: shift by a run-time count.
    ShiftBy(&'static str, Ty, Box<Expr>, Box<Expr>),
    /// `(op a)` on a value cast to that type; the result has it.
    Unary(&'static str, Ty, Box<Expr>),
    /// `(op a b)`, both cast to that 64-bit type; 0 or 1.
    Compare(&'static str, Ty, Box<Expr>, Box<Expr>),
    /// `(not a)`.
    Not(Box<Expr>),
    /// `(and a b)` or `(or a b)` on `u64`.
    Logic(&'static str, Box<Expr>, Box<Expr>),
    /// `(if c a b)`, both arms cast to that type.
    If(Ty, Box<Expr>, Box<Expr>, Box<Expr>),
    /// `(cast T a)`.
    Cast(Ty, Box<Expr>),
    /// `(ldb (byte size pos) a)`.
    Ldb(u32, u32, Box<Expr>),
    /// `(load T data off)` from the packet.
    Packet(Ty, u32),
    /// `(getmap m key)` with the map's value type.
    GetMap(&'static str, Ty, Box<Expr>),
    /// `(rec-F v)` of a struct variable.
    Field(String, &'static str, Ty),
    /// A helper without arguments.
    Helper(&'static str),
    /// `(f [r] a …)` of a subprogram with that result type, each argument cast to its parameter's type.
    Call(String, Option<String>, Ty, Vec<(Ty, Expr)>),
    /// `(case (logand key 3) (n a) … (t d))`, all arms cast to that type; the last operand is `d`, the first `key`.
    Case(Ty, Vec<Expr>),
    /// `(cond (c a) … (t d))`: conditions and values in turn, then `d`.
    Cond(Ty, Vec<Expr>),
    /// `(block name (when c (return-from name a)) b)`.
    Block(String, Ty, Box<Expr>, Box<Expr>, Box<Expr>),
    /// `(prog1 v (setf v e))`: the old value.
    Post(String, Ty, Box<Expr>),
    /// `(setf v e)` as a value: what the variable now holds.
    SetValue(String, Ty, Box<Expr>),
    /// `(load T v off)` of a struct's bytes.
    Bytes(String, Ty, u32),
    /// `(load T (+ v (logand e mask)) 0)` of a map value's bytes.
    BytesAt(String, Ty, Box<Expr>),
    /// `(memcmp v w n)`.
    Differ(String, String, u32),
    /// `(atomic-fetch-OP v off e T)` or `(atomic-xchg …)`.
    Fetch(&'static str, String, Ty, u32, Box<Expr>),
    /// `(atomic-cmpxchg v off e e T)`.
    CmpXchg(String, Ty, u32, Box<Expr>, Box<Expr>),
    /// A form from a template, of that type.
    Form(Ty, Vec<Piece>),
}

impl Expr {
    /// Its type by the language's rules.
    pub fn ty(&self) -> Ty {
        match self {
            Expr::Lit(t, _)
            | Expr::Var(_, t)
            | Expr::Same(_, t, ..)
            | Expr::Unary(_, t, _)
            | Expr::If(t, ..)
            | Expr::Cast(t, _)
            | Expr::Packet(t, _)
            | Expr::GetMap(_, t, _)
            | Expr::Field(_, _, t)
            | Expr::Call(_, _, t, _)
            | Expr::Case(t, _)
            | Expr::Cond(t, _)
            | Expr::Block(_, t, ..)
            | Expr::Post(_, t, _)
            | Expr::SetValue(_, t, _)
            | Expr::Bytes(_, t, _)
            | Expr::BytesAt(_, t, _)
            | Expr::Fetch(_, _, t, ..)
            | Expr::CmpXchg(_, t, ..)
            | Expr::Form(t, _) => *t,
            Expr::Shift(op, t, ..) | Expr::ShiftBy(op, t, ..) => match *op {
                ">>" => Ty::U64,
                ">>>" => Ty::I64,
                _ => *t,
            },
            Expr::Arith(_, a, b) => {
                let (a, b) = (a.ty(), b.ty());
                if a == Ty::U64 || b == Ty::U64 || (!a.signed() && !b.signed()) { Ty::U64 } else { Ty::I64 }
            }
            Expr::Compare(..) | Expr::Not(_) | Expr::Differ(..) => Ty::U8,
            Expr::Logic(..) | Expr::Ldb(..) | Expr::Helper(_) => Ty::U64,
        }
    }

    /// Whether it is made of literals alone.
    pub fn is_constant(&self) -> bool {
        let children = self.children();
        matches!(self, Expr::Lit(..)) || (!children.is_empty() && children.into_iter().all(Expr::is_constant))
    }

    /// Its operands.
    pub fn children(&self) -> Vec<&Expr> {
        match self {
            Expr::Lit(..)
            | Expr::Var(..)
            | Expr::Packet(..)
            | Expr::Field(..)
            | Expr::Helper(_)
            | Expr::Bytes(..)
            | Expr::Differ(..) => vec![],
            Expr::Call(_, _, _, args) => args.iter().map(|a| &a.1).collect(),
            Expr::Case(_, es) | Expr::Cond(_, es) => es.iter().collect(),
            Expr::Block(_, _, c, a, b) => vec![c, a, b],
            Expr::Post(_, _, a) | Expr::SetValue(_, _, a) | Expr::BytesAt(_, _, a) | Expr::Fetch(_, _, _, _, a) => {
                vec![a]
            }
            Expr::CmpXchg(_, _, _, a, b) => vec![a, b],
            Expr::Form(_, pieces) => {
                pieces.iter().filter_map(|p| if let Piece::Expr(_, e) = p { Some(e) } else { None }).collect()
            }
            Expr::Arith(_, a, b)
            | Expr::Same(_, _, a, b)
            | Expr::ShiftBy(_, _, a, b)
            | Expr::Compare(_, _, a, b)
            | Expr::Logic(_, a, b) => vec![a, b],
            Expr::Shift(_, _, a, _)
            | Expr::Unary(_, _, a)
            | Expr::Not(a)
            | Expr::Cast(_, a)
            | Expr::Ldb(_, _, a)
            | Expr::GetMap(_, _, a) => vec![a],
            Expr::If(_, c, a, b) => vec![c, a, b],
        }
    }

    /// The operands, to be replaced.
    pub fn children_mut(&mut self) -> Vec<&mut Expr> {
        match self {
            Expr::Lit(..)
            | Expr::Var(..)
            | Expr::Packet(..)
            | Expr::Field(..)
            | Expr::Helper(_)
            | Expr::Bytes(..)
            | Expr::Differ(..) => vec![],
            Expr::Call(_, _, _, args) => args.iter_mut().map(|a| &mut a.1).collect(),
            Expr::Case(_, es) | Expr::Cond(_, es) => es.iter_mut().collect(),
            Expr::Block(_, _, c, a, b) => vec![c, a, b],
            Expr::Post(_, _, a) | Expr::SetValue(_, _, a) | Expr::BytesAt(_, _, a) | Expr::Fetch(_, _, _, _, a) => {
                vec![a]
            }
            Expr::CmpXchg(_, _, _, a, b) => vec![a, b],
            Expr::Form(_, pieces) => operands_mut(pieces).collect(),
            Expr::Arith(_, a, b)
            | Expr::Same(_, _, a, b)
            | Expr::ShiftBy(_, _, a, b)
            | Expr::Compare(_, _, a, b)
            | Expr::Logic(_, a, b) => vec![a, b],
            Expr::Shift(_, _, a, _)
            | Expr::Unary(_, _, a)
            | Expr::Not(a)
            | Expr::Cast(_, a)
            | Expr::Ldb(_, _, a)
            | Expr::GetMap(_, _, a) => vec![a],
            Expr::If(_, c, a, b) => vec![c, a, b],
        }
    }

    pub(super) fn cast(&self, ty: Ty, out: &mut String) {
        if self.ty() == ty {
            self.print(out);
        } else {
            let _ = write!(out, "(cast {} ", ty.name());
            self.print(out);
            out.push(')');
        }
    }

    /// Appends its text.
    pub fn print(&self, out: &mut String) {
        // Writing to a string can't fail.
        let _ = match self {
            Expr::Lit(t, n) => write!(out, "(cast {} {})", t.name(), t.cut(*n)),
            Expr::Var(name, _) => write!(out, "{name}"),
            Expr::Helper(name) => write!(out, "(cast u64 ({name}))"),
            Expr::Packet(t, off) => write!(out, "(load {} data {off})", t.name()),
            Expr::Field(var, field, _) => write!(out, "(rec-{field} {var})"),
            Expr::Arith(op, a, b) => call(out, op, &[(a, None), (b, None)]),
            Expr::Same(op, t, a, b) | Expr::Compare(op, t, a, b) => call(out, op, &[(a, Some(*t)), (b, Some(*t))]),
            Expr::ShiftBy(op, t, a, b) => call(out, op, &[(a, Some(*t)), (b, None)]),
            Expr::Shift(op, t, a, n) => {
                let right = *op == "ash-right";
                let _ = write!(out, "({} ", if right { "ash" } else { op });
                a.cast(*t, out);
                write!(out, " {}{n})", if right { "-" } else { "" })
            }
            Expr::Unary(op, t, a) => call(out, op, &[(a, Some(*t))]),
            Expr::Not(a) => call(out, "not", &[(a, None)]),
            Expr::Logic(op, a, b) => call(out, op, &[(a, Some(Ty::U64)), (b, Some(Ty::U64))]),
            Expr::If(t, c, a, b) => call(out, "if", &[(c, None), (a, Some(*t)), (b, Some(*t))]),
            Expr::Cast(t, a) => {
                let _ = write!(out, "(cast {} ", t.name());
                a.print(out);
                write!(out, ")")
            }
            Expr::Ldb(size, pos, a) => {
                let _ = write!(out, "(ldb (byte {size} {pos}) ");
                a.cast(Ty::U64, out);
                write!(out, ")")
            }
            Expr::GetMap(map, _, key) => {
                let _ = write!(out, "(getmap {map} ");
                key_text(key, out);
                write!(out, ")")
            }
            Expr::Call(name, pointer, _, args) => {
                let name = &pointer.as_ref().map_or(name.clone(), |p| format!("{name} {p}"));
                let args: Vec<(&Expr, Option<Ty>)> = args.iter().map(|(t, a)| (a, Some(*t))).collect();
                call(out, name, &args)
            }
            Expr::Case(t, es) => {
                out.push_str("(case (logand ");
                for (i, e) in es.iter().enumerate() {
                    match i {
                        0 => {
                            e.cast(Ty::U64, out);
                            out.push_str(" 3)");
                            continue;
                        }
                        i if i == es.len() - 1 => out.push_str(" (t "),
                        i => {
                            let _ = write!(out, " ({} ", i - 1);
                        }
                    }
                    e.cast(*t, out);
                    out.push(')');
                }
                write!(out, ")")
            }
            Expr::Cond(t, es) => {
                out.push_str("(cond");
                for pair in es.chunks(2) {
                    out.push_str(" (");
                    match pair {
                        [c, _] => c.print(out),
                        _ => out.push('t'),
                    }
                    out.push(' ');
                    if let Some(e) = pair.last() {
                        e.cast(*t, out);
                    }
                    out.push(')');
                }
                write!(out, ")")
            }
            Expr::Block(name, t, c, a, b) => {
                let _ = write!(out, "(block {name} (when ");
                c.print(out);
                let _ = write!(out, " (return-from {name} ");
                a.cast(*t, out);
                out.push_str(")) ");
                b.cast(*t, out);
                write!(out, ")")
            }
            Expr::Post(name, t, e) => {
                let _ = write!(out, "(prog1 {name} (setf {name} ");
                e.cast(*t, out);
                write!(out, "))")
            }
            Expr::SetValue(name, t, e) => {
                let _ = write!(out, "(setf {name} ");
                e.cast(*t, out);
                write!(out, ")")
            }
            Expr::Bytes(var, t, off) => write!(out, "(load {} {var} {off})", t.name()),
            Expr::BytesAt(var, t, e) => {
                let _ = write!(out, "(load {} (+ {var} (logand ", t.name());
                e.cast(Ty::U64, out);
                write!(out, " {})) 0)", REC_LEN - t.bits() / 8)
            }
            Expr::Differ(a, b, n) => write!(out, "(memcmp {a} {b} {n})"),
            Expr::Fetch(op, var, t, off, e) => {
                let _ = write!(out, "({op} {var} {off} ");
                e.cast(*t, out);
                write!(out, " {})", t.name())
            }
            Expr::CmpXchg(var, t, off, a, b) => {
                let _ = write!(out, "(atomic-cmpxchg {var} {off} ");
                a.cast(*t, out);
                out.push(' ');
                b.cast(*t, out);
                write!(out, " {})", t.name())
            }
            Expr::Form(_, pieces) => {
                pieces.iter().for_each(|p| p.print(0, out));
                Ok(())
            }
        };
    }
}

pub(super) fn operands_mut(pieces: &mut [Piece]) -> impl Iterator<Item = &mut Expr> {
    pieces.iter_mut().filter_map(|p| if let Piece::Expr(_, e) = p { Some(e) } else { None })
}

fn call(out: &mut String, op: &str, args: &[(&Expr, Option<Ty>)]) -> std::fmt::Result {
    let _ = write!(out, "({op}");
    for (arg, ty) in args {
        out.push(' ');
        match ty {
            Some(t) => arg.cast(*t, out),
            None => arg.print(out),
        }
    }
    write!(out, ")")
}

/// A map key: one of eight, so that entries are hit.
pub(super) fn key_text(key: &Expr, out: &mut String) {
    out.push_str("(cast u32 (logand ");
    key.cast(Ty::U64, out);
    out.push_str(" 7))");
}
