//! Loads, stores and operations on runs of bytes.

use whistler_codegen::ir::{BinOp, Cc, CoreId, Size, Value, Width::W64};

use super::function::{Lower, access, ir_ty};
use crate::hir::{AtomicOp, BinOp as HirBinOp, Expr, ExprKind, IntTy, Space, Ty};

/// The kernel reads the stack only aligned; other memory at any address (on the machines it
/// runs BPF on that allow it, which are ours).
const BEST_ALIGNMENT: u32 = 8;

impl Lower<'_> {
    pub(super) fn load(&mut self, ty: &Ty, ptr: &Expr, off: i32) -> Value {
        let (mut size, signed) = access(ty);
        if self.is_ctx_pointer_field(ty, ptr) {
            size = self.ctx_field_size(ptr, off).unwrap_or(Size::B4);
        }
        let (base, off) = self.base_and_offset(ptr, off);
        let part = self.stack_part(ptr, base, off, size);
        if part == size {
            return self.b.load_as(ir_ty(ty), size, signed, base, off);
        }
        let mut whole = self.b.load(part, false, base, off);
        for at in (part.bytes()..size.bytes()).step_by(part.bytes() as usize) {
            let next = self.b.load(part, false, base, off + at as i32);
            let count = self.b.iconst(i64::from(8 * at));
            let high = self.b.bin(BinOp::Shl, W64, next, count);
            whole = self.b.bin(BinOp::Or, W64, whole, high);
        }
        match ty.as_int() {
            Some(int) if signed => self.extend(whole, int),
            _ => whole,
        }
    }

    /// The size in which an access of `size` bytes has to be made: smaller on the stack where it is not aligned.
    fn stack_part(&self, ptr: &Expr, base: Value, off: i32, size: Size) -> Size {
        let on_stack = ptr.ty.as_ptr().is_some_and(|p| p.space == Space::Stack);
        if !on_stack {
            return size;
        }
        let known = match self.b.stack_offset(base) {
            // Every slot is 8-byte aligned.
            Some(at) => at.wrapping_add(off),
            None => (alignment(ptr) as i32) | off,
        };
        // The lowest bit that is set in what it is a multiple of.
        let most = 1u32 << known.trailing_zeros().min(3);
        Size::from_bytes(size.bytes().min(most)).unwrap_or(Size::B1)
    }

    /// Whether this reads a packet pointer from the context: most contexts have a 4-byte field there, which the
    /// kernel turns into a pointer.
    fn is_ctx_pointer_field(&self, ty: &Ty, ptr: &Expr) -> bool {
        let packet = ty.as_ptr().is_some_and(|p| matches!(p.space, Space::Packet | Space::PacketEnd));
        packet && ptr.ty.as_ptr().is_some_and(|p| p.space == Space::Ctx)
    }

    fn ctx_field_size(&self, ptr: &Expr, off: i32) -> Option<Size> {
        if !matches!(ptr.kind, ExprKind::Ctx) {
            return None;
        }
        let prog_type = self.func.program.as_ref().map(|p| p.prog_type).or(self.func.ctx_type)?;
        super::ctx_field_size(prog_type, u32::try_from(off).ok()?).and_then(Size::from_bytes)
    }

    pub(super) fn store(&mut self, mem: &Ty, ptr: &Expr, off: i32, value: &Expr) -> Value {
        let (base, off) = self.base_and_offset(ptr, off);
        let v = self.typed(value, mem);
        let (size, _) = access(mem);
        let part = self.stack_part(ptr, base, off, size);
        self.b.store(part, base, off, v);
        for at in (part.bytes()..size.bytes()).step_by(part.bytes() as usize) {
            let count = self.b.iconst(i64::from(8 * at));
            let high = self.b.bin(BinOp::LShr, W64, v, count);
            self.b.store(part, base, off + at as i32, high);
        }
        self.stored(mem, value, v)
    }

    /// Writes a field at an offset that the running kernel tells.
    pub(super) fn core_store(&mut self, core: CoreId, mem: &Ty, ptr: &Expr, off: i32, value: &Expr) -> Value {
        let base = self.expr(ptr);
        let v = self.typed(value, mem);
        let (size, _) = access(mem);
        self.b.core_store(core, size, base, off, v);
        self.stored(mem, value, v)
    }

    /// What a place holds after `v`, which came of `value`, was written into it.
    fn stored(&mut self, mem: &Ty, value: &Expr, v: Value) -> Value {
        let fits = match (mem.as_int(), value.ty.as_int()) {
            (Some(to), Some(from)) => from == to || to.size == 8 || (from.size < to.size && !from.signed),
            _ => true,
        };
        match (mem.as_int(), value.as_const()) {
            (Some(to), Some(n)) => self.b.iconst(to.canonical(n)),
            (Some(to), None) if !fits => self.extend(v, to),
            _ => v,
        }
    }

    /// `ptr + constant` as base and offset, so that the access itself carries the constant.
    fn base_and_offset(&mut self, ptr: &Expr, off: i32) -> (Value, i32) {
        if let ExprKind::Bin(op @ (HirBinOp::Add | HirBinOp::Sub), base, n) = &ptr.kind
            && let Some(n) = n.as_const()
            && let Some(n) = if *op == HirBinOp::Sub { n.checked_neg() } else { Some(n) }
            && let Some(sum) = i32::try_from(n).ok().and_then(|n| n.checked_add(off))
            && i16::try_from(sum).is_ok()
        {
            return self.base_and_offset(base, sum);
        }
        (self.expr(ptr), off)
    }

    /// The sizes in which `len` bytes at both places can be accessed, with their offsets.
    fn chunks(len: u32, alignment: u32) -> Vec<(Size, i32)> {
        let mut out = Vec::new();
        let mut at = 0;
        while at < len {
            let size = [Size::B8, Size::B4, Size::B2]
                .into_iter()
                .find(|s| s.bytes() <= len - at && s.bytes() <= alignment && at.is_multiple_of(s.bytes()))
                .unwrap_or(Size::B1);
            out.push((size, at as i32));
            at += size.bytes();
        }
        out
    }

    /// An atomic operation on the stack as a plain one: nobody else sees that memory, and the verifier of 6.18
    /// loses track of what fetching operations read there. It takes what one path stored for what every path
    /// reads, and drops branches that are then taken.
    pub(super) fn plain_update(&mut self, op: AtomicOp, mem: IntTy, ptr: &Expr, off: i32, value: &Expr) -> Value {
        let (size, _) = access(&Ty::Int(mem));
        let (base, value) = (self.expr(ptr), self.expr(value));
        let old = self.b.load(size, mem.signed, base, off);
        let new = match op {
            AtomicOp::Add => self.b.bin(BinOp::Add, W64, old, value),
            AtomicOp::And => self.b.bin(BinOp::And, W64, old, value),
            AtomicOp::Or => self.b.bin(BinOp::Or, W64, old, value),
            AtomicOp::Xor => self.b.bin(BinOp::Xor, W64, old, value),
            AtomicOp::Xchg | AtomicOp::StoreRelease => value,
            AtomicOp::LoadAcquire => return old,
        };
        self.b.store(size, base, off, new);
        old
    }

    /// The same for compare-and-exchange.
    pub(super) fn plain_exchange(&mut self, mem: IntTy, ptr: &Expr, off: i32, expected: &Expr, new: &Expr) -> Value {
        let (size, _) = access(&Ty::Int(mem));
        let (base, expected, new) = (self.expr(ptr), self.expr(expected), self.expr(new));
        let old = self.b.load(size, mem.signed, base, off);
        let expected = self.extend(expected, mem);
        let same = self.b.cmp(Cc::Eq, old, expected);
        let next = self.select(same, |_| new, |_| old);
        self.b.store(size, base, off, next);
        old
    }

    pub(super) fn copy(&mut self, dst: &Expr, src: &Expr, len: u32) -> Value {
        let alignment = alignment(dst).min(alignment(src));
        let (d, d_off) = self.base_and_offset(dst, 0);
        let (s, s_off) = self.base_and_offset(src, 0);
        for (size, at) in Self::chunks(len, alignment) {
            let v = self.b.load(size, false, s, s_off + at);
            self.b.store(size, d, d_off + at, v);
        }
        self.b.iconst(0)
    }

    pub(super) fn fill(&mut self, dst: &Expr, value: &Expr, len: u32) -> Value {
        let alignment = alignment(dst);
        let (d, d_off) = self.base_and_offset(dst, 0);
        let pattern = 0x0101_0101_0101_0101i64;
        let repeated = match value.as_const() {
            Some(n) => self.b.iconst((n & 0xff).wrapping_mul(pattern)),
            None => {
                let v = self.expr(value);
                let byte = self.b.iconst(0xff);
                let low = self.b.bin(BinOp::And, W64, v, byte);
                let ones = self.b.iconst(pattern);
                self.b.bin(BinOp::Mul, W64, low, ones)
            }
        };
        for (size, at) in Self::chunks(len, alignment) {
            self.b.store(size, d, d_off + at, repeated);
        }
        self.b.iconst(0)
    }

    pub(super) fn differ(&mut self, a: &Expr, b: &Expr, len: u32) -> Value {
        let alignment = alignment(a).min(alignment(b));
        let (x, x_off) = self.base_and_offset(a, 0);
        let (y, y_off) = self.base_and_offset(b, 0);
        let mut sum = self.b.iconst(0);
        for (size, at) in Self::chunks(len, alignment) {
            let l = self.b.load(size, false, x, x_off + at);
            let r = self.b.load(size, false, y, y_off + at);
            let d = self.b.bin(BinOp::Xor, W64, l, r);
            sum = self.b.bin(BinOp::Or, W64, sum, d);
        }
        let zero = self.b.iconst(0);
        self.b.cmp(Cc::Ne, sum, zero)
    }
}

/// Whether an address is one of the stack.
pub(super) fn on_stack(ptr: &Expr) -> bool {
    ptr.ty.as_ptr().is_some_and(|p| p.space == Space::Stack)
}

/// What an address is known to be a multiple of, as far as it matters: on the stack.
fn alignment(ptr: &Expr) -> u32 {
    let on_stack = ptr.ty.as_ptr().is_none_or(|p| p.space == Space::Stack);
    if !on_stack {
        return BEST_ALIGNMENT;
    }
    match &ptr.kind {
        // Every stack object is 8-byte aligned.
        ExprKind::AddrOf(_) => BEST_ALIGNMENT,
        ExprKind::Bin(HirBinOp::Add, base, n) => match n.as_const() {
            Some(n) => alignment(base).min(1 << n.trailing_zeros().min(3)),
            None => 1,
        },
        ExprKind::Cast(p) => alignment(p),
        _ => ptr.ty.as_ptr().and_then(|p| p.pointee.as_ref()).map_or(1, |t| t.align()).clamp(1, BEST_ALIGNMENT),
    }
}
