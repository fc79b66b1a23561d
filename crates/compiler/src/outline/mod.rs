//! From what stands inside of a function to functions of its own: callbacks, and the rounds of loops that are made
//! with `bpf_loop`. Invariant: what comes out does what went in, and has no [`ExprKind::WithCallback`] and no
//! `LoopWay::Auto` left, so that lowering decides nothing.

mod carried;
mod closure;
mod deciding;
mod plan;

use std::borrow::Cow;

pub(crate) use plan::MAX_LOOPS;

use whistler_isa::Target;

use crate::hir::{Expr, ExprKind, Unit};

/// The unit with every loop's way chosen and every callback a function.
pub(crate) fn outlined<'u>(unit: &'u Unit, target: &Target) -> Cow<'u, Unit> {
    if !unit.functions.iter().any(|f| wants_work(&f.body)) {
        return Cow::Borrowed(unit);
    }
    let mut unit = unit.clone();
    plan::choose(&mut unit, target);
    // Functions that are made stand behind those there are, and may have callbacks of their own.
    let mut next = 0;
    while next < unit.functions.len() {
        closure::convert(&mut unit, next);
        next += 1;
    }
    Cow::Owned(unit)
}

fn wants_work(e: &Expr) -> bool {
    if matches!(&e.kind, ExprKind::WithCallback { .. } | ExprKind::While { .. } | ExprKind::For { .. }) {
        return true;
    }
    let mut found = false;
    e.each_child(&mut |c| found = found || wants_work(c));
    found
}

/// The releases among what a `Break` or `Return` yields, taken out of it.
fn releases(value: &mut Expr) -> Vec<Expr> {
    let ExprKind::Seq(parts) = &mut value.kind else { return Vec::new() };
    let (out, rest) = std::mem::take(parts).into_iter().partition(|p| matches!(p.kind, ExprKind::OnLeaving { .. }));
    *parts = rest;
    out
}

/// Whether any part of an expression is as asked.
fn any(e: &Expr, test: &mut dyn FnMut(&Expr) -> bool) -> bool {
    if test(e) {
        return true;
    }
    let mut found = false;
    e.each_child(&mut |c| found = found || any(c, test));
    found
}
