//! Value numbering over the dominator tree: what was computed before is not computed again; what
//! was stored or loaded before is not loaded again while nothing can have changed it.
//!
//! Equal is not enough where the verifier must know bounds: if an operand is tested anywhere, a
//! result that feeds an address or a call is only shared within its block, where no test can lie
//! between. What CO-RE relocates is never shared.

use rustc_hash::FxHashMap;

use super::PassContext;
use super::bits::Bits;
use super::facts::Roles;
use super::memory::{Effect, Memory, Place};
use super::rewrite::Aliases;
use crate::ir::cfg::{Cfg, Dominators};
use crate::ir::{AtomicOp, BinOp, Block, Cc, Function, Op, Size, Ty, UnOp, Value};

/// Loads and stores remembered at a time: enough for a struct's fields, and little to look through.
const MAX_KNOWN: usize = 32;

/// Memory whose content is known.
#[derive(Clone)]
struct KnownPlace {
    place: Place,
    size: Size,
    /// How a load extends it; a store's value is not extended.
    from: Origin,
    value: Value,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    Load { signed: bool },
    Store,
}

/// What was computed, and of which type.
type Expr = (Op, Ty);
/// The value that has it, and the block it is made in.
type Leader = (Value, Block);

struct Gvn<'a> {
    f: &'a mut Function,
    cfg: Cfg,
    bits: Bits,
    roles: Roles,
    memory: Memory,
    aliases: Aliases,
    table: FxHashMap<Expr, Leader>,
    /// What the table held before, to be put back.
    undo: Vec<(Expr, Option<Leader>)>,
    changed: bool,
}

pub(super) fn run(f: &mut Function, _: &PassContext<'_>) -> bool {
    let cfg = Cfg::of(f);
    let dom = Dominators::of(&cfg);
    let bits = Bits::of(f, &cfg);
    let (roles, memory, aliases) = (Roles::of(f), Memory::of(f), Aliases::new(f));
    let mut g =
        Gvn { f, cfg, bits, roles, memory, aliases, table: FxHashMap::default(), undo: Vec::new(), changed: false };
    enum Step {
        Enter(Block, Vec<KnownPlace>),
        Leave(usize),
    }
    let mut stack = vec![Step::Enter(Block(0), Vec::new())];
    while let Some(step) = stack.pop() {
        match step {
            Step::Leave(mark) => g.leave(mark),
            Step::Enter(b, known) => {
                stack.push(Step::Leave(g.undo.len()));
                let known = g.block(b, known);
                for &c in dom.children[b.index()].iter().rev() {
                    // Memory is as it was left only where this is the one way in.
                    let only = g.cfg.preds[c.index()][..] == [b];
                    stack.push(Step::Enter(c, if only { known.clone() } else { Vec::new() }));
                }
            }
        }
    }
    let Gvn { f, mut aliases, changed, .. } = g;
    aliases.apply(f) | changed
}

impl Gvn<'_> {
    fn leave(&mut self, mark: usize) {
        for (key, old) in self.undo.drain(mark..).rev() {
            match old {
                Some(v) => self.table.insert(key, v),
                None => self.table.remove(&key),
            };
        }
    }

    fn block(&mut self, b: Block, mut known: Vec<KnownPlace>) -> Vec<KnownPlace> {
        for n in 0..self.f.blocks[b.index()].insts.len() {
            let i = self.f.blocks[b.index()].insts[n];
            let aliases = &self.aliases;
            self.f.insts[i.index()].op.for_each_operand_mut(|v| *v = aliases.resolve(*v));
            let inst = &self.f.insts[i.index()];
            let (op, result) = (inst.op.clone(), inst.result);
            match (&op, result) {
                (Op::Load { size, signed, base, off }, Some(r)) => {
                    let place = Place::new(self.f, *base, *off, *size);
                    self.load(place, *size, *signed, r, &mut known);
                }
                (Op::Store { size, base, off, value }, _) => {
                    let place = Place::new(self.f, *base, *off, *size);
                    known.retain(|k| !self.memory.may_overlap(&k.place, &place));
                    remember(&mut known, KnownPlace { place, size: *size, from: Origin::Store, value: *value });
                }
                (Op::CoreStore { .. }, _) => known.clear(),
                // What is read behind it may be newer than what is known.
                (Op::Atomic { op: AtomicOp::LoadAcquire, .. }, _) => known.clear(),
                (Op::Atomic { size, base, off, .. } | Op::CmpXchg { size, base, off, .. }, _) => {
                    let place = Place::new(self.f, *base, *off, *size);
                    known.retain(|k| !self.memory.may_overlap(&k.place, &place));
                }
                (Op::Call { .. } | Op::MapLookup { .. }, _) => {
                    known.retain(|k| self.memory.effect(self.f, &op, &k.place) != Effect::Writes);
                }
                (_, Some(r)) => self.pure(b, op, r),
                (_, None) => {}
            }
        }
        known
    }

    fn load(&mut self, place: Place, size: Size, signed: bool, r: Value, known: &mut Vec<KnownPlace>) {
        let ty = self.f.ty(r);
        let same = |k: &&KnownPlace| k.size == size && k.place.root == place.root && k.place.off == place.off;
        for k in known.iter().filter(same) {
            let value = self.aliases.resolve(k.value);
            if self.f.ty(value) != ty {
                continue;
            }
            let alike = match k.from {
                Origin::Load { signed: s } => s == signed || size == Size::B8,
                Origin::Store => size == Size::B8 || (!signed && self.bits.told(value).width() <= size.bits()),
            };
            if alike {
                self.roles.join(value, r);
                return self.aliases.replace(self.f, r, value);
            }
            // The low bytes of what was stored.
            if k.from == Origin::Store
                && ty == Ty::Int
                && let crate::ir::ValueDef::Inst(i) = self.f.values[r.index()].def
            {
                let un = if signed { UnOp::Sext(size) } else { UnOp::Zext(size) };
                self.f.insts[i.index()].op = Op::Un(un, value);
                self.changed = true;
                return;
            }
        }
        remember(known, KnownPlace { place, size, from: Origin::Load { signed }, value: r });
    }

    fn pure(&mut self, b: Block, op: Op, r: Value) {
        let op = match op {
            Op::Bin(bin @ (BinOp::Add | BinOp::Mul | BinOp::And | BinOp::Or | BinOp::Xor), w, x, y)
                if x > y && self.f.ty(x) == Ty::Int && self.f.ty(y) == Ty::Int =>
            {
                Op::Bin(bin, w, y, x)
            }
            Op::Cmp(cc @ (Cc::Eq | Cc::Ne | Cc::Test), w, x, y) if x > y => Op::Cmp(cc, w, y, x),
            Op::CoreLoad { .. } | Op::CoreValue { .. } | Op::MayGoto => return,
            op => op,
        };
        let ty = self.f.ty(r);
        let key = (op, ty);
        if let Some((leader, home)) = self.table.get(&key).copied()
            && (home == b || self.may_share(&key.0, ty, r))
        {
            self.roles.join(leader, r);
            return self.aliases.replace(self.f, r, leader);
        }
        let old = self.table.insert(key.clone(), (r, b));
        self.undo.push((key, old));
    }

    /// Whether an equal value from another block will do.
    fn may_share(&self, op: &Op, ty: Ty, r: Value) -> bool {
        let bounded = matches!(op, Op::Bin(..) | Op::Un(..));
        if !bounded || (ty == Ty::Int && !self.roles.sensitive[r.index()]) {
            return true;
        }
        let mut tested = false;
        op.for_each_operand(|v| tested |= self.roles.tested[v.index()] && self.f.as_const(v).is_none());
        !tested
    }
}

fn remember(known: &mut Vec<KnownPlace>, k: KnownPlace) {
    if known.len() == MAX_KNOWN {
        known.remove(0);
    }
    known.push(k);
}
