//! Locks and regions: what must not be interrupted, and who may look meanwhile. `spin-lock` and the rest are called as
//! helpers and kernel functions; the forms here end what they begin on every path. What may happen inside is judged on
//! the whole function, by `check::regions`. Invariant: a form that begins a region ends it.

use super::{FormDef, MANY, form, kfuncs, refs};
use crate::check::{Call, Checker, Val, at, cmp};
use crate::diagnostics as diag;
use crate::hir::{At, CmpOp, Expr, ExprKind, LocalKind, Space, Ty};

pub(super) static FORMS: &[FormDef] = &[
    form(
        "with-spin-lock",
        (1, MANY),
        with_spin_lock,
        "(with-spin-lock (lock) form…)",
        "Forms while a bpf-spin-lock in a map's value is held; the value of the last.",
    ),
    form(
        "with-res-spin-lock",
        (1, MANY),
        with_res_spin_lock,
        "(with-res-spin-lock (lock) form…)",
        "The same with a bpf-res-spin-lock; 0 if the kernel refuses it, to avoid a deadlock.",
    ),
    form(
        "with-rcu",
        (0, MANY),
        |c, k| with_functions(c, k, "bpf_rcu_read_lock", "bpf_rcu_read_unlock"),
        "(with-rcu form…)",
        "Forms while what RCU protects stays.",
    ),
    form(
        "with-preempt-disabled",
        (0, MANY),
        |c, k| with_functions(c, k, "bpf_preempt_disable", "bpf_preempt_enable"),
        "(with-preempt-disabled form…)",
        "Forms while no other task gets this processor.",
    ),
    form(
        "with-irqs-disabled",
        (0, MANY),
        with_irqs_disabled,
        "(with-irqs-disabled form…)",
        "Forms while this processor takes no interrupts.",
    ),
];

/// The lock of a `with-…` form, evaluated once: what sets it up, and the pointer.
fn lock(c: &mut Checker<'_>, call: &Call<'_>) -> Option<(Option<Expr>, Val)> {
    let Some([pointer]) = call.args[0].as_list() else {
        c.malformed(&call.args[0], format!("written as ({} (pointer) form…)", call.name));
        return None;
    };
    let p = c.value(pointer);
    if p.never() {
        return None;
    }
    Some(c.once(p))
}

/// Where the operator of a form stands.
fn operator(call: &Call<'_>) -> At {
    call.form.as_list().and_then(|l| l.first()).map_or_else(|| call.at(), at)
}

fn with_spin_lock(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let Some((set, p)) = lock(c, call) else { return Val::error(call.at()) };
    let begin = super::calls::checked_helper(c, "spin_lock", vec![p.clone()], at(&call.args[0]));
    if begin.never() {
        return begin;
    }
    let end = super::calls::checked_helper(c, "spin_unlock", vec![p], call.at());
    let v = refs::region(c, call, begin.e, end.e, 1, call.want);
    c.seq(set.into_iter().collect(), v)
}

fn with_res_spin_lock(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let Some((set, p)) = lock(c, call) else { return Val::error(call.at()) };
    let (Some(take), Some(give)) =
        (whistler_isa::kfuncs::by_name("bpf_res_spin_lock"), whistler_isa::kfuncs::by_name("bpf_res_spin_unlock"))
    else {
        return Val::error(call.at());
    };
    let got = kfuncs::checked(c, take, vec![p.clone()], at(&call.args[0]));
    if got.never() {
        return got;
    }
    let end = kfuncs::checked(c, give, vec![p], call.at());
    let zero = Expr::new(ExprKind::Const(0), got.ty().clone(), call.at());
    let test = Val::of(cmp(CmpOp::Eq, got.e, zero, &call.at()));
    let nothing = Expr::new(ExprKind::Seq(Vec::new()), Ty::Void, call.at());
    let v = super::control::branch(
        c,
        test,
        call.want,
        call.at(),
        |c| refs::region(c, call, nothing, end.e, 1, call.want),
        |_| Val::literal(0, call.at()),
    );
    c.seq(set.into_iter().collect(), v)
}

fn with_functions(c: &mut Checker<'_>, call: &Call<'_>, begin: &str, end: &str) -> Val {
    let begin = kfuncs::call_named(c, begin, Vec::new(), Ty::Void, operator(call));
    let Some(begin) = begin else { return Val::error(call.at()) };
    let Some(end) = kfuncs::call_named(c, end, Vec::new(), Ty::Void, call.at()) else { return Val::error(call.at()) };
    refs::region(c, call, begin, end, 0, call.want)
}

fn with_irqs_disabled(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let state = c.temp(Ty::U64, LocalKind::Memory);
    let address = Expr::new(ExprKind::AddrOf(state), Ty::ptr(Space::Stack, Some(Ty::U64)), call.at());
    let begin = kfuncs::call_named(c, "bpf_local_irq_save", vec![address.clone()], Ty::Void, operator(call));
    let Some(begin) = begin else { return Val::error(call.at()) };
    let end = kfuncs::call_named(c, "bpf_local_irq_restore", vec![address], Ty::Void, call.at());
    match end {
        Some(end) => refs::region(c, call, begin, end, 0, call.want),
        None => Val::error(call.at()),
    }
}

/// What is wrong with a lock or region, as `check::regions` finds it.
pub(crate) fn misuse(c: &mut Checker<'_>, text: String, here: &At, also: Option<&At>, help: &str) {
    let mut d = diag::error(&diag::REGION, here, text);
    if let Some(at) = also {
        d = d.also(at.span, "it began here");
    }
    c.report(if help.is_empty() { d } else { d.help(help) });
}
