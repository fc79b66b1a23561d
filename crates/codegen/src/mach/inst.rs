//! The machine form before allocation: instructions over virtual registers, each defined once, in
//! blocks with parameters. Invariants: blocks lie one after the other in `insts`, each ends in its
//! only branch, no edge is critical, and the operand list of an instruction is in the order its
//! [`Field`]s count.

use regalloc2::{Operand, PReg, PRegSet, RegClass};
use smallvec::SmallVec;
use whistler_isa::{Insn, Reg};

use crate::ir::{Cc, CoreId, SrcLoc, Sym, Value, Width};

/// A virtual register.
pub(crate) type VReg = regalloc2::VReg;

/// The register with that number, as the allocator names it.
pub(crate) const fn preg(r: Reg) -> PReg {
    PReg::new(r as usize, RegClass::Int)
}

/// Where a register field of a slot comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Field {
    /// It stands in the slot already.
    Given,
    /// The allocation of that operand.
    Operand(u8),
}

/// What a comparison compares with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Rhs<R> {
    /// A register.
    Reg(R),
    /// A constant.
    Imm(i32),
}

/// A condition; its left side is operand 0, a register on the right operand 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Cond {
    pub cc: Cc,
    pub width: Width,
    pub rhs: Rhs<()>,
    /// Whether the verifier takes the left side for the number on the right where they are equal:
    /// not so for kernel pointers, which stay pointers to it.
    pub exact: bool,
}

/// What an instruction does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum MOp {
    /// The function's parameters arrive in r1–r5. No code.
    Args,
    /// One slot.
    Slot { insn: Insn, dst: Field, src: Field, core: Option<CoreId>, sym: Option<Sym> },
    /// A 64-bit immediate load into operand 0; `src` says of what kind.
    Wide { src: u8, imm: u64, sym: Option<(Sym, i32)>, core: Option<CoreId> },
    /// Operand 0 = r10 + `off`.
    FrameAddr { off: i32 },
    /// The last operand (which overlaps no other) = the number when the condition holds, else 0.
    SetCc(Cond, i32),
    /// To the first successor when the condition holds, else to the second.
    Branch(Cond),
    /// To the first successor, or to the second once the kernel has had enough.
    MayGoto,
    /// To the only successor.
    Jump,
    /// Leaves with operand 0 in r0.
    Ret,
}

/// An instruction with its operands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MInst {
    pub op: MOp,
    /// Where its operands begin in [`MFunc::operands`], and how many there are.
    pub first: u32,
    pub count: u8,
    pub loc: SrcLoc,
}

/// A block. Invariant: `args` has one list per successor, as long as that block's `params`.
#[derive(Clone, Debug, Default)]
pub(crate) struct MBlock {
    pub start: u32,
    pub end: u32,
    pub params: Vec<VReg>,
    pub succs: SmallVec<[regalloc2::Block; 2]>,
    pub args: SmallVec<[Vec<VReg>; 2]>,
    pub preds: SmallVec<[regalloc2::Block; 4]>,
}

/// A function.
#[derive(Clone, Debug, Default)]
pub(crate) struct MFunc {
    pub insts: Vec<MInst>,
    pub operands: Vec<Operand>,
    pub blocks: Vec<MBlock>,
    pub num_vregs: u32,
    /// The IR value in a register, for those that have a name; by register.
    pub named: Vec<(VReg, Value)>,
    /// What the allocator is asked to follow: one entry per `named`, labelled with its index.
    pub labels: Vec<(VReg, regalloc2::Inst, regalloc2::Inst, u32)>,
    /// Bytes of stack below r10 that slots take.
    pub frame: u32,
    /// Whether it has a [`MOp::MayGoto`].
    pub may_goto: bool,
}

impl MFunc {
    /// An instruction's operands.
    pub fn ops(&self, inst: &MInst) -> &[Operand] {
        let first = inst.first as usize;
        &self.operands[first..first + inst.count as usize]
    }

    /// Asks the allocator to follow the named registers wherever they live.
    pub fn follow_named(&mut self) {
        let (start, end) = (regalloc2::Inst::new(0), regalloc2::Inst::new(self.insts.len()));
        self.labels = self.named.iter().zip(0..).map(|((reg, _), n)| (*reg, start, end, n)).collect();
    }
}

/// r1–r5 do not survive a call, nor does r0.
const CALL_CLOBBERS: PRegSet = PRegSet::empty().with(preg(1)).with(preg(2)).with(preg(3)).with(preg(4)).with(preg(5));

impl regalloc2::Function for MFunc {
    fn num_insts(&self) -> usize {
        self.insts.len()
    }

    fn num_blocks(&self) -> usize {
        self.blocks.len()
    }

    fn entry_block(&self) -> regalloc2::Block {
        regalloc2::Block::new(0)
    }

    fn block_insns(&self, block: regalloc2::Block) -> regalloc2::InstRange {
        let b = &self.blocks[block.index()];
        regalloc2::InstRange::new(regalloc2::Inst::new(b.start as usize), regalloc2::Inst::new(b.end as usize))
    }

    fn block_succs(&self, block: regalloc2::Block) -> &[regalloc2::Block] {
        &self.blocks[block.index()].succs
    }

    fn block_preds(&self, block: regalloc2::Block) -> &[regalloc2::Block] {
        &self.blocks[block.index()].preds
    }

    fn block_params(&self, block: regalloc2::Block) -> &[VReg] {
        &self.blocks[block.index()].params
    }

    fn is_ret(&self, inst: regalloc2::Inst) -> bool {
        matches!(self.insts[inst.index()].op, MOp::Ret)
    }

    fn is_branch(&self, inst: regalloc2::Inst) -> bool {
        matches!(self.insts[inst.index()].op, MOp::Branch(_) | MOp::MayGoto | MOp::Jump)
    }

    fn branch_blockparams(&self, block: regalloc2::Block, _: regalloc2::Inst, succ: usize) -> &[VReg] {
        &self.blocks[block.index()].args[succ]
    }

    fn inst_operands(&self, inst: regalloc2::Inst) -> &[Operand] {
        self.ops(&self.insts[inst.index()])
    }

    fn inst_clobbers(&self, inst: regalloc2::Inst) -> PRegSet {
        let inst = &self.insts[inst.index()];
        if !inst.is_call() {
            return PRegSet::empty();
        }
        // A result is a definition fixed to r0, and may not be named a second time.
        let has_result = self.ops(inst).iter().any(|o| o.kind() == regalloc2::OperandKind::Def);
        if has_result { CALL_CLOBBERS } else { CALL_CLOBBERS.with(preg(0)) }
    }

    fn num_vregs(&self) -> usize {
        self.num_vregs as usize
    }

    fn debug_value_labels(&self) -> &[(VReg, regalloc2::Inst, regalloc2::Inst, u32)] {
        &self.labels
    }

    fn spillslot_size(&self, _: RegClass) -> usize {
        1
    }
}

impl MInst {
    /// Whether it calls something.
    pub fn is_call(&self) -> bool {
        use whistler_isa::op;
        matches!(self.op, MOp::Slot { insn, .. } if insn.code == op::JMP | op::CALL)
    }
}
