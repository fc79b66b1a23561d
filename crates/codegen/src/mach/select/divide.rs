//! Signed division. The machine has it from level 4; but kernels before 6.12 trap on the smallest
//! number by −1 (kernel commit 7dd34d7b7dcf), so there a divisor in a register takes the long way
//! too: divide the magnitudes, then set the sign. Both ways give what the IR says for 0 and −1.

use whistler_isa::{KernelVersion, op};

use super::{Selector, Val};
use crate::ir::{BinOp, Size, Width};
use crate::mach::inst::VReg;

/// The first kernel whose signed division takes every operand.
const SAFE_SDIV: KernelVersion = KernelVersion::new(6, 12);

impl Selector<'_> {
    /// dst = x / y or x % y, signed.
    pub(super) fn signed_division(&mut self, bin: BinOp, width: Width, dst: VReg, x: Val, y: Val) {
        let div = bin == BinOp::SDiv;
        let y = match (y, width) {
            (Val::Num(n), Width::W32) => Val::Num(i64::from(n as i32)),
            (y, _) => y,
        };
        match y {
            Val::Num(0) if div => return self.number_to(dst, 0),
            Val::Num(0) if width == Width::W32 => return self.zext_to(dst, x, Size::B4),
            Val::Num(0) => return self.val_to(dst, x),
            Val::Num(-1) if !div => return self.number_to(dst, 0),
            Val::Num(1) if !div => return self.number_to(dst, 0),
            _ => {}
        }
        let native = self.v4() && (matches!(y, Val::Num(n) if n != -1) || self.target.has(SAFE_SDIV));
        if native {
            let code = if div { op::DIV } else { op::MOD };
            return self.alu_off(code, 1, width, dst, x, y);
        }
        if width == Width::W32 && !self.v3() {
            let (x, y) = (self.sext_new(x, Size::B4), self.sext_new(y, Size::B4));
            let t = self.fresh();
            self.by_magnitudes(div, Width::W64, t, x, y);
            self.zext_to(dst, Val::Reg(t), Size::B4);
        } else {
            self.by_magnitudes(div, width, dst, x, y);
        }
    }

    /// With s = x >> 63 (0 or −1), (x ^ s) − s is |x|, and the same gives the sign back.
    fn by_magnitudes(&mut self, div: bool, w: Width, dst: VReg, x: Val, y: Val) {
        let top = Val::Num(if w == Width::W32 { 31 } else { 63 });
        let x = Val::Reg(self.val_reg(x));
        let sign_x = self.alu_new(op::ARSH, w, x, top);
        let abs_x = self.flip(w, x, sign_x);
        let (abs_y, sign) = match y {
            Val::Num(n) => {
                let abs = match w {
                    Width::W32 => i64::from((n as i32).unsigned_abs()),
                    Width::W64 => n.unsigned_abs() as i64,
                };
                let sign = if n < 0 && div { self.alu_new(op::XOR, w, sign_x, Val::Num(-1)) } else { sign_x };
                (Val::Num(abs), sign)
            }
            y => {
                let sign_y = self.alu_new(op::ARSH, w, y, top);
                let abs_y = self.flip(w, y, sign_y);
                (abs_y, if div { self.alu_new(op::XOR, w, sign_y, sign_x) } else { sign_x })
            }
        };
        let code = if div { op::DIV } else { op::MOD };
        let t = self.alu_new(code, w, abs_x, abs_y);
        let t = self.alu_new(op::XOR, w, t, sign);
        self.alu(op::SUB, w, dst, t, sign);
    }

    /// (x ^ s) − s.
    fn flip(&mut self, w: Width, x: Val, s: Val) -> Val {
        let t = self.alu_new(op::XOR, w, x, s);
        self.alu_new(op::SUB, w, t, s)
    }
}
