//! Tests that were made before: comparisons of the same values, null tests, packet bounds covered
//! by a check of the same pointer that reaches further. Walks the dominator tree with what the
//! branches taken on the way there say. The verifier walked the same way and knows the same.

use rustc_hash::FxHashMap;

use super::PassContext;
use super::bits::Bits;
use crate::ir::cfg::{Cfg, Dominators};
use crate::ir::{BinOp, Block, Cc, Function, Op, Space, Target, Terminator, Ty, Value, ValueDef, Width};

/// How two numbers can compare: unsigned and signed order.
const EQ: u8 = 1;
const LT_LT: u8 = 2;
const LT_GT: u8 = 4;
const GT_LT: u8 = 8;
const GT_GT: u8 = 16;
const ANY: u8 = 31;

/// The outcomes for which a comparison holds; none for a test of bits.
fn holds(cc: Cc) -> Option<u8> {
    Some(match cc {
        Cc::Eq => EQ,
        Cc::Ne => ANY & !EQ,
        Cc::Ult => LT_LT | LT_GT,
        Cc::Ule => EQ | LT_LT | LT_GT,
        Cc::Ugt => GT_LT | GT_GT,
        Cc::Uge => EQ | GT_LT | GT_GT,
        Cc::Slt => LT_LT | GT_LT,
        Cc::Sle => EQ | LT_LT | GT_LT,
        Cc::Sgt => LT_GT | GT_GT,
        Cc::Sge => EQ | LT_GT | GT_GT,
        Cc::Test => return None,
    })
}

/// An operand: constants are the same wherever they are made.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Operand {
    Value(Value),
    Number(i64),
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Key {
    /// What is left of how two operands can compare.
    Order(Width, Value, Operand),
    /// The unsigned range of a number.
    Range(Value),
    /// How far a packet pointer may be read: at least, and less than.
    Packet(Value, Value),
    /// Whether a condition held.
    Truth(Value),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fact {
    Outcomes(u8),
    Between(u64, u64),
    Truth(bool),
}

struct Checks<'f> {
    f: &'f mut Function,
    bits: Bits,
    facts: FxHashMap<Key, Fact>,
    undo: Vec<(Key, Option<Fact>)>,
}

pub(super) fn run(f: &mut Function, _: &PassContext<'_>) -> bool {
    let cfg = Cfg::of(f);
    let dom = Dominators::of(&cfg);
    let bits = Bits::of(f, &cfg);
    let mut c = Checks { f, bits, facts: FxHashMap::default(), undo: Vec::new() };
    let mut changed = false;
    let mut stack = vec![(Block(0), None)];
    while let Some((b, mark)) = stack.pop() {
        if let Some(mark) = mark {
            c.leave(mark);
            continue;
        }
        stack.push((b, Some(c.undo.len())));
        if let [pred] = cfg.preds[b.index()][..] {
            c.edge(pred, b);
        }
        changed |= c.block(b);
        stack.extend(dom.children[b.index()].iter().rev().map(|c| (*c, None)));
    }
    changed
}

/// The pointer that `ptr` is a constant after, as selection sees it, and that constant plus `len`.
pub(super) fn packet(f: &Function, ptr: Value, len: i32) -> (Value, i64) {
    let (mut v, mut off) = (ptr, i64::from(len));
    while let Some(Op::Bin(BinOp::Add, Width::W64, a, b)) = f.def_op(v) {
        let (Ty::Int, Some(n)) = (f.ty(*b), f.as_const(*b)) else { break };
        match off.checked_add(n) {
            Some(sum) if (0..=0xffff).contains(&sum) => (v, off) = (*a, sum),
            _ => break,
        }
    }
    (v, off)
}

impl Checks<'_> {
    fn leave(&mut self, mark: usize) {
        for (key, old) in self.undo.drain(mark..).rev() {
            match old {
                Some(fact) => self.facts.insert(key, fact),
                None => self.facts.remove(&key),
            };
        }
    }

    fn learn(&mut self, key: Key, fact: Fact) {
        let old = self.facts.insert(key, fact);
        self.undo.push((key, old));
    }

    fn operand(&self, v: Value) -> Operand {
        self.f.as_const(v).map_or(Operand::Value(v), Operand::Number)
    }

    /// A comparison as it is kept: with a value first, and of two values the lower one.
    fn order(&self, cc: Cc, w: Width, a: Value, b: Value) -> Option<(Cc, Key)> {
        match (self.operand(a), self.operand(b)) {
            (Operand::Value(a), Operand::Value(b)) if b < a => {
                Some((cc.swapped(), Key::Order(w, b, Operand::Value(a))))
            }
            (Operand::Value(a), y) => Some((cc, Key::Order(w, a, y))),
            (x, Operand::Value(b)) => Some((cc.swapped(), Key::Order(w, b, x))),
            _ => None,
        }
    }

    fn outcomes(&self, key: Key) -> u8 {
        let known = match self.facts.get(&key) {
            Some(Fact::Outcomes(o)) => *o,
            _ => ANY,
        };
        match key {
            Key::Order(Width::W64, v, Operand::Number(0)) if self.never_null(v) => known & !EQ,
            _ => known,
        }
    }

    fn never_null(&self, v: Value) -> bool {
        match (self.f.values[v.index()].def, self.f.ty(v)) {
            (ValueDef::Inst(i), _) => matches!(self.f.insts[i.index()].op, Op::StackAddr(..) | Op::SymAddr(..)),
            (ValueDef::Param(Block(0), _), Ty::Ptr(Space::Ctx)) => true,
            _ => false,
        }
    }

    fn range(&self, v: Value) -> (u64, u64) {
        let (low, high) = self.bits.told(v).range();
        match self.facts.get(&Key::Range(v)) {
            Some(Fact::Between(a, b)) => (low.max(*a), high.min(*b)),
            _ => (low, high),
        }
    }

    /// What is true in `to`, entered from `from` alone.
    fn edge(&mut self, from: Block, to: Block) {
        let Terminator::Branch { cond, then, els } = &self.f.blocks[from.index()].term else { return };
        let cond = *cond;
        if then.block == els.block {
            return;
        }
        self.condition(cond, then.block == to);
    }

    fn condition(&mut self, cond: Value, held: bool) {
        self.learn(Key::Truth(cond), Fact::Truth(held));
        match self.f.def_op(cond).cloned() {
            Some(Op::Cmp(cc, w, a, b)) => self.compared(cc, w, a, b, held),
            Some(Op::InBounds { ptr, len, end }) => {
                let (base, off) = packet(self.f, ptr, len);
                let key = Key::Packet(base, end);
                let (at_least, below) = self.packet_range(key);
                let off = off as u64;
                let fact = if held {
                    Fact::Between(at_least.max(off), below)
                } else {
                    Fact::Between(at_least, below.min(off))
                };
                self.learn(key, fact);
            }
            _ => {
                // A condition by itself: null or zero, or not.
                let key = Key::Order(Width::W64, cond, Operand::Number(0));
                let left = self.outcomes(key) & if held { ANY & !EQ } else { EQ };
                self.learn(key, Fact::Outcomes(left));
                if held && self.f.ty(cond) == Ty::Int {
                    let (low, high) = self.range(cond);
                    self.learn(Key::Range(cond), Fact::Between(low.max(1), high));
                }
            }
        }
    }

    fn compared(&mut self, cc: Cc, w: Width, a: Value, b: Value, held: bool) {
        let Some((cc, key)) = self.order(cc, w, a, b) else { return };
        if let Some(mask) = holds(cc) {
            let left = self.outcomes(key) & if held { mask } else { ANY & !mask };
            self.learn(key, Fact::Outcomes(left));
        }
        let cc = if held { Some(cc) } else { cc.inverse() };
        let (Some(cc), Key::Order(Width::W64, v, Operand::Number(n))) = (cc, key) else { return };
        if self.f.ty(v) != Ty::Int {
            return;
        }
        let n = n as u64;
        let (low, high) = self.range(v);
        let (low, high) = match cc {
            Cc::Eq => (n, n),
            Cc::Ult => (low, high.min(n.saturating_sub(1))),
            Cc::Ule => (low, high.min(n)),
            Cc::Ugt => (low.max(n.saturating_add(1)), high),
            Cc::Uge => (low.max(n), high),
            Cc::Ne if n == low => (low.saturating_add(1), high),
            Cc::Ne if n == high => (low, high.saturating_sub(1)),
            _ => return,
        };
        // An empty range: the way can't be taken, and nothing need be said of it.
        if low <= high {
            self.learn(Key::Range(v), Fact::Between(low, high));
        }
    }

    fn packet_range(&self, key: Key) -> (u64, u64) {
        match self.facts.get(&key) {
            Some(Fact::Between(a, b)) => (*a, *b),
            _ => (0, u64::MAX),
        }
    }

    fn block(&mut self, b: Block) -> bool {
        let mut changed = false;
        for n in 0..self.f.blocks[b.index()].insts.len() {
            let i = self.f.blocks[b.index()].insts[n];
            let decided = match &self.f.insts[i.index()].op {
                Op::Cmp(cc, w, x, y) => self.decide(*cc, *w, *x, *y),
                Op::InBounds { ptr, len, end } => {
                    let (base, off) = packet(self.f, *ptr, *len);
                    let (at_least, below) = self.packet_range(Key::Packet(base, *end));
                    // Nothing is known to be readable as long as nothing was checked.
                    match off as u64 {
                        off if off <= at_least && at_least > 0 => Some(true),
                        off if off >= below => Some(false),
                        _ => None,
                    }
                }
                _ => None,
            };
            if let Some(decided) = decided {
                self.f.insts[i.index()].op = Op::Const(i64::from(decided));
                changed = true;
            }
        }
        let data = &self.f.blocks[b.index()];
        let Terminator::Branch { cond, then, els } = &data.term else { return changed };
        if self.f.as_const(*cond).is_some() {
            return changed;
        }
        let zero = Key::Order(Width::W64, *cond, Operand::Number(0));
        let to: Option<&Target> = match (self.facts.get(&Key::Truth(*cond)), self.outcomes(zero)) {
            (Some(Fact::Truth(true)), _) => Some(then),
            (Some(Fact::Truth(false)), _) => Some(els),
            (_, EQ) => Some(els),
            (_, o) if o & EQ == 0 && o != 0 => Some(then),
            _ if self.f.ty(*cond) == Ty::Int && self.range(*cond).0 > 0 => Some(then),
            _ => None,
        };
        if let Some(to) = to {
            let to = to.clone();
            self.f.blocks[b.index()].term = Terminator::Jump(to);
            changed = true;
        }
        changed
    }

    fn decide(&self, cc: Cc, w: Width, a: Value, b: Value) -> Option<bool> {
        let (cc, key) = self.order(cc, w, a, b)?;
        if let Some(mask) = holds(cc) {
            match self.outcomes(key) {
                // Nothing left: the code can't be reached, and either answer will do.
                0 => {}
                left if left & !mask == 0 => return Some(true),
                left if left & mask == 0 => return Some(false),
                _ => {}
            }
        }
        let Key::Order(Width::W64, v, y) = key else { return None };
        if self.f.ty(v) != Ty::Int {
            return None;
        }
        let (low, high) = self.range(v);
        let (y_low, y_high) = match y {
            Operand::Number(n) => (n as u64, n as u64),
            Operand::Value(y) if self.f.ty(y) == Ty::Int => self.range(y),
            Operand::Value(_) => return None,
        };
        match cc {
            Cc::Eq if high < y_low || low > y_high => Some(false),
            Cc::Ne if high < y_low || low > y_high => Some(true),
            Cc::Ult if high < y_low => Some(true),
            Cc::Ult if low >= y_high => Some(false),
            Cc::Ule if high <= y_low => Some(true),
            Cc::Ule if low > y_high => Some(false),
            Cc::Ugt if low > y_high => Some(true),
            Cc::Ugt if high <= y_low => Some(false),
            Cc::Uge if low >= y_high => Some(true),
            Cc::Uge if high < y_low => Some(false),
            _ => None,
        }
    }
}
