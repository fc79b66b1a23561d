//! Loops. Invariant: a loop has a bound that the kernel takes, and what a round may change is not known at its head.

use rustc_hash::{FxHashMap, FxHashSet};
use whistler_diag::Diagnostic;
use whistler_lisp::{Form, Symbol};

use super::control::condition;
use super::{FormDef, MANY, form};
use crate::check::flow::Flow;
use crate::check::{Call, Checker, Val, Want, at};
use crate::diagnostics as diag;
use crate::hir::{At, Expr, ExprKind, LocalId, LocalKind, LoopPlan, Ty};

pub(super) static FORMS: &[FormDef] = &[
    form("dotimes", (1, MANY), dotimes, "(dotimes (i count [:max n]) form…)", "Forms with i = 0, 1, … below count."),
    form("while", (1, MANY), while_, "(while test [:max n] form…)", "Forms while the test is true."),
    form("loop", (0, MANY), loop_, "(loop :max n form…)", "Forms again and again, n times at most."),
];

/// Reads `:max n` at the head of a loop's body or binding.
fn max_option<'f>(c: &mut Checker<'_>, forms: &'f [Form]) -> (Option<u64>, &'f [Form]) {
    match forms {
        [key, n, rest @ ..] if key.as_keyword().is_some_and(|k| k.is("max")) => {
            let max = c.const_value(n, "the most rounds of a loop");
            match max {
                Some(m) if m >= 0 => (u64::try_from(m).ok(), rest),
                Some(_) => {
                    c.malformed(n, "the most rounds of a loop can't be negative");
                    (Some(0), rest)
                }
                None => (Some(1), rest),
            }
        }
        _ => (None, forms),
    }
}

/// Checks a loop's inside: what a round may change is not known at its head.
pub(super) fn round(c: &mut Checker<'_>, body: impl FnOnce(&mut Checker<'_>) -> (Expr, Expr)) -> (Expr, Expr, Flow) {
    let number = c.f.loops;
    let known = c.f.vars.len();
    c.f.loops += 1;
    let among = |c: &Checker<'_>, lesson: &FxHashMap<u32, FxHashSet<u32>>| -> Vec<LocalId> {
        let Some(ordinals) = lesson.get(&number) else { return Vec::new() };
        let locals = (0..c.f.vars.len() as u32).map(LocalId);
        locals.filter(|l| ordinals.contains(&c.f.vars[l.0 as usize].ordinal)).collect()
    };
    for l in among(c, &c.f.lessons.loop_forgets) {
        c.f.flow.forget_bounds(l);
    }
    for l in among(c, &c.f.lessons.loop_nulls) {
        c.f.flow.nonnull.retain(|p| *p != l);
    }
    if let Some(stale) = c.f.lessons.loop_stale.get(&number) {
        let locals = (0..c.f.vars.len() as u32).map(crate::hir::LocalId);
        let stale: Vec<_> = locals.filter(|l| stale.contains(&c.f.vars[l.0 as usize].ordinal)).collect();
        c.f.flow.stale.extend(stale);
    }
    let entry = c.f.flow.clone();
    c.f.rounds.push(c.f.cleanups.len());
    let (test, body) = body(c);
    c.f.rounds.pop();
    if body.ty != Ty::Never {
        let stale: Vec<_> = c.f.flow.stale.iter().copied().filter(|l| !entry.stale.contains(l)).collect();
        for l in stale.into_iter().filter(|l| (l.0 as usize) < known) {
            let ordinal = c.f.vars[l.0 as usize].ordinal;
            if ordinal != u32::MAX && c.f.lessons.loop_stale.entry(number).or_default().insert(ordinal) {
                c.f.again = true;
            }
        }
        let (unbounded, null): (Vec<_>, Vec<_>) =
            (entry.unbounded_in(&c.f.flow).collect(), entry.null_in(&c.f.flow).collect());
        for l in unbounded {
            let ordinal = c.f.vars[l.0 as usize].ordinal;
            if ordinal != u32::MAX && c.f.lessons.loop_forgets.entry(number).or_default().insert(ordinal) {
                c.f.again = true;
            }
        }
        for l in null {
            let ordinal = c.f.vars[l.0 as usize].ordinal;
            if ordinal != u32::MAX && c.f.lessons.loop_nulls.entry(number).or_default().insert(ordinal) {
                c.f.again = true;
            }
        }
        let left = c.f.flow.live.iter().find(|l| !entry.live.contains(l)).copied();
        if let Some(l) = left {
            super::ring::not_released(c, l, &body.at.clone());
        }
    }
    (test, body, entry)
}

fn dotimes(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let Some([var, count, options @ ..]) = call.args[0].as_list() else {
        return c.malformed(&call.args[0], "dotimes is written (dotimes (i count) form…)");
    };
    let Some(name) = var.as_symbol() else {
        let d = diag::error(&diag::MALFORMED, &at(var), "the counter of dotimes is a name, and comes first");
        return c.fail(d.help("written as (dotimes (i 10) form…)"));
    };
    let n = c.value(count);
    let n = c.number(n, "the count of dotimes");
    let (max, rest) = max_option(c, options);
    if n.never() {
        return n;
    }
    if let Some(extra) = rest.get(1) {
        return c.malformed(extra, "dotimes takes a variable, a count and :max n");
    }
    if n.int().is_some_and(|i| i.signed) && n.as_lit().is_none_or(|x| x < 0) && max.is_none() {
        return c.fail(
            diag::error(&diag::NOT_CONSTANT, &at(count), "the count of dotimes must be a constant, or have a :max")
                .help("write (dotimes (i n :max 128) …) with the most it can be"),
        );
    }
    let bound = match (n.as_lit(), max) {
        (Some(k), _) => u64::try_from(k).unwrap_or(0),
        (None, Some(m)) => m,
        // What is known of the value bounds it, too.
        (None, None) if n.lo == n.hi && n.lo >= 0 && n.hi < 1 << 23 => n.hi as u64,
        (None, None) => {
            return c.fail(
                diag::error(&diag::NOT_CONSTANT, &at(count), "the count of dotimes must be a constant, or have a :max")
                    .label("known only at run time")
                    .help("write (dotimes (i n :max 128) …) with the most it can be"),
            );
        }
    };
    if bound > most_rounds(c) {
        return c.fail(too_many_rounds(c, bound, at(count)));
    }
    // A signed count below 0 means no round; as unsigned it would be the most.
    let negative = n.int().is_some_and(|i| i.signed) && n.lo < 0 && n.as_lit().is_none();
    let mut parts = Vec::new();
    let count_expr = if negative {
        let (setup, n) = c.once(n);
        parts.extend(setup);
        let zero = Expr::new(ExprKind::Const(0), n.ty().clone(), call.at());
        Expr::new(ExprKind::Bin(crate::hir::BinOp::MaxS, Box::new(n.e), Box::new(zero)), Ty::I64, call.at())
    } else if n.as_lit().is_some_and(|k| k < 0) {
        Expr::new(ExprKind::Const(0), Ty::U64, call.at())
    } else {
        n.e.clone()
    };
    let count_expr = Expr { ty: Ty::U64, ..Expr::new(ExprKind::Cast(Box::new(count_expr)), Ty::U64, call.at()) };
    let count_expr = match count_expr.kind {
        ExprKind::Cast(e) if e.as_const().is_some() => Expr { ty: Ty::U64, ..*e },
        kind => Expr { kind, ..count_expr },
    };
    let (label, next) = (c.label(), c.label());
    let mark = c.f.scope.len();
    let counter = c.f.local("", Ty::U64, LocalKind::Value, var.span);
    let most = i128::from(bound.saturating_sub(1));
    c.f.var(counter).range = (0, most);
    let (_, body, entry) = round(c, |c| {
        let start = Val::new(ExprKind::Local(counter), Ty::U64, at(var)).within(0, most);
        let (_, set) = c.bind(name, None, start, var, &[&call.args[1..]]);
        if let Some(b) = c.f.scope.last_mut() {
            b.used = true;
        }
        let v = c.body(&call.args[1..], Want::Effect, call.at());
        let test = Expr::new(ExprKind::Const(1), Ty::Bool, call.at());
        let body = c.seq(vec![set], v).e;
        (test, body)
    });
    c.unbind(mark);
    c.f.flow = entry;
    let (count, body) = (Box::new(count_expr), Box::new(body));
    let kind = ExprKind::For { label, next, var: counter, count, max, body, plan: LoopPlan::new(bound) };
    let out = Expr::new(kind, Ty::Void, call.at());
    parts.push(out);
    c.seq(parts, Val::literal(0, call.at()))
}

fn while_(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let (max, body) = max_option(c, &call.args[1..]);
    let bound = max.or_else(|| counts_up(c, &call.args[0], body));
    if bound.is_none() {
        c.report(
            diag::error(&diag::UNBOUNDED_LOOP, &call.at(), "nothing here shows that the loop ends")
                .help("give the most rounds: (while test :max 1000 …); or count in it: (while (< i 32) … (incf i))"),
        );
    }
    endless(c, call, Some(&call.args[0]), max, bound.unwrap_or(0), body)
}

fn loop_(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let (max, body) = max_option(c, call.args);
    if max.is_none() {
        let clauses = call.args.first().is_some_and(|f| f.as_symbol().is_some());
        let help = if clauses {
            "the clauses of the host's loop are not for programs: use dotimes or while"
        } else {
            "give the most rounds: (loop :max 1000 …)"
        };
        c.report(diag::error(&diag::UNBOUNDED_LOOP, &call.at(), "nothing here shows that the loop ends").help(help));
        if clauses {
            return Val::error(call.at());
        }
    }
    endless(c, call, None, max, max.unwrap_or(0), body)
}

/// The verifier follows a loop round by round and gives up after 1,000,000 instructions; a round takes two at least.
const FOLLOWED_ROUNDS: u64 = 500_000;

/// The most rounds that some way of making a loop takes on the target.
fn most_rounds(c: &Checker<'_>) -> u64 {
    let once = c.target.has(whistler_isa::LoopWay::Helper.since());
    if once { crate::outline::MAX_LOOPS } else { FOLLOWED_ROUNDS }
}

fn too_many_rounds(c: &Checker<'_>, bound: u64, at: At) -> Diagnostic {
    let most = most_rounds(c);
    let why = if most == FOLLOWED_ROUNDS {
        "its verifier looks at 1,000,000 instructions of a program at most, each round counted"
    } else {
        "`bpf_loop` and the kernel's iterators make so many rounds at most"
    };
    diag::error(&diag::UNBOUNDED_LOOP, &at, format!("a loop of {bound} rounds; the kernel takes {most} at most"))
        .note(why)
        .help("take fewer rounds, or go on where the last run stopped, with a counter in a map")
}

fn endless(
    c: &mut Checker<'_>,
    call: &Call<'_>,
    test: Option<&Form>,
    max: Option<u64>,
    bound: u64,
    body: &[Form],
) -> Val {
    if let Some(n) = max.filter(|n| *n > most_rounds(c)) {
        return c.fail(too_many_rounds(c, n, call.at()));
    }
    let (label, next) = (c.label(), c.label());
    let mut after = None;
    let (test, body, _) = round(c, |c| {
        let test = match test {
            Some(f) => super::control::tested(c, f),
            None => Val::constant(1, Ty::Bool, call.at()),
        };
        let facts = test.facts.clone().unwrap_or_default();
        let test = condition(c, test);
        let mut exit = c.f.flow.clone();
        exit.learn(&facts.no);
        after = Some(exit);
        c.f.flow.learn(&facts.yes);
        let v = c.body(body, Want::Effect, call.at());
        (test, v.e)
    });
    let mut flow = after.unwrap_or_default();
    if max.is_some() {
        // The loop may also end by its limit, where the test told nothing.
        flow.nonnull.retain(|p| c.f.flow.nonnull.contains(p));
    }
    c.f.flow = flow;
    if call.form.origin.is_none()
        && let Some(asked) = unchanging(&test, &body)
    {
        let name = c.f.locals[asked.0 as usize].name.clone();
        let text = format!("nothing in the loop changes `{name}`, so its test stays as it is");
        let d = diag::warning(&diag::UNCHANGING_TEST, &test.at, text);
        c.report(d.help(format!("step it in the loop: (incf {name})")));
    }
    let (test, body) = (Box::new(test), Box::new(body));
    let kind = ExprKind::While { label, next, test, body, max, plan: LoopPlan::new(bound) };
    let out = Expr::new(kind, Ty::Void, call.at());
    c.seq(vec![out], Val::literal(0, call.at()))
}

/// The variable that a test asks, if it asks nothing but variables, and the loop changes none and is not left.
fn unchanging(test: &Expr, body: &Expr) -> Option<LocalId> {
    let mut asked = Vec::new();
    if !plain(test, &mut asked) || changes(body, &asked) || changes(test, &asked) {
        return None;
    }
    asked.first().copied()
}

/// Whether an expression is made of variables and numbers alone; these variables.
fn plain(e: &Expr, asked: &mut Vec<LocalId>) -> bool {
    use ExprKind::{Bin, Cast, Cmp, Const, If, Local, Un};
    if let Local(l) = &e.kind {
        asked.push(*l);
    }
    let mut all = matches!(e.kind, Local(_) | Const(_) | Cast(_) | Bin(..) | Un(..) | Cmp(..) | If(..));
    e.each_child(&mut |c| all = all && plain(c, asked));
    all
}

/// Whether an expression assigns one of these, or leaves what it stands in.
fn changes(e: &Expr, these: &[LocalId]) -> bool {
    let mut found = match &e.kind {
        ExprKind::Set(l, _) | ExprKind::AddrOf(l) => these.contains(l),
        ExprKind::Break(..) | ExprKind::Return(_) => true,
        _ => false,
    };
    e.each_child(&mut |c| found = found || changes(c, these));
    found
}

/// The most rounds of `(while (< i CONSTANT) … (incf i [positive]) …)`, with no other assignment of an unsigned `i`.
fn counts_up(c: &mut Checker<'_>, test: &Form, body: &[Form]) -> Option<u64> {
    let [op, var, limit] = test.as_list()? else { return None };
    let (op, var) = (op.as_symbol()?, var.as_symbol()?);
    if !(op.is("<") || op.is("<=")) {
        return None;
    }
    let i = c.binding(var)?;
    let local = c.f.scope[i].local;
    let unsigned = c.f.var(local).ty.as_int().is_some_and(|i| !i.signed);
    let limit = match limit.as_int() {
        Some(n) => n,
        None => c.constant(limit.as_symbol()?)?,
    };
    let limit = u64::try_from(limit).ok().filter(|n| *n < 1 << 23)?;
    let steps = body
        .iter()
        .filter(|f| {
            let Some([head, v, step @ ..]) = f.as_list() else { return false };
            head.as_symbol().is_some_and(|h| h.is("incf"))
                && v.as_symbol().is_some_and(|v| v.same_folded(var))
                && step.first().is_none_or(|s| s.as_int().is_some_and(|n| n > 0))
        })
        .count();
    (unsigned && steps == 1 && assignments(body, var) == 1).then_some(limit + 1)
}

fn assignments(body: &[Form], var: Symbol) -> usize {
    body.iter()
        .map(|f| {
            let Some(items) = f.as_list() else { return 0 };
            // Each second argument of setf is a place, of incf and decf only the first one.
            let places = match items.first().and_then(Form::as_symbol) {
                Some(h) if h.is("incf") || h.is("decf") => 1,
                Some(h) if h.is("setf") || h.is("setq") || h.is("psetf") => items.len(),
                _ => 0,
            };
            let here = items[1.min(items.len())..]
                .iter()
                .step_by(2)
                .take(places)
                .any(|p| p.as_symbol().is_some_and(|s| s.same_folded(var)));
            usize::from(here) + assignments(items, var)
        })
        .sum()
}
