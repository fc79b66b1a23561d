//! What selection must know of a function before it starts: which blocks can be reached and in
//! which order to lay them, which values are needed, and what is known of their bits. Invariant:
//! nothing here changes the function.

use crate::ir::{BinOp, Block, Cc, Function, Op, Size, Target, Terminator, UnOp, Value, ValueDef, Width};

/// How a block really ends: branches on constants are jumps.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Exit<'f> {
    Jump(&'f Target),
    Branch { cond: Value, then: &'f Target, els: &'f Target },
    Return(Value),
}

impl<'f> Exit<'f> {
    /// The targets.
    pub fn targets(self) -> impl Iterator<Item = &'f Target> {
        let (a, b) = match self {
            Exit::Jump(t) => (Some(t), None),
            Exit::Branch { then, els, .. } => (Some(then), Some(els)),
            Exit::Return(_) => (None, None),
        };
        a.into_iter().chain(b)
    }
}

/// The end of a reachable block; the error says what is wrong with it.
pub(crate) fn exit(f: &Function, block: Block) -> Result<Exit<'_>, String> {
    let data = f.blocks.get(block.index()).ok_or_else(|| format!("{block} does not exist"))?;
    Ok(match &data.term {
        Terminator::Open => return Err(format!("{block} has no end")),
        Terminator::Jump(t) => Exit::Jump(t),
        Terminator::Return(v) => Exit::Return(*v),
        Terminator::Branch { cond, then, els } => match f.as_const(*cond) {
            Some(0) => Exit::Jump(els),
            Some(_) => Exit::Jump(then),
            None if then == els => Exit::Jump(then),
            None => Exit::Branch { cond: *cond, then, els },
        },
    })
}

/// The facts.
#[derive(Debug)]
pub(crate) struct Flow {
    /// Reachable blocks in layout order: reverse postorder, what leaves a loop after the loop.
    pub order: Vec<Block>,
    /// Edges into each reachable block (twice from a block that branches to it both ways).
    pub preds: Vec<Vec<Block>>,
    /// Whether a value's content matters.
    pub needed: Vec<bool>,
    /// Comparisons that only branches look at: made at the branch.
    pub fused: Vec<bool>,
    /// The value that holds the same bits: extensions of what is extended already.
    alias: Vec<Value>,
    /// An upper bound of the number of low bits that can be one.
    bits: Vec<u8>,
    /// Per block, the values wanted after it: an approximation from the IR, for choosing only.
    live_out: Vec<BitSet>,
    /// The parameter that a value is handed to, if to one.
    feeds: Vec<Option<Value>>,
}

/// A set of values.
#[derive(Clone, Default, PartialEq, Debug)]
pub(crate) struct BitSet(Vec<u64>);

impl BitSet {
    fn new(len: usize) -> BitSet {
        BitSet(vec![0; len.div_ceil(64)])
    }

    pub fn insert(&mut self, v: Value) {
        self.0[v.index() / 64] |= 1 << (v.index() % 64);
    }

    pub fn remove(&mut self, v: Value) {
        self.0[v.index() / 64] &= !(1 << (v.index() % 64));
    }

    pub fn contains(&self, v: Value) -> bool {
        self.0[v.index() / 64] >> (v.index() % 64) & 1 != 0
    }

    /// Adds the others; whether that added anything.
    fn union(&mut self, other: &BitSet) -> bool {
        let mut grew = false;
        for (a, b) in self.0.iter_mut().zip(&other.0) {
            grew |= *b & !*a != 0;
            *a |= b;
        }
        grew
    }
}

impl Flow {
    /// Looks at a function.
    pub fn of(f: &Function) -> Result<Flow, String> {
        let order = order(f)?;
        let mut preds = vec![Vec::new(); f.blocks.len()];
        for &b in &order {
            for t in exit(f, b)?.targets() {
                preds[t.block.index()].push(b);
            }
        }
        let mut flow = Flow {
            order,
            preds,
            needed: vec![false; f.values.len()],
            fused: vec![false; f.values.len()],
            alias: (0..f.values.len() as u32).map(Value).collect(),
            bits: vec![64; f.values.len()],
            live_out: vec![BitSet::new(f.values.len()); f.blocks.len()],
            feeds: vec![None; f.values.len()],
        };
        flow.find_needed(f)?;
        flow.find_bits(f);
        flow.find_fused(f)?;
        flow.find_live(f)?;
        Ok(flow)
    }

    /// The value that stands for `v`.
    pub fn resolve(&self, v: Value) -> Value {
        self.alias[v.index()]
    }

    /// How many low bits of `v` may be one.
    pub fn bits(&self, v: Value) -> u32 {
        u32::from(self.bits[v.index()])
    }

    /// The values wanted after a block.
    pub fn live_out(&self, block: Block) -> &BitSet {
        &self.live_out[block.index()]
    }

    /// Whether `v` is handed to the parameter `param`.
    pub fn feeds(&self, v: Value, param: Value) -> bool {
        self.feeds[v.index()] == Some(param)
    }

    fn find_live(&mut self, f: &Function) -> Result<(), String> {
        let mut live_in: Vec<BitSet> = self.live_out.clone();
        loop {
            let mut changed = false;
            for &b in self.order.clone().iter().rev() {
                let end = exit(f, b)?;
                let mut out = BitSet::new(f.values.len());
                for t in end.targets() {
                    out.union(&live_in[t.block.index()]);
                    for (p, a) in f.blocks[t.block.index()].params.iter().zip(&t.args) {
                        if self.needed[p.index()] {
                            let a = self.resolve(*a);
                            out.insert(a);
                            self.feeds[a.index()] = Some(*p);
                        }
                    }
                }
                changed |= self.live_out[b.index()].union(&out);
                let mut live = self.live_out[b.index()].clone();
                if let Exit::Branch { cond: v, .. } | Exit::Return(v) = end {
                    live.insert(self.resolve(v));
                }
                for &i in f.blocks[b.index()].insts.iter().rev() {
                    let data = &f.insts[i.index()];
                    if let Some(r) = data.result {
                        live.remove(r);
                    }
                    if has_effect(&data.op) || data.result.is_some_and(|r| self.needed[r.index()]) {
                        data.op.for_each_operand(|v| live.insert(self.resolve(v)));
                    }
                }
                f.blocks[b.index()].params.iter().for_each(|p| live.remove(*p));
                changed |= live_in[b.index()].union(&live);
            }
            if !changed {
                return Ok(());
            }
        }
    }

    fn find_needed(&mut self, f: &Function) -> Result<(), String> {
        let mut work = Vec::new();
        let mark = |needed: &mut Vec<bool>, work: &mut Vec<Value>, v: Value| match needed.get_mut(v.index()) {
            Some(n) if !*n => {
                *n = true;
                work.push(v);
                Ok(())
            }
            Some(_) => Ok(()),
            None => Err(format!("{v} does not exist")),
        };
        for &b in &self.order {
            for &i in &f.blocks[b.index()].insts {
                let op = &f.insts[i.index()].op;
                if has_effect(op) {
                    let mut r = Ok(());
                    op.for_each_operand(|v| r = r.clone().and(mark(&mut self.needed, &mut work, v)));
                    r?;
                }
            }
            match exit(f, b)? {
                Exit::Return(v) | Exit::Branch { cond: v, .. } => mark(&mut self.needed, &mut work, v)?,
                Exit::Jump(_) => {}
            }
        }
        while let Some(v) = work.pop() {
            match f.values[v.index()].def {
                ValueDef::Gone => return Err(format!("{v} is used and defined nowhere")),
                ValueDef::Inst(i) => {
                    let mut r = Ok(());
                    f.insts[i.index()].op.for_each_operand(|v| r = r.clone().and(mark(&mut self.needed, &mut work, v)));
                    r?;
                }
                ValueDef::Param(block, n) => {
                    for p in self.preds[block.index()].iter() {
                        for t in exit(f, *p)?.targets().filter(|t| t.block == block) {
                            let arg = t.args.get(n as usize).ok_or_else(|| format!("{p} passes too few to {block}"))?;
                            mark(&mut self.needed, &mut work, *arg)?;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn find_bits(&mut self, f: &Function) {
        for b in self.order.clone() {
            for &i in &f.blocks[b.index()].insts {
                let data = &f.insts[i.index()];
                let Some(v) = data.result else { continue };
                let same = match data.op {
                    Op::Un(UnOp::Zext(s), a) if self.bits(a) <= s.bits() => Some(a),
                    Op::Un(UnOp::Sext(s), a) if self.bits(a) < s.bits() => Some(a),
                    _ => None,
                };
                if let Some(a) = same {
                    self.alias[v.index()] = self.resolve(a);
                    self.bits[v.index()] = self.bits[a.index()];
                } else {
                    self.bits[v.index()] = self.bits_of(f, &data.op) as u8;
                }
            }
        }
    }

    fn bits_of(&self, f: &Function, op: &Op) -> u32 {
        let two = |a: &Value, b: &Value| (self.bits(*a), self.bits(*b));
        let wide = match op {
            Op::Const(n) => 64 - n.leading_zeros(),
            Op::Cmp(..) | Op::InBounds { .. } => 1,
            Op::Un(UnOp::Zext(s), a) => s.bits().min(self.bits(*a)),
            Op::Un(UnOp::Bswap(s), _) => s.bits(),
            Op::Load { size, signed: false, .. } => size.bits(),
            // A loader may make these wider than they look.
            Op::CoreLoad { .. } | Op::CoreValue { .. } => 64,
            Op::Atomic { size: Size::B4, .. } | Op::CmpXchg { size: Size::B4, .. } => 32,
            Op::Bin(BinOp::And, _, a, b) => {
                let (a, b) = two(a, b);
                a.min(b)
            }
            Op::Bin(BinOp::Or | BinOp::Xor, _, a, b) => {
                let (a, b) = two(a, b);
                a.max(b)
            }
            Op::Bin(BinOp::UDiv | BinOp::UMod, _, a, _) => self.bits(*a),
            Op::Bin(BinOp::LShr, w, a, n) => {
                let bits = if *w == Width::W32 { self.bits(*a).min(32) } else { self.bits(*a) };
                match f.as_const(*n) {
                    Some(n) => bits.saturating_sub(n as u32 & if *w == Width::W32 { 31 } else { 63 }),
                    None => bits,
                }
            }
            _ => 64,
        };
        match op {
            Op::Bin(_, Width::W32, ..) => wide.min(32),
            _ => wide,
        }
    }

    fn find_fused(&mut self, f: &Function) -> Result<(), String> {
        let mut other_use = vec![false; f.values.len()];
        let mut by_branch = vec![false; f.values.len()];
        for &b in &self.order {
            for &i in &f.blocks[b.index()].insts {
                let data = &f.insts[i.index()];
                // An extension that changes nothing is no use of its own: those of its result count.
                let aliased = data.result.is_some_and(|r| self.resolve(r) != r);
                if !aliased && (has_effect(&data.op) || data.result.is_some_and(|r| self.needed[r.index()])) {
                    data.op.for_each_operand(|v| other_use[self.resolve(v).index()] = true);
                }
            }
            let end = exit(f, b)?;
            match end {
                Exit::Branch { cond, .. } => by_branch[self.resolve(cond).index()] = true,
                Exit::Return(v) => other_use[self.resolve(v).index()] = true,
                Exit::Jump(_) => {}
            }
            for t in end.targets() {
                t.args.iter().for_each(|v| other_use[self.resolve(*v).index()] = true);
            }
        }
        for v in 0..f.values.len() {
            self.fused[v] = by_branch[v]
                && !other_use[v]
                && matches!(f.def_op(Value(v as u32)), Some(Op::Cmp(..) | Op::InBounds { .. }));
        }
        Ok(())
    }
}

/// Whether an instruction must stay though nobody wants its result.
pub(crate) fn has_effect(op: &Op) -> bool {
    match op {
        Op::Store { .. }
        | Op::CoreStore { .. }
        | Op::Atomic { .. }
        | Op::CmpXchg { .. }
        | Op::MapLookup { .. }
        | Op::MayGoto
        | Op::Call { .. } => true,
        Op::Const(_)
        | Op::Bin(..)
        | Op::Un(..)
        | Op::Cmp(..)
        | Op::InBounds { .. }
        | Op::StackAddr(..)
        | Op::SymAddr(..)
        | Op::Load { .. }
        | Op::CoreLoad { .. }
        | Op::CoreValue { .. } => false,
    }
}

/// Depth-first from the entry; iterative, as a function may be a chain of thousands of blocks.
/// Among the two ways out of a block the one with the shallower loop is visited first, and so laid last.
fn order(f: &Function) -> Result<Vec<Block>, String> {
    let depth = loop_depth(f)?;
    let deepest_last = |block: Block| -> Result<Vec<Block>, String> {
        let mut succs: Vec<Block> = exit(f, block)?.targets().map(|t| t.block).collect();
        // The first target comes right after the block unless the other one is in a deeper loop; on
        // a test for bits the second, since no jump tests for their absence.
        if !tests_bits(f, block) {
            succs.reverse();
        }
        succs.sort_by_key(|s| depth.get(s.index()).copied().unwrap_or(0));
        Ok(succs)
    };
    let (post, _) = depth_first(f, deepest_last)?;
    Ok(post.into_iter().rev().collect())
}

/// Whether a block ends by a branch on [`Cc::Test`].
fn tests_bits(f: &Function, block: Block) -> bool {
    let Terminator::Branch { cond, .. } = &f.blocks[block.index()].term else { return false };
    matches!(f.def_op(*cond), Some(Op::Cmp(Cc::Test, ..)))
}

/// Postorder, and the edges that close a loop.
type Visited = (Vec<Block>, Vec<(Block, Block)>);

/// Visits what can be reached from the entry.
fn depth_first(f: &Function, succs_of: impl Fn(Block) -> Result<Vec<Block>, String>) -> Result<Visited, String> {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        New,
        Open,
        Done,
    }
    let mut state = vec![State::New; f.blocks.len()];
    let (mut post, mut back) = (Vec::new(), Vec::new());
    let entry = Block(0);
    let mut stack = vec![(entry, succs_of(entry)?, 0)];
    state[0] = State::Open;
    while let Some((block, succs, next)) = stack.last_mut() {
        let block = *block;
        if let Some(&s) = succs.get(*next) {
            *next += 1;
            match state.get(s.index()) {
                None => return Err(format!("{block} jumps to {s}, which does not exist")),
                Some(State::Open) => back.push((block, s)),
                Some(State::Done) => {}
                Some(State::New) => {
                    state[s.index()] = State::Open;
                    stack.push((s, succs_of(s)?, 0));
                }
            }
        } else {
            state[block.index()] = State::Done;
            post.push(block);
            stack.pop();
        }
    }
    Ok((post, back))
}

/// In how many loops each block is.
fn loop_depth(f: &Function) -> Result<Vec<u32>, String> {
    let succs = |b: Block| -> Result<Vec<Block>, String> { Ok(exit(f, b)?.targets().map(|t| t.block).collect()) };
    let (post, back) = depth_first(f, succs)?;
    let mut depth = vec![0; f.blocks.len()];
    if back.is_empty() {
        return Ok(depth);
    }
    let mut preds = vec![Vec::new(); f.blocks.len()];
    for &b in &post {
        for s in succs(b)? {
            preds[s.index()].push(b);
        }
    }
    // One loop per header, however many edges close it.
    let mut headers: Vec<Block> = back.iter().map(|(_, h)| *h).collect();
    headers.sort_unstable();
    headers.dedup();
    for header in headers {
        let mut inside = vec![false; f.blocks.len()];
        inside[header.index()] = true;
        let mut work: Vec<Block> = back.iter().filter(|(_, h)| *h == header).map(|(b, _)| *b).collect();
        while let Some(b) = work.pop() {
            if !std::mem::replace(&mut inside[b.index()], true) {
                work.extend(&preds[b.index()]);
            }
        }
        for (d, inside) in depth.iter_mut().zip(inside) {
            *d += u32::from(inside);
        }
    }
    Ok(depth)
}
