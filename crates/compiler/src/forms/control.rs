//! Sequence and branches. Invariant: each arm is checked with what its test tells, and what is known after a branch is
//! what both arms leave.

use whistler_lisp::{Form, Symbol};

use super::binding::{bind, spec};
use super::{FormDef, MANY, form};
use crate::check::flow::Flow;
use crate::check::{Call, Checker, DEPTH_LIMIT, Fact, Facts, Val, Want, at};
use crate::diagnostics as diag;
use crate::hir::{At, CmpOp, Expr, ExprKind, LocalId, LocalKind, Space, Ty};

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
pub(super) fn condition(c: &mut Checker<'_>, v: Val) -> Expr {
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

/// The same of a test that goes on when it is true. Warns of `memcmp`, which is true for bytes that differ.
fn affirmed(c: &mut Checker<'_>, form: &Form) -> Val {
    if form.is_call("memcmp") && form.origin.is_none() {
        let text = "`memcmp` is 0 where the bytes are equal: as a test it asks whether they differ";
        let d = diag::warning(&diag::DIFFERENCE_AS_TEST, &at(form), text);
        c.report(d.help(format!("for equal bytes write (= 0 {form}), for others (/= 0 {form})")));
    }
    tested(c, form)
}

/// A form of which only matters whether it is true. Warns of one that is so always, or never.
pub(super) fn tested(c: &mut Checker<'_>, form: &Form) -> Val {
    let v = c.expr(form, Want::Test);
    let Some(n) = v.as_lit().filter(|_| form.origin.is_none()) else { return v };
    let bits = ["logior", "+", "<<", "ash"].iter().any(|head| form.is_call(head));
    let name = form.as_symbol();
    let written = match name {
        Some(s) => !s.is_keyword() && !matches!(s.fold(), Symbol::T | Symbol::NIL) && !switch(s, n),
        None => bits || !matches!(n, 0 | 1),
    };
    if !written || (name.is_none() && form.as_int().is_none() && !bits) {
        return v;
    }
    let is = if n == 0 { "never true" } else { "always true" };
    let what = if form.as_int().is_some() { "a number".to_string() } else { format!("`{form}`, {n}") };
    let text = format!("this is {what}: as a test it is {is}");
    c.report(diag::warning(&diag::CONSTANT_TEST, &at(form), text).help(format!(
        "`and`, `or`, `not` and tests ask whether a value is 0, not for bits: whether x has one of these is (logtest x {form})"
    )));
    v
}

/// Whether a constant is a switch of the program's own, which programs are compiled with or without something by.
fn switch(s: Symbol, n: i128) -> bool {
    let library =
        || crate::library::TEXTS.iter().any(|(_, text)| text.contains(&format!("(defconstant {} ", s.name())));
    matches!(n, 0 | 1) && whistler_isa::constants::by_name(s.name()).is_none() && !library()
}

fn if_(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let test = affirmed(c, &call.args[0]);
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
    let test = affirmed(c, &call.args[0]);
    branch(
        c,
        test,
        call.want,
        call.at(),
        |c| c.body(&call.args[1..], call.want, call.at()),
        |_| Val::literal(0, call.at()),
    )
}

/// Warns of what runs only where a pointer is null that a test, or the form it is bound by, has shown not to be.
fn never_null(c: &mut Checker<'_>, call: &Call<'_>) {
    let Some(s) = call.args[0].as_symbol().filter(|_| call.form.origin.is_none()) else { return };
    let Some(b) = c.binding(s).map(|i| &c.f.scope[i]) else { return };
    let (local, span) = (b.local, b.span);
    let var = &c.f.vars[local.0 as usize];
    let Ty::Ptr(p) = &var.ty else { return };
    if !p.nullable || var.assigned || !c.f.flow.nonnull.contains(&var.root) || c.f.loops > 0 {
        return;
    }
    let Some(next) = call.args.get(1) else { return };
    let text = format!("this is never reached: `{s}` is not null here");
    let d = diag::warning(&diag::UNREACHABLE, &at(next), text).also(span, "bound here");
    c.report(d.help(format!(
        "the forms of `with-reference`, `when-let` and the like run only when it isn't; bind it by `let` to see it null: \
         (let (({s} …)) (unless {s} …) …)"
    )));
}

fn unless(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    never_null(c, call);
    let test = tested(c, &call.args[0]);
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

/// How clauses are written.
const CLAUSES: &str = "each clause has parentheses of its own: (cond ((< a b) 1) (t 2))";

/// Whether a name in the place of a test is an operator and nothing that has a value.
fn bare_test(c: &mut Checker<'_>, s: Symbol) -> bool {
    let other = |s: Symbol| s.is_keyword() || matches!(s.fold(), Symbol::T | Symbol::NIL) || s.is("otherwise");
    !other(s)
        && c.binding(s).is_none()
        && c.env.globals.get(s).is_none()
        && c.env.maps.get(s).is_none()
        && c.constant(s).is_none()
        && c.operator_exists(s)
}

fn clauses(c: &mut Checker<'_>, form: &Form, rest: &[Form], want: Want) -> Val {
    let Some((clause, rest)) = rest.split_first() else { return Val::literal(0, at(form)) };
    let Some([test, body @ ..]) = clause.as_list() else {
        let d = diag::error(&diag::MALFORMED, &at(clause), "a clause of cond is written (test form…)");
        return c.fail(d.help(CLAUSES));
    };
    if let Some(name) = test.as_symbol().filter(|s| !body.is_empty() && bare_test(c, *s)) {
        let text = format!("this clause tests `{name}`, which is an operator");
        return c.fail(diag::error(&diag::MALFORMED, &at(clause), text).help(CLAUSES));
    }
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
    let test = affirmed(c, test);
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
        let test = tested(c, first);
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
            let v = if want == Want::Test { affirmed(c, last) } else { c.expr(last, want) };
            if want == Want::Test { as_bool(c, v) } else { v }
        }
        [first, rest @ ..] => {
            let test = affirmed(c, first);
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
            let v = if want == Want::Test { tested(c, last) } else { c.expr(last, want) };
            if want == Want::Test { as_bool(c, v) } else { v }
        }
        [first, rest @ ..] if want == Want::Test => {
            let test = tested(c, first);
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
    let v = tested(c, &call.args[0]);
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
    super::bytes::keys_in_order(c, call, &key);
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
