//! Selection: from the IR to the machine form, from the last instruction to the first, so that an
//! instruction is made only when something already made wants it, and constants and addresses are
//! made right before each use (they would occupy registers otherwise). Invariant: every register
//! is defined once; a register moved as a whole keeps the verifier's link between its copies, so
//! nothing here copies pointers or numbers with 32-bit moves.

mod arith;
mod compare;
mod divide;
mod memory;

use regalloc2::{Operand, RegClass};
use smallvec::SmallVec;
use whistler_isa::{Insn, IsaLevel, Target, op};

use super::flow::{BitSet, Exit, Flow, exit, has_effect};
use super::inst::{Field, MBlock, MFunc, MInst, MOp, VReg, preg};
use crate::code::CodegenError;
use crate::ir::{self, BinOp, Block, Callee, Function, Op, SrcLoc, SymData, SymKind, Value, ValueDef, Width};

/// A number in a register, or one known now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Val {
    Reg(VReg),
    Num(i64),
}

/// The selector's state.
pub(super) struct Selector<'a> {
    f: &'a Function,
    syms: &'a [SymData],
    target: &'a Target,
    flow: Flow,
    /// The register of each IR value, once something wants it.
    reg_of: Vec<Option<VReg>>,
    /// The values wanted after the instruction at hand.
    live: BitSet,
    /// Offset from r10 of each slot, once something wants it.
    slot_at: Vec<Option<i32>>,
    /// The instructions of the IR instruction at hand, in order.
    seq: Vec<MInst>,
    /// The instructions of the block at hand, last first.
    reversed: Vec<MInst>,
    loc: SrcLoc,
    out: MFunc,
}

/// Selects a function.
pub(crate) fn select(f: &Function, syms: &[SymData], target: &Target) -> Result<MFunc, CodegenError> {
    let invalid = |what| CodegenError::Invalid { function: f.name.clone(), stage: "selection".into(), what };
    let flow = Flow::of(f).map_err(invalid)?;
    let mut s = Selector {
        f,
        syms,
        target,
        reg_of: vec![None; f.values.len()],
        slot_at: vec![None; f.slots.len()],
        live: BitSet::default(),
        flow,
        seq: Vec::new(),
        reversed: Vec::new(),
        loc: SrcLoc::NONE,
        out: MFunc::default(),
    };
    s.function()?;
    Ok(s.out)
}

/// A block's code as it is made, last block first; the numbers of blocks are not known yet.
struct Draft {
    insts: Vec<MInst>,
    params: Vec<VReg>,
    /// Successors as indices of drafts, with arguments.
    succs: SmallVec<[(usize, Vec<VReg>); 2]>,
}

impl Selector<'_> {
    fn function(&mut self) -> Result<(), CodegenError> {
        let order = std::mem::take(&mut self.flow.order);
        // Draft numbers are final positions: blocks in order, an edge block right after its source.
        let mut number = vec![usize::MAX; self.f.blocks.len()];
        let mut edges = Vec::with_capacity(order.len());
        let mut count = 0;
        for &b in &order {
            number[b.index()] = count;
            count += 1;
            let mut split: SmallVec<[bool; 2]> = SmallVec::new();
            if let Exit::Branch { then, els, .. } = exit(self.f, b).map_err(|w| self.invalid(w))? {
                for t in [then, els] {
                    let critical = self.flow.preds[t.block.index()].len() > 1;
                    split.push(critical);
                    count += usize::from(critical);
                }
            }
            edges.push(split);
        }
        let mut drafts: Vec<Option<Draft>> = Vec::new();
        drafts.resize_with(count, || None);
        for (&b, split) in order.iter().zip(&edges).rev() {
            self.block(b, split, &number, &mut drafts)?;
        }
        self.flow.order = order;
        self.assemble(drafts);
        self.out.frame = self.slot_at.iter().flatten().map(|o| o.unsigned_abs()).max().unwrap_or(0);
        self.name_values();
        Ok(())
    }

    fn block(
        &mut self,
        b: Block,
        split: &[bool],
        number: &[usize],
        drafts: &mut [Option<Draft>],
    ) -> Result<(), CodegenError> {
        let f = self.f;
        let data = &f.blocks[b.index()];
        let mut succs = SmallVec::new();
        let end = exit(f, b).map_err(|w| self.invalid(w))?;
        self.loc = data.term_loc;
        self.live = self.flow.live_out(b).clone();
        match end {
            Exit::Return(v) => {
                let r = self.fixed(v)?;
                self.emit(MOp::Ret, &[Operand::reg_fixed_use(r, preg(0))]);
            }
            Exit::Jump(t) => {
                let args = self.block_args(t)?;
                self.emit(MOp::Jump, &[]);
                succs.push((number[t.block.index()], args));
            }
            Exit::Branch { cond, then, els } => {
                let mut next = number[b.index()] + 1;
                for (t, split) in [then, els].into_iter().zip(split) {
                    let to = number[t.block.index()];
                    if *split {
                        // The arguments' constants are made on the edge.
                        let args = self.block_args(t)?;
                        self.emit(MOp::Jump, &[]);
                        let insts = std::mem::take(&mut self.seq);
                        let succs = SmallVec::from_iter([(to, args)]);
                        drafts[next] = Some(Draft { insts, params: Vec::new(), succs });
                        next += 1;
                    }
                }
                let mut next = number[b.index()] + 1;
                let mut pre: SmallVec<[(usize, Vec<VReg>); 2]> = SmallVec::new();
                for (t, split) in [then, els].into_iter().zip(split) {
                    if *split {
                        pre.push((next, Vec::new()));
                        next += 1;
                    } else {
                        let args = self.block_args(t)?;
                        pre.push((number[t.block.index()], args));
                    }
                }
                succs = pre;
                self.branch(cond)?;
            }
        }
        if let Exit::Branch { cond: v, .. } | Exit::Return(v) = end {
            self.live.insert(self.flow.resolve(v));
        }
        self.flush();
        for &i in data.insts.iter().rev() {
            let inst = &f.insts[i.index()];
            let wanted = inst.result.is_some_and(|r| self.reg_of[r.index()].is_some());
            if wanted || has_effect(&inst.op) {
                self.loc = inst.loc;
                self.inst(&inst.op, inst.result)?;
                self.flush();
                inst.op.for_each_operand(|v| self.live.insert(self.flow.resolve(v)));
            }
        }
        let mut params = Vec::new();
        for &p in &data.params {
            if self.flow.needed[p.index()] {
                params.push(self.reg_for_def(p));
            }
        }
        if b == Block(0) {
            self.loc = SrcLoc::NONE;
            let mut ops: SmallVec<[Operand; 5]> = SmallVec::new();
            for (n, p) in data.params.iter().enumerate() {
                if n >= 5 {
                    return Err(self.invalid("more than five parameters".into()));
                }
                if self.flow.needed[p.index()] {
                    ops.push(Operand::reg_fixed_def(self.reg_for_def(*p), preg(n as u8 + 1)));
                }
            }
            params.clear();
            self.emit(MOp::Args, &ops);
            self.flush();
        }
        let mut insts = std::mem::take(&mut self.reversed);
        insts.reverse();
        drafts[number[b.index()]] = Some(Draft { insts, params, succs });
        Ok(())
    }

    /// The arguments for the parameters that matter.
    fn block_args(&mut self, t: &ir::Target) -> Result<Vec<VReg>, CodegenError> {
        let params = &self.f.blocks[t.block.index()].params;
        if params.len() != t.args.len() {
            return Err(self.invalid(format!("{} takes {} arguments, not {}", t.block, params.len(), t.args.len())));
        }
        let mut args = Vec::new();
        for (p, a) in params.iter().zip(&t.args) {
            if self.flow.needed[p.index()] {
                args.push(self.reg(*a)?);
            }
        }
        Ok(args)
    }

    /// Puts the drafts in a row.
    fn assemble(&mut self, drafts: Vec<Option<Draft>>) {
        for draft in drafts.into_iter().flatten() {
            let start = self.out.insts.len() as u32;
            self.out.insts.extend(draft.insts);
            let (to, args) = draft.succs.into_iter().unzip::<_, _, SmallVec<[usize; 2]>, SmallVec<[Vec<VReg>; 2]>>();
            self.out.blocks.push(MBlock {
                start,
                end: self.out.insts.len() as u32,
                params: draft.params,
                succs: to.into_iter().map(regalloc2::Block::new).collect(),
                args,
                preds: SmallVec::new(),
            });
        }
        for b in 0..self.out.blocks.len() {
            for s in self.out.blocks[b].succs.clone() {
                self.out.blocks[s.index()].preds.push(regalloc2::Block::new(b));
            }
        }
    }

    /// Notes the registers of values that are source variables.
    fn name_values(&mut self) {
        for (v, reg) in self.reg_of.iter().enumerate() {
            if let (Some(reg), true) = (reg, self.f.values[v].name.is_some()) {
                self.out.named.push((*reg, Value(v as u32)));
            }
        }
        self.out.named.sort_unstable();
    }

    fn invalid(&self, what: String) -> CodegenError {
        CodegenError::Invalid { function: self.f.name.clone(), stage: "selection".into(), what }
    }

    fn needs(&self, what: &str, needs: &str) -> CodegenError {
        CodegenError::NeedsTarget { what: what.into(), needs: needs.into(), loc: self.loc }
    }

    /// Whether 32-bit arithmetic and jumps, and all atomics, may be used.
    fn v3(&self) -> bool {
        self.target.isa >= IsaLevel::V3
    }

    fn v4(&self) -> bool {
        self.target.isa >= IsaLevel::V4
    }

    fn flush(&mut self) {
        self.reversed.extend(self.seq.drain(..).rev());
    }

    fn emit(&mut self, op: MOp, ops: &[Operand]) {
        let first = self.out.operands.len() as u32;
        self.out.operands.extend_from_slice(ops);
        self.seq.push(MInst { op, first, count: ops.len() as u8, loc: self.loc });
    }

    /// One slot with both register fields from operands, or given.
    fn slot(&mut self, insn: Insn, dst: Field, src: Field, ops: &[Operand]) {
        self.emit(MOp::Slot { insn, dst, src, core: None, sym: None }, ops);
    }

    fn fresh(&mut self) -> VReg {
        self.out.num_vregs += 1;
        VReg::new(self.out.num_vregs as usize - 1, RegClass::Int)
    }

    fn reg_for_def(&mut self, v: Value) -> VReg {
        match self.reg_of[v.index()] {
            Some(r) => r,
            None => {
                let r = self.fresh();
                self.reg_of[v.index()] = Some(r);
                r
            }
        }
    }

    /// The number a value is known to be.
    fn num(&self, v: Value) -> Option<i64> {
        self.f.as_const(self.flow.resolve(v))
    }

    /// A value as a number where it is one.
    fn val(&mut self, v: Value) -> Result<Val, CodegenError> {
        match self.num(v) {
            Some(n) => Ok(Val::Num(n)),
            None => Ok(Val::Reg(self.reg(v)?)),
        }
    }

    /// A register with the value, for reading by what is emitted next.
    fn reg(&mut self, v: Value) -> Result<VReg, CodegenError> {
        let v = self.flow.resolve(v);
        if let Some(n) = self.f.as_const(v) {
            return Ok(self.number(n));
        }
        if let Some(off) = self.frame_address(v)? {
            let r = self.fresh();
            self.frame_to(r, off);
            return Ok(r);
        }
        match self.f.values[v.index()].def {
            ValueDef::Gone => Err(self.invalid(format!("{v} is used and defined nowhere"))),
            ValueDef::Inst(i) => match &self.f.insts[i.index()].op {
                Op::SymAddr(sym, off) => {
                    let r = self.fresh();
                    self.symbol_to(r, *sym, *off)?;
                    Ok(r)
                }
                _ => Ok(self.reg_for_def(v)),
            },
            ValueDef::Param(..) => Ok(self.reg_for_def(v)),
        }
    }

    /// A register for a use that fixes it. What lives on gets a copy: the allocator would split
    /// the whole range over the fixed place otherwise.
    fn fixed(&mut self, v: Value) -> Result<VReg, CodegenError> {
        let r = self.reg(v)?;
        let v = self.flow.resolve(v);
        let lives_on = self.reg_of[v.index()] == Some(r)
            && (self.live.contains(v) || matches!(self.f.values[v.index()].def, ValueDef::Param(..)));
        if !lives_on {
            return Ok(r);
        }
        let copy = self.fresh();
        self.copy(copy, r);
        Ok(copy)
    }

    /// A register that holds `val`.
    fn val_reg(&mut self, val: Val) -> VReg {
        match val {
            Val::Reg(r) => r,
            Val::Num(n) => self.number(n),
        }
    }

    fn number(&mut self, n: i64) -> VReg {
        let r = self.fresh();
        self.number_to(r, n);
        r
    }

    fn number_to(&mut self, dst: VReg, n: i64) {
        let def = [Operand::reg_def(dst)];
        // mov extends its immediate by its sign; the 32-bit one clears the high half after that.
        let short = if let Ok(imm) = i32::try_from(n) {
            Some(Insn::new(op::ALU64 | op::MOV | op::K, 0, 0, 0, imm))
        } else if let (Ok(imm), true) = (u32::try_from(n), self.v3()) {
            Some(Insn::new(op::ALU | op::MOV | op::K, 0, 0, 0, imm as i32))
        } else {
            None
        };
        match short {
            Some(insn) => self.slot(insn, Field::Operand(0), Field::Given, &def),
            None => self.emit(MOp::Wide { src: 0, imm: n as u64, sym: None, core: None }, &def),
        }
    }

    fn frame_to(&mut self, dst: VReg, off: i32) {
        self.emit(MOp::FrameAddr { off }, &[Operand::reg_def(dst)]);
    }

    fn symbol_to(&mut self, dst: VReg, sym: ir::Sym, off: i32) -> Result<(), CodegenError> {
        let src = match self.syms.get(sym.index()).map(|s| &s.kind) {
            Some(SymKind::Map(_)) => op::PSEUDO_MAP_FD,
            Some(SymKind::Global { .. }) => op::PSEUDO_MAP_VALUE,
            Some(SymKind::Function) => op::PSEUDO_FUNC,
            Some(SymKind::Kfunc) => {
                return Err(self.invalid(format!("{sym} is a kernel function, which has no address")));
            }
            None => return Err(self.invalid(format!("{sym} does not exist"))),
        };
        self.emit(MOp::Wide { src, imm: 0, sym: Some((sym, off)), core: None }, &[Operand::reg_def(dst)]);
        Ok(())
    }

    /// dst = src, all 64 bits.
    fn copy(&mut self, dst: VReg, src: VReg) {
        let insn = Insn::new(op::ALU64 | op::MOV | op::X, 0, 0, 0, 0);
        self.slot(insn, Field::Operand(0), Field::Operand(1), &[Operand::reg_def(dst), Operand::reg_use(src)]);
    }

    fn val_to(&mut self, dst: VReg, val: Val) {
        match val {
            Val::Reg(r) => self.copy(dst, r),
            Val::Num(n) => self.number_to(dst, n),
        }
    }

    /// Makes one IR instruction.
    fn inst(&mut self, op: &Op, result: Option<Value>) -> Result<(), CodegenError> {
        // What has an effect may have no result, or one nobody wants.
        let wanted = result.and_then(|r| self.reg_of[r.index()]);
        match op {
            Op::Store { size, base, off, value } => return self.store(*size, *base, *off, *value),
            Op::CoreStore { core, size, base, off, value } => {
                return self.core_store(*core, *size, *base, *off, *value);
            }
            Op::Atomic { op, size, fetch, base, off, value } => {
                return self.atomic(*op, *size, *fetch, (*base, *off), *value, wanted);
            }
            Op::CmpXchg { size, base, off, expected, new } => {
                return self.cmpxchg(*size, (*base, *off), *expected, *new, wanted);
            }
            Op::MapLookup { map, key } => {
                let (r1, r2) = (self.fresh(), self.reg(*key)?);
                self.symbol_to(r1, *map, 0)?;
                const MAP_LOOKUP_ELEM: i32 = 1;
                return self.call(Insn::new(op::JMP | op::CALL, 0, 0, 0, MAP_LOOKUP_ELEM), None, &[r1, r2], wanted);
            }
            Op::Call { callee, args } => {
                let (src, imm, sym) = match callee {
                    Callee::Helper(n) => (0, *n as i32, None),
                    Callee::Function(s) => (op::PSEUDO_CALL, -1, Some(*s)),
                    Callee::Kfunc(s) => (op::PSEUDO_KFUNC_CALL, 0, Some(*s)),
                };
                if args.len() > 5 {
                    return Err(self.invalid("a call with more than five arguments".into()));
                }
                let args = args.iter().map(|a| self.fixed(*a)).collect::<Result<SmallVec<[VReg; 5]>, _>>()?;
                return self.call(Insn::new(op::JMP | op::CALL, 0, src, 0, imm), sym, &args, wanted);
            }
            _ => {}
        }
        if let (Op::MayGoto, Some(_)) = (op, wanted) {
            return Err(self.invalid("a `maygoto` that is no branch".into()));
        }
        let Some(dst) = wanted else { return Ok(()) };
        match op {
            Op::Const(n) => self.number_to(dst, *n),
            Op::Bin(op, width, a, b) => return self.bin(*op, *width, (*a, *b), result, dst),
            Op::Un(op, a) => return self.un(*op, *a, dst),
            Op::Cmp(cc, width, a, b) => return self.set_cmp(*cc, *width, *a, *b, dst),
            Op::InBounds { ptr, len, end } => return self.set_in_bounds(*ptr, *len, *end, dst),
            Op::StackAddr(slot, off) => {
                let off = self.slot_offset(*slot, *off)?;
                self.frame_to(dst, off);
            }
            Op::SymAddr(sym, off) => return self.symbol_to(dst, *sym, *off),
            Op::Load { size, signed, base, off } => return self.load(*size, *signed, *base, *off, dst),
            Op::CoreLoad { core, size, base, off } => return self.core_load(*core, *size, *base, *off, dst),
            Op::CoreValue { core, local, wide } => return self.core_value(*core, *local, *wide, dst),
            Op::Store { .. }
            | Op::CoreStore { .. }
            | Op::Atomic { .. }
            | Op::MayGoto
            | Op::CmpXchg { .. }
            | Op::MapLookup { .. }
            | Op::Call { .. } => {}
        }
        Ok(())
    }

    fn call(
        &mut self,
        insn: Insn,
        sym: Option<ir::Sym>,
        args: &[VReg],
        wanted: Option<VReg>,
    ) -> Result<(), CodegenError> {
        let mut ops: SmallVec<[Operand; 6]> =
            args.iter().zip(1..).map(|(a, r)| Operand::reg_fixed_use(*a, preg(r))).collect();
        ops.extend(wanted.map(|w| Operand::reg_fixed_def(w, preg(0))));
        self.emit(MOp::Slot { insn, dst: Field::Given, src: Field::Given, core: None, sym }, &ops);
        Ok(())
    }

    /// The offset from r10 of a byte of a slot; gives the slot its place.
    fn slot_offset(&mut self, slot: ir::Slot, off: i32) -> Result<i32, CodegenError> {
        let Some(at) = self.slot_at.get(slot.index()) else {
            return Err(self.invalid(format!("{slot} does not exist")));
        };
        let at = match at {
            Some(at) => *at,
            None => {
                let below = self.slot_at.iter().flatten().copied().min().unwrap_or(0);
                let size = self.f.slots[slot.index()].size.min(1 << 20).next_multiple_of(8) as i32;
                *self.slot_at[slot.index()].insert(below - size)
            }
        };
        Ok(at.wrapping_add(off))
    }

    /// The offset from r10 of an address that is one of the frame.
    fn frame_address(&mut self, v: Value) -> Result<Option<i32>, CodegenError> {
        let (mut v, mut add) = (v, 0i32);
        loop {
            match self.f.def_op(v) {
                Some(Op::StackAddr(slot, off)) => return Ok(Some(self.slot_offset(*slot, off.wrapping_add(add))?)),
                Some(op) => match self.moved(op) {
                    Some((base, by)) => {
                        let Some(sum) = i32::try_from(by).ok().and_then(|by| by.checked_add(add)) else {
                            return Ok(None);
                        };
                        (v, add) = (self.flow.resolve(base), sum);
                    }
                    None => return Ok(None),
                },
                None => return Ok(None),
            }
        }
    }

    /// `base + constant`, when that is what an operation computes.
    fn moved(&self, op: &Op) -> Option<(Value, i64)> {
        match op {
            Op::Bin(BinOp::Add, Width::W64, a, b) => match (self.num(*a), self.num(*b)) {
                (_, Some(n)) => Some((*a, n)),
                (Some(n), None) => Some((*b, n)),
                (None, None) => None,
            },
            Op::Bin(BinOp::Sub, Width::W64, a, b) => Some((*a, self.num(*b)?.checked_neg()?)),
            _ => None,
        }
    }
}
