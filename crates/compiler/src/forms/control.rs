//! Sequence, branches, blocks, loops.

use rustc_hash::{FxHashMap, FxHashSet};
use whistler_diag::Diagnostic;
use whistler_lisp::{Form, Symbol};

use super::binding::{bind, spec};
use super::{FormDef, MANY, form};
use crate::check::flow::Flow;
use crate::check::{BlockFrame, Call, Checker, DEPTH_LIMIT, Fact, Facts, Val, Want, at};
use crate::diagnostics as diag;
use crate::hir::{At, CmpOp, Expr, ExprKind, LocalId, LocalKind, LoopPlan, Space, Ty};

pub(super) static FORMS: &[FormDef] = &[
    form("progn", (0, MANY), progn, "(progn form…)", "Forms in order; the last one's value."),
    form("prog1", (1, MANY), prog1, "(prog1 value form…)", "The first value, after the other forms."),
    form("if", (2, 3), if_, "(if test then [else])", "One of two, by a test."),
    form("when", (1, MANY), when, "(when test form…)", "Forms if the test is true; else 0."),
    form("unless", (1, MANY), unless, "(unless test form…)", "Forms if the test is false; else 0."),
    form("cond", (0, MANY), cond, "(cond (test form…)…)", "The forms of the first clause whose test is true."),
    form("case", (1, MANY), case, "(case key (constant form…)… (t form…))", "The clause of a constant."),
    form("and", (0, MANY), and, "(and form…)", "The last value if all are true, else 0."),
    form("or", (0, MANY), or, "(or form…)", "The first true value, else 0."),
    form("not", (1, 1), not, "(not x)", "1 if x is 0 or null, else 0."),
    form("null", (1, 1), not, "(null x)", "1 if x is 0 or null, else 0."),
    form(
        "when-let",
        (1, MANY),
        when_let,
        "(when-let ((v [TYPE] init)…) form…)",
        "Binds; forms if all values are true.",
    ),
    form(
        "when-let*",
        (1, MANY),
        when_let,
        "(when-let* ((v [TYPE] init)…) form…)",
        "Binds; forms if all values are true.",
    ),
    form("if-let", (2, 3), if_let, "(if-let (v [TYPE] init) then [else])", "Binds; one of two, by the value."),
    form("return", (0, 1), return_, "(return [value])", "Leaves the program or subprogram."),
    form("block", (1, MANY), block, "(block name form…)", "Forms that `return-from` can leave."),
    form("return-from", (1, 2), return_from, "(return-from name [value])", "Leaves a block with a value."),
    form("dotimes", (1, MANY), dotimes, "(dotimes (i count [:max n]) form…)", "Forms with i = 0, 1, … below count."),
    form("while", (1, MANY), while_, "(while test [:max n] form…)", "Forms while the test is true."),
    form("loop", (0, MANY), loop_, "(loop :max n form…)", "Forms again and again, n times at most."),
];

fn progn(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    c.body(call.args, call.want, call.at())
}

fn prog1(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let v = c.value(&call.args[0]);
    if v.ty() == &Ty::Void || v.never() {
        let rest = c.body(&call.args[1..], Want::Effect, call.at());
        return c.seq(vec![v.e], rest);
    }
    let id = c.temp(v.ty().clone(), LocalKind::Value);
    let (lo, hi, ty) = (v.lo, v.hi, v.ty().clone());
    let set = Expr::new(ExprKind::Set(id, Box::new(v.e)), ty.clone(), call.at());
    let rest = c.body(&call.args[1..], Want::Effect, call.at());
    let never = rest.never();
    let mut v = c.seq(vec![set, rest.e], Val::new(ExprKind::Local(id), ty, call.at()).within(lo, hi));
    if never {
        v.e.ty = Ty::Never;
    }
    v
}

/// The condition of a branch: a scalar, tested for not zero.
fn condition(c: &mut Checker<'_>, v: Val) -> Expr {
    match v.ty() {
        Ty::Void => c.truth(v),
        Ty::Struct(_) | Ty::Array(..) | Ty::Kernel(_) | Ty::Map(_) => Val::error(v.at().clone()).e,
        Ty::Never | Ty::Int(_) | Ty::Bool | Ty::Char | Ty::Enum(_) | Ty::Ptr(_) => v.e,
    }
}

/// A branch; each arm is checked with what the test tells.
pub(crate) fn branch(
    c: &mut Checker<'_>,
    test: Val,
    want: Want,
    here: At,
    then: impl FnOnce(&mut Checker<'_>) -> Val,
    els: impl FnOnce(&mut Checker<'_>) -> Val,
) -> Val {
    let facts = test.facts.clone().unwrap_or_default();
    let test_never = test.never() && !matches!(test.e.kind, ExprKind::Const(_));
    let test = condition(c, test);
    let before = c.f.flow.clone();
    c.f.flow.learn(&facts.yes);
    let mut a = then(c);
    let mut flow_a = std::mem::replace(&mut c.f.flow, before);
    c.f.flow.learn(&facts.no);
    let mut b = els(c);
    let mut flow_b = std::mem::take(&mut c.f.flow);
    if !a.never() && !b.never() {
        super::ring::settle(c, &mut a, &mut flow_a, &flow_b);
        super::ring::settle(c, &mut b, &mut flow_b, &flow_a);
    }
    let ty = match want {
        Want::Effect if a.never() && b.never() => Ty::Never,
        Want::Effect => Ty::Void,
        Want::Test | Want::Value => c.meet(&a, &b),
    };
    let (with_a, with_b) = ((&a, &flow_a), (&b, &flow_b));
    let or_null = packet_or_null(c, with_a, with_b).or_else(|| packet_or_null(c, with_b, with_a));
    c.f.flow = match (a.never(), b.never()) {
        (true, false) => flow_b,
        (false, true) => flow_a,
        _ => flow_a.meet(&flow_b),
    };
    let range = match (a.never(), b.never()) {
        (true, false) => (b.lo, b.hi),
        (false, true) => (a.lo, a.hi),
        _ => (a.lo.min(b.lo), a.hi.max(b.hi)),
    };
    let base = if a.base == b.base { a.base } else { None };
    let (a, b) = (c.join_arm(a, &ty), c.join_arm(b, &ty));
    let mut v = Val::new(ExprKind::If(Box::new(test), Box::new(a), Box::new(b)), ty, here).within(range.0, range.1);
    v.base = base;
    if let Some((base, facts)) = or_null {
        v.base = Some(base);
        v = v.telling(facts, Vec::new());
    }
    if test_never {
        v.e.ty = Ty::Never;
    }
    v
}

/// What a packet pointer tells that is null instead when a test fails, as `parse-tcp` makes one: where it points,
/// and, once it is seen not to be null, all that was known where it was made.
fn packet_or_null(c: &Checker<'_>, made: (&Val, &Flow), other: (&Val, &Flow)) -> Option<((LocalId, i64), Vec<Fact>)> {
    let ((p, flow), (zero, without)) = (made, other);
    if !zero.is_zero() || p.ty().as_ptr().is_none_or(|p| p.space != Space::Packet) {
        return None;
    }
    let base = p.base.or_else(|| c.packet_base(&p.e))?;
    let covers = flow.covers.iter().filter(|f| !without.covers.contains(f));
    Some((base, covers.map(|(l, n)| Fact::Covers(*l, *n)).collect()))
}

fn if_(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let test = c.expr(&call.args[0], Want::Test);
    let (want, here) = (call.want, call.at());
    branch(
        c,
        test,
        want,
        here.clone(),
        |c| c.expr(&call.args[1], want),
        |c| match call.args.get(2) {
            Some(f) => c.expr(f, want),
            None => Val::literal(0, here),
        },
    )
}

fn when(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let test = c.expr(&call.args[0], Want::Test);
    branch(
        c,
        test,
        call.want,
        call.at(),
        |c| c.body(&call.args[1..], call.want, call.at()),
        |_| Val::literal(0, call.at()),
    )
}

fn unless(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let test = c.expr(&call.args[0], Want::Test);
    branch(
        c,
        test,
        call.want,
        call.at(),
        |_| Val::literal(0, call.at()),
        |c| c.body(&call.args[1..], call.want, call.at()),
    )
}

/// Runs `f` one level deeper, unless that is too deep.
fn deeper(c: &mut Checker<'_>, form: &Form, f: impl FnOnce(&mut Checker<'_>) -> Val) -> Val {
    if c.depth >= DEPTH_LIMIT {
        return c.fail(diag::error(&diag::TOO_DEEP, &at(form), "there are too many clauses here"));
    }
    c.depth += 1;
    let v = f(c);
    c.depth -= 1;
    v
}

fn cond(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    clauses(c, call.form, call.args, call.want)
}

fn clauses(c: &mut Checker<'_>, form: &Form, rest: &[Form], want: Want) -> Val {
    let Some((clause, rest)) = rest.split_first() else { return Val::literal(0, at(form)) };
    let Some([test, body @ ..]) = clause.as_list() else {
        return c.malformed(clause, "a clause of cond is written (test form…)");
    };
    let always = test.as_symbol().is_some_and(|s| s.is("t") || s.is("otherwise"));
    if always && c.binding(test.as_symbol().unwrap_or(Symbol::T)).is_none() {
        if let Some(next) = rest.first() {
            c.unreachable(next, clause);
        }
        return if body.is_empty() { Val::literal(1, at(clause)) } else { c.body(body, want, at(clause)) };
    }
    if body.is_empty() {
        return either(c, test, want, at(clause), |c| deeper(c, form, |c| clauses(c, form, rest, want)));
    }
    let test = c.expr(test, Want::Test);
    branch(
        c,
        test,
        want,
        at(clause),
        |c| c.body(body, want, at(clause)),
        |c| deeper(c, form, |c| clauses(c, form, rest, want)),
    )
}

/// The first value if it is true, else the second.
fn either(
    c: &mut Checker<'_>,
    first: &Form,
    want: Want,
    here: At,
    second: impl FnOnce(&mut Checker<'_>) -> Val,
) -> Val {
    if want != Want::Value {
        let test = c.expr(first, Want::Test);
        return branch(
            c,
            test,
            want,
            here.clone(),
            |_| Val::constant(1, Ty::Bool, here),
            |c| {
                let v = second(c);
                if want == Want::Test { as_bool(c, v) } else { v }
            },
        );
    }
    let v = c.expr(first, Want::Value);
    if v.ty() == &Ty::Void || v.never() {
        let rest = second(c);
        return c.seq(vec![v.e], rest);
    }
    let (setup, v) = c.once(v);
    let facts = v.facts.clone();
    let mut test = v.clone();
    test.facts = facts;
    let out = branch(
        c,
        test,
        want,
        here,
        |_| {
            let mut v = v;
            if let Ty::Ptr(p) = &mut v.e.ty {
                p.nullable = false;
            }
            v
        },
        second,
    );
    c.seq(setup.into_iter().collect(), out)
}

/// A value reduced to 0 or 1, keeping what it tells.
fn as_bool(c: &mut Checker<'_>, v: Val) -> Val {
    if v.never() || v.ty() == &Ty::Bool {
        return v;
    }
    let facts = v.facts.clone();
    let mut b = Val::of(c.truth(v));
    b.facts = facts;
    b
}

fn common(a: &[Fact], b: &[Fact]) -> Vec<Fact> {
    a.iter()
        .filter_map(|x| match x {
            Fact::Covers(l, n) => b.iter().find_map(|y| match y {
                Fact::Covers(m, k) if l == m => Some(Fact::Covers(*l, *n.min(k))),
                _ => None,
            }),
            _ => b.contains(x).then_some(*x),
        })
        .collect()
}

fn joined(a: &[Fact], b: &[Fact]) -> Vec<Fact> {
    a.iter().chain(b).copied().collect()
}

fn and(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    and_forms(c, call.form, call.args, call.want)
}

fn and_forms(c: &mut Checker<'_>, form: &Form, forms: &[Form], want: Want) -> Val {
    match forms {
        [] => Val::literal(1, at(form)),
        [last] => {
            let v = c.expr(last, want);
            if want == Want::Test { as_bool(c, v) } else { v }
        }
        [first, rest @ ..] => {
            let test = c.expr(first, Want::Test);
            let first_facts = test.facts.clone().unwrap_or_default();
            let mut rest_facts = Facts::default();
            let zero_at = at(form);
            let v = branch(
                c,
                test,
                want,
                at(form),
                |c| {
                    let v = deeper(c, form, |c| and_forms(c, form, rest, want));
                    rest_facts = v.facts.as_deref().cloned().unwrap_or_default();
                    v
                },
                |_| if want == Want::Test { Val::constant(0, Ty::Bool, zero_at) } else { Val::literal(0, zero_at) },
            );
            v.telling(joined(&first_facts.yes, &rest_facts.yes), common(&first_facts.no, &rest_facts.no))
        }
    }
}

fn or(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    or_forms(c, call.form, call.args, call.want)
}

fn or_forms(c: &mut Checker<'_>, form: &Form, forms: &[Form], want: Want) -> Val {
    match forms {
        [] => Val::literal(0, at(form)),
        [last] => {
            let v = c.expr(last, want);
            if want == Want::Test { as_bool(c, v) } else { v }
        }
        [first, rest @ ..] if want == Want::Test => {
            let test = c.expr(first, Want::Test);
            let first_facts = test.facts.clone().unwrap_or_default();
            let mut rest_facts = Facts::default();
            let one_at = at(form);
            let v = branch(
                c,
                test,
                want,
                at(form),
                |_| Val::constant(1, Ty::Bool, one_at),
                |c| {
                    let v = deeper(c, form, |c| or_forms(c, form, rest, want));
                    rest_facts = v.facts.as_deref().cloned().unwrap_or_default();
                    v
                },
            );
            v.telling(common(&first_facts.yes, &rest_facts.yes), joined(&first_facts.no, &rest_facts.no))
        }
        [first, rest @ ..] => either(c, first, want, at(form), |c| deeper(c, form, |c| or_forms(c, form, rest, want))),
    }
}

fn not(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let v = c.expr(&call.args[0], Want::Test);
    if v.never() {
        return v;
    }
    if let Some(n) = v.as_lit() {
        return Val::literal(i128::from(n == 0), call.at());
    }
    let facts = v.facts.clone().unwrap_or_default();
    let v = if v.ty() == &Ty::Void { Val::of(c.truth(v)) } else { v };
    let zero = Expr::new(ExprKind::Const(0), v.ty().clone(), call.at());
    Val::new(ExprKind::Cmp(CmpOp::Eq, Box::new(v.e), Box::new(zero)), Ty::Bool, call.at()).telling(facts.no, facts.yes)
}

fn when_let(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let Some(bindings) = call.args[0].as_list() else {
        return c.malformed(&call.args[0], "the variables are written as a list: ((variable value) …)");
    };
    // `(when-let (v init) …)` is taken as one binding.
    let single = bindings.first().is_some_and(|b| b.as_symbol().is_some()) && matches!(bindings.len(), 2 | 3);
    let list = if single { std::slice::from_ref(&call.args[0]) } else { bindings };
    bound(c, call, list, &call.args[1..])
}

fn bound(c: &mut Checker<'_>, call: &Call<'_>, bindings: &[Form], body: &[Form]) -> Val {
    let Some((first, rest)) = bindings.split_first() else {
        let (_, body) = c.declarations(body);
        return c.body(body, call.want, call.at());
    };
    let mark = c.f.scope.len();
    let Some((set, test)) = bind_test(c, first, body) else { return Val::error(call.at()) };
    let v = branch(
        c,
        test,
        call.want,
        call.at(),
        |c| deeper(c, call.form, |c| bound(c, call, rest, body)),
        |_| Val::literal(0, call.at()),
    );
    c.unbind(mark);
    c.seq(vec![set], v)
}

/// Binds one variable of `when-let` or `if-let`; yields what sets it and its test.
fn bind_test(c: &mut Checker<'_>, form: &Form, body: &[Form]) -> Option<(Expr, Val)> {
    let s = spec(c, form)?;
    let (declared, _) = c.declarations(body);
    let value = match s.init {
        Some(f) => c.value(f),
        None => Val::literal(0, at(form)),
    };
    let ty = match s.ty {
        Some(t) => c.type_of(t),
        None => declared.into_iter().find(|(n, _)| n.same_folded(s.name)).map(|(_, t)| t),
    };
    let set = bind(c, &s, ty, value, &[body]);
    let local = c.f.scope.last()?.local;
    let test = c.read_local(local, at(form));
    Some((set, test))
}

fn if_let(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let binding = &call.args[0];
    // `(if-let ((v init)) …)` is taken as well.
    let binding = match binding.as_list() {
        Some([only]) if only.as_list().is_some_and(|l| !l.is_empty()) => only,
        _ => binding,
    };
    let mark = c.f.scope.len();
    let Some((set, test)) = bind_test(c, binding, &call.args[1..2]) else { return Val::error(call.at()) };
    let (want, here) = (call.want, call.at());
    let v = branch(
        c,
        test,
        want,
        here.clone(),
        |c| {
            let v = c.expr(&call.args[1], want);
            c.unbind(mark);
            v
        },
        |c| match call.args.get(2) {
            Some(f) => c.expr(f, want),
            None => Val::literal(0, here),
        },
    );
    c.seq(vec![set], v)
}

fn case(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let key = c.value(&call.args[0]);
    let key = c.number(key, "case");
    if key.never() {
        return key;
    }
    let (setup, key) = c.once(key);
    let v = case_clauses(c, call, &key, &call.args[1..]);
    c.seq(setup.into_iter().collect(), v)
}

fn case_clauses(c: &mut Checker<'_>, call: &Call<'_>, key: &Val, rest: &[Form]) -> Val {
    let Some((clause, rest)) = rest.split_first() else { return Val::literal(0, call.at()) };
    let Some([keys, body @ ..]) = clause.as_list() else {
        return c.malformed(clause, "a clause of case is written (constant form…) or ((constant…) form…)");
    };
    if keys.as_symbol().is_some_and(|s| s.is("t") || s.is("otherwise")) {
        if let Some(next) = rest.first() {
            c.unreachable(next, clause);
        }
        return c.body(body, call.want, at(clause));
    }
    let list = match keys.as_list() {
        Some(l) => l,
        None => std::slice::from_ref(keys),
    };
    let mut test: Option<Expr> = None;
    for k in list {
        let key_type = key.ty().clone();
        let Some(n) = c.const_value_for(k, Some(&key_type), "a key of case") else { continue };
        let same = super::compare::equal(c, key.clone(), Val::literal(n, at(k)), at(k)).e;
        test = Some(match test {
            None => same,
            Some(t) => {
                let one = Expr::new(ExprKind::Const(1), Ty::Bool, at(k));
                Expr::new(ExprKind::If(Box::new(t), Box::new(one), Box::new(same)), Ty::Bool, at(clause))
            }
        });
    }
    let test = test.map_or_else(|| Val::constant(0, Ty::Bool, at(clause)), Val::of);
    branch(
        c,
        test,
        call.want,
        at(clause),
        |c| c.body(body, call.want, at(clause)),
        |c| deeper(c, call.form, |c| case_clauses(c, call, key, rest)),
    )
}

fn return_(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let v = match call.args.first() {
        Some(f) => {
            let ret = c.f.ret.clone();
            c.value_for(f, ret.as_ref())
        }
        None => Val::literal(0, call.at()),
    };
    c.leave_function(v, call.at())
}

fn block(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let Some(name) = call.args[0].as_symbol() else {
        return c.malformed(&call.args[0], "a block's name is a symbol");
    };
    let number = c.f.block_count;
    c.f.block_count += 1;
    let ty = c.f.lessons.blocks.get(&number).cloned();
    let label = c.label();
    let cleanups = c.f.cleanups.len();
    c.f.blocks.push(BlockFrame {
        name: Some(name),
        label,
        values: Vec::new(),
        flows: Vec::new(),
        ty: ty.clone(),
        cleanups,
    });
    let v = c.body(&call.args[1..], call.want, call.at());
    let Some(frame) = c.f.blocks.pop() else { return v };
    if frame.values.is_empty() {
        return v;
    }
    let mut out = if call.want == Want::Effect { Ty::Void } else { v.ty().clone() };
    if call.want != Want::Effect {
        let mut so_far = v.clone();
        for t in &frame.values {
            let other = Val::new(ExprKind::Local(crate::hir::LocalId(0)), t.clone(), call.at());
            out = c.meet(&so_far, &other);
            so_far = Val::new(ExprKind::Local(crate::hir::LocalId(0)), out.clone(), call.at());
        }
    }
    let mut flow = (!v.never()).then(|| c.f.flow.clone());
    for f in frame.flows {
        flow = Some(flow.map_or(f.clone(), |g| g.meet(&f)));
    }
    c.f.flow = flow.unwrap_or_default();
    if ty.as_ref() != Some(&out) && frame.values.iter().any(|t| *t != out) {
        c.f.lessons.blocks.insert(number, out.clone());
        c.f.again = true;
    }
    let body = c.join_arm(v, &out);
    Val::new(ExprKind::Block { label, body: Box::new(body) }, out, call.at())
}

fn return_from(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let Some(name) = call.args[0].as_symbol() else {
        return c.malformed(&call.args[0], "a block's name is a symbol");
    };
    let v = match call.args.get(1) {
        Some(f) => c.value(f),
        None => Val::literal(0, call.at()),
    };
    let found = c.f.blocks.iter().rposition(|b| b.name.is_some_and(|n| n == name || n.same_folded(name)));
    let Some(i) = found else {
        if c.f.name.is_some_and(|n| n.same_folded(name)) {
            return c.leave_function(v, call.at());
        }
        return c.fail(diag::error(&diag::BAD_EXIT, &call.at(), format!("there is no block `{name}` around this")));
    };
    let (label, ty, cleanups) = (c.f.blocks[i].label, c.f.blocks[i].ty.clone(), c.f.blocks[i].cleanups);
    let e = match &ty {
        Some(t) => c.join_arm(v, t),
        None => v.e,
    };
    let (parts, e) = super::ring::leave(c, cleanups, e);
    let flow = c.f.flow.clone();
    let frame = &mut c.f.blocks[i];
    frame.values.push(e.ty.clone());
    frame.flows.push(flow);
    let out = Val::new(ExprKind::Break(label, Box::new(e)), Ty::Never, call.at());
    c.seq(parts, out)
}

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
    let (test, body) = body(c);
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
                .help("give the most rounds: (while test :max 1000 …)"),
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
            Some(f) => c.expr(f, Want::Test),
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
    let (test, body) = (Box::new(test), Box::new(body));
    let kind = ExprKind::While { label, next, test, body, max, plan: LoopPlan::new(bound) };
    let out = Expr::new(kind, Ty::Void, call.at());
    c.seq(vec![out], Val::literal(0, call.at()))
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
