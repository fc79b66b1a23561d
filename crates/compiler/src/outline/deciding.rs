//! Which variables a function decides by: those are what the verifier follows value by value, wherever the test of them
//! stands. Invariant: a variable that another one is computed from counts when that one does.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::hir::{Expr, ExprKind, LocalId, Ty};

/// The variables that tests, addresses and calls depend on.
pub(super) fn deciding(body: &Expr) -> FxHashSet<LocalId> {
    let (mut out, mut from) = (FxHashSet::default(), FxHashMap::default());
    directly(body, false, &mut out);
    sources(body, &mut from);
    let mut next: Vec<LocalId> = out.iter().copied().collect();
    while let Some(l) = next.pop() {
        let more = from.get(&l).into_iter().flatten().copied();
        next.extend(more.filter(|m| out.insert(*m)));
    }
    out
}

/// Those that stand in a test, an address or a call themselves; `inside` one of these.
fn directly(e: &Expr, inside: bool, out: &mut FxHashSet<LocalId>) {
    match &e.kind {
        ExprKind::Local(l) if inside => {
            out.insert(*l);
        }
        ExprKind::If(c, a, b) => {
            directly(c, true, out);
            directly(a, inside, out);
            directly(b, inside, out);
            return;
        }
        ExprKind::While { test, body, .. } => {
            directly(test, true, out);
            directly(body, false, out);
            return;
        }
        ExprKind::For { count, body, .. } => {
            directly(count, true, out);
            directly(body, false, out);
            return;
        }
        _ => {}
    }
    let decides = matches!(
        e.kind,
        ExprKind::Cmp(..)
            | ExprKind::Helper { .. }
            | ExprKind::Kfunc { .. }
            | ExprKind::MapOp { .. }
            | ExprKind::Call { .. }
    ) || (matches!(e.kind, ExprKind::Bin(..)) && matches!(e.ty, Ty::Ptr(_)));
    e.each_child(&mut |c| directly(c, inside || decides, out));
}

/// What each assigned variable is computed from.
fn sources(e: &Expr, out: &mut FxHashMap<LocalId, FxHashSet<LocalId>>) {
    if let ExprKind::Set(l, value) = &e.kind {
        mentioned(value, out.entry(*l).or_default());
    }
    e.each_child(&mut |c| sources(c, out));
}

fn mentioned(e: &Expr, out: &mut FxHashSet<LocalId>) {
    if let ExprKind::Local(l) = &e.kind {
        out.insert(*l);
    }
    e.each_child(&mut |c| mentioned(c, out));
}
