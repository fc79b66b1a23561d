//! The machine form after allocation: slots with real registers in blocks. Invariant: blocks are
//! numbered in the order they will be laid, and block 0 is the entry.

use whistler_isa::{Insn, Reg, op};

use super::inst::Rhs;
use crate::ir::{Cc, CoreId, SrcLoc, Sym, Width};

/// A set of registers, one bit each.
pub(crate) type RegSet = u16;

/// The bit of a register.
pub(crate) const fn bit(r: Reg) -> RegSet {
    1 << r
}

/// An instruction: one slot, or two when it is wide.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PInst {
    pub insn: Insn,
    /// The immediate of the second slot of a wide one.
    pub high: i32,
    pub sym: Option<(Sym, i32)>,
    pub core: Option<CoreId>,
    pub loc: SrcLoc,
    /// The instruction before allocation that it is of, or that it was put before.
    pub at: u32,
    /// Whether the allocator put it in.
    pub edit: bool,
    /// Registers that hold something else here than the allocator thinks.
    pub taken: RegSet,
    /// Registers whose write right before it was removed: until the next one, they don't hold what
    /// the allocator says.
    pub stale: RegSet,
    /// How many argument registers a call reads.
    pub args: u8,
}

/// How a block ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PTerm {
    Jump(usize),
    Branch {
        cc: Cc,
        width: Width,
        lhs: Reg,
        rhs: Rhs<Reg>,
        exact: bool,
        then: usize,
        els: usize,
    },
    /// Goes on at `then`; at `els` once the kernel has had enough of the loop.
    MayGoto {
        then: usize,
        els: usize,
    },
    Exit,
}

/// A block.
#[derive(Clone, Debug)]
pub(crate) struct PBlock {
    pub insts: Vec<PInst>,
    pub term: PTerm,
    pub term_loc: SrcLoc,
    pub term_at: u32,
    /// [`PInst::stale`] of the end.
    pub stale: RegSet,
}

/// A function. Spill slots are the 8-byte pieces below `frame` bytes of IR slots.
#[derive(Clone, Debug)]
pub(crate) struct PFunc {
    pub blocks: Vec<PBlock>,
    /// Spill slots (by offset from r10) that nothing is stored to any more.
    pub lost_slots: Vec<i16>,
    pub frame: u32,
    pub spills: u32,
}

impl PInst {
    /// A slot without anything attached.
    pub fn plain(insn: Insn, loc: SrcLoc, at: u32) -> PInst {
        PInst { insn, high: 0, sym: None, core: None, loc, at, edit: false, taken: 0, stale: 0, args: 0 }
    }

    /// Slots it takes.
    pub fn slots(&self) -> u32 {
        if self.insn.is_wide() { 2 } else { 1 }
    }

    /// Whether it is `dst = src` on whole registers; then which.
    pub fn as_move(&self) -> Option<(Reg, Reg)> {
        (self.insn.code == op::ALU64 | op::MOV | op::X && self.insn.off == 0).then_some((self.insn.dst, self.insn.src))
    }

    pub fn is_call(&self) -> bool {
        self.insn.code == op::JMP | op::CALL
    }

    /// The registers it reads.
    pub fn uses(&self) -> RegSet {
        let i = &self.insn;
        match i.class() {
            op::LD => 0,
            op::LDX => bit(i.src),
            op::ST => bit(i.dst),
            op::STX if i.code & 0xe0 == op::ATOMIC && i.imm == op::LOAD_ACQ => bit(i.src),
            op::STX => {
                let exchanges = i.code & 0xe0 == op::ATOMIC && i.imm == op::CMPXCHG;
                bit(i.dst) | bit(i.src) | if exchanges { bit(0) } else { 0 }
            }
            op::ALU | op::ALU64 => {
                let code = i.code & 0xf0;
                let x = if i.code & op::X != 0 && !matches!(code, op::END | op::NEG) { bit(i.src) } else { 0 };
                if code == op::MOV { x } else { x | bit(i.dst) }
            }
            // The only instruction of the jump classes inside a block is a call.
            _ => (1..=self.args).fold(0, |set, r| set | bit(r)),
        }
    }

    /// The registers it changes.
    pub fn defs(&self) -> RegSet {
        let i = &self.insn;
        match i.class() {
            op::LD | op::LDX | op::ALU | op::ALU64 => bit(i.dst),
            op::ST => 0,
            op::STX if i.code & 0xe0 != op::ATOMIC => 0,
            op::STX if i.imm == op::LOAD_ACQ => bit(i.dst),
            op::STX if i.imm == op::CMPXCHG => bit(0),
            op::STX if i.imm & op::FETCH != 0 => bit(i.src),
            op::STX => 0,
            _ => 0b11_1111,
        }
    }

    /// Whether it does nothing but write its register.
    pub fn is_pure(&self) -> bool {
        matches!(self.insn.class(), op::ALU | op::ALU64 | op::LD | op::LDX)
    }
}

impl PBlock {
    /// The registers are stale from its beginning on.
    pub fn make_stale(&mut self, stale: RegSet) {
        match self.insts.first_mut() {
            Some(first) => first.stale |= stale,
            None => self.stale |= stale,
        }
    }

    /// Keeps the instructions that `keep` says yes to. What it adds to the set is stale after one
    /// that goes.
    pub fn retain(&mut self, mut keep: impl FnMut(&mut PInst, &mut RegSet) -> bool) {
        let mut stale = 0;
        self.insts.retain_mut(|i| {
            i.stale |= stale;
            stale = i.stale;
            let kept = keep(i, &mut stale);
            if kept {
                stale = 0;
            }
            kept
        });
        self.stale |= stale;
    }
}

impl PTerm {
    /// The successors.
    pub fn succs(&self) -> impl Iterator<Item = usize> + use<> {
        let (a, b) = match *self {
            PTerm::Jump(t) => (Some(t), None),
            PTerm::Branch { then, els, .. } | PTerm::MayGoto { then, els } => (Some(then), Some(els)),
            PTerm::Exit => (None, None),
        };
        a.into_iter().chain(b)
    }

    /// Changes the successors.
    pub fn retarget(&mut self, to: impl Fn(usize) -> usize) {
        match self {
            PTerm::Jump(t) => *t = to(*t),
            PTerm::Branch { then, els, .. } | PTerm::MayGoto { then, els } => {
                (*then, *els) = (to(*then), to(*els));
            }
            PTerm::Exit => {}
        }
    }

    /// The registers it reads.
    pub fn uses(&self) -> RegSet {
        match *self {
            PTerm::Jump(_) | PTerm::MayGoto { .. } => 0,
            PTerm::Branch { lhs, rhs: Rhs::Reg(rhs), .. } => bit(lhs) | bit(rhs),
            PTerm::Branch { lhs, .. } => bit(lhs),
            PTerm::Exit => bit(0),
        }
    }
}

impl PFunc {
    /// How many edges go into each block; the entry has one more, from outside.
    pub fn pred_counts(&self) -> Vec<u32> {
        let mut counts = vec![0; self.blocks.len()];
        if let Some(entry) = counts.first_mut() {
            *entry = 1;
        }
        for b in &self.blocks {
            b.term.succs().for_each(|s| counts[s] += 1);
        }
        counts
    }
}
