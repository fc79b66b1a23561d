//! Statements and their text. Invariant: what is assigned is cast to the type of the place.

use std::fmt::Write;

use super::expr::{key_text, operands_mut};
use super::{Expr, Piece, Ty};

/// A statement.
#[derive(Clone, PartialEq, Debug)]
pub enum Stmt {
    /// `(let ((v [T] init) …) body…)`.
    Let(Vec<(String, Option<Ty>, Expr)>, Vec<Stmt>),
    /// A struct on the stack: `(let ((v (make-rec))) body…)`.
    Struct(String, Vec<Stmt>),
    /// `(setf v e)`, cast to the variable's type where it is inferred.
    Set(String, Ty, Expr),
    /// `(incf v e)` or `(decf v e)`.
    Incf(&'static str, String, Ty, Expr),
    /// `(if c (progn …) (progn …))`.
    If(Expr, Vec<Stmt>, Vec<Stmt>),
    /// `(dotimes (v n) …)`.
    Dotimes(String, u32, Vec<Stmt>),
    /// `(dotimes (v e :max n) …)`.
    DotimesMax(String, Expr, u32, Vec<Stmt>),
    /// `(while test :max n …)`.
    While(Expr, u32, Vec<Stmt>),
    /// `(setf (getmap m key) e)`, cast to the map's value type.
    SetMap(&'static str, Ty, Expr, Expr),
    /// `(incf (getmap m key) e)`.
    IncfMap(&'static str, Ty, Expr, Expr),
    /// `(remmap m key)`.
    DelMap(&'static str, Expr),
    /// `(setf (rec-F v) e)`.
    SetField(String, &'static str, Ty, Expr),
    /// `(when-let ((v (map-lookup recs key))) …)`: struct access by pointer.
    Lookup(String, Expr, Vec<Stmt>),
    /// `(store T data off e)` into the packet.
    Store(Ty, u32, Expr),
    /// `(when c (return e))`, cast to the function's result type.
    ReturnWhen(Ty, Expr, Expr),
    /// `(store T v off e)` into a struct's bytes.
    StoreBytes(String, Ty, u32, Expr),
    /// `(memcpy v off w off n)`.
    Copy(String, String, u32, u32),
    /// `(memset v off e n)`.
    Fill(String, u32, Expr, u32),
    /// `(atomic-OP v off e T)`.
    Atomic(&'static str, String, Ty, u32, Expr),
    /// `(psetf v e w e)`.
    Psetf((String, Ty, Expr), (String, Ty, Expr)),
    /// An expression for its effect.
    Do(Expr),
    /// A form from a template.
    Form(Vec<Piece>),
}

impl Stmt {
    /// The statements inside.
    pub fn bodies_mut(&mut self) -> Vec<&mut Vec<Stmt>> {
        match self {
            Stmt::Let(_, b)
            | Stmt::Struct(_, b)
            | Stmt::Dotimes(_, _, b)
            | Stmt::DotimesMax(_, _, _, b)
            | Stmt::While(_, _, b)
            | Stmt::Lookup(_, _, b) => vec![b],
            Stmt::If(_, a, b) => vec![a, b],
            Stmt::Form(pieces) => {
                pieces.iter_mut().filter_map(|p| if let Piece::Body(b) = p { Some(b) } else { None }).collect()
            }
            _ => vec![],
        }
    }

    /// Its own expressions.
    pub fn exprs_mut(&mut self) -> Vec<&mut Expr> {
        match self {
            Stmt::Let(vars, _) => vars.iter_mut().map(|v| &mut v.2).collect(),
            Stmt::Set(_, _, e)
            | Stmt::Incf(_, _, _, e)
            | Stmt::If(e, ..)
            | Stmt::DotimesMax(_, e, ..)
            | Stmt::While(e, ..)
            | Stmt::DelMap(_, e)
            | Stmt::SetField(_, _, _, e)
            | Stmt::Lookup(_, e, _)
            | Stmt::Store(_, _, e)
            | Stmt::StoreBytes(_, _, _, e)
            | Stmt::Fill(_, _, e, _)
            | Stmt::Atomic(_, _, _, _, e)
            | Stmt::Do(e) => vec![e],
            Stmt::SetMap(_, _, a, b) | Stmt::IncfMap(_, _, a, b) | Stmt::ReturnWhen(_, a, b) => vec![a, b],
            Stmt::Psetf(a, b) => vec![&mut a.2, &mut b.2],
            Stmt::Form(pieces) => operands_mut(pieces).collect(),
            Stmt::Struct(..) | Stmt::Dotimes(..) | Stmt::Copy(..) => vec![],
        }
    }

    pub(super) fn print(&self, depth: usize, out: &mut String) {
        out.push('\n');
        out.push_str(&"  ".repeat(depth));
        let _ = match self {
            Stmt::Let(vars, body) => {
                out.push_str("(let (");
                for (i, (name, ty, init)) in vars.iter().enumerate() {
                    let _ = write!(out, "{}({name} ", if i > 0 { " " } else { "" });
                    if let Some(t) = ty {
                        let _ = write!(out, "{} ", t.name());
                    }
                    init.print(out);
                    out.push(')');
                }
                out.push(')');
                print_body(body, depth, out);
                write!(out, ")")
            }
            Stmt::Struct(name, body) => {
                let _ = write!(out, "(let (({name} (make-rec)))");
                print_body(body, depth, out);
                write!(out, ")")
            }
            Stmt::Set(name, ty, e) => {
                let _ = write!(out, "(setf {name} ");
                e.cast(*ty, out);
                write!(out, ")")
            }
            Stmt::Incf(op, name, ty, e) => {
                let _ = write!(out, "({op} {name} ");
                e.cast(*ty, out);
                write!(out, ")")
            }
            Stmt::If(c, a, b) => {
                out.push_str("(if ");
                c.print(out);
                for arm in [a, b] {
                    out.push('\n');
                    out.push_str(&"  ".repeat(depth + 1));
                    out.push_str("(progn");
                    print_body(arm, depth + 1, out);
                    out.push(')');
                }
                write!(out, ")")
            }
            Stmt::Dotimes(v, n, body) => {
                let _ = write!(out, "(dotimes ({v} {n})");
                print_body(body, depth, out);
                write!(out, ")")
            }
            Stmt::DotimesMax(v, e, n, body) => {
                let _ = write!(out, "(dotimes ({v} ");
                e.cast(Ty::U64, out);
                let _ = write!(out, " :max {n})");
                print_body(body, depth, out);
                write!(out, ")")
            }
            Stmt::While(e, n, body) => {
                out.push_str("(while ");
                e.print(out);
                let _ = write!(out, " :max {n}");
                print_body(body, depth, out);
                write!(out, ")")
            }
            Stmt::SetMap(map, ty, key, e) => {
                let _ = write!(out, "(setf (getmap {map} ");
                key_text(key, out);
                out.push_str(") ");
                e.cast(*ty, out);
                write!(out, ")")
            }
            Stmt::IncfMap(map, ty, key, e) => {
                let _ = write!(out, "(incf (getmap {map} ");
                key_text(key, out);
                out.push_str(") ");
                e.cast(*ty, out);
                write!(out, ")")
            }
            Stmt::DelMap(map, key) => {
                let _ = write!(out, "(remmap {map} ");
                key_text(key, out);
                write!(out, ")")
            }
            Stmt::SetField(var, field, ty, e) => {
                let _ = write!(out, "(setf (rec-{field} {var}) ");
                e.cast(*ty, out);
                write!(out, ")")
            }
            Stmt::Lookup(var, key, body) => {
                let _ = write!(out, "(when-let (({var} (map-lookup recs ");
                key_text(key, out);
                out.push_str(")))");
                print_body(body, depth, out);
                write!(out, ")")
            }
            Stmt::Store(ty, off, e) => {
                let _ = write!(out, "(store {} data {off} ", ty.name());
                e.cast(*ty, out);
                write!(out, ")")
            }
            Stmt::ReturnWhen(t, c, e) => {
                out.push_str("(when ");
                c.print(out);
                let _ = write!(out, " (return (cast {} ", t.name());
                e.print(out);
                write!(out, ")))")
            }
            Stmt::StoreBytes(var, t, off, e) => {
                let _ = write!(out, "(store {} {var} {off} ", t.name());
                e.cast(*t, out);
                write!(out, ")")
            }
            Stmt::Copy(to, from, off, n) => write!(out, "(memcpy {to} {off} {from} {off} {n})"),
            Stmt::Fill(var, off, e, n) => {
                let _ = write!(out, "(memset {var} {off} ");
                e.cast(Ty::U64, out);
                write!(out, " {n})")
            }
            Stmt::Atomic(op, var, t, off, e) => {
                let _ = write!(out, "({op} {var} {off} ");
                e.cast(*t, out);
                write!(out, " {})", t.name())
            }
            Stmt::Psetf(a, b) => {
                out.push_str("(psetf");
                for (name, t, e) in [a, b] {
                    let _ = write!(out, " {name} ");
                    e.cast(*t, out);
                }
                write!(out, ")")
            }
            Stmt::Do(e) => {
                e.print(out);
                Ok(())
            }
            Stmt::Form(pieces) => {
                pieces.iter().for_each(|p| p.print(depth, out));
                Ok(())
            }
        };
    }
}

pub(super) fn print_body(body: &[Stmt], depth: usize, out: &mut String) {
    for s in body {
        s.print(depth + 1, out);
    }
    out.push_str(" 0");
}
