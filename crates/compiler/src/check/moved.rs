//! Packet pointers moved by a number that is known only at run time, as `(+ data n)`. The verifier gives each such
//! sum an identity of its own, so what is read must be the very pointer that was compared with the packet's end: the
//! comparison keeps it in a variable, and the same sum made again where the comparison holds is that variable.

use super::val::type_range;
use super::{Checker, PacketStart, Val, offset};
use crate::diagnostics as diag;
use crate::hir::{At, BinOp, Expr, ExprKind, LocalId, LocalKind, Space};

/// How far the verifier follows a variable offset into a packet (`MAX_PACKET_OFF`).
const MAX_PACKET_OFF: i128 = 0xffff;

impl Checker<'_> {
    /// Keeps a moved packet pointer in a variable: what sets it, the variable, and the constant part of the sum.
    pub fn moved_pointer(&mut self, e: &Expr) -> Option<(Expr, LocalId, i64)> {
        let (sum, off) = constant_apart(e)?;
        if !self.repeatable(sum) {
            return None;
        }
        let (sum, ty, here) = (sum.clone(), sum.ty.clone(), sum.at.clone());
        let id = self.temp(ty.clone(), LocalKind::Value);
        self.f.moved.push((id, sum.clone()));
        Some((Expr::new(ExprKind::Set(id, Box::new(sum)), ty, here), id, off))
    }

    /// Which start of packet bytes a pointer is, as it was read from the context.
    pub(crate) fn packet_start(&self, e: &Expr) -> Option<PacketStart> {
        match &e.kind {
            ExprKind::Local(l) => {
                let var = &self.f.vars[l.0 as usize];
                if var.assigned { None } else { var.start }
            }
            ExprKind::Cast(inner) => self.packet_start(inner),
            ExprKind::Load { ptr, off } if matches!(ptr.kind, ExprKind::Ctx) => {
                e.ty.as_ptr().filter(|p| p.space == Space::Packet)?;
                let fields = whistler_isa::ctx::of(self.prog_type()?)?.fields_at(u32::try_from(*off).ok()?);
                let kinds: Vec<_> = fields.map(|f| f.kind).collect();
                if kinds.contains(&whistler_isa::ctx::FieldKind::PacketMeta) {
                    Some(PacketStart::Meta)
                } else if kinds.contains(&whistler_isa::ctx::FieldKind::PacketStart) {
                    Some(PacketStart::Data)
                } else {
                    None
                }
            }
            _ => None,
        }
    }

    /// The most that the verifier certainly allows a number to be; `None` where it may know more than is known here.
    pub(super) fn most(&self, e: &Expr) -> Option<i128> {
        let of_type = || e.ty.as_int().filter(|i| !i.signed).map(|i| type_range(i).1);
        match &e.kind {
            ExprKind::Const(n) => u32::try_from(*n).ok().map(i128::from),
            ExprKind::Load { ptr, off } => {
                let place = self.packet_base(ptr).map(|(l, n)| (l, n + i64::from(*off)));
                let known = &self.f.compared_memory;
                let untouched = known.is_empty() || (place.is_some() && !known.contains(&place));
                if untouched { of_type() } else { None }
            }
            ExprKind::Helper { .. } => of_type(),
            ExprKind::Bswap(size, inner) => {
                self.most(inner)?;
                Some((1i128 << (8 * u32::from(*size))) - 1)
            }
            ExprKind::Local(l) => {
                let var = &self.f.vars[l.0 as usize];
                let tested = self.f.flow.at_most.iter().find(|(v, _)| v == l).map(|(_, n)| i128::from(*n));
                if var.assigned || var.addressed || (var.compared && tested.is_none()) {
                    return None;
                }
                Some(tested.map_or(var.most?, |n| n.min(var.most.unwrap_or(n))))
            }
            ExprKind::Cast(inner) => Some(self.most(inner)?.min(of_type()?)),
            ExprKind::Bin(BinOp::Add, a, b) => Some(self.most(a)? + self.most(b)?),
            ExprKind::Bin(BinOp::Mul, a, b) => self.most(a)?.checked_mul(self.most(b)?),
            ExprKind::Bin(BinOp::And, a, b) => match (self.most(a), self.most(b)) {
                (Some(x), Some(y)) => Some(x.min(y)),
                (x, y) => x.or(y),
            },
            ExprKind::Bin(BinOp::Shl, a, n) => self.most(a)?.checked_shl(u32::try_from(n.as_const()?).ok()?),
            ExprKind::Bin(BinOp::ShrU, a, n) => self.most(a)?.checked_shr(u32::try_from(n.as_const()?).ok()?),
            _ => None,
        }
    }

    /// How far from where its packet pointer was read a sum may be, when it has a part that varies.
    pub(super) fn reach(&self, e: &Expr) -> Option<i128> {
        match &e.kind {
            ExprKind::Cast(inner) if inner.ty.as_ptr().is_some() => self.reach(inner),
            ExprKind::Local(l) if e.ty.as_ptr().is_some_and(|p| p.space == Space::Packet) => {
                let var = &self.f.vars[l.0 as usize];
                match (var.reach, var.base) {
                    _ if var.assigned => None,
                    (Some(n), _) => Some(n),
                    (None, Some((root, off))) => {
                        let start = &self.f.vars[root.0 as usize];
                        (start.start.is_some() && off >= 0).then_some(i128::from(off))
                    }
                    (None, None) => var.start.map(|_| 0),
                }
            }
            ExprKind::Bin(BinOp::Add, p, n) if p.ty.as_ptr().is_some() => Some(self.reach(p)? + self.most(n)?),
            _ => None,
        }
    }

    /// Notes what is compared: from then on the verifier may know more of it.
    pub(crate) fn compared(&mut self, e: &Expr) {
        match &e.kind {
            ExprKind::Local(l) => self.f.vars[l.0 as usize].compared = true,
            ExprKind::Load { ptr, off } => {
                let place = self.packet_base(ptr).map(|(l, n)| (l, n + i64::from(*off)));
                self.f.compared_memory.insert(place);
            }
            ExprKind::Cast(inner) | ExprKind::Bswap(_, inner) => self.compared(inner),
            ExprKind::Bin(_, a, b) => {
                self.compared(a);
                self.compared(b);
            }
            _ => {}
        }
    }

    /// Whether the verifier gives up on a packet pointer that may be so far away; notes it.
    pub(crate) fn goes_too_far(&mut self, root: LocalId, sum: Option<&Expr>, len: u32) -> bool {
        let reach = match sum {
            Some(e) => self.reach(e),
            None if self.f.vars[root.0 as usize].assigned => None,
            None => self.f.vars[root.0 as usize].reach,
        };
        match reach {
            Some(n) if n + i128::from(len) > MAX_PACKET_OFF => {
                self.f.too_far.push((root, n));
                true
            }
            _ => false,
        }
    }

    /// What to say of a read through a pointer that was compared in vain.
    pub(super) fn too_far(&self, root: LocalId, here: &At) -> Option<whistler_diag::Diagnostic> {
        let (_, n) = self.f.too_far.iter().find(|(l, _)| *l == root)?;
        let text = "this test of the packet's end tells the verifier nothing: the offset is not bounded";
        let d = diag::error(&diag::PACKET_BOUNDS, here, text)
            .note(format!("the pointer may be {n} bytes away, and packets are followed up to {MAX_PACKET_OFF}"));
        Some(d.help(
            "bound the offset before it is added: (logand n #x7fff), (min n 9000), or a test: (when (< n 9000) …)",
        ))
    }

    /// Checks a read of `len` bytes at `off` from a packet pointer moved by a variable; reports what can't be.
    pub(super) fn readable_moved(&mut self, mut v: Val, off: i64, len: u32, here: &At) -> Option<Val> {
        let Some((sum, apart)) = constant_apart(&v.e) else { return Some(v) };
        let known = self.f.moved.iter().rev().find_map(|(l, made)| {
            let covered = self.f.flow.covers.iter().find(|c| c.0 == *l)?.1;
            same(made, sum).then_some((*l, covered))
        });
        let need = off + apart + i64::from(len);
        if let Some((l, covered)) = known
            && (0..=i64::from(covered)).contains(&need)
        {
            let base = Expr::new(ExprKind::Local(l), sum.ty.clone(), v.e.at.clone());
            v.e = offset(base, apart, v.e.ty.clone(), here);
            return Some(v);
        }
        let in_vain = self.f.moved.iter().rev().find(|(_, made)| same(made, sum)).map(|(l, _)| *l);
        if let Some(d) = in_vain.and_then(|l| self.too_far(l, here)) {
            self.report(d);
            return None;
        }
        if !self.varies(sum) {
            // It may be one constant on every path, which the verifier follows: then up to the highest.
            if let Some((root, highest)) = self.highest(sum) {
                let have = self.f.flow.covers.iter().find(|c| c.0 == root).map_or(0, |c| i128::from(c.1));
                let need = highest + i128::from(need);
                if need > have {
                    let text = format!("byte {} of the packet may not be there", need - 1);
                    let d = diag::error(&diag::PACKET_BOUNDS, here, text).label(format!("the offset may be {highest}"));
                    let name = &self.f.locals[root.0 as usize].name;
                    let d = d.note(format!("the checks so far cover {have} bytes from `{name}`"));
                    let help =
                        format!("test the very pointer that is read: (when (<= (+ {name} offset 1) data-end) …)");
                    self.report(d.help(help));
                    return None;
                }
            }
            return Some(v);
        }
        let mut d = diag::error(&diag::PACKET_BOUNDS, here, "the packet may end before this: the offset varies");
        if let Some((_, covered)) = known {
            d = d.note(format!("the checks so far cover {covered} bytes from there"));
        }
        self.report(d.help(format!("test the same pointer first: (when (<= (+ data offset {need}) data-end) …)")));
        None
    }

    /// For a packet pointer moved by the counter of a loop: what it is counted from, and the most it can be moved by.
    fn highest(&self, sum: &Expr) -> Option<(LocalId, i128)> {
        let ExprKind::Bin(BinOp::Add, p, n) = &sum.kind else { return None };
        let (root, base) = self.packet_base(p)?;
        let mut n = n;
        while let ExprKind::Cast(inner) = &n.kind {
            n = inner;
        }
        let ExprKind::Local(l) = &n.kind else { return None };
        let var = &self.f.vars[l.0 as usize];
        let (lo, hi) = var.range;
        // A test may have bounded it further.
        let tested = self.f.flow.at_most.iter().any(|(v, _)| v == l);
        let counter = lo == 0 && hi < 1 << 23 && !var.assigned && !var.addressed && !tested;
        counter.then_some((root, i128::from(base) + hi))
    }

    /// A helper moved the packet: what points into it no longer does.
    pub fn packet_moved(&mut self) {
        self.f.flow.covers.clear();
        for (i, var) in self.f.vars.iter().enumerate() {
            let id = LocalId(i as u32);
            if var.ty.as_ptr().is_some_and(|p| matches!(p.space, Space::Packet | Space::PacketEnd))
                && !self.f.flow.stale.contains(&id)
            {
                self.f.flow.stale.push(id);
            }
        }
    }

    /// Reports the use of a pointer into the packet as it was before it was moved.
    pub fn stale(&mut self, e: &Expr, here: &At) -> bool {
        let stale = self.root_of(e).filter(|l| self.f.flow.stale.contains(l));
        let Some(l) = stale else { return false };
        let name = self.f.locals[l.0 as usize].name.clone();
        let text = if name.is_empty() { "this pointer".to_string() } else { format!("`{name}`") };
        let mut d = diag::error(&diag::PACKET_BOUNDS, here, format!("{text} is from before a helper moved the packet"));
        if let Some(mover) = &self.f.lessons.mover {
            d = d.also(mover.span, "this moves it");
        }
        self.report(d.help("read the packet's ends again, (ctx data) and (ctx data_end), and test them"));
        // Said once, it need not be said of every further use.
        self.f.flow.stale.retain(|s| *s != l);
        self.f.flow.learn(&[super::Fact::Covers(l, u32::MAX)]);
        true
    }

    /// Whether an expression gives the same value again while its variables are not assigned.
    fn repeatable(&self, e: &Expr) -> bool {
        match &e.kind {
            ExprKind::Const(_) => true,
            ExprKind::Local(l) => !self.f.vars[l.0 as usize].addressed,
            ExprKind::Cast(e) => self.repeatable(e),
            ExprKind::Bin(_, a, b) => self.repeatable(a) && self.repeatable(b),
            _ => false,
        }
    }

    /// Whether a number certainly is no constant for the verifier, on any path: it comes from memory or a call.
    fn varies(&self, e: &Expr) -> bool {
        let pointer = e.ty.as_ptr().is_some();
        match &e.kind {
            ExprKind::Load { .. } | ExprKind::Local(_) if pointer => false,
            ExprKind::Load { .. } | ExprKind::CoreLoad { .. } => true,
            ExprKind::Local(l) => {
                let var = &self.f.vars[l.0 as usize];
                let whole = var.ty.as_int().is_some_and(|i| i.size <= 4 && !i.signed)
                    && var.range == (0, (1i128 << (8 * var.ty.size())) - 1);
                whole && !var.assigned && !var.addressed && var.ordinal != u32::MAX
            }
            ExprKind::Cast(e) => self.varies(e),
            ExprKind::Bin(_, a, b) => self.varies(a) || self.varies(b),
            _ => false,
        }
    }
}

/// Whether a sum is made from a variable.
pub(super) fn mentions(e: &Expr, l: LocalId) -> bool {
    match &e.kind {
        ExprKind::Local(m) => *m == l,
        ExprKind::Cast(e) => mentions(e, l),
        ExprKind::Bin(_, a, b) => mentions(a, l) || mentions(b, l),
        _ => false,
    }
}

/// A pointer without the constants added to it last, and those.
fn constant_apart(e: &Expr) -> Option<(&Expr, i64)> {
    match &e.kind {
        ExprKind::Cast(inner) if inner.ty.as_ptr().is_some() => constant_apart(inner),
        ExprKind::Bin(BinOp::Add, p, n) if n.as_const().is_some() => {
            let (sum, off) = constant_apart(p)?;
            Some((sum, off.checked_add(n.as_const()?)?))
        }
        _ => Some((e, 0)),
    }
}

/// Whether two repeatable expressions are the same sum.
fn same(a: &Expr, b: &Expr) -> bool {
    match (&a.kind, &b.kind) {
        (ExprKind::Const(x), ExprKind::Const(y)) => x == y,
        (ExprKind::Local(x), ExprKind::Local(y)) => x == y,
        (ExprKind::Cast(x), ExprKind::Cast(y)) => a.ty == b.ty && same(x, y),
        (ExprKind::Bin(f, p, q), ExprKind::Bin(g, r, s)) => f == g && same(p, r) && same(q, s),
        _ => false,
    }
}
