//! Random statements. Invariant: what a statement needs (a packet, a struct) is in scope where it is made.

use super::{Gen, LOOPS, Var};
use crate::ast::{Expr, FIELDS, MAPS, REC_LEN, Stmt, Ty};
use crate::templates::Hole;

impl Gen {
    pub(super) fn body(&mut self, depth: usize, most: usize) -> Vec<Stmt> {
        let n = 1 + self.rng.below(most);
        let (scope, objects) = (self.scope.len(), self.objects.len());
        let out = (0..n).map(|_| self.stmt(depth + 1)).collect();
        self.scope.truncate(scope);
        self.objects.truncate(objects);
        out
    }

    pub(super) fn stmt(&mut self, depth: usize) -> Stmt {
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
            22 if self.loop_depth < LOOPS => {
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
            23 if self.loop_depth < LOOPS => {
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
    pub(super) fn on_bytes(&mut self) -> Stmt {
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
    pub(super) fn lookup(&mut self, depth: usize, most: usize) -> Stmt {
        let key = self.expr(1);
        let name = self.name("q");
        self.object(&name, "rec.map");
        let body = self.body(depth, most);
        self.objects.pop();
        Stmt::Lookup(name, key, body)
    }

    pub(super) fn in_parallel(&mut self) -> Stmt {
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

    /// Few: the verifier walks every round of every path.
    pub(super) fn rounds(&mut self) -> u32 {
        1 + self.rng.below(if self.loop_depth == 0 { 5 } else { 2 }) as u32
    }

    pub(super) fn looping(&mut self, depth: usize, make: impl FnOnce(String, Vec<Stmt>, &mut Gen) -> Stmt) -> Stmt {
        let name = self.name("i");
        let scope = self.scope.len();
        self.scope.push(Var { name: name.clone(), ty: Ty::U64, assignable: false });
        self.loop_depth += 1;
        let body = self.body(depth, 2);
        self.loop_depth -= 1;
        self.scope.truncate(scope);
        make(name, body, self)
    }

    pub(super) fn set_map(&mut self) -> Stmt {
        let (map, ty) = *self.rng.pick(&MAPS);
        let (key, e) = (self.expr(1), self.expr(3));
        Stmt::SetMap(map, ty, key, e)
    }
}
