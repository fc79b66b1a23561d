//! Algebra: every instruction as something cheaper that gives the same bits, or nothing at all.
//! Invariant: looks through another instruction only where [`Roles::may_look_through`] allows it.

mod arith;
mod compare;
mod memory;

use super::PassContext;
use super::bits::{Bits, Known};
use super::facts::Roles;
use super::rewrite::{Aliases, use_counts};
use crate::ir::cfg::Cfg;
use crate::ir::{Cc, Function, Inst, Op, SrcLoc, Ty, UnOp, Value, Width};

/// What an instruction may become.
enum Out {
    /// This value.
    Value(Value),
    /// This operation.
    Op(Op),
}

impl Out {
    fn number(n: i64) -> Option<Out> {
        Some(Out::Op(Op::Const(n)))
    }
}

struct Simplify<'a> {
    f: &'a mut Function,
    cx: PassContext<'a>,
    bits: Bits,
    /// Whether the instruction at hand makes what the verifier must know bounds of.
    sensitive: bool,
    roles: Roles,
    uses: Vec<u32>,
    /// How many of the uses compare a value with numbers, for equality or bits.
    equated: Vec<u32>,
    aliases: Aliases,
    /// Made for the instruction at hand, to stand before it.
    before: Vec<Inst>,
    loc: SrcLoc,
}

pub(super) fn run(f: &mut Function, cx: &PassContext<'_>) -> bool {
    let cfg = Cfg::of(f);
    let bits = Bits::of(f, &cfg);
    let (roles, uses, equated, aliases) = (Roles::of(f), use_counts(f), equated(f), Aliases::new(f));
    let (cx, sensitive, before, loc) = (*cx, false, Vec::new(), SrcLoc::NONE);
    let mut s = Simplify { f, cx, bits, sensitive, roles, uses, equated, aliases, before, loc };
    let mut changed = false;
    // In this order operands come before their users, loops aside.
    for b in cfg.order {
        let old = std::mem::take(&mut s.f.blocks[b.index()].insts);
        let mut new = Vec::with_capacity(old.len());
        for i in old {
            changed |= s.inst(i);
            new.append(&mut s.before);
            let replaced = s.f.insts[i.index()].result.is_some_and(|r| s.aliases.is_replaced(r));
            if !replaced {
                new.push(i);
            }
        }
        s.f.blocks[b.index()].insts = new;
    }
    let Simplify { f, mut aliases, .. } = s;
    aliases.apply(f) | changed
}

/// [`Simplify::equated`].
fn equated(f: &Function) -> Vec<u32> {
    let mut counts = vec![0; f.values.len()];
    for i in f.blocks.iter().flat_map(|b| &b.insts) {
        if let Op::Cmp(Cc::Eq | Cc::Ne | Cc::Test, Width::W64, a, b) = f.insts[i.index()].op
            && f.as_const(b).is_some()
        {
            counts[a.index()] += 1;
        }
    }
    counts
}

/// One step may enable the next; this many are enough for what people write.
const MAX_STEPS: usize = 6;

impl Simplify<'_> {
    fn inst(&mut self, i: Inst) -> bool {
        let aliases = &self.aliases;
        self.f.insts[i.index()].op.for_each_operand_mut(|v| *v = aliases.resolve(*v));
        self.loc = self.f.insts[i.index()].loc;
        let result = self.f.insts[i.index()].result;
        self.sensitive = self.needs_bounds(i);
        let mut changed = false;
        for _ in 0..MAX_STEPS {
            let op = self.f.insts[i.index()].op.clone();
            let out = match result {
                Some(r) => self.step(&op, r),
                None => self.access(&op),
            };
            match (out, result) {
                (None, _) => break,
                (Some(Out::Value(v)), Some(r)) => {
                    debug_assert_eq!(self.f.ty(r), self.f.ty(v));
                    self.roles.join(v, r);
                    self.aliases.replace(self.f, r, v);
                    return true;
                }
                (Some(Out::Value(_)), None) => break,
                (Some(Out::Op(op)), _) => {
                    if let Some(r) = result {
                        self.learn(&op, r);
                    }
                    self.f.insts[i.index()].op = op;
                    changed = true;
                }
            }
        }
        changed
    }

    /// Whether the verifier's knowledge decides: of a test, when it tests what needs bounds.
    fn needs_bounds(&self, i: Inst) -> bool {
        let needed = |v: Value| self.roles.sensitive.get(v.index()).copied().unwrap_or(true);
        let inst = &self.f.insts[i.index()];
        match inst.op {
            Op::Cmp(_, _, a, b) => needed(a) || needed(b),
            _ => inst.result.is_some_and(needed),
        }
    }

    fn learn(&mut self, op: &Op, v: Value) {
        self.bits.learn(self.f, v, op);
    }

    /// What the instruction that makes `r` may become.
    fn step(&mut self, op: &Op, r: Value) -> Option<Out> {
        let number = self.f.ty(r) == Ty::Int;
        if number
            && !matches!(op, Op::Const(_))
            && super::rewrite::is_removable(op)
            && let Some(n) = self.bits.get(r).as_number()
        {
            return Out::number(n);
        }
        match *op {
            Op::Bin(bin, w, a, b) if number && self.f.ty(a) == Ty::Int => self.bin(bin, w, a, b, r),
            Op::Bin(bin, Width::W64, a, b) => self.pointer(bin, a, b, r),
            Op::Un(un, a) => self.un(un, a, r),
            Op::Cmp(cc, w, a, b) => self.cmp(cc, w, a, b),
            _ => self.access(op),
        }
    }

    fn num(&self, v: Value) -> Option<i64> {
        self.f.as_const(v)
    }

    fn known(&self, v: Value) -> Known {
        if self.sensitive { self.bits.told(v) } else { self.bits.get(v) }
    }

    /// Whether a mask or extension changes nothing, but the verifier doesn't see that.
    fn only_for_verifier(&self, a: Value, mask: u64) -> bool {
        self.sensitive && !self.bits.get(a).zero & !mask == 0 && !self.bits.told(a).zero & !mask != 0
    }

    fn told(&self, v: Value) -> Known {
        self.bits.told(v)
    }

    /// What makes `inner`, where `user` may be made of that.
    fn through(&self, inner: Value, user: Value) -> Option<Op> {
        // What nobody else uses nobody tests by itself.
        let untested = self.uses.get(inner.index()) == Some(&1);
        if untested || self.roles.may_look_through(inner, user) { self.f.def_op(inner).cloned() } else { None }
    }

    /// A new instruction before the one at hand.
    fn make(&mut self, op: Op) -> Value {
        let inst = self.f.add_inst(op.clone(), Some(Ty::Int), self.loc);
        self.before.push(inst);
        let v = Value(self.f.values.len() as u32 - 1);
        self.learn(&op, v);
        v
    }

    fn constant(&mut self, n: i64) -> Value {
        self.make(Op::Const(n))
    }

    /// `a op n`.
    fn with(&mut self, bin: crate::ir::BinOp, w: Width, a: Value, n: i64) -> Option<Out> {
        let n = self.constant(n);
        Some(Out::Op(Op::Bin(bin, w, a, n)))
    }

    /// What a 32-bit operation that changes nothing leaves: the low half.
    fn same(&self, w: Width, a: Value) -> Option<Out> {
        Some(match w {
            Width::W32 if self.bits.get(a).width() > 32 => Out::Op(Op::Un(UnOp::Zext(crate::ir::Size::B4), a)),
            _ => Out::Value(a),
        })
    }
}
