//! Making random programs: well-typed, bounded, and busy enough to hurt a register allocator.

mod exprs;
mod fill;
mod stmts;

use std::collections::BTreeSet;

use crate::ast::{Expr, Hook, Linkage, PACKET_LEN, Program, REC_LEN, Stmt, Sub, Ty};
use crate::rng::Rng;
use crate::run::{Buffer, Input};
use crate::templates::{Binding, Hole};

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
    /// Subprograms that may be called, and whether there may be a long loop in each.
    subs: Vec<Sub>,
    long_subs: Vec<bool>,
    /// Whether there is a packet; what the function gives.
    packet: bool,
    result: Ty,
    /// A number that several tests of a program are about: what one says of it, another may rest on.
    pivot: i64,
    /// Whether the program is for the newest instruction set alone.
    newest: bool,
    /// Whether loops of a thousand rounds and more may be made, and whether there is one.
    long_ones: bool,
    long: bool,
    /// The templates that the program is made of.
    used: BTreeSet<&'static str>,
}

/// How deep loops nest.
const LOOPS: usize = 2;

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
        long_subs: Vec::new(),
        packet: false,
        result: Ty::U32,
        pivot: 0,
        newest: false,
        long_ones: false,
        long: false,
        used: BTreeSet::new(),
    };
    g.newest = g.rng.chance(25);
    g.long_ones = g.rng.chance(15);
    let hook = if g.rng.chance(20) { Hook::Tc } else { Hook::Xdp };
    g.pivot = *g.rng.pick(&[0, 1, 2, 3, 5, 255, -1]);
    if g.rng.chance(40) {
        for _ in 0..1 + g.rng.below(2) {
            let sub = g.sub();
            g.subs.push(sub);
            g.long_subs.push(g.long);
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
    Program { subs: g.subs, body, result: Expr::Lit(Ty::U32, 2), newest: g.newest, long: g.long, hook, used: g.used }
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
        let linkage = if self.rng.chance(35) { Linkage::Global } else { Linkage::Static };
        // A pointer that the kernel verifies on its own may be null.
        let pointer = (linkage == Linkage::Static && self.rng.chance(45)).then(|| self.name("r"));
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
        Sub { name: self.name("f"), linkage, pointer, params, body, result }
    }

    pub(super) fn bind(&mut self, count: usize) -> Stmt {
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

    pub(super) fn object(&mut self, name: &str, kind: &str) {
        self.objects.push(Object { name: name.to_string(), kind: kind.to_string() });
    }

    /// An object of the kind.
    pub(super) fn one_of(&mut self, kind: &str) -> Option<String> {
        let found: Vec<&Object> = self.objects.iter().filter(|o| o.kind.starts_with(kind)).collect();
        (!found.is_empty()).then(|| self.rng.pick(&found).name.clone())
    }

    pub(super) fn rec(&mut self) -> Option<String> {
        self.one_of("rec")
    }

    /// One that lies in a map.
    pub(super) fn rec_in_map(&mut self) -> Option<String> {
        self.one_of("rec.map")
    }

    /// Where a number of the type lies aligned in a `rec`.
    pub(super) fn rec_offset(&mut self, ty: Ty) -> u32 {
        let size = ty.bits() / 8;
        self.rng.below((REC_LEN / size) as usize) as u32 * size
    }

    pub(super) fn assignable(&mut self) -> Option<Var> {
        let vars: Vec<Var> = self.scope.iter().filter(|v| v.assignable).cloned().collect();
        (!vars.is_empty()).then(|| self.rng.pick(&vars).clone())
    }
}

/// What a program of that seed is run on.
pub fn input(seed: u64, round: u64) -> Input {
    let mut rng = Rng::new(seed ^ (round.wrapping_mul(0x5851_f42d_4c95_7f2d)) ^ 0xda7a);
    let mut packet = Vec::with_capacity(PACKET_LEN + 16);
    while packet.len() < PACKET_LEN + 8 {
        packet.extend(rng.interesting().to_le_bytes());
    }
    packet.truncate(PACKET_LEN + rng.below(8));
    // Some are what the library's macros look for.
    if rng.chance(50) {
        packet[12..14].copy_from_slice(&[8, 0]);
        packet[23] = *rng.pick(&[1, 6, 17]);
    }
    let mut buffer = Buffer { mark: rng.interesting() as u32, priority: rng.interesting() as u32, ..Buffer::default() };
    buffer.cb.iter_mut().for_each(|n| *n = rng.interesting() as u32);
    buffer.tstamp = rng.interesting() as u64 >> 1;
    Input { packet, buffer }
}
