//! Merges the ends of blocks that go on to the same place by the same steps; where the steps are
//! done on different values, those become parameters of the one that is left. Macros and inlined
//! functions make such ends. Invariant: what the verifier is told by a comparison, a map, a context
//! or a CO-RE record stays apart unless it is the same value on both ways.

use rustc_hash::FxHashMap;

use super::{PassContext, cleanup};
use crate::ir::{
    BinOp, Block, BlockData, Callee, Function, Inst, Op, Slot, Space, SrcLoc, Sym, Target, Terminator, Ty, Value,
    ValueDef,
};

/// Rounds; each merges pairs, so that this many times doubled ends become one.
const ROUNDS: usize = 12;
/// Ends compared with one another at most: the time grows with the square.
const MAX_ALIKE: usize = 48;
/// Slots that merging must save: what it costs in registers is not known here.
const LEAST_GAIN: i32 = 1;
/// Parameters that an end gets at most: more would not find registers.
const MAX_PARAMS: usize = 4;

pub(super) fn run(f: &mut Function, cx: &PassContext<'_>) -> bool {
    let mut any = false;
    for _ in 0..ROUNDS {
        if !round(f) {
            break;
        }
        // What jumped to the two ends now jumps to the one: only then its own end is the same.
        cleanup::run(f, cx);
        any = true;
    }
    any
}

/// What two ends must have in common to be compared at all.
#[derive(PartialEq, Eq, Hash)]
enum Kind {
    Return,
    Jump(Block),
    Branch(Block, Block),
}

fn kind(b: &BlockData) -> Option<Kind> {
    match &b.term {
        Terminator::Open => None,
        Terminator::Return(_) => Some(Kind::Return),
        Terminator::Jump(t) => Some(Kind::Jump(t.block)),
        Terminator::Branch { then, els, .. } => Some(Kind::Branch(then.block, els.block)),
    }
}

fn round(f: &mut Function) -> bool {
    let mut alike: Vec<Vec<Block>> = Vec::new();
    let mut index: FxHashMap<Kind, usize> = FxHashMap::default();
    for b in f.block_ids().skip(1) {
        let Some(k) = kind(&f.blocks[b.index()]) else { continue };
        let at = *index.entry(k).or_insert(alike.len());
        match alike.get_mut(at) {
            Some(all) => all.push(b),
            None => alike.push(vec![b]),
        }
    }
    let stack_uses = stack_uses(f);
    let mut changed = false;
    for mut group in alike {
        group.truncate(MAX_ALIKE);
        let ends: Vec<End> = group.iter().map(|b| End::of(f, *b)).collect();
        let mut done = vec![false; ends.len()];
        for a in 0..ends.len() {
            if done[a] {
                continue;
            }
            let best = (a + 1..ends.len())
                .filter(|b| !done[*b])
                .filter_map(|b| {
                    Match::of(f, &stack_uses, &ends[a], &ends[b]).map(|m| (m.gain, std::cmp::Reverse(b), m))
                })
                .max_by_key(|(gain, b, _)| (*gain, *b));
            let Some((_, std::cmp::Reverse(b), m)) = best else { continue };
            m.merge(f, &ends[a], &ends[b]);
            (done[a], done[b], changed) = (true, true, true);
        }
    }
    changed
}

/// How often the address of each slot is an operand.
fn stack_uses(f: &Function) -> Vec<u32> {
    let mut uses = vec![0; f.slots.len()];
    for b in &f.blocks {
        let mut count = |v: Value| {
            if let Some(Op::StackAddr(s, _)) = f.def_op(v) {
                uses[s.index()] += 1;
            }
        };
        b.insts.iter().for_each(|i| f.insts[i.index()].op.for_each_operand(&mut count));
        b.term.for_each_operand(&mut count);
    }
    uses
}

/// A block, as it is compared.
struct End {
    block: Block,
    /// Its instructions without constants and addresses, which are made again where they are wanted.
    steps: Vec<Inst>,
    /// The place of each step's result, counted from the end, the last being 1.
    made: FxHashMap<Value, usize>,
}

impl End {
    fn of(f: &Function, block: Block) -> End {
        let leaf = |i: &&Inst| !matches!(f.insts[i.index()].op, Op::Const(_) | Op::StackAddr(..) | Op::SymAddr(..));
        let steps: Vec<Inst> = f.blocks[block.index()].insts.iter().filter(leaf).copied().collect();
        let results = steps.iter().rev().zip(1..).filter_map(|(i, n)| f.insts[i.index()].result.map(|r| (r, n)));
        End { block, made: results.collect(), steps }
    }

    /// The step at a place counted from the end.
    fn step(&self, place: usize) -> Inst {
        self.steps[self.steps.len() - place]
    }

    /// The place of the step that makes the value, if it is among the last `len`.
    fn inside(&self, v: Value, len: usize) -> Option<usize> {
        self.made.get(&v).copied().filter(|n| *n <= len)
    }
}

/// What an operand of the merged end is.
#[derive(Clone, Copy, PartialEq)]
enum Common {
    /// The same value on both ways, or the result of a common step.
    Value,
    Const(i64),
    Stack(Slot, i32),
    Sym(Sym, i32),
    Param(usize),
}

/// Why two ends don't match as far as that.
struct Shorter(usize);

/// Two ends that have something in common.
struct Match {
    /// How many of the last steps.
    len: usize,
    /// The values that differ, of the one and the other.
    params: Vec<(Value, Value)>,
    /// What each operand of the first one's steps and its end is.
    operands: FxHashMap<Value, Common>,
    gain: i32,
}

impl Match {
    fn of(f: &Function, stack_uses: &[u32], a: &End, b: &End) -> Option<Match> {
        let (ta, tb) = (&f.blocks[a.block.index()].term, &f.blocks[b.block.index()].term);
        if ta.targets().any(|t| t.block == a.block || t.block == b.block) {
            return None;
        }
        let pairs = a.steps.iter().rev().zip(b.steps.iter().rev());
        let mut len = pairs.take_while(|(x, y)| same_step(f, **x, **y)).count();
        loop {
            match Match::with(f, stack_uses, (a, ta), (b, tb), len) {
                Ok(m) => {
                    return (m.gain >= LEAST_GAIN && m.params.len() <= MAX_PARAMS).then_some(m);
                }
                Err(Shorter(n)) if n < len => len = n,
                Err(_) => return None,
            }
        }
    }

    fn with(
        f: &Function,
        stack_uses: &[u32],
        (a, ta): (&End, &Terminator),
        (b, tb): (&End, &Terminator),
        len: usize,
    ) -> Result<Match, Shorter> {
        let mut m = Match { len, params: Vec::new(), operands: FxHashMap::default(), gain: 0 };
        let mut slots: FxHashMap<Slot, (Slot, u32)> = FxHashMap::default();
        for place in 1..=len {
            let (x, y) = (&f.insts[a.step(place).index()].op, &f.insts[b.step(place).index()].op);
            let (mut xs, mut ys) = (Vec::new(), Vec::new());
            x.for_each_operand(|v| xs.push(v));
            y.for_each_operand(|v| ys.push(v));
            for (n, (u, v)) in xs.into_iter().zip(ys).enumerate() {
                let may = may_differ(f, x, n, u, v);
                m.operand(f, (a, u), (b, v), may, place - 1, &mut slots)?;
            }
            m.gain += cost(f, x);
        }
        let (mut xs, mut ys) = (Vec::new(), Vec::new());
        ta.for_each_operand(|v| xs.push(v));
        tb.for_each_operand(|v| ys.push(v));
        if xs.len() != ys.len() {
            return Err(Shorter(0));
        }
        for (n, (u, v)) in xs.into_iter().zip(ys).enumerate() {
            let tested = n == 0 && matches!(ta, Terminator::Branch { .. });
            let may = !tested && may_be_param(f, u, v);
            m.operand(f, (a, u), (b, v), may, 0, &mut slots)?;
        }
        // Slots that are not the same must be of these steps alone.
        for (s, (t, uses)) in &slots {
            let all = |s: &Slot| stack_uses.get(s.index()).copied().unwrap_or(u32::MAX);
            if s != t && (all(s) != *uses || all(t) != *uses || f.slots[s.index()].size != f.slots[t.index()].size) {
                let first = (1..=len).find(|n| uses_slot(f, a.step(*n), *s) || uses_slot(f, b.step(*n), *t));
                return Err(Shorter(first.unwrap_or(1) - 1));
            }
        }
        m.gain += match ta {
            Terminator::Return(_) => 2,
            Terminator::Branch { .. } => 1,
            Terminator::Jump(_) | Terminator::Open => 0,
        };
        // One of the two ways jumps to what is left; what differs is moved there.
        m.gain -= 1;
        for (u, v) in &m.params {
            m.gain -= if f.as_const(*u).is_some() || f.as_const(*v).is_some() { 2 } else { 1 };
        }
        Ok(m)
    }

    /// Takes a pair of operands in; `len` is how many steps match when it does not.
    fn operand(
        &mut self,
        f: &Function,
        (a, u): (&End, Value),
        (b, v): (&End, Value),
        may_differ: bool,
        len: usize,
        slots: &mut FxHashMap<Slot, (Slot, u32)>,
    ) -> Result<(), Shorter> {
        let common = match (a.inside(u, self.len), b.inside(v, self.len)) {
            (Some(x), Some(y)) if x == y => Common::Value,
            (Some(x), Some(y)) => return Err(Shorter(x.min(y) - 1)),
            (Some(x), None) | (None, Some(x)) => return Err(Shorter(x - 1)),
            (None, None) => match (f.def_op(u), f.def_op(v)) {
                (Some(Op::Const(n)), Some(Op::Const(m))) if n == m && f.ty(u) == f.ty(v) => Common::Const(*n),
                (Some(Op::StackAddr(s, n)), Some(Op::StackAddr(t, m))) if n == m => {
                    let (other, uses) = slots.entry(*s).or_insert((*t, 0));
                    if other != t {
                        return Err(Shorter(len));
                    }
                    *uses += 1;
                    Common::Stack(*s, *n)
                }
                (Some(Op::SymAddr(s, n)), Some(Op::SymAddr(t, m))) if s == t && n == m => Common::Sym(*s, *n),
                _ if u == v => Common::Value,
                _ if may_differ => {
                    let n = self.params.iter().position(|p| *p == (u, v)).unwrap_or(self.params.len());
                    if n == self.params.len() {
                        self.params.push((u, v));
                    }
                    Common::Param(n)
                }
                _ => return Err(Shorter(len)),
            },
        };
        // One value of the first that stands for two of the other is two operands.
        match self.operands.insert(u, common) {
            Some(before) if before != common => Err(Shorter(len)),
            _ => Ok(()),
        }
    }

    /// Makes the common end a block of its own, to which both jump.
    fn merge(self, f: &mut Function, a: &End, b: &End) {
        let new = f.add_block();
        let mut insts = Vec::new();
        let mut made: Vec<(Value, Value)> = Vec::new();
        let params: Vec<Value> = self.params.iter().map(|(u, v)| param(f, new, *u, *v)).collect();
        let steps: Vec<Inst> = (1..=self.len).rev().map(|n| a.step(n)).collect();
        let wanted = self.operands.iter().filter(|(_, c)| !matches!(c, Common::Value | Common::Param(_)));
        let mut wanted: Vec<(Value, Common)> = wanted.map(|(v, c)| (*v, *c)).collect();
        wanted.sort_unstable_by_key(|(v, _)| *v);
        for (v, common) in wanted {
            let op = match common {
                Common::Const(n) => Op::Const(n),
                Common::Stack(s, n) => Op::StackAddr(s, n),
                Common::Sym(s, n) => Op::SymAddr(s, n),
                Common::Value | Common::Param(_) => continue,
            };
            let loc = steps.first().map_or(SrcLoc::NONE, |i| f.insts[i.index()].loc);
            let inst = f.add_inst(op, Some(f.ty(v)), loc);
            insts.push(inst);
            made.push((v, Value(f.values.len() as u32 - 1)));
        }
        let stands = |v: Value| match self.operands.get(&v) {
            Some(Common::Param(n)) => params[*n],
            _ => made.iter().find(|(of, _)| *of == v).map_or(v, |(_, v)| *v),
        };
        let data = &mut f.blocks[a.block.index()];
        let mut term = std::mem::replace(&mut data.term, Terminator::Open);
        let term_loc = data.term_loc;
        data.insts.retain(|i| !steps.contains(i));
        for i in &steps {
            f.insts[i.index()].op.for_each_operand_mut(|v| *v = stands(*v));
        }
        term.for_each_operand_mut(|v| *v = stands(*v));
        insts.extend(&steps);
        let data = &mut f.blocks[new.index()];
        (data.insts, data.term, data.term_loc) = (insts, term, term_loc);
        let gone: Vec<Inst> = (1..=self.len).map(|n| b.step(n)).collect();
        for i in &gone {
            if let Some(r) = f.insts[i.index()].result {
                f.values[r.index()].def = ValueDef::Gone;
            }
        }
        f.blocks[b.block.index()].insts.retain(|i| !gone.contains(i));
        for (block, first) in [(a.block, true), (b.block, false)] {
            let args = self.params.iter().map(|(u, v)| if first { *u } else { *v }).collect();
            f.blocks[block.index()].term = Terminator::Jump(Target { block: new, args });
        }
    }
}

/// A parameter that stands for both, of the source variable that both are.
fn param(f: &mut Function, block: Block, u: Value, v: Value) -> Value {
    let p = f.add_param(block, f.ty(u));
    if f.values[u.index()].name == f.values[v.index()].name {
        f.values[p.index()].name = f.values[u.index()].name.clone();
    }
    p
}

/// Whether two steps differ in their operands alone, and may be one.
fn same_step(f: &Function, x: Inst, y: Inst) -> bool {
    let (x, y) = (&f.insts[x.index()], &f.insts[y.index()]);
    let types = match (x.result, y.result) {
        (Some(a), Some(b)) => f.ty(a) == f.ty(b),
        (None, None) => true,
        _ => false,
    };
    types
        && match (&x.op, &y.op) {
            (Op::Bin(o, w, ..), Op::Bin(p, v, ..)) => o == p && w == v,
            (Op::Un(o, _), Op::Un(p, _)) => o == p,
            (Op::Cmp(c, w, ..), Op::Cmp(d, v, ..)) => c == d && w == v,
            (Op::InBounds { len, .. }, Op::InBounds { len: other, .. }) => len == other,
            (
                Op::Load { size, signed, base, off },
                Op::Load { size: size2, signed: signed2, base: base2, off: off2 },
            ) => size == size2 && signed == signed2 && off == off2 && f.ty(*base) == f.ty(*base2),
            (Op::Store { size, base, off, .. }, Op::Store { size: size2, base: base2, off: off2, .. }) => {
                size == size2 && off == off2 && f.ty(*base) == f.ty(*base2)
            }
            (
                Op::Atomic { op, size, fetch, base, off, .. },
                Op::Atomic { op: op2, size: size2, fetch: fetch2, base: base2, off: off2, .. },
            ) => op == op2 && size == size2 && fetch == fetch2 && off == off2 && f.ty(*base) == f.ty(*base2),
            (Op::MapLookup { map, .. }, Op::MapLookup { map: other, .. }) => map == other,
            (Op::Call { callee, args }, Op::Call { callee: callee2, args: args2 }) => {
                callee == callee2 && args.len() == args2.len()
            }
            // What the loader patches has one record per place.
            _ => false,
        }
}

/// Whether the n-th operand may be one value here and another there.
fn may_differ(f: &Function, op: &Op, n: usize, u: Value, v: Value) -> bool {
    let both_constant = f.as_const(u).is_some() && f.as_const(v).is_some();
    let allowed = match op {
        Op::Load { .. } => true,
        Op::Store { .. } | Op::Atomic { .. } => true,
        // What divides is looked at when code is chosen.
        Op::Bin(op, ..) => {
            f.ty(u) == Ty::Int
                && f.ty(v) == Ty::Int
                && !matches!(op, BinOp::UDiv | BinOp::SDiv | BinOp::UMod | BinOp::SMod)
        }
        Op::Un(..) => true,
        // Sizes are constants that the verifier must see.
        Op::Call { callee, .. } => !both_constant && n < 5 && !matches!(callee, Callee::Kfunc(_)),
        // The verifier learns from these, about the very value.
        Op::Cmp(..) | Op::InBounds { .. } => false,
        Op::MapLookup { .. } => false,
        Op::Const(_)
        | Op::StackAddr(..)
        | Op::SymAddr(..)
        | Op::CoreLoad { .. }
        | Op::CoreStore { .. }
        | Op::CoreValue { .. }
        | Op::MayGoto
        | Op::CmpXchg { .. } => false,
    };
    allowed && may_be_param(f, u, v)
}

/// Whether a parameter can stand for both.
fn may_be_param(f: &Function, u: Value, v: Value) -> bool {
    let plain = |v: Value| match f.ty(v) {
        Ty::Int => true,
        Ty::Ptr(Space::MapValue | Space::Packet | Space::Mem) => f.as_const(v).is_none(),
        Ty::Ptr(_) => false,
    };
    f.ty(u) == f.ty(v) && plain(u) && plain(v)
}

fn uses_slot(f: &Function, i: Inst, s: Slot) -> bool {
    let mut uses = false;
    f.insts[i.index()].op.for_each_operand(|v| uses |= matches!(f.def_op(v), Some(Op::StackAddr(t, _)) if *t == s));
    uses
}

/// Slots of code, about.
fn cost(f: &Function, op: &Op) -> i32 {
    match op {
        Op::Const(_) | Op::StackAddr(..) => 0,
        Op::Cmp(..) | Op::InBounds { .. } => 1,
        Op::MapLookup { key, .. } => 3 + if f.ty(*key) == Ty::Ptr(Space::Stack) { 2 } else { 1 },
        Op::Call { args, .. } => 1 + args.len() as i32,
        Op::Bin(..)
        | Op::Un(..)
        | Op::SymAddr(..)
        | Op::Load { .. }
        | Op::Store { .. }
        | Op::Atomic { .. }
        | Op::CmpXchg { .. }
        | Op::CoreLoad { .. }
        | Op::CoreStore { .. }
        | Op::MayGoto
        | Op::CoreValue { .. } => 1,
    }
}
