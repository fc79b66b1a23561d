//! What a loop carries from round to round, and how the verifier is made to forget it. Invariant: what is done before a
//! loop changes no value: an unknown number is made of 0.

use rustc_hash::{FxHashMap, FxHashSet};
use whistler_isa::{LoopWay, helpers};

use super::plan::{Planner, number, preceded, weight};
use crate::hir::{At, BinOp, CmpOp, Expr, ExprKind, IntTy, LocalId, Space, Ty};

const NUMA_NODE: u32 = 42;

/// Any odd number with many bits that an instruction holds: in a register of its own it would stay behind as a number
/// that the verifier of 6.18 follows round the loop and over calls, and then reports a bug of its own.
const ANY_ODD: i64 = -0x61c8_8647;

/// Instructions of a round from which on it matters less to forget a number in each than to verify the round once more.
const HEAVY: u64 = 100;

/// Which of the numbers that a loop carries.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Carried {
    /// All.
    All,
    /// Those that something is decided by.
    Decided,
}

impl Planner<'_> {
    /// Whether the program may call what makes a 0 that the verifier does not know.
    pub(super) fn opaque_zero(&self) -> bool {
        helpers::by_id(NUMA_NODE).is_some_and(|h| self.prog.is_none_or(|p| h.progs.contains(p)))
    }

    /// What is done before a loop or callback whose round is verified once: numbers that it carries from round to round
    /// are made unknown to the verifier. It would follow each of their values otherwise, one by one. Those that the round
    /// may come to know are made unknown in each, and so are all where a round is long.
    pub(super) fn blur(&mut self, e: &mut Expr, way: LoopWay, which: Carried) -> Vec<Expr> {
        let carried = self.carried(e, which);
        if !self.opaque_zero() || (carried.is_empty() && way != LoopWay::MayGoto) {
            return Vec::new();
        }
        let at = e.at.clone();
        // The node's number is not negative and far from 31 bits long. Multiplied it may be anything to the verifier.
        let node = Expr::new(ExprKind::Helper { id: NUMA_NODE, args: Vec::new() }, Ty::U64, at.clone());
        let high = ExprKind::Bin(BinOp::ShrU, Box::new(node), Box::new(number(31, &at)));
        let high = Expr::new(high, Ty::U64, at.clone());
        let (head, zero, more) = (self.local(Ty::U64), self.local(Ty::U64), self.local(Ty::U64));
        let set =
            |l: LocalId, ty: &Ty, value: Expr| Expr::new(ExprKind::Set(l, Box::new(value)), ty.clone(), at.clone());
        // Each zero by a number of its own: what comes of one the verifier would keep equal.
        let any = |n: usize| {
            let head = Box::new(Expr::new(ExprKind::Local(head), Ty::U64, at.clone()));
            let odd = Box::new(number(ANY_ODD - 2 * 97 * n as i64, &at));
            Expr::new(ExprKind::Bin(BinOp::Mul, head, odd), Ty::U64, at.clone())
        };
        let mut out = vec![set(head, &Ty::U64, high), set(zero, &Ty::U64, any(0)), set(more, &Ty::U64, any(1))];
        let callee = |f: usize| self.weights.get(f).copied().unwrap_or(0);
        let mut round = 0u64;
        e.each_child(&mut |c| round = round.saturating_add(weight(c, &callee)));
        let heavy = round > HEAVY;
        let mut again = Vec::new();
        for (n, place) in carried.into_iter().enumerate() {
            let plus = |nothing: Expr| {
                let old = place.read(&at);
                let (ty, sum) = (old.ty.clone(), ExprKind::Bin(BinOp::Add, Box::new(old), Box::new(nothing)));
                let sum = Expr::new(sum, Ty::U64, at.clone());
                place.written(Expr::new(ExprKind::Cast(Box::new(sum)), ty, at.clone()), &at)
            };
            let learnt = match &place {
                Place::Local(l, _) => super::any(e, &mut |e| equates(e, *l)),
                Place::Stack(..) => false,
            };
            if heavy || learnt {
                let kept = self.local(Ty::U64);
                out.push(set(kept, &Ty::U64, any(2 * n + 3)));
                again.push(plus(Expr::new(ExprKind::Local(kept), Ty::U64, at.clone())));
            }
            out.push(plus(any(2 * n + 2)));
        }
        match &mut e.kind {
            ExprKind::While { body, .. } | ExprKind::For { body, .. } => preceded(body, again),
            ExprKind::WithCallback { callback, .. } => preceded(&mut callback.body, again),
            _ => {}
        }
        if let ExprKind::While { plan, .. } | ExprKind::For { plan, .. } = &mut e.kind {
            (plan.zero, plan.more) = (Some(zero), Some(more));
        }
        out
    }

    /// Whether a loop is counted up to a variable that is also used elsewhere: where the loop ends, that is known, and
    /// another number at each end.
    fn counts_by_what_is_used(&self, e: &Expr) -> bool {
        let ExprKind::For { count, .. } = &e.kind else { return false };
        let mut mine = FxHashMap::default();
        super::closure::count(e, &mut mine);
        let used = |l: &LocalId| {
            let of = |counts: &FxHashMap<LocalId, u32>| counts.get(l).copied().unwrap_or(0);
            // Once it is set, once used.
            of(&self.mentions) >= of(&mine) + 2
        };
        super::any(count, &mut |e| matches!(&e.kind, ExprKind::Local(l) if used(l)))
    }

    /// The numbers that a loop or callback changes and that are also known around it.
    fn carried(&self, e: &Expr, which: Carried) -> Vec<Place> {
        let (mut assigned, mut mine) = (FxHashSet::default(), FxHashMap::default());
        super::closure::find_assigned(e, &mut assigned);
        super::closure::count(e, &mut mine);
        let known_around = |l: &LocalId| self.mentions.get(l) > mine.get(l);
        let mut locals: Vec<LocalId> = (assigned.iter().copied())
            .filter(|l| {
                let number = matches!(self.local_of(*l).ty, Ty::Int(_));
                number && (which == Carried::All || self.decides.contains(l)) && known_around(l)
            })
            .collect();
        locals.sort_unstable();
        let mut out: Vec<Place> = locals.into_iter().map(|l| Place::Local(l, self.local_of(l).ty.clone())).collect();
        if which == Carried::All {
            let (mut read, mut written) = (Vec::new(), Vec::new());
            on_the_stack(e, &mut read, &mut written);
            for (word, ptr, off) in written {
                let changed = read.iter().any(|r| word.overlaps(r));
                let seen = out.iter().any(|p| matches!(p, Place::Stack(w, ..) if *w == word));
                if changed && !seen && known_around(&word.of) && !assigned.contains(&word.of) {
                    out.push(Place::Stack(word, ptr, off));
                }
            }
        }
        out
    }

    /// Whether a loop's rounds may leave one of the numbers that it carries in different ways, or may end with different
    /// ones.
    pub(super) fn forks(&self, e: &Expr) -> bool {
        let branches = |body: &Expr| {
            super::any(body, &mut |e| {
                use ExprKind::{Bin, Break, If};
                let chosen = matches!(e.kind, Bin(BinOp::MinU | BinOp::MinS | BinOp::MaxU | BinOp::MaxS, ..));
                chosen || matches!(e.kind, If(..) | Break(..))
            })
        };
        let forks = match &e.kind {
            ExprKind::While { .. } => true,
            ExprKind::For { count, body, .. } => count.as_const().is_none() || branches(body),
            _ => false,
        };
        let which = if self.nested { Carried::All } else { Carried::Decided };
        forks && (self.counts_by_what_is_used(e) || !self.carried(e, which).is_empty())
    }
}

/// Bytes on the stack: of an object, or behind a pointer to one.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Word {
    of: LocalId,
    off: i64,
    ty: IntTy,
}

impl Word {
    fn overlaps(&self, other: &Word) -> bool {
        self.of == other.of
            && self.off < other.off + i64::from(other.ty.size)
            && other.off < self.off + i64::from(self.ty.size)
    }
}

/// Where a number is.
enum Place {
    Local(LocalId, Ty),
    /// On the stack, with the address as the program writes it.
    Stack(Word, Expr, i32),
}

impl Place {
    fn read(&self, at: &At) -> Expr {
        match self {
            Place::Local(l, ty) => Expr::new(ExprKind::Local(*l), ty.clone(), at.clone()),
            Place::Stack(word, ptr, off) => {
                let load = ExprKind::Load { ptr: Box::new(ptr.clone()), off: *off };
                Expr::new(load, Ty::Int(word.ty), at.clone())
            }
        }
    }

    fn written(&self, value: Expr, at: &At) -> Expr {
        match self {
            Place::Local(l, ty) => Expr::new(ExprKind::Set(*l, Box::new(value)), ty.clone(), at.clone()),
            Place::Stack(word, ptr, off) => {
                let mem = Ty::Int(word.ty);
                let store = ExprKind::Store { mem, ptr: Box::new(ptr.clone()), off: *off, value: Box::new(value) };
                Expr::new(store, Ty::Void, at.clone())
            }
        }
    }
}

/// Whether a variable is tested for being equal to something: the verifier knows it then, and what is counted from it.
fn equates(e: &Expr, l: LocalId) -> bool {
    let is = |e: &Expr| match &e.kind {
        ExprKind::Local(found) => *found == l,
        ExprKind::Cast(e) => matches!(e.kind, ExprKind::Local(found) if found == l),
        _ => false,
    };
    matches!(&e.kind, ExprKind::Cmp(CmpOp::Eq | CmpOp::Ne, a, b) if is(a) || is(b))
}

/// The word at an address, if that is a fixed one on the stack.
fn word(ptr: &Expr, off: i64, ty: IntTy) -> Option<Word> {
    match &ptr.kind {
        ExprKind::AddrOf(of) => Some(Word { of: *of, off, ty }),
        ExprKind::Local(of) if ptr.ty.as_ptr().is_some_and(|p| p.space == Space::Stack) => {
            Some(Word { of: *of, off, ty })
        }
        ExprKind::Bin(BinOp::Add, p, n) => word(p, off + n.as_const()?, ty),
        ExprKind::Cast(p) => word(p, off, ty),
        _ => None,
    }
}

/// The words on the stack that an expression reads, and those that it writes.
fn on_the_stack(e: &Expr, read: &mut Vec<Word>, written: &mut Vec<(Word, Expr, i32)>) {
    match &e.kind {
        ExprKind::Load { ptr, off } => {
            if let Ty::Int(ty) = e.ty {
                read.extend(word(ptr, i64::from(*off), ty));
            }
        }
        ExprKind::Store { mem: Ty::Int(ty), ptr, off, .. } => {
            written.extend(word(ptr, i64::from(*off), *ty).map(|w| (w, (**ptr).clone(), *off)));
        }
        ExprKind::Atomic { mem, ptr, off, .. } | ExprKind::CmpXchg { mem, ptr, off, .. } => {
            if let Some(w) = word(ptr, i64::from(*off), *mem) {
                read.push(w);
                written.push((w, (**ptr).clone(), *off));
            }
        }
        _ => {}
    }
    e.each_child(&mut |c| on_the_stack(c, read, written));
}
