//! Loads, stores, atomics, and what CO-RE relocates. Invariant: an instruction with a CO-RE id is
//! one slot (two when wide) whose offset or immediate is as the IR says: the loader rewrites it.

use regalloc2::Operand;
use smallvec::SmallVec;
use whistler_isa::{Insn, KernelVersion, op};

use super::Selector;
use crate::code::CodegenError;
use crate::ir::{AtomicOp, CoreId, Op, Size, Space, SymKind, Ty, Value};
use crate::mach::inst::{Field, MOp, VReg, preg};

/// The first kernel that takes a store of an immediate into the context.
const CTX_STORE_IMM: KernelVersion = KernelVersion::new(6, 4);
/// The first kernel with loads and stores that order others.
const LOAD_ACQUIRE: KernelVersion = KernelVersion::new(6, 15);
const FRAME: u8 = 10;

/// A base register and an offset that fits its field.
#[derive(Clone, Copy, Debug)]
struct Address {
    /// `None`: r10.
    base: Option<VReg>,
    off: i16,
    /// Whether it is in the program's context.
    ctx: bool,
}

fn size_bits(size: Size) -> u8 {
    match size {
        Size::B1 => op::B,
        Size::B2 => op::H,
        Size::B4 => op::W,
        Size::B8 => op::DW,
    }
}

impl Selector<'_> {
    /// The address `base + off`, with as much as possible in the offset.
    fn address(&mut self, base: Value, off: i32) -> Result<Address, CodegenError> {
        let (mut v, mut off) = (self.flow.resolve(base), i64::from(off));
        if let Some(frame) = self.frame_address(v)?
            && let Ok(off) = i16::try_from(i64::from(frame) + off)
        {
            return Ok(Address { base: None, off, ctx: false });
        }
        while let Some((base, by)) = self.f.def_op(v).and_then(|o| self.moved(o)) {
            match off.checked_add(by) {
                Some(sum) if i16::try_from(sum).is_ok() => (v, off) = (self.flow.resolve(base), sum),
                _ => break,
            }
        }
        let ctx = self.f.ty(v) == Ty::Ptr(Space::Ctx);
        if let Some(Op::SymAddr(sym, at)) = self.f.def_op(v)
            && let Ok(sum) = i16::try_from(off + i64::from(*at))
            && sum >= 0
            && matches!(self.syms.get(sym.index()).map(|s| &s.kind), Some(SymKind::Global { .. }))
        {
            // From the start of the global, so that all accesses to it can share the address.
            let r = self.fresh();
            self.symbol_to(r, *sym, 0)?;
            return Ok(Address { base: Some(r), off: sum, ctx });
        }
        let base = self.reg(v)?;
        match i16::try_from(off) {
            Ok(off) => Ok(Address { base: Some(base), off, ctx }),
            Err(_) => {
                let far = self.fresh();
                self.alu(op::ADD, crate::ir::Width::W64, far, super::Val::Reg(base), super::Val::Num(off));
                Ok(Address { base: Some(far), off: 0, ctx })
            }
        }
    }

    pub(super) fn load(
        &mut self,
        size: Size,
        signed: bool,
        base: Value,
        off: i32,
        dst: VReg,
    ) -> Result<(), CodegenError> {
        let at = self.address(base, off)?;
        let extend = signed && size != Size::B8;
        if extend && !self.v4() {
            let raw = self.fresh();
            self.load_from(at, op::MEM | size_bits(size), raw);
            self.sext_to(dst, super::Val::Reg(raw), size);
        } else {
            let mode = if extend { op::MEMSX } else { op::MEM };
            self.load_from(at, mode | size_bits(size), dst);
        }
        Ok(())
    }

    fn load_from(&mut self, at: Address, mode: u8, dst: VReg) {
        let mut ops: SmallVec<[Operand; 2]> = SmallVec::from_slice(&[Operand::reg_def(dst)]);
        let src = self.base_operand(at, &mut ops);
        self.slot(Insn::new(op::LDX | mode, 0, FRAME, at.off, 0), Field::Operand(0), src, &ops);
    }

    /// The field for the base; the slot must have r10 there already.
    fn base_operand<const N: usize>(&self, at: Address, ops: &mut SmallVec<[Operand; N]>) -> Field
    where
        [Operand; N]: smallvec::Array<Item = Operand>,
    {
        match at.base {
            None => Field::Given,
            Some(r) => {
                ops.push(Operand::reg_use(r));
                Field::Operand(ops.len() as u8 - 1)
            }
        }
    }

    pub(super) fn store(&mut self, size: Size, base: Value, off: i32, value: Value) -> Result<(), CodegenError> {
        let at = self.address(base, off)?;
        let mut ops: SmallVec<[Operand; 2]> = SmallVec::new();
        let imm = match (self.num(value), size) {
            _ if at.ctx && !self.target.has(CTX_STORE_IMM) => None,
            (Some(n), Size::B8) => i32::try_from(n).ok(),
            (Some(n), Size::B4) => Some(n as i32),
            (Some(n), Size::B2) => Some(i32::from(n as i16)),
            (Some(n), Size::B1) => Some(i32::from(n as i8)),
            (None, _) => None,
        };
        if let Some(imm) = imm {
            let dst = self.base_operand(at, &mut ops);
            let insn = Insn::new(op::ST | op::MEM | size_bits(size), FRAME, 0, at.off, imm);
            self.slot(insn, dst, Field::Given, &ops);
        } else {
            let value = self.reg(value)?;
            ops.push(Operand::reg_use(value));
            let dst = self.base_operand(at, &mut ops);
            let insn = Insn::new(op::STX | op::MEM | size_bits(size), FRAME, 0, at.off, 0);
            self.slot(insn, dst, Field::Operand(0), &ops);
        }
        Ok(())
    }

    pub(super) fn atomic(
        &mut self,
        atomic: AtomicOp,
        size: Size,
        fetch: bool,
        (base, off): (Value, i32),
        value: Value,
        wanted: Option<VReg>,
    ) -> Result<(), CodegenError> {
        match atomic {
            AtomicOp::LoadAcquire => return self.load_acquire(size, (base, off), wanted),
            AtomicOp::StoreRelease => return self.store_release(size, (base, off), value),
            AtomicOp::Add | AtomicOp::And | AtomicOp::Or | AtomicOp::Xor | AtomicOp::Xchg => {}
        }
        if !matches!(size, Size::B4 | Size::B8) {
            return Err(self.invalid("an atomic operation on less than 4 bytes".into()));
        }
        let fetch = atomic == AtomicOp::Xchg || (fetch && wanted.is_some());
        if !self.v3() && (fetch || atomic != AtomicOp::Add) {
            let what =
                if fetch { "an atomic operation with a result" } else { "an atomic operation other than addition" };
            return Err(self.needs(what, "instruction set v3 (kernel 5.12)"));
        }
        let imm = match atomic {
            AtomicOp::Add => i32::from(op::ADD),
            AtomicOp::And => i32::from(op::AND),
            AtomicOp::Or => i32::from(op::OR),
            AtomicOp::Xor => i32::from(op::XOR),
            AtomicOp::Xchg => op::XCHG,
            AtomicOp::LoadAcquire => op::LOAD_ACQ,
            AtomicOp::StoreRelease => op::STORE_REL,
        } | if fetch { op::FETCH } else { 0 };
        let at = self.address(base, off)?;
        let mut ops: SmallVec<[Operand; 3]> = SmallVec::new();
        let value = self.reg(value)?;
        ops.push(Operand::reg_use(value));
        let dst = self.base_operand(at, &mut ops);
        let mut src = Field::Operand(0);
        if fetch {
            let old = wanted.unwrap_or_else(|| self.fresh());
            ops.push(Operand::reg_reuse_def(old, 0));
            src = Field::Operand(ops.len() as u8 - 1);
        }
        let insn = Insn::new(op::STX | op::ATOMIC | size_bits(size), FRAME, 0, at.off, imm);
        self.slot(insn, dst, src, &ops);
        Ok(())
    }

    fn ordered(&self, what: &str) -> Result<(), CodegenError> {
        if self.v4() && self.target.has(LOAD_ACQUIRE) {
            return Ok(());
        }
        Err(self.needs(what, "kernel 6.15 and instruction set v4"))
    }

    fn load_acquire(
        &mut self,
        size: Size,
        (base, off): (Value, i32),
        wanted: Option<VReg>,
    ) -> Result<(), CodegenError> {
        self.ordered("a load with acquire ordering")?;
        let at = self.address(base, off)?;
        let dst = wanted.unwrap_or_else(|| self.fresh());
        let mut ops: SmallVec<[Operand; 2]> = SmallVec::from_slice(&[Operand::reg_def(dst)]);
        let src = self.base_operand(at, &mut ops);
        let insn = Insn::new(op::STX | op::ATOMIC | size_bits(size), 0, FRAME, at.off, op::LOAD_ACQ);
        self.slot(insn, Field::Operand(0), src, &ops);
        Ok(())
    }

    fn store_release(&mut self, size: Size, (base, off): (Value, i32), value: Value) -> Result<(), CodegenError> {
        self.ordered("a store with release ordering")?;
        let at = self.address(base, off)?;
        let value = self.reg(value)?;
        let mut ops: SmallVec<[Operand; 2]> = SmallVec::from_slice(&[Operand::reg_use(value)]);
        let dst = self.base_operand(at, &mut ops);
        let insn = Insn::new(op::STX | op::ATOMIC | size_bits(size), FRAME, 0, at.off, op::STORE_REL);
        self.slot(insn, dst, Field::Operand(0), &ops);
        Ok(())
    }

    pub(super) fn cmpxchg(
        &mut self,
        size: Size,
        (base, off): (Value, i32),
        expected: Value,
        new: Value,
        wanted: Option<VReg>,
    ) -> Result<(), CodegenError> {
        if !matches!(size, Size::B4 | Size::B8) {
            return Err(self.invalid("an atomic operation on less than 4 bytes".into()));
        }
        if !self.v3() {
            return Err(self.needs("an atomic compare-and-exchange", "instruction set v3 (kernel 5.12)"));
        }
        let at = self.address(base, off)?;
        let mut ops: SmallVec<[Operand; 4]> = SmallVec::new();
        ops.push(Operand::reg_use(self.reg(new)?));
        let dst = self.base_operand(at, &mut ops);
        ops.push(Operand::reg_fixed_use(self.reg(expected)?, preg(0)));
        let old = wanted.unwrap_or_else(|| self.fresh());
        ops.push(Operand::reg_fixed_def(old, preg(0)));
        let insn = Insn::new(op::STX | op::ATOMIC | size_bits(size), FRAME, 0, at.off, op::CMPXCHG);
        self.slot(insn, dst, Field::Operand(0), &ops);
        Ok(())
    }

    /// The local offset of a CO-RE access; the base may not be folded into it.
    fn core_offset(&self, off: i32) -> Result<i16, CodegenError> {
        i16::try_from(off).map_err(|_| CodegenError::TooLarge {
            function: self.f.name.clone(),
            what: format!("a field lies {off} bytes into its type, and an instruction reaches 32767"),
        })
    }

    pub(super) fn core_load(
        &mut self,
        core: CoreId,
        size: Size,
        base: Value,
        off: i32,
        dst: VReg,
    ) -> Result<(), CodegenError> {
        let (off, base) = (self.core_offset(off)?, self.reg(base)?);
        let insn = Insn::new(op::LDX | op::MEM | size_bits(size), 0, 0, off, 0);
        let slot = MOp::Slot { insn, dst: Field::Operand(0), src: Field::Operand(1), core: Some(core), sym: None };
        self.emit(slot, &[Operand::reg_def(dst), Operand::reg_use(base)]);
        Ok(())
    }

    pub(super) fn core_store(
        &mut self,
        core: CoreId,
        size: Size,
        base: Value,
        off: i32,
        value: Value,
    ) -> Result<(), CodegenError> {
        let (off, base, value) = (self.core_offset(off)?, self.reg(base)?, self.reg(value)?);
        let insn = Insn::new(op::STX | op::MEM | size_bits(size), 0, 0, off, 0);
        let slot = MOp::Slot { insn, dst: Field::Operand(0), src: Field::Operand(1), core: Some(core), sym: None };
        self.emit(slot, &[Operand::reg_use(base), Operand::reg_use(value)]);
        Ok(())
    }

    pub(super) fn core_value(&mut self, core: CoreId, local: i64, wide: bool, dst: VReg) -> Result<(), CodegenError> {
        let def = [Operand::reg_def(dst)];
        if wide {
            self.emit(MOp::Wide { src: 0, imm: local as u64, sym: None, core: Some(core) }, &def);
            return Ok(());
        }
        let imm = i32::try_from(local).or_else(|_| u32::try_from(local).map(|n| n as i32));
        let Ok(imm) = imm else {
            return Err(self.invalid(format!("the local value {local} of {core} needs 64 bits")));
        };
        let insn = Insn::new(op::ALU64 | op::MOV | op::K, 0, 0, 0, imm);
        self.emit(MOp::Slot { insn, dst: Field::Operand(0), src: Field::Given, core: Some(core), sym: None }, &def);
        Ok(())
    }
}
