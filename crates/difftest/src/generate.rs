//! Making random programs: well-typed, bounded, and busy enough to hurt a register allocator.

use crate::ast::{Expr, FIELDS, Hook, MAPS, PACKET_LEN, Piece, Program, REC_LEN, Stmt, Sub, Ty};
use crate::rng::Rng;
use crate::templates::{Binding, Constness, Gives, Hole, Template, templates};

/// A variable in scope.
#[derive(Clone)]
struct Var {
    name: String,
    /// What reading it gives.
    ty: Ty,
    assignable: bool,
}

/// A variable that holds or points to something in memory.
#[derive(Clone)]
struct Object {
    name: String,
    /// As templates call it; what it begins with is a wider kind.
    kind: String,
}

struct Gen {
    rng: Rng,
    scope: Vec<Var>,
    objects: Vec<Object>,
    next: usize,
    /// Statements that may still be made.
    budget: usize,
    loop_depth: usize,
    /// Subprograms that may be called.
    subs: Vec<Sub>,
    /// Whether there is a packet; what the function gives.
    packet: bool,
    result: Ty,
    /// A number that several tests of a program are about: what one says of it, another may rest on.
    pivot: i64,
    /// Whether the program is for the newest instruction set alone.
    newest: bool,
}

/// The program of a seed.
pub fn generate(seed: u64) -> Program {
    let mut g = Gen {
        rng: Rng::new(seed),
        scope: Vec::new(),
        objects: Vec::new(),
        next: 0,
        budget: 0,
        loop_depth: 0,
        subs: Vec::new(),
        packet: false,
        result: Ty::U32,
        pivot: 0,
        newest: false,
    };
    g.newest = g.rng.chance(12);
    let hook = if g.rng.chance(20) { Hook::Tc } else { Hook::Xdp };
    g.pivot = *g.rng.pick(&[0, 1, 2, 3, 5, 255, -1]);
    if g.rng.chance(40) {
        for _ in 0..1 + g.rng.below(2) {
            let sub = g.sub();
            g.subs.push(sub);
        }
    }
    (g.packet, g.result) = (true, Ty::U32);
    g.budget = 4 + g.rng.below(18);
    let count = 2 + g.rng.below(13);
    let mut body = vec![g.bind(count)];
    let mut result = None;
    // Everything happens inside the outermost binding, and its variables meet in the result.
    if let Stmt::Let(vars, inner) = &mut body[0] {
        // Often with a struct to work on, and sometimes with one in a map.
        g.object("data", "packet");
        g.object("data", if hook == Hook::Tc { "skb" } else { "xdp" });
        let own = g.rng.chance(45).then(|| g.name("r"));
        if let Some(name) = &own {
            g.object(name, "rec");
        }
        let mut work = Vec::new();
        if g.rng.chance(35) {
            work.push(g.lookup(0, 5));
        }
        for _ in 0..g.rng.below(3) {
            work.extend(g.form_stmt(0, 5, |t| t.holes.iter().any(binds_an_object)));
        }
        while g.budget > 0 {
            let s = g.stmt(0);
            work.push(s);
        }
        g.objects.clear();
        match own {
            Some(name) => inner.push(Stmt::Struct(name, work)),
            None => inner.extend(work),
        }
        for (i, (name, ..)) in vars.iter().enumerate() {
            let Some(v) = g.scope.iter().find(|v| v.name == *name) else { continue };
            let key = Expr::Lit(Ty::U64, i as i64);
            let value = Expr::Var(v.name.clone(), v.ty);
            if i < 8 {
                inner.push(Stmt::SetMap("old", Ty::U64, key, value.clone()));
            }
            result = Some(match result {
                None => value,
                Some(r) => Expr::Same("logxor", Ty::U64, Box::new(r), Box::new(value)),
            });
        }
        let result = result.unwrap_or(Expr::Lit(Ty::U64, 0));
        inner.push(Stmt::ReturnWhen(Ty::U32, Expr::Lit(Ty::U64, 1), result));
    }
    Program { subs: g.subs, body, result: Expr::Lit(Ty::U32, 2), newest: g.newest, hook }
}

fn binds_an_object(hole: &Hole) -> bool {
    matches!(hole, Hole::Body(names) if names.iter().any(|n| matches!(n.1, Binding::Object(_))))
}

impl Gen {
    fn name(&mut self, prefix: &str) -> String {
        self.next += 1;
        format!("{prefix}{}", self.next)
    }

    /// A subprogram; small ones come to be inlined, those with loops and many statements do not.
    fn sub(&mut self) -> Sub {
        let mut params = Vec::new();
        for _ in 0..1 + self.rng.below(4) {
            let (name, ty) = (self.name("p"), *self.rng.pick(&Ty::ALL));
            self.scope.push(Var { name: name.clone(), ty, assignable: self.rng.chance(50) });
            params.push((name, ty));
        }
        let pointer = self.rng.chance(35).then(|| self.name("r"));
        if let Some(name) = &pointer {
            self.object(name, "rec");
        }
        self.result = *self.rng.pick(&Ty::ALL);
        self.budget = self.rng.below(5);
        let mut body = Vec::new();
        while self.budget > 0 {
            let s = self.stmt(1);
            body.push(s);
        }
        let result = (self.result, self.expr(3));
        self.scope.clear();
        self.objects.clear();
        Sub { name: self.name("f"), pointer, params, body, result }
    }

    fn bind(&mut self, count: usize) -> Stmt {
        let mut vars = Vec::new();
        let mut bound = Vec::new();
        for _ in 0..count {
            let init = self.expr(2);
            // Small, so that it is now and then what it is compared with.
            let init = if self.rng.chance(25) {
                Expr::Arith("logand", Box::new(init), Box::new(Expr::Lit(Ty::U64, 7)))
            } else {
                init
            };
            let assignable = self.rng.chance(70);
            let written = self.rng.chance(60).then(|| *self.rng.pick(&Ty::ALL));
            let ty = match written {
                Some(t) => t,
                // An inferred variable that is assigned is a 64-bit place.
                None if assignable => init.ty().wide(),
                None => init.ty(),
            };
            let init = match written {
                Some(_) => init,
                None if assignable => Expr::Cast(ty, Box::new(init)),
                None => init,
            };
            let name = self.name("v");
            bound.push(Var { name: name.clone(), ty, assignable });
            vars.push((name, written, init));
        }
        self.scope.extend(bound);
        Stmt::Let(vars, Vec::new())
    }

    fn body(&mut self, depth: usize, most: usize) -> Vec<Stmt> {
        let n = 1 + self.rng.below(most);
        let (scope, objects) = (self.scope.len(), self.objects.len());
        let out = (0..n).map(|_| self.stmt(depth + 1)).collect();
        self.scope.truncate(scope);
        self.objects.truncate(objects);
        out
    }

    fn stmt(&mut self, depth: usize) -> Stmt {
        self.budget = self.budget.saturating_sub(1);
        let nested = depth < 3 && self.budget > 0;
        if self.rng.chance(45)
            && let Some(s) = self.form_stmt(depth, 3, |t| nested || !t.holes.iter().any(|h| matches!(h, Hole::Body(_))))
        {
            return s;
        }
        match self.rng.below(if nested { 25 } else { 16 }) {
            0..=2 => match self.assignable() {
                Some(v) => {
                    let e = self.expr(3);
                    Stmt::Set(v.name, v.ty, e)
                }
                None => self.set_map(),
            },
            3 => match self.assignable() {
                Some(v) => {
                    let op = if self.rng.chance(50) { "incf" } else { "decf" };
                    let e = self.expr(2);
                    Stmt::Incf(op, v.name, v.ty, e)
                }
                None => self.set_map(),
            },
            4 if self.rec().is_some() => self.on_bytes(),
            4 | 5 => self.set_map(),
            6 => {
                let (map, ty) = if self.rng.chance(50) { ("counts", Ty::U64) } else { ("percpu", Ty::U64) };
                let (key, e) = (self.expr(1), self.expr(2));
                Stmt::IncfMap(map, ty, key, e)
            }
            7 => {
                let map = *self.rng.pick(&["counts", "small", "old"]);
                let key = self.expr(1);
                Stmt::DelMap(map, key)
            }
            8 | 9 if self.rec().is_some() => {
                let var = self.rec().unwrap_or_default();
                let (field, ty) = *self.rng.pick(&FIELDS);
                let e = self.expr(3);
                Stmt::SetField(var, field, ty, e)
            }
            10 | 11 if self.packet => {
                let ty = *self.rng.pick(&Ty::ALL);
                let off = self.packet_offset(ty);
                let e = self.expr(2);
                Stmt::Store(ty, off, e)
            }
            8..=11 => Stmt::Do(Expr::Helper("get-smp-processor-id")),
            12 | 13 => self.on_bytes(),
            14 => self.in_parallel(),
            15 => {
                let (c, e) = (self.compare(2), self.expr(2));
                Stmt::ReturnWhen(self.result, c, e)
            }
            16..=18 => {
                let c = self.condition(2);
                let a = self.body(depth, 3);
                let b = if self.rng.chance(60) { self.body(depth, 2) } else { Vec::new() };
                Stmt::If(c, a, b)
            }
            19 => {
                let count = 1 + self.rng.below(4);
                let (scope, objects) = (self.scope.len(), self.objects.len());
                let mut s = self.bind(count);
                let inner = self.body(depth, 3);
                if let Stmt::Let(_, body) = &mut s {
                    *body = inner;
                }
                self.scope.truncate(scope);
                self.objects.truncate(objects);
                s
            }
            20 => {
                let name = self.name("r");
                self.object(&name, "rec");
                let body = self.body(depth, 4);
                self.objects.pop();
                Stmt::Struct(name, body)
            }
            21 => self.lookup(depth, 3),
            22 if self.loop_depth < 2 => {
                let n = self.rounds();
                self.looping(depth, |name, body, g| {
                    if g.rng.chance(70) {
                        Stmt::Dotimes(name, n, body)
                    } else {
                        let count = g.expr(1);
                        Stmt::DotimesMax(name, count, n, body)
                    }
                })
            }
            23 if self.loop_depth < 2 => {
                let n = self.rounds();
                let c = self.condition(1);
                self.loop_depth += 1;
                let body = self.body(depth, 2);
                self.loop_depth -= 1;
                Stmt::While(c, n, body)
            }
            _ => {
                let (c, e) = (self.condition(2), self.expr(2));
                Stmt::ReturnWhen(self.result, c, e)
            }
        }
    }

    /// Something with a struct's bytes, whatever its fields are.
    fn on_bytes(&mut self) -> Stmt {
        let Some(var) = self.rec() else { return self.set_map() };
        match self.rng.below(6) {
            0 | 1 => {
                let ty = *self.rng.pick(&Ty::ALL);
                let (off, e) = (self.rec_offset(ty), self.expr(2));
                Stmt::StoreBytes(var, ty, off, e)
            }
            2 => {
                let from = self.rec().unwrap_or_else(|| var.clone());
                let off = self.rng.below(REC_LEN as usize) as u32;
                let n = 1 + self.rng.below((REC_LEN - off) as usize) as u32;
                Stmt::Copy(var, from, off, n)
            }
            3 => {
                let off = self.rng.below(REC_LEN as usize) as u32;
                let n = 1 + self.rng.below((REC_LEN - off) as usize) as u32;
                let e = self.expr(1);
                Stmt::Fill(var, off, e, n)
            }
            _ => {
                let op = *self.rng.pick(&["atomic-add", "atomic-and", "atomic-or", "atomic-xor"]);
                let ty = *self.rng.pick(&[Ty::U32, Ty::U64, Ty::I32, Ty::I64]);
                let (off, e) = (self.rec_offset(ty), self.expr(2));
                Stmt::Atomic(op, var, ty, off, e)
            }
        }
    }

    /// A struct in a map, by pointer.
    fn lookup(&mut self, depth: usize, most: usize) -> Stmt {
        let key = self.expr(1);
        let name = self.name("q");
        self.object(&name, "rec.map");
        let body = self.body(depth, most);
        self.objects.pop();
        Stmt::Lookup(name, key, body)
    }

    fn in_parallel(&mut self) -> Stmt {
        match (self.assignable(), self.assignable()) {
            (Some(v), Some(w)) if v.name != w.name => {
                let (a, b) = (self.expr(2), self.expr(2));
                Stmt::Psetf((v.name, v.ty, a), (w.name, w.ty, b))
            }
            (Some(v), _) => {
                let e = self.expr(2);
                Stmt::Set(v.name, v.ty, e)
            }
            _ => self.set_map(),
        }
    }

    fn object(&mut self, name: &str, kind: &str) {
        self.objects.push(Object { name: name.to_string(), kind: kind.to_string() });
    }

    /// An object of the kind.
    fn one_of(&mut self, kind: &str) -> Option<String> {
        let found: Vec<&Object> = self.objects.iter().filter(|o| o.kind.starts_with(kind)).collect();
        (!found.is_empty()).then(|| self.rng.pick(&found).name.clone())
    }

    /// Whether everything a template asks for is in scope.
    fn applies(&self, t: &Template) -> bool {
        (self.newest || !t.newest)
            && (self.loop_depth < 2 || !t.loops)
            && t.holes.iter().all(|h| match h {
                Hole::Object(kind, _) | Hole::Needs(kind) => {
                    self.objects.iter().any(|o| o.kind.starts_with(kind.as_str()))
                }
                Hole::Without(kind) => !self.objects.iter().any(|o| o.kind.starts_with(kind.as_str())),
                Hole::Var => self.scope.iter().any(|v| v.assignable),
                _ => true,
            })
    }

    fn form_expr(&mut self, depth: usize) -> Option<Expr> {
        let fit: Vec<&Template> = templates().exprs.iter().filter(|t| self.applies(t)).collect();
        let template = *self.rng.pick(&fit);
        match template.gives {
            Gives::Value(ty) => Some(Expr::Form(ty, self.fill(template, 0, 0, depth.saturating_sub(1)))),
            Gives::Nothing => None,
        }
    }

    /// A statement from a template that `wanted` takes; its bodies have at most `most` statements.
    fn form_stmt(&mut self, depth: usize, most: usize, wanted: impl Fn(&Template) -> bool) -> Option<Stmt> {
        let fit: Vec<&Template> = templates().stmts.iter().filter(|t| self.applies(t) && wanted(t)).collect();
        if fit.is_empty() {
            return None;
        }
        let template = *self.rng.pick(&fit);
        Some(Stmt::Form(self.fill(template, depth, most, 2)))
    }

    fn fill(&mut self, template: &Template, depth: usize, most: usize, operands: usize) -> Vec<Piece> {
        let mut names: Vec<(&str, String)> = Vec::new();
        let mut var = None;
        let known = |names: &[(&str, String)], name: &str| {
            names.iter().rev().find(|n| n.0 == name).map(|n| n.1.clone()).unwrap_or_default()
        };
        let mut out = Vec::new();
        for hole in &template.holes {
            out.push(match hole {
                Hole::Text(t) => Piece::Text(t.clone()),
                Hole::Needs(_) | Hole::Without(_) => continue,
                Hole::Number(from, to, step) => {
                    let n = self.rng.below(((to - from) / step + 1) as usize) as i64;
                    Piece::Text((from + n * step).to_string())
                }
                Hole::OneOf(texts) => Piece::Text(self.rng.pick(texts).clone()),
                Hole::Expr(ty, Constness::Any) => Piece::Expr(*ty, self.expr(operands)),
                Hole::Expr(ty, Constness::RunTime) => Piece::Expr(*ty, *self.at_run_time(operands.max(1))),
                Hole::Cond => Piece::Expr(None, self.condition(operands)),
                Hole::Var => {
                    var = self.assignable();
                    Piece::Text(var.as_ref().map(|v| v.name.clone()).unwrap_or_default())
                }
                Hole::Its => Piece::Expr(var.as_ref().map(|v| v.ty), self.expr(operands)),
                Hole::Fresh(name) => {
                    let fresh = self.name("x");
                    names.push((name, fresh.clone()));
                    Piece::Text(fresh)
                }
                Hole::Again(name) => Piece::Text(known(&names, name)),
                Hole::Object(kind, name) => {
                    let object = self.one_of(kind).unwrap_or_default();
                    names.push((name, object.clone()));
                    Piece::Text(object)
                }
                Hole::Body(bound) => {
                    let (scope, objects) = (self.scope.len(), self.objects.len());
                    for (name, binding) in bound {
                        let name = known(&names, name);
                        match binding {
                            Binding::Number(ty) => self.scope.push(Var { name, ty: *ty, assignable: false }),
                            Binding::Object(kind) => self.object(&name, kind),
                        }
                    }
                    self.loop_depth += usize::from(template.loops);
                    let body = self.body(depth, most);
                    self.loop_depth -= usize::from(template.loops);
                    self.scope.truncate(scope);
                    self.objects.truncate(objects);
                    Piece::Body(body)
                }
            });
        }
        out
    }

    fn rec(&mut self) -> Option<String> {
        self.one_of("rec")
    }

    /// One that lies in a map.
    fn rec_in_map(&mut self) -> Option<String> {
        self.one_of("rec.map")
    }

    /// Where a number of the type lies aligned in a `rec`.
    fn rec_offset(&mut self, ty: Ty) -> u32 {
        let size = ty.bits() / 8;
        self.rng.below((REC_LEN / size) as usize) as u32 * size
    }

    /// Few: the verifier walks every round of every path.
    fn rounds(&mut self) -> u32 {
        1 + self.rng.below(if self.loop_depth == 0 { 5 } else { 2 }) as u32
    }

    fn looping(&mut self, depth: usize, make: impl FnOnce(String, Vec<Stmt>, &mut Gen) -> Stmt) -> Stmt {
        let name = self.name("i");
        let scope = self.scope.len();
        self.scope.push(Var { name: name.clone(), ty: Ty::U64, assignable: false });
        self.loop_depth += 1;
        let body = self.body(depth, 2);
        self.loop_depth -= 1;
        self.scope.truncate(scope);
        make(name, body, self)
    }

    fn set_map(&mut self) -> Stmt {
        let (map, ty) = *self.rng.pick(&MAPS);
        let (key, e) = (self.expr(1), self.expr(3));
        Stmt::SetMap(map, ty, key, e)
    }

    fn assignable(&mut self) -> Option<Var> {
        let vars: Vec<Var> = self.scope.iter().filter(|v| v.assignable).cloned().collect();
        (!vars.is_empty()).then(|| self.rng.pick(&vars).clone())
    }

    fn packet_offset(&mut self, ty: Ty) -> u32 {
        // Often the same few bytes, so that accesses meet.
        if self.rng.chance(50) {
            return *self.rng.pick(&[4, 5, 8]);
        }
        self.rng.below(PACKET_LEN - ty.bits() as usize / 8 + 1) as u32
    }

    fn condition(&mut self, depth: usize) -> Expr {
        match self.rng.below(8) {
            0..=4 => self.compare(depth),
            5 => Expr::Not(Box::new(self.compare(depth))),
            6 => {
                let op = if self.rng.chance(50) { "and" } else { "or" };
                let (a, b) = (self.condition(depth.saturating_sub(1)), self.condition(depth.saturating_sub(1)));
                Expr::Logic(op, Box::new(a), Box::new(b))
            }
            _ => self.expr(depth),
        }
    }

    /// A variable near the pivot, one above or below.
    fn about_pivot(&mut self) -> Option<Expr> {
        let near: Vec<Var> = self.scope.iter().filter(|v| !v.assignable).cloned().collect();
        let var = near.first()?.clone();
        let op = *self.rng.pick(&["=", "/=", "<", "<=", ">", ">=", "<", "<=", ">", ">=", "s<", "s<=", "s>", "s>="]);
        let n = Expr::Lit(Ty::I64, self.pivot + self.rng.below(3) as i64 - 1);
        let ty = if op.starts_with('s') { Ty::I64 } else { Ty::U64 };
        let var = Box::new(Expr::Var(var.name, var.ty));
        let n = Box::new(n);
        Some(if self.rng.chance(85) { Expr::Compare(op, ty, var, n) } else { Expr::Compare(op, ty, n, var) })
    }

    fn compare(&mut self, depth: usize) -> Expr {
        if self.rng.chance(30)
            && let Some(e) = self.about_pivot()
        {
            return e;
        }
        let op = *self.rng.pick(&["=", "/=", "<", "<=", ">", ">=", "s<", "s>", "s<=", "s>=", "logtest"]);
        let ty = if op.starts_with('s') || self.rng.chance(40) { Ty::I64 } else { Ty::U64 };
        let (a, b) = (self.expr(depth.saturating_sub(1)), self.expr(depth.saturating_sub(1)));
        Expr::Compare(op, ty, Box::new(a), Box::new(b))
    }

    fn leaf(&mut self) -> Expr {
        match self.rng.below(10) {
            0..=4 if !self.scope.is_empty() => {
                let v = self.rng.pick(&self.scope.clone()).clone();
                Expr::Var(v.name, v.ty)
            }
            5 if self.rec().is_some() => {
                let var = self.rec().unwrap_or_default();
                let (field, ty) = *self.rng.pick(&FIELDS);
                Expr::Field(var, field, ty)
            }
            6 if self.rec().is_some() && self.rng.chance(40) => {
                let ty = *self.rng.pick(&Ty::ALL);
                let (var, off) = (self.rec().unwrap_or_default(), self.rec_offset(ty));
                Expr::Bytes(var, ty, off)
            }
            6 | 7 if self.packet => {
                let ty = *self.rng.pick(&Ty::ALL);
                let off = self.packet_offset(ty);
                Expr::Packet(ty, off)
            }
            _ => {
                let n = self.rng.interesting();
                let ty = *self.rng.pick(&Ty::ALL);
                Expr::Lit(ty, ty.cut(n))
            }
        }
    }

    /// An operand whose constant value the language would judge (divisors, shift counts): never made of literals alone.
    fn at_run_time(&mut self, depth: usize) -> Box<Expr> {
        let e = self.expr(depth - 1);
        if !e.is_constant() {
            return Box::new(e);
        }
        let known = match self.scope.first() {
            Some(v) if !self.packet => Expr::Var(v.name.clone(), v.ty),
            _ => Expr::Packet(Ty::U8, self.packet_offset(Ty::U8)),
        };
        Box::new(Expr::Arith("logxor", Box::new(e), Box::new(known)))
    }

    fn expr(&mut self, depth: usize) -> Expr {
        if depth == 0 || self.rng.chance(20) {
            return self.leaf();
        }
        if self.rng.chance(30)
            && let Some(e) = self.form_expr(depth)
        {
            return e;
        }
        let ty = if self.rng.chance(50) { Ty::U64 } else { Ty::I64 };
        let sub = |g: &mut Gen| Box::new(g.expr(depth - 1));
        match self.rng.below(32) {
            0..=3 => {
                let op = *self.rng.pick(&["+", "-", "*", "logand", "logior", "logxor"]);
                Expr::Arith(op, sub(self), sub(self))
            }
            4 | 5 => {
                let op = *self.rng.pick(&["/", "mod", "rem", "min", "max"]);
                if self.rng.chance(45) {
                    let n: i64 = *self.rng.pick(&[1, 2, 3, 4, 7, 8, 10, 16, 256, 1000, 1 << 40, -1, -2, -7, -8]);
                    let n = if ty == Ty::U64 { n.abs() } else { n };
                    let (a, op) = (self.at_run_time(depth), if op == "min" { "*" } else { op });
                    return Expr::Same(op, ty, a, Box::new(Expr::Lit(ty, n)));
                }
                let (a, b) = (sub(self), self.at_run_time(depth));
                Expr::Same(op, ty, a, b)
            }
            6 | 7 => {
                let op = *self.rng.pick(&["<<", ">>", ">>>", "ash", "ash-right"]);
                let n = self.rng.below(64) as u32;
                // A shift by -0 would be read as a shift by 0: the same.
                Expr::Shift(op, ty, sub(self), n)
            }
            8 => {
                let op = *self.rng.pick(&["<<", ">>", ">>>"]);
                let (a, b) = (sub(self), self.at_run_time(depth));
                Expr::ShiftBy(op, ty, a, b)
            }
            9 => {
                let count = Expr::Cast(Ty::I64, self.at_run_time(depth));
                Expr::ShiftBy("ash", ty, sub(self), Box::new(count))
            }
            10 => {
                let (op, ty) = *self.rng.pick(&[
                    ("lognot", Ty::U64),
                    ("lognot", Ty::I64),
                    ("abs", Ty::I64),
                    ("log2", Ty::U64),
                    ("-", Ty::I64),
                    ("1+", Ty::U64),
                    ("1-", Ty::I64),
                    ("ntohs", Ty::U16),
                    ("bswap", Ty::U16),
                    ("bswap", Ty::U32),
                    ("bswap", Ty::U64),
                    ("htonl", Ty::U32),
                    ("ntohll", Ty::U64),
                ]);
                let ty = if op == "log2" { Ty::U64 } else { ty };
                Expr::Unary(op, ty, sub(self))
            }
            11 | 12 => self.compare(depth),
            13 => Expr::Not(sub(self)),
            14 => {
                let op = if self.rng.chance(50) { "and" } else { "or" };
                Expr::Logic(op, sub(self), sub(self))
            }
            15 | 16 => {
                let c = Box::new(self.condition(depth - 1));
                let ty = *self.rng.pick(&Ty::ALL);
                if self.rng.chance(30) {
                    let n = self.rng.below(2) as i64;
                    return Expr::If(ty, c, Box::new(Expr::Lit(ty, n)), Box::new(Expr::Lit(ty, 1 - n)));
                }
                Expr::If(ty, c, sub(self), sub(self))
            }
            17 | 18 => {
                let ty = *self.rng.pick(&Ty::ALL);
                Expr::Cast(ty, sub(self))
            }
            19 => {
                let size = 1 + self.rng.below(32) as u32;
                let pos = self.rng.below(64 - size as usize) as u32;
                Expr::Ldb(size, pos, sub(self))
            }
            20 => {
                let (map, ty) = *self.rng.pick(&MAPS);
                Expr::GetMap(map, ty, sub(self))
            }
            21 | 22 => self.call(depth),
            23 => {
                let ty = *self.rng.pick(&Ty::ALL);
                let es = (0..2 + self.rng.below(4)).map(|_| self.expr(depth - 1)).collect();
                Expr::Case(ty, es)
            }
            24 => {
                let ty = *self.rng.pick(&Ty::ALL);
                let mut es = Vec::new();
                for _ in 0..1 + self.rng.below(2) {
                    es.push(self.condition(depth - 1));
                    es.push(self.expr(depth - 1));
                }
                es.push(self.expr(depth - 1));
                Expr::Cond(ty, es)
            }
            25 => {
                let (name, ty) = (self.name("b"), *self.rng.pick(&Ty::ALL));
                let (c, a) = (Box::new(self.condition(depth - 1)), sub(self));
                Expr::Block(name, ty, c, a, sub(self))
            }
            26 | 27 => match self.assignable() {
                Some(v) if self.rng.chance(50) => Expr::Post(v.name, v.ty, sub(self)),
                Some(v) => Expr::SetValue(v.name, v.ty, sub(self)),
                None => self.leaf(),
            },
            28 => match (self.rec(), self.rec()) {
                (Some(a), Some(b)) => Expr::Differ(a, b, 1 + self.rng.below(REC_LEN as usize) as u32),
                _ => self.leaf(),
            },
            29 => match self.rec_in_map() {
                Some(v) => {
                    let ty = *self.rng.pick(&Ty::ALL);
                    Expr::BytesAt(v, ty, sub(self))
                }
                None => self.leaf(),
            },
            30 => match self.rec_in_map() {
                Some(v) => {
                    let ops =
                        ["atomic-fetch-add", "atomic-fetch-and", "atomic-fetch-or", "atomic-fetch-xor", "atomic-xchg"];
                    let ty = *self.rng.pick(&[Ty::U32, Ty::U64, Ty::I32, Ty::I64]);
                    let off = self.rec_offset(ty);
                    match self.rng.below(6) {
                        5 => Expr::CmpXchg(v, ty, off, sub(self), sub(self)),
                        n => Expr::Fetch(ops[n], v, ty, off, sub(self)),
                    }
                }
                None => self.leaf(),
            },
            _ => self.leaf(),
        }
    }

    fn call(&mut self, depth: usize) -> Expr {
        if self.subs.is_empty() {
            return self.leaf();
        }
        let n = self.rng.below(self.subs.len());
        let pointer = match (self.subs[n].pointer.is_some(), self.rec()) {
            (false, _) => None,
            (true, Some(rec)) => Some(rec),
            (true, None) => return self.leaf(),
        };
        let (name, ret) = (self.subs[n].name.clone(), self.subs[n].result.0);
        let types: Vec<Ty> = self.subs[n].params.iter().map(|p| p.1).collect();
        let args = types.into_iter().map(|t| (t, self.expr(depth - 1))).collect();
        Expr::Call(name, pointer, ret, args)
    }
}

/// The packet and map contents that a program of that seed is run with.
pub fn input(seed: u64, round: u64) -> Vec<u8> {
    let mut rng = Rng::new(seed ^ (round.wrapping_mul(0x5851_f42d_4c95_7f2d)) ^ 0xda7a);
    let mut bytes = Vec::with_capacity(PACKET_LEN + 16);
    while bytes.len() < PACKET_LEN + 8 {
        bytes.extend(rng.interesting().to_le_bytes());
    }
    bytes.truncate(PACKET_LEN + rng.below(8));
    // Some are what the library's macros look for.
    if rng.chance(50) {
        bytes[12..14].copy_from_slice(&[8, 0]);
        bytes[23] = *rng.pick(&[1, 6, 17]);
    }
    bytes
}
