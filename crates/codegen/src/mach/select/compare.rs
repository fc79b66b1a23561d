//! Comparisons: as the condition of a branch, or as 0 or 1.

use regalloc2::Operand;
use smallvec::SmallVec;
use whistler_isa::op;

use super::{Selector, Val};
use crate::code::CodegenError;
use crate::ir::{Callee, Cc, Op, Size, Space, Ty, Value, Width};
use crate::mach::inst::{Cond, MOp, Rhs, VReg};

/// A condition with its registers.
type Compared = (Cond, SmallVec<[Operand; 3]>);

impl Cc {
    /// The comparison that holds when this does with its operands exchanged.
    pub(crate) fn swapped(self) -> Cc {
        match self {
            Cc::Eq | Cc::Ne | Cc::Test => self,
            Cc::Ult => Cc::Ugt,
            Cc::Ule => Cc::Uge,
            Cc::Ugt => Cc::Ult,
            Cc::Uge => Cc::Ule,
            Cc::Slt => Cc::Sgt,
            Cc::Sle => Cc::Sge,
            Cc::Sgt => Cc::Slt,
            Cc::Sge => Cc::Sle,
        }
    }

    /// The comparison that holds when this does not; there is none for [`Cc::Test`].
    pub(crate) fn inverse(self) -> Option<Cc> {
        Some(match self {
            Cc::Eq => Cc::Ne,
            Cc::Ne => Cc::Eq,
            Cc::Ult => Cc::Uge,
            Cc::Ule => Cc::Ugt,
            Cc::Ugt => Cc::Ule,
            Cc::Uge => Cc::Ult,
            Cc::Slt => Cc::Sge,
            Cc::Sle => Cc::Sgt,
            Cc::Sgt => Cc::Sle,
            Cc::Sge => Cc::Slt,
            Cc::Test => return None,
        })
    }

    fn is_signed(self) -> bool {
        matches!(self, Cc::Slt | Cc::Sle | Cc::Sgt | Cc::Sge)
    }
}

impl Selector<'_> {
    /// Ends a block by a branch on `cond`.
    pub(super) fn branch(&mut self, cond: Value) -> Result<(), CodegenError> {
        let v = self.flow.resolve(cond);
        if matches!(self.f.def_op(v), Some(Op::MayGoto)) {
            self.emit(MOp::MayGoto, &[]);
            self.out.may_goto = true;
            return Ok(());
        }
        let (cond, ops) = match self.f.def_op(v) {
            Some(Op::Cmp(cc, width, a, b)) if self.flow.fused[v.index()] => self.compare(*cc, *width, *a, *b)?,
            Some(Op::InBounds { ptr, len, end }) if self.flow.fused[v.index()] => self.in_bounds(*ptr, *len, *end)?,
            _ => {
                let r = self.reg(v)?;
                let exact = self.is_exact(v);
                let cond = Cond { cc: Cc::Ne, width: Width::W64, rhs: Rhs::Imm(0), exact };
                (cond, SmallVec::from_slice(&[Operand::reg_use(r)]))
            }
        };
        self.emit(MOp::Branch(cond), &ops);
        Ok(())
    }

    pub(super) fn set_cmp(&mut self, cc: Cc, w: Width, a: Value, b: Value, dst: VReg) -> Result<(), CodegenError> {
        let compared = self.compare(cc, w, a, b)?;
        self.set(compared, 1, dst);
        Ok(())
    }

    /// A comparison shifted left that nothing made so far wants by itself: a number or 0. Says whether it is one.
    pub(super) fn set_shifted(&mut self, v: Value, by: Value, dst: VReg) -> Result<bool, CodegenError> {
        let v = self.flow.resolve(v);
        let Some(Op::Cmp(cc, w, a, b)) = self.f.def_op(v) else { return Ok(false) };
        let number = |v: &Value| self.f.ty(*v) == Ty::Int;
        let Some(by) = self.num(by).filter(|by| (0..31).contains(by)) else { return Ok(false) };
        if self.reg_of[v.index()].is_some() || !number(a) || !number(b) {
            return Ok(false);
        }
        let compared = self.compare(*cc, *w, *a, *b)?;
        self.set(compared, 1 << by, dst);
        Ok(true)
    }

    pub(super) fn set_in_bounds(&mut self, ptr: Value, len: i32, end: Value, dst: VReg) -> Result<(), CodegenError> {
        let compared = self.in_bounds(ptr, len, end)?;
        self.set(compared, 1, dst);
        Ok(())
    }

    fn set(&mut self, (cond, mut ops): Compared, yes: i32, dst: VReg) {
        // Written before the comparison is made: it may share no register with it.
        ops.push(Operand::reg_def_at_start(dst));
        self.emit(MOp::SetCc(cond, yes), &ops);
    }

    fn compare(&mut self, cc: Cc, width: Width, a: Value, b: Value) -> Result<Compared, CodegenError> {
        let swap = self.num(a).is_some() && self.num(b).is_none();
        let (cc, a, b) = if swap { (cc.swapped(), b, a) } else { (cc, a, b) };
        let bits = self.flow.bits(a).max(self.flow.bits(b));
        let bits_a = self.flow.bits(a);
        let (mut x, mut y) = (self.val(a)?, self.val(b)?);
        let mut width = width;
        if width == Width::W32 && !self.v3() {
            width = Width::W64;
            if cc.is_signed() && bits >= 32 {
                (x, y) = (self.sext_new(x, Size::B4), self.sext_new(y, Size::B4));
            } else if bits > 32 {
                (x, y) = (self.zext_new(x, Size::B4), self.zext_new(y, Size::B4));
            }
        }
        // Whole registers that hold nothing above: the verifier then knows the bounds of all 64 bits.
        if width == Width::W32 && !cc.is_signed() && bits < 32 {
            width = Width::W64;
        }
        if let (Width::W64, Val::Num(n)) = (width, y) {
            // No 64-bit immediate has bit 31 set and zeros above it; the low halves decide here.
            let fits = i32::try_from(n).is_err() && u32::try_from(n).is_ok();
            if fits && self.v3() && bits_a <= 32 && !cc.is_signed() {
                width = Width::W32;
            }
        }
        let imm = match (y, width) {
            (Val::Num(n), Width::W32) => Some(n as i32),
            (Val::Num(n), Width::W64) => i32::try_from(n).ok(),
            (Val::Reg(_), _) => None,
        };
        let mut ops = SmallVec::from_slice(&[Operand::reg_use(self.val_reg(x))]);
        let rhs = match imm {
            Some(imm) => Rhs::Imm(imm),
            None => {
                ops.push(Operand::reg_use(self.val_reg(y)));
                Rhs::Reg(())
            }
        };
        Ok((Cond { cc, width, rhs, exact: self.is_exact(a) }, ops))
    }

    /// [`Cond::exact`] for a value on the left.
    fn is_exact(&self, v: Value) -> bool {
        matches!(
            self.f.def_op(self.flow.resolve(v)),
            Some(Op::MapLookup { .. } | Op::Call { callee: Callee::Helper(_), .. })
        ) && !matches!(self.f.ty(v), Ty::Ptr(Space::Btf | Space::Other))
    }

    /// The form in which the verifier learns how much of the packet may be read: a packet pointer
    /// plus a constant against the end. What it learns goes to every copy of that pointer.
    fn in_bounds(&mut self, ptr: Value, len: i32, end: Value) -> Result<Compared, CodegenError> {
        let (base, off) = self.packet_base(ptr, i64::from(len));
        let base = self.reg(base)?;
        let end = self.reg(end)?;
        let limit = match off {
            0 => base,
            off => {
                let dst = self.fresh();
                self.alu(op::ADD, Width::W64, dst, Val::Reg(base), Val::Num(off));
                dst
            }
        };
        let cond = Cond { cc: Cc::Ule, width: Width::W64, rhs: Rhs::Reg(()), exact: false };
        Ok((cond, SmallVec::from_slice(&[Operand::reg_use(limit), Operand::reg_use(end)])))
    }

    /// The pointer that `ptr + off` is a constant away from. The verifier takes offsets up to 0xffff.
    fn packet_base(&self, ptr: Value, off: i64) -> (Value, i64) {
        let (mut v, mut off) = (self.flow.resolve(ptr), off);
        while let Some((base, by)) = self.f.def_op(v).and_then(|o| self.moved(o)) {
            match off.checked_add(by) {
                Some(sum) if (0..=0xffff).contains(&sum) => (v, off) = (self.flow.resolve(base), sum),
                _ => break,
            }
        }
        (v, off)
    }
}
