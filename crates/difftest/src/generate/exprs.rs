//! Random expressions. Invariant: operands that the language would judge as constants are never made of literals alone.

use super::{Gen, Var};
use crate::ast::{Expr, FIELDS, MAPS, PACKET_LEN, REC_LEN, Ty};

impl Gen {
    pub(super) fn packet_offset(&mut self, ty: Ty) -> u32 {
        // Often the same few bytes, so that accesses meet.
        if self.rng.chance(50) {
            return *self.rng.pick(&[4, 5, 8]);
        }
        self.rng.below(PACKET_LEN - ty.bits() as usize / 8 + 1) as u32
    }

    pub(super) fn condition(&mut self, depth: usize) -> Expr {
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
    pub(super) fn about_pivot(&mut self) -> Option<Expr> {
        let near: Vec<Var> = self.scope.iter().filter(|v| !v.assignable).cloned().collect();
        let var = near.first()?.clone();
        let op = *self.rng.pick(&["=", "/=", "<", "<=", ">", ">=", "<", "<=", ">", ">=", "s<", "s<=", "s>", "s>="]);
        let n = Expr::Lit(Ty::I64, self.pivot + self.rng.below(3) as i64 - 1);
        let ty = if op.starts_with('s') { Ty::I64 } else { Ty::U64 };
        let var = Box::new(Expr::Var(var.name, var.ty));
        let n = Box::new(n);
        Some(if self.rng.chance(85) { Expr::Compare(op, ty, var, n) } else { Expr::Compare(op, ty, n, var) })
    }

    pub(super) fn compare(&mut self, depth: usize) -> Expr {
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

    pub(super) fn leaf(&mut self) -> Expr {
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
    pub(super) fn at_run_time(&mut self, depth: usize) -> Box<Expr> {
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

    pub(super) fn expr(&mut self, depth: usize) -> Expr {
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

    pub(super) fn call(&mut self, depth: usize) -> Expr {
        if self.subs.is_empty() {
            return self.leaf();
        }
        let n = self.rng.below(self.subs.len());
        // A thousand rounds of a thousand would take minutes to run.
        if self.loop_depth > 0 && self.long_subs[n] {
            return self.leaf();
        }
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
