//! Random programs as trees, and their text. Invariant: what a tree prints is accepted by
//! the language's rules: operands of operators that need one signedness are cast to it.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::templates::templates;

/// An integer type.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs)]
pub enum Ty {
    U8,
    U16,
    U32,
    U64,
    I8,
    I16,
    I32,
    I64,
}

impl Ty {
    /// All of them.
    pub const ALL: [Ty; 8] = [Ty::U8, Ty::U16, Ty::U32, Ty::U64, Ty::I8, Ty::I16, Ty::I32, Ty::I64];

    /// As the language spells it.
    pub fn name(self) -> &'static str {
        match self {
            Ty::U8 => "u8",
            Ty::U16 => "u16",
            Ty::U32 => "u32",
            Ty::U64 => "u64",
            Ty::I8 => "i8",
            Ty::I16 => "i16",
            Ty::I32 => "i32",
            Ty::I64 => "i64",
        }
    }

    /// Whether it has negative numbers.
    pub fn signed(self) -> bool {
        matches!(self, Ty::I8 | Ty::I16 | Ty::I32 | Ty::I64)
    }

    /// The type of that name.
    pub fn of_name(name: &str) -> Option<Ty> {
        Ty::ALL.into_iter().find(|t| t.name() == name)
    }

    /// In bits.
    pub fn bits(self) -> u32 {
        match self {
            Ty::U8 | Ty::I8 => 8,
            Ty::U16 | Ty::I16 => 16,
            Ty::U32 | Ty::I32 => 32,
            Ty::U64 | Ty::I64 => 64,
        }
    }

    /// The 64-bit type of the same signedness: what arithmetic on it gives.
    pub fn wide(self) -> Ty {
        if self.signed() { Ty::I64 } else { Ty::U64 }
    }

    /// The nearest number of the type.
    pub fn cut(self, n: i64) -> i64 {
        let s = 64 - self.bits();
        if self.signed() { (n << s) >> s } else { (((n as u64) << s) >> s) as i64 }
    }
}

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
    fn print(&self, depth: usize, out: &mut String) {
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

    fn cast(&self, ty: Ty, out: &mut String) {
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

fn operands_mut(pieces: &mut [Piece]) -> impl Iterator<Item = &mut Expr> {
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
fn key_text(key: &Expr, out: &mut String) {
    out.push_str("(cast u32 (logand ");
    key.cast(Ty::U64, out);
    out.push_str(" 7))");
}

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

    fn print(&self, depth: usize, out: &mut String) {
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

fn print_body(body: &[Stmt], depth: usize, out: &mut String) {
    for s in body {
        s.print(depth + 1, out);
    }
    out.push_str(" 0");
}

/// A subprogram: `(defsubprog name ((v T) …) T body… e)`.
#[derive(Clone, PartialEq, Debug)]
pub struct Sub {
    /// What it is called.
    pub name: String,
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
    /// What it is loaded as.
    pub hook: Hook,
}

/// Where a program sees its packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hook {
    /// Before there is a socket buffer.
    Xdp,
    /// In a socket buffer, whose fields are the context.
    Tc,
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
            for s in &sub.body {
                s.print(1, &mut out);
            }
            out.push_str("\n  ");
            sub.result.1.cast(sub.result.0, &mut out);
            out.push_str(")\n");
        }
        let hook = match self.hook {
            Hook::Xdp => "(:type :xdp :section \"xdp\" :license \"GPL\")",
            Hook::Tc => "(:type :tc :section \"tc\" :license \"GPL\")",
        };
        let _ = writeln!(out, "(defprog p {hook}");
        let _ = write!(out, "  (with-packet (data data-end :min-len {PACKET_LEN})");
        for s in &self.body {
            s.print(2, &mut out);
        }
        out.push_str("\n    (return (cast u32 ");
        self.result.print(&mut out);
        out.push_str(")))\n  (packet-pass))\n");
        let newest = if self.newest { "; newest\n" } else { "" };
        format!("{newest}{}{out}", declarations(&out))
    }
}
