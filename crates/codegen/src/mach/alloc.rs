//! Register allocation by regalloc2, and the code that comes of it. Invariant: a spilled register
//! is stored and reloaded as 8 aligned bytes, which is what the verifier follows.

use regalloc2::{Algorithm, Allocation, Edit, InstOrEdit, MachineEnv, Output, PRegSet, RegallocOptions};
use whistler_isa::{Insn, Reg, op};

use super::emit::EDIT;
use super::inst::{Cond, Field, MFunc, MInst, MOp, Rhs, preg};
use super::phys::{PBlock, PFunc, PInst, PTerm};
use crate::ir::SrcLoc;

/// The machine as the allocator sees it: r0–r5 first, since a program that never touches r6–r9
/// saves the kernel from saving them; no register is kept back for cycles of moves.
fn environment() -> MachineEnv {
    let class = |regs: std::ops::RangeInclusive<u8>| [regs.map(preg).collect(), PRegSet::empty(), PRegSet::empty()];
    MachineEnv {
        preferred_regs_by_class: class(0..=5),
        non_preferred_regs_by_class: class(6..=9),
        scratch_by_class: [None, None, None],
        fixed_stack_slots: Vec::new(),
    }
}

/// The allocator with its memory, to be used for one function after the other.
pub(crate) struct Allocator {
    env: MachineEnv,
    ctx: regalloc2::Ctx,
}

impl Default for Allocator {
    fn default() -> Allocator {
        Allocator { env: environment(), ctx: regalloc2::Ctx::default() }
    }
}

/// Allocates; the error is the allocator's own words (a broken machine form: our bug).
pub(crate) fn allocate(f: &MFunc, allocator: &mut Allocator) -> Result<Output, String> {
    let options =
        RegallocOptions { algorithm: Algorithm::Ion, validate_ssa: cfg!(debug_assertions), verbose_log: false };
    let Allocator { env, ctx } = allocator;
    regalloc2::run_with_ctx(f, env, &options, ctx).map_err(|e| e.to_string())?;
    let output = std::mem::take(&mut ctx.output);
    #[cfg(all(test, debug_assertions))]
    {
        let mut checker = regalloc2::checker::Checker::new(f, env);
        checker.prepare(&output);
        checker.run().map_err(|e| format!("allocation is wrong: {e:?}"))?;
    }
    Ok(output)
}

/// The code with the allocated registers.
pub(crate) fn apply(f: &MFunc, output: &Output) -> Result<PFunc, String> {
    let mut b = Builder { f, output, blocks: Vec::new(), current: Vec::new(), loc: SrcLoc::NONE, next: 0 };
    // A block that makes a 0 or 1 from a comparison becomes several: number them first.
    let mut first = Vec::with_capacity(f.blocks.len());
    let mut next = 0;
    for block in &f.blocks {
        first.push(next);
        let sets = f.insts[block.start as usize..block.end as usize].iter();
        next += 1 + 2 * sets.filter(|i| matches!(i.op, MOp::SetCc(..))).count();
    }
    for n in 0..f.blocks.len() {
        b.block(regalloc2::Block::new(n), &first)?;
    }
    Ok(PFunc { blocks: b.blocks, lost_slots: Vec::new(), frame: f.frame, spills: output.num_spillslots as u32 })
}

/// The offset from r10 of a spill slot.
fn spill_offset(frame: u32, slot: usize) -> i16 {
    // Too deep a frame is an error before the offset is used.
    i16::try_from(-(i64::from(frame) + 8 * (slot as i64 + 1))).unwrap_or(i16::MIN)
}

struct Builder<'a> {
    f: &'a MFunc,
    output: &'a Output,
    blocks: Vec<PBlock>,
    current: Vec<PInst>,
    loc: SrcLoc,
    /// The next instruction before allocation.
    next: u32,
}

impl Builder<'_> {
    fn block(&mut self, block: regalloc2::Block, first: &[usize]) -> Result<(), String> {
        let f = self.f;
        self.next = f.blocks[block.index()].start;
        self.loc = f.insts[self.next as usize].loc;
        for item in self.output.block_insts_and_edits(f, block) {
            match item {
                InstOrEdit::Edit(Edit::Move { from, to }) => self.edit(*from, *to)?,
                InstOrEdit::Inst(i) => {
                    let inst = &f.insts[i.index()];
                    self.loc = inst.loc;
                    let succ = |n: usize| first[f.blocks[block.index()].succs[n].index()];
                    self.inst(inst, i, succ)?;
                    self.next = i.index() as u32 + 1;
                }
            }
        }
        Ok(())
    }

    fn reg(&self, inst: regalloc2::Inst, n: usize) -> Result<Reg, String> {
        let alloc = self.output.inst_allocs(inst).get(n).and_then(|a| a.as_reg());
        alloc
            .map(|r| r.hw_enc() as Reg)
            .ok_or_else(|| format!("operand {n} of instruction {} has no register", inst.index()))
    }

    fn field(&self, inst: regalloc2::Inst, field: Field, given: Reg) -> Result<Reg, String> {
        match field {
            Field::Given => Ok(given),
            Field::Operand(n) => self.reg(inst, n as usize),
        }
    }

    fn push(&mut self, insn: Insn, at: u32) {
        self.current.push(PInst::plain(insn, self.loc, at));
    }

    fn edit(&mut self, from: Allocation, to: Allocation) -> Result<(), String> {
        let at = |slot: regalloc2::SpillSlot| spill_offset(self.f.frame, slot.index());
        let reg = |a: Allocation| a.as_reg().map(|r| r.hw_enc() as Reg);
        let insn = match (reg(from), from.as_stack(), reg(to), to.as_stack()) {
            (Some(src), _, Some(dst), _) if src == dst => return Ok(()),
            (Some(src), _, Some(dst), _) => Insn::new(op::ALU64 | op::MOV | op::X, dst, src, 0, 0),
            (Some(src), _, _, Some(slot)) => Insn::new(op::STX | op::MEM | op::DW, 10, src, at(slot), 0),
            (_, Some(slot), Some(dst), _) => Insn::new(op::LDX | op::MEM | op::DW, dst, 10, at(slot), 0),
            _ => return Err(format!("a move from {from} to {to}")),
        };
        self.current.push(PInst { edit: true, ..PInst::plain(insn, self.loc, self.next) });
        Ok(())
    }

    fn end(&mut self, term: PTerm, at: u32) {
        let insts = std::mem::take(&mut self.current);
        self.blocks.push(PBlock { insts, term, term_loc: self.loc, term_at: at, stale: 0 });
    }

    fn branch(&self, cond: Cond, i: regalloc2::Inst, then: usize, els: usize) -> Result<PTerm, String> {
        let rhs = match cond.rhs {
            Rhs::Imm(n) => Rhs::Imm(n),
            Rhs::Reg(()) => Rhs::Reg(self.reg(i, 1)?),
        };
        let Cond { cc, width, exact, .. } = cond;
        Ok(PTerm::Branch { cc, width, lhs: self.reg(i, 0)?, rhs, exact, then, els })
    }

    fn inst(&mut self, inst: &MInst, i: regalloc2::Inst, succ: impl Fn(usize) -> usize) -> Result<(), String> {
        let at = i.index() as u32;
        let one = |dst, imm| Insn::new(op::ALU64 | op::MOV | op::K, dst, 0, 0, imm);
        match inst.op {
            MOp::Args => {}
            MOp::Slot { mut insn, dst, src, core, sym } => {
                insn.dst = self.field(i, dst, insn.dst)?;
                insn.src = self.field(i, src, insn.src)?;
                let uses = self.f.ops(inst).iter().filter(|o| o.kind() == regalloc2::OperandKind::Use).count();
                let args = if inst.is_call() { uses as u8 } else { 0 };
                let plain = PInst::plain(insn, self.loc, at);
                self.current.push(PInst { core, sym: sym.map(|s| (s, 0)), args, ..plain });
            }
            MOp::Wide { src, imm, sym, core } => {
                let [low, high] = Insn::ld_imm64(self.reg(i, 0)?, src, imm);
                let plain = PInst::plain(low, self.loc, at);
                self.current.push(PInst { high: high.imm, sym, core, ..plain });
            }
            MOp::FrameAddr { off } => {
                let dst = self.reg(i, 0)?;
                self.push(Insn::new(op::ALU64 | op::MOV | op::X, dst, 10, 0, 0), at);
                if off != 0 {
                    self.push(Insn::new(op::ALU64 | op::ADD | op::K, dst, 0, 0, off), at);
                }
            }
            MOp::SetCc(cond, n) => {
                let dst = self.reg(i, self.f.ops(inst).len() - 1)?;
                self.push(one(dst, n), at);
                let here = self.blocks.len();
                let term = self.branch(cond, i, here + 2, here + 1)?;
                self.end(term, at);
                self.push(one(dst, 0), at);
                self.end(PTerm::Jump(here + 2), at);
            }
            MOp::Branch(cond) => {
                let term = self.branch(cond, i, succ(0), succ(1))?;
                self.end(term, at);
            }
            MOp::MayGoto => self.end(PTerm::MayGoto { then: succ(0), els: succ(1) }, at),
            // The moves into the next block's parameters come before it: nothing is where it was.
            MOp::Jump => self.end(PTerm::Jump(succ(0)), EDIT),
            MOp::Ret => self.end(PTerm::Exit, at),
        }
        Ok(())
    }
}
