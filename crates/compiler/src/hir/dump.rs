//! The unit as text, for tests and for people. Invariant: one line for one statement, names as written.

use std::fmt::Write;

use super::{BinOp, CmpOp, Expr, ExprKind, Function, LocalId, MapOp, Ty, UnOp, Unit};

/// The unit as text.
pub fn dump(unit: &Unit) -> String {
    let mut out = String::new();
    for f in &unit.functions {
        function(unit, f, &mut out);
    }
    out
}

fn function(unit: &Unit, f: &Function, out: &mut String) {
    let kind = if f.program.is_some() { "program" } else { "subprogram" };
    let params: Vec<String> =
        f.params.iter().map(|p| format!("{}:{}", local(f, *p), f.locals[p.0 as usize].ty)).collect();
    let _ = writeln!(out, "{kind} {} ({}) {}", f.name, params.join(" "), f.ret);
    let d = Dump { unit, f };
    d.statement(&f.body, 1, out);
}

fn local(f: &Function, id: LocalId) -> String {
    let name = f.locals.get(id.0 as usize).map_or("", |l| &*l.name);
    format!("{name}%{}", id.0)
}

struct Dump<'a> {
    unit: &'a Unit,
    f: &'a Function,
}

impl Dump<'_> {
    fn statement(&self, e: &Expr, depth: usize, out: &mut String) {
        let pad = "  ".repeat(depth);
        match &e.kind {
            ExprKind::Seq(es) if !es.is_empty() => es.iter().for_each(|e| self.statement(e, depth, out)),
            ExprKind::If(c, t, f) => {
                let _ = writeln!(out, "{pad}if {} : {}", self.expr(c), e.ty);
                self.statement(t, depth + 1, out);
                let _ = writeln!(out, "{pad}else");
                self.statement(f, depth + 1, out);
            }
            ExprKind::WithCallback { callback, .. } => {
                let params: Vec<String> = callback.params.iter().map(|p| local(self.f, *p)).collect();
                let _ = writeln!(out, "{pad}{} with ({})", self.expr(e), params.join(" "));
                self.statement(&callback.body, depth + 1, out);
            }
            ExprKind::While { test, body, max, .. } => {
                let _ = writeln!(out, "{pad}while {} max {max:?}", self.expr(test));
                self.statement(body, depth + 1, out);
            }
            ExprKind::For { var, count, max, body, .. } => {
                let _ = writeln!(out, "{pad}for {} below {} max {max:?}", local(self.f, *var), self.expr(count));
                self.statement(body, depth + 1, out);
            }
            ExprKind::Block { label, body } => {
                let _ = writeln!(out, "{pad}block {} : {}", label.0, e.ty);
                self.statement(body, depth + 1, out);
            }
            _ => {
                let _ = writeln!(out, "{pad}{}", self.expr(e));
            }
        }
    }

    fn list(&self, es: &[Expr]) -> String {
        es.iter().map(|e| self.expr(e)).collect::<Vec<_>>().join(" ")
    }

    fn expr(&self, e: &Expr) -> String {
        let x = |e: &Expr| self.expr(e);
        match &e.kind {
            ExprKind::Const(n) => format!("{n}:{}", e.ty),
            ExprKind::Local(l) => local(self.f, *l),
            ExprKind::Set(l, v) => format!("(set {} {})", local(self.f, *l), x(v)),
            ExprKind::AddrOf(l) => format!("&{}", local(self.f, *l)),
            ExprKind::Seq(es) => format!("(seq {})", self.list(es)),
            ExprKind::If(c, t, f) => format!("(if {} {} {})", x(c), x(t), x(f)),
            ExprKind::Bin(op, a, b) => format!("({} {} {})", bin(*op), x(a), x(b)),
            ExprKind::Un(op, a) => format!("({} {})", un(*op), x(a)),
            ExprKind::Cmp(op, a, b) => format!("({} {} {})", cmp(*op), x(a), x(b)),
            ExprKind::Cast(v) => format!("(cast {} {})", e.ty, x(v)),
            ExprKind::Bswap(n, v) => format!("(bswap{} {})", n * 8, x(v)),
            ExprKind::Load { ptr, off } => format!("(load {} {}{})", e.ty, x(ptr), offset(*off)),
            ExprKind::Store { mem, ptr, off, value } => {
                format!("(store {mem} {}{} {})", x(ptr), offset(*off), x(value))
            }
            ExprKind::Copy { dst, src, len } => format!("(copy {} {} {len})", x(dst), x(src)),
            ExprKind::Fill { dst, value, len } => format!("(fill {} {} {len})", x(dst), x(value)),
            ExprKind::Differ { a, b, len } => format!("(differ {} {} {len})", x(a), x(b)),
            ExprKind::Atomic { op, mem, fetch, ptr, off, value } => {
                let fetch = if *fetch { "-fetch" } else { "" };
                format!("(atomic-{op:?}{fetch} {} {}{} {})", Ty::Int(*mem), x(ptr), offset(*off), x(value))
                    .to_lowercase()
            }
            ExprKind::CmpXchg { mem, ptr, off, expected, new } => {
                format!("(cmpxchg {} {}{} {} {})", Ty::Int(*mem), x(ptr), offset(*off), x(expected), x(new))
            }
            ExprKind::Ctx => "ctx".to_string(),
            ExprKind::Map(m) => self.unit.maps.get(m.0 as usize).map_or("?".into(), |m| format!("@{}", m.name)),
            ExprKind::Global(g) => self.unit.globals.get(g.0 as usize).map_or("?".into(), |g| format!("&{}", g.name)),
            ExprKind::Bytes(b) => format!("{:?}", String::from_utf8_lossy(b)),
            ExprKind::MapOp { op, map, args } => {
                let name = self.unit.maps.get(map.0 as usize).map_or("?", |m| &*m.name);
                let op = match op {
                    MapOp::Lookup => "lookup",
                    MapOp::Update => "update",
                    MapOp::Delete => "delete",
                };
                format!("({op} @{name} {})", self.list(args))
            }
            ExprKind::Helper { id, args } => {
                let name = whistler_isa::helpers::by_id(*id).map_or("?", |h| h.name);
                format!("({name} {}):{}", self.list(args), e.ty)
            }
            ExprKind::Kfunc { kfunc, args } => format!("(kernel {} {}):{}", kfunc.name, self.list(args), e.ty),
            ExprKind::Call { function, args } => {
                let name = self.unit.functions.get(function.0 as usize).map_or("?", |f| &*f.name);
                format!("(call {name} {})", self.list(args))
            }
            ExprKind::WithCallback { helper, before, after, .. } => {
                let name = whistler_isa::helpers::by_id(*helper).map_or("?", |h| h.name);
                format!("({name} {} callback {}):{}", self.list(before), self.list(after), e.ty)
            }
            ExprKind::FnAddr(id) => {
                self.unit.functions.get(id.0 as usize).map_or("?".into(), |f| format!("#'{}", f.name))
            }
            ExprKind::InBounds { ptr, len, end } => format!("(in-bounds {} {len} {})", x(ptr), x(end)),
            ExprKind::While { .. } | ExprKind::For { .. } | ExprKind::Block { .. } => {
                let mut out = String::new();
                self.statement(e, 0, &mut out);
                format!("{{{}}}", out.trim_end().replace('\n', ";"))
            }
            ExprKind::Break(l, v) => format!("(break {} {})", l.0, x(v)),
            ExprKind::Return(v) => format!("(return {})", x(v)),
            ExprKind::OnLeaving { release, .. } => format!("(on-leaving {})", x(release)),
            ExprKind::CoreValue { core, local } => format!("(core {} {local})", self.core(core.0)),
            ExprKind::CoreLoad { core, ptr, off } => {
                format!("(core-load {} {} {}{})", e.ty, self.core(core.0), x(ptr), offset(*off))
            }
            ExprKind::CoreStore { core, mem, ptr, off, value } => {
                format!("(core-store {mem} {} {}{} {})", self.core(core.0), x(ptr), offset(*off), x(value))
            }
        }
    }

    fn core(&self, i: u32) -> String {
        self.unit.core.get(i as usize).map_or("?".into(), |c| format!("{}[{}]", c.kind, c.access))
    }
}

fn offset(off: i32) -> String {
    if off == 0 { String::new() } else { format!("{off:+}") }
}

fn bin(op: BinOp) -> &'static str {
    match op {
        BinOp::Add => "+",
        BinOp::Sub => "-",
        BinOp::Mul => "*",
        BinOp::DivU => "/u",
        BinOp::DivS => "/s",
        BinOp::RemU => "remu",
        BinOp::RemS => "rems",
        BinOp::ModS => "mods",
        BinOp::And => "and",
        BinOp::Or => "or",
        BinOp::Xor => "xor",
        BinOp::Shl => "shl",
        BinOp::ShrU => "shru",
        BinOp::ShrS => "shrs",
        BinOp::AshS => "ashs",
        BinOp::AshU => "ashu",
        BinOp::MinU => "minu",
        BinOp::MinS => "mins",
        BinOp::MaxU => "maxu",
        BinOp::MaxS => "maxs",
    }
}

fn un(op: UnOp) -> &'static str {
    match op {
        UnOp::Neg => "neg",
        UnOp::Not => "not",
        UnOp::Abs => "abs",
        UnOp::Log2 => "log2",
    }
}

fn cmp(op: CmpOp) -> &'static str {
    match op {
        CmpOp::Eq => "=",
        CmpOp::Ne => "/=",
        CmpOp::LtU => "<u",
        CmpOp::LeU => "<=u",
        CmpOp::GtU => ">u",
        CmpOp::GeU => ">=u",
        CmpOp::LtS => "<s",
        CmpOp::LeS => "<=s",
        CmpOp::GtS => ">s",
        CmpOp::GeS => ">=s",
    }
}
