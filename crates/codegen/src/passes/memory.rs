//! Which memory accesses may touch the same bytes. Invariant: errs on the side of yes.

use whistler_isa::{Access, ArgKind, helpers};

use crate::ir::{BinOp, Callee, Function, Op, Size, Slot, Space, Sym, Ty, Value, Width};

/// What an address is relative to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Root {
    Slot(Slot),
    Sym(Sym),
    Value(Value),
}

/// Bytes an access touches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    pub root: Root,
    pub off: i64,
    pub size: u32,
    space: Option<Space>,
}

/// Who knows the address of a slot.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Escape {
    /// Only loads and stores of this function.
    No,
    /// Also helpers, while they run.
    Helpers,
    /// Anybody: it was stored, passed to a function, or mixed with other addresses.
    Anybody,
}

/// What a helper does to a slot whose address it gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Effect {
    Nothing,
    Reads,
    Writes,
}

/// The slot an address is in, with the offset, when that is plain.
pub(super) fn slot_of(f: &Function, v: Value) -> Option<(Slot, i64)> {
    match root(f, v) {
        (Root::Slot(s), off) => Some((s, off)),
        _ => None,
    }
}

/// What an address is a constant distance from.
pub(super) fn root(f: &Function, v: Value) -> (Root, i64) {
    let (mut v, mut off) = (v, 0i64);
    loop {
        match f.def_op(v) {
            Some(Op::StackAddr(s, at)) => return (Root::Slot(*s), off.wrapping_add(i64::from(*at))),
            Some(Op::SymAddr(s, at)) => return (Root::Sym(*s), off.wrapping_add(i64::from(*at))),
            Some(Op::Bin(op @ (BinOp::Add | BinOp::Sub), Width::W64, a, b)) if f.ty(*a) != Ty::Int => {
                let (Some(n), Ty::Int) = (f.as_const(*b), f.ty(*b)) else { return (Root::Value(v), off) };
                off = if *op == BinOp::Add { off.wrapping_add(n) } else { off.wrapping_sub(n) };
                v = *a;
            }
            _ => return (Root::Value(v), off),
        }
    }
}

impl Place {
    /// The bytes of an access through `base`.
    pub fn new(f: &Function, base: Value, off: i32, size: Size) -> Place {
        let (root, at) = root(f, base);
        let space = match f.ty(base) {
            Ty::Ptr(s) => Some(s),
            Ty::Int => None,
        };
        Place { root, off: at.wrapping_add(i64::from(off)), size: size.bytes(), space }
    }

    /// The slot, if it is in one.
    pub fn slot(&self) -> Option<Slot> {
        match self.root {
            Root::Slot(s) => Some(s),
            _ => None,
        }
    }
}

/// The facts.
#[derive(Debug)]
pub(super) struct Memory {
    pub escape: Vec<Escape>,
}

impl Memory {
    /// Looks at a function.
    pub fn of(f: &Function) -> Memory {
        let mut m = Memory { escape: vec![Escape::No; f.slots.len()] };
        // Addresses that are moved by something unknown, or otherwise no longer plain.
        for b in &f.blocks {
            for i in &b.insts {
                let inst = &f.insts[i.index()];
                match &inst.op {
                    Op::Load { .. } | Op::InBounds { .. } => {}
                    Op::Store { value, .. } => m.raise(f, *value, Escape::Anybody),
                    Op::Atomic { value, .. } => m.raise(f, *value, Escape::Anybody),
                    Op::CmpXchg { expected, new, .. } => {
                        m.raise(f, *expected, Escape::Anybody);
                        m.raise(f, *new, Escape::Anybody);
                    }
                    Op::CoreLoad { base, .. } => m.raise(f, *base, Escape::Anybody),
                    Op::CoreStore { base, value, .. } => {
                        m.raise(f, *base, Escape::Anybody);
                        m.raise(f, *value, Escape::Anybody);
                    }
                    Op::MapLookup { key, .. } => m.raise(f, *key, Escape::Helpers),
                    Op::Call { callee, args } => {
                        let how = match callee {
                            Callee::Helper(_) => Escape::Helpers,
                            Callee::Function(_) | Callee::Kfunc(_) => Escape::Anybody,
                        };
                        args.iter().for_each(|a| m.raise(f, *a, how));
                    }
                    // Moved by a constant it is still plain.
                    Op::Bin(..) if inst.result.is_some_and(|r| slot_of(f, r).is_some()) => {}
                    op => op.for_each_operand(|v| m.raise(f, v, Escape::Anybody)),
                }
            }
            b.term.for_each_operand(|v| m.raise(f, v, Escape::Anybody));
        }
        m
    }

    fn raise(&mut self, f: &Function, v: Value, to: Escape) {
        if f.ty(v) == Ty::Ptr(Space::Stack)
            && let Some((slot, _)) = slot_of(f, v)
            && let Some(e) = self.escape.get_mut(slot.index())
        {
            *e = (*e).max(to);
        }
    }

    fn escape(&self, slot: Slot) -> Escape {
        self.escape.get(slot.index()).copied().unwrap_or(Escape::Anybody)
    }

    /// Whether two accesses may touch the same byte.
    pub fn may_overlap(&self, a: &Place, b: &Place) -> bool {
        if a.root == b.root {
            return a.off < b.off.saturating_add(i64::from(b.size)) && b.off < a.off.saturating_add(i64::from(a.size));
        }
        match (a.root, b.root) {
            (Root::Slot(_), Root::Slot(_)) | (Root::Sym(_), Root::Sym(_)) => false,
            (Root::Slot(s), _) => self.escape(s) == Escape::Anybody && may_be_stack(b.space),
            (_, Root::Slot(s)) => self.escape(s) == Escape::Anybody && may_be_stack(a.space),
            _ => match (a.space, b.space) {
                (Some(x), Some(y)) => x == y || anything(x) || anything(y),
                _ => true,
            },
        }
    }

    /// What a call or lookup does to the bytes.
    pub fn effect(&self, f: &Function, op: &Op, place: &Place) -> Effect {
        match op {
            Op::MapLookup { key, .. } => match place.slot() {
                Some(s) if slot_of(f, *key).is_some_and(|(k, _)| k == s) => Effect::Reads,
                // Looking up may move entries about, but not what is in them.
                _ => Effect::Nothing,
            },
            Op::Call { callee, args } => {
                let Some(s) = place.slot().filter(|s| self.escape(*s) != Escape::Anybody) else {
                    return Effect::Writes;
                };
                let mut effect = Effect::Nothing;
                for (n, a) in args.iter().enumerate() {
                    if slot_of(f, *a).is_some_and(|(at, _)| at == s) {
                        let reads = matches!(callee, Callee::Helper(id) if only_reads(*id, n));
                        effect = if reads && effect != Effect::Writes { Effect::Reads } else { Effect::Writes };
                    }
                }
                effect
            }
            _ => Effect::Nothing,
        }
    }
}

fn only_reads(helper: u32, arg: usize) -> bool {
    let kind = helpers::by_id(helper).and_then(|h| h.args.get(arg)).map(|a| a.kind);
    matches!(kind, Some(ArgKind::MapKey | ArgKind::MapValue | ArgKind::Mem(Access::Read, _) | ArgKind::ConstStr))
}

fn may_be_stack(space: Option<Space>) -> bool {
    space.is_none_or(|s| s == Space::Stack || anything(s))
}

/// Spaces that may be views of others.
fn anything(space: Space) -> bool {
    matches!(space, Space::Mem | Space::Other | Space::Btf)
}
