//! Arithmetic. Below level 3 a 32-bit operation is a 64-bit one with shifts around it.

use regalloc2::Operand;
use whistler_isa::{Insn, op};

use super::{Selector, Val};
use crate::code::CodegenError;
use crate::ir::{BinOp, Op, Size, Space, Ty, UnOp, Value, Width};
use crate::mach::inst::{Field, MOp, VReg};

/// How many sums behind each other may make an address; more is rare.
const SUMS: u32 = 6;

impl Selector<'_> {
    /// dst = x `code` y at the width, on the machine's own instruction.
    pub(super) fn alu(&mut self, code: u8, width: Width, dst: VReg, x: Val, y: Val) {
        self.alu_off(code, 0, width, dst, x, y);
    }

    /// The same with a value in the offset field (1: signed division).
    pub(super) fn alu_off(&mut self, code: u8, off: i16, width: Width, dst: VReg, x: Val, y: Val) {
        let x = self.val_reg(x);
        let class = match width {
            Width::W32 => op::ALU,
            Width::W64 => op::ALU64,
        };
        if let Val::Num(n) = y {
            // A 32-bit operation looks at the low half alone; a 64-bit one extends its immediate by its sign.
            let imm = match width {
                Width::W32 => Some(n as i32),
                Width::W64 => i32::try_from(n).ok(),
            };
            if let Some(imm) = imm {
                let insn = Insn::new(class | code | op::K, 0, 0, off, imm);
                let ops = [Operand::reg_use(x), Operand::reg_reuse_def(dst, 0)];
                return self.slot(insn, Field::Operand(1), Field::Given, &ops);
            }
        }
        let y = self.val_reg(y);
        let insn = Insn::new(class | code | op::X, 0, 0, off, 0);
        let ops = [Operand::reg_use(x), Operand::reg_use(y), Operand::reg_reuse_def(dst, 0)];
        self.slot(insn, Field::Operand(2), Field::Operand(1), &ops);
    }

    /// The same into a new register.
    pub(super) fn alu_new(&mut self, code: u8, width: Width, x: Val, y: Val) -> Val {
        let dst = self.fresh();
        self.alu(code, width, dst, x, y);
        Val::Reg(dst)
    }

    /// dst = -x.
    pub(super) fn negate(&mut self, width: Width, dst: VReg, x: Val) {
        let x = self.val_reg(x);
        let class = if width == Width::W32 { op::ALU } else { op::ALU64 };
        let ops = [Operand::reg_use(x), Operand::reg_reuse_def(dst, 0)];
        self.slot(Insn::new(class | op::NEG, 0, 0, 0, 0), Field::Operand(1), Field::Given, &ops);
    }

    /// dst = the low `size` of x, zeros above.
    pub(super) fn zext_to(&mut self, dst: VReg, x: Val, size: Size) {
        match (x, size) {
            (Val::Num(n), Size::B1) => self.number_to(dst, i64::from(n as u8)),
            (Val::Num(n), Size::B2) => self.number_to(dst, i64::from(n as u16)),
            (Val::Num(n), Size::B4) => self.number_to(dst, i64::from(n as u32)),
            (x, Size::B1) => self.alu(op::AND, Width::W64, dst, x, Val::Num(0xff)),
            (x, Size::B2) => self.alu(op::AND, Width::W64, dst, x, Val::Num(0xffff)),
            (Val::Reg(x), Size::B4) if self.v3() => {
                let insn = Insn::new(op::ALU | op::MOV | op::X, 0, 0, 0, 0);
                let ops = [Operand::reg_def(dst), Operand::reg_use(x)];
                self.slot(insn, Field::Operand(0), Field::Operand(1), &ops);
            }
            (x, Size::B4) => {
                let high = self.alu_new(op::LSH, Width::W64, x, Val::Num(32));
                self.alu(op::RSH, Width::W64, dst, high, Val::Num(32));
            }
            (x, Size::B8) => self.val_to(dst, x),
        }
    }

    /// dst = the low `size` of x with its sign above.
    pub(super) fn sext_to(&mut self, dst: VReg, x: Val, size: Size) {
        match (x, size) {
            (Val::Num(n), Size::B1) => self.number_to(dst, i64::from(n as i8)),
            (Val::Num(n), Size::B2) => self.number_to(dst, i64::from(n as i16)),
            (Val::Num(n), Size::B4) => self.number_to(dst, i64::from(n as i32)),
            (x, Size::B8) => self.val_to(dst, x),
            (Val::Reg(x), _) if self.v4() => {
                let insn = Insn::new(op::ALU64 | op::MOV | op::X, 0, 0, size.bits() as i16, 0);
                let ops = [Operand::reg_def(dst), Operand::reg_use(x)];
                self.slot(insn, Field::Operand(0), Field::Operand(1), &ops);
            }
            (x, _) => {
                let shift = Val::Num(64 - i64::from(size.bits()));
                let high = self.alu_new(op::LSH, Width::W64, x, shift);
                self.alu(op::ARSH, Width::W64, dst, high, shift);
            }
        }
    }

    pub(super) fn zext_new(&mut self, x: Val, size: Size) -> Val {
        match x {
            Val::Num(n) if size == Size::B4 => Val::Num(i64::from(n as u32)),
            _ => {
                let dst = self.fresh();
                self.zext_to(dst, x, size);
                Val::Reg(dst)
            }
        }
    }

    pub(super) fn sext_new(&mut self, x: Val, size: Size) -> Val {
        match x {
            Val::Num(n) if size == Size::B4 => Val::Num(i64::from(n as i32)),
            _ => {
                let dst = self.fresh();
                self.sext_to(dst, x, size);
                Val::Reg(dst)
            }
        }
    }

    pub(super) fn un(&mut self, un: UnOp, a: Value, dst: VReg) -> Result<(), CodegenError> {
        let x = self.val(a)?;
        match un {
            UnOp::Neg => self.negate(Width::W64, dst, x),
            UnOp::Zext(size) => self.zext_to(dst, x, size),
            UnOp::Sext(size) => self.sext_to(dst, x, size),
            UnOp::Bswap(Size::B1) => self.zext_to(dst, x, Size::B1),
            UnOp::Bswap(size) => {
                let x = self.val_reg(x);
                // "To big endian" on a little-endian machine; it clears what lies above.
                let insn = Insn::new(op::ALU | op::END | op::X, 0, 0, 0, size.bits() as i32);
                let ops = [Operand::reg_use(x), Operand::reg_reuse_def(dst, 0)];
                self.slot(insn, Field::Operand(1), Field::Given, &ops);
            }
        }
        Ok(())
    }

    pub(super) fn bin(
        &mut self,
        bin: BinOp,
        width: Width,
        (a, b): (Value, Value),
        result: Option<Value>,
        dst: VReg,
    ) -> Result<(), CodegenError> {
        if bin == BinOp::Shl && self.set_shifted(a, b, dst)? {
            return Ok(());
        }
        if width == Width::W64 && self.bin_core(bin, a, b, dst)? {
            return Ok(());
        }
        let commutes = matches!(bin, BinOp::Add | BinOp::Mul | BinOp::And | BinOp::Or | BinOp::Xor);
        // The left operand is overwritten: a number goes to the right, or else what is wanted
        // afterwards; when neither is, left is the one whose variable gets the result.
        let (va, vb) = (self.flow.resolve(a), self.flow.resolve(b));
        let frames = (bin == BinOp::Add).then(|| (self.in_frame(va, SUMS), self.in_frame(vb, SUMS)));
        let swap = commutes
            && match (self.num(a), self.num(b)) {
                (Some(_), None) => true,
                // The verifier forgets whose frame a pointer is into when it is added to a number, and takes it for
                // one into the program's own; not when the number is added to the pointer.
                (None, None) if frames == Some((false, true)) => true,
                (None, None) if frames.is_some_and(|(a, _)| a) => false,
                (None, None) => match (self.live.contains(va), self.live.contains(vb)) {
                    (true, false) => true,
                    (false, true) => false,
                    _ => result.is_some_and(|r| self.flow.feeds(r, vb)),
                },
                _ => false,
            };
        let (a, b) = if swap { (b, a) } else { (a, b) };
        let bits = self.flow.bits(a).max(self.flow.bits(b));
        let (x, y) = (self.val(a)?, self.val(b)?);
        match (bin, width) {
            (BinOp::SDiv | BinOp::SMod, _) => self.signed_division(bin, width, dst, x, y),
            (_, Width::W32) if !self.v3() => self.bin32_in_64(bin, dst, x, y, bits),
            _ => self.bin_direct(bin, width, dst, x, y),
        }
        Ok(())
    }

    /// Whether a value is an address in a stack frame: of a slot, or one that the function was given; `sums` deep.
    fn in_frame(&self, v: Value, sums: u32) -> bool {
        let v = self.flow.resolve(v);
        // What a callback took from its closure, too.
        if self.f.ty(v) == Ty::Ptr(Space::Stack) {
            return true;
        }
        match self.f.def_op(v) {
            Some(Op::StackAddr(..)) => true,
            Some(Op::Bin(BinOp::Add | BinOp::Sub, Width::W64, a, b)) if sums > 0 => {
                self.in_frame(*a, sums - 1) || self.in_frame(*b, sums - 1)
            }
            Some(_) => false,
            None => self.f.blocks.first().is_some_and(|entry| entry.params.contains(&v)),
        }
    }

    /// `x op` a number of the running kernel's, which the instruction's immediate is relocated to. Returns whether it is one.
    fn bin_core(&mut self, bin: BinOp, a: Value, b: Value, dst: VReg) -> Result<bool, CodegenError> {
        let core = |s: &Self, v: Value| match s.f.def_op(s.flow.resolve(v)) {
            Some(Op::CoreValue { core, local, wide: false }) => Some((*core, i32::try_from(*local).ok()?)),
            _ => None,
        };
        let code = match bin {
            BinOp::Add => op::ADD,
            BinOp::Shl => op::LSH,
            BinOp::LShr => op::RSH,
            BinOp::AShr => op::ARSH,
            _ => return Ok(false),
        };
        let (x, (core, imm)) = match (core(self, a), core(self, b)) {
            (_, Some(c)) => (a, c),
            (Some(c), None) if bin == BinOp::Add => (b, c),
            _ => return Ok(false),
        };
        let x = self.val(x)?;
        let x = self.val_reg(x);
        let insn = Insn::new(op::ALU64 | code | op::K, 0, 0, 0, imm);
        let slot = MOp::Slot { insn, dst: Field::Operand(1), src: Field::Given, core: Some(core), sym: None };
        self.emit(slot, &[Operand::reg_use(x), Operand::reg_reuse_def(dst, 0)]);
        Ok(true)
    }

    /// Operations whose width the target has.
    pub(super) fn bin_direct(&mut self, bin: BinOp, width: Width, dst: VReg, x: Val, y: Val) {
        let count = |y| match (y, width) {
            (Val::Num(n), Width::W32) => Val::Num(n & 31),
            (Val::Num(n), Width::W64) => Val::Num(n & 63),
            (reg, _) => reg,
        };
        let zero = match (y, width) {
            (Val::Num(n), Width::W32) => n as i32 == 0,
            (Val::Num(n), Width::W64) => n == 0,
            _ => false,
        };
        match bin {
            BinOp::Add => self.alu(op::ADD, width, dst, x, y),
            BinOp::Sub => match y {
                Val::Num(n) if i32::try_from(n.wrapping_neg()).is_ok() => {
                    self.alu(op::ADD, width, dst, x, Val::Num(n.wrapping_neg()));
                }
                _ => self.alu(op::SUB, width, dst, x, y),
            },
            BinOp::Mul => self.alu(op::MUL, width, dst, x, y),
            // The verifier refuses a division by the number 0.
            BinOp::UDiv if zero => self.number_to(dst, 0),
            BinOp::UMod if zero && width == Width::W32 => self.zext_to(dst, x, Size::B4),
            BinOp::UMod if zero => self.val_to(dst, x),
            BinOp::UDiv => self.alu(op::DIV, width, dst, x, y),
            BinOp::UMod => self.alu(op::MOD, width, dst, x, y),
            BinOp::And => match y {
                // The 32-bit operation clears the high half, which is what this mask does.
                Val::Num(n) if self.v3() && i32::try_from(n).is_err() && u32::try_from(n).is_ok() => {
                    self.alu(op::AND, Width::W32, dst, x, y);
                }
                _ => self.alu(op::AND, width, dst, x, y),
            },
            BinOp::Or => self.alu(op::OR, width, dst, x, y),
            BinOp::Xor => self.alu(op::XOR, width, dst, x, y),
            BinOp::Shl => self.alu(op::LSH, width, dst, x, count(y)),
            BinOp::LShr => self.alu(op::RSH, width, dst, x, count(y)),
            BinOp::AShr => self.alu(op::ARSH, width, dst, x, count(y)),
            BinOp::SDiv | BinOp::SMod => self.signed_division(bin, width, dst, x, y),
        }
    }

    /// A 32-bit operation without 32-bit instructions. `bits` bounds what both operands hold.
    fn bin32_in_64(&mut self, bin: BinOp, dst: VReg, x: Val, y: Val, bits: u32) {
        let w = Width::W64;
        let count = |s: &mut Self, y| match y {
            Val::Num(n) => Val::Num(n & 31),
            y => s.alu_new(op::AND, w, y, Val::Num(31)),
        };
        match bin {
            BinOp::Add | BinOp::Sub | BinOp::Mul => {
                let y = if let Val::Num(n) = y { Val::Num(i64::from(n as i32)) } else { y };
                let t = self.fresh();
                self.bin_direct(bin, w, t, x, y);
                self.zext_to(dst, Val::Reg(t), Size::B4);
            }
            BinOp::And | BinOp::Or | BinOp::Xor if bits <= 32 => self.bin_direct(bin, w, dst, x, y),
            BinOp::And | BinOp::Or | BinOp::Xor => {
                let y = if let Val::Num(n) = y { Val::Num(i64::from(n as i32)) } else { y };
                let t = self.fresh();
                self.bin_direct(bin, w, t, x, y);
                self.zext_to(dst, Val::Reg(t), Size::B4);
            }
            BinOp::Shl => {
                let y = count(self, y);
                let t = self.alu_new(op::LSH, w, x, y);
                self.zext_to(dst, t, Size::B4);
            }
            BinOp::LShr => {
                let (x, y) = (self.zext_new(x, Size::B4), count(self, y));
                self.alu(op::RSH, w, dst, x, y);
            }
            BinOp::AShr => {
                let (x, y) = (self.sext_new(x, Size::B4), count(self, y));
                let t = self.alu_new(op::ARSH, w, x, y);
                self.zext_to(dst, t, Size::B4);
            }
            BinOp::UDiv | BinOp::UMod => {
                let (x, y) = (self.zext_new(x, Size::B4), self.zext_new(y, Size::B4));
                self.bin_direct(bin, w, dst, x, y);
            }
            BinOp::SDiv | BinOp::SMod => self.signed_division(bin, Width::W32, dst, x, y),
        }
    }
}
