//! Variables and assignment.

use whistler_lisp::{Form, Symbol};

use super::{FormDef, MANY, form};
use crate::check::{Call, Checker, Place, Val, Want, at};
use crate::diagnostics as diag;
use crate::forms::{arith, maps};
use crate::hir::{At, Expr, ExprKind, LocalKind, Space, Ty};

pub(super) static FORMS: &[FormDef] = &[
    form("let", (1, MANY), let_, "(let ((v [TYPE] init)…) body…)", "Binds variables, all at once."),
    form("let*", (1, MANY), let_star, "(let* ((v [TYPE] init)…) body…)", "Binds variables, one after the other."),
    form("setf", (0, MANY), setf, "(setf place value …)", "Assigns places; yields what the last one then holds."),
    form("setq", (0, MANY), setf, "(setq variable value …)", "Assigns variables."),
    form("psetf", (0, MANY), psetf, "(psetf place value …)", "Assigns places after all values are computed."),
    form("incf", (1, 2), incf, "(incf place [delta])", "Adds to a place; yields what it then holds."),
    form("decf", (1, 2), decf, "(decf place [delta])", "Subtracts from a place; yields what it then holds."),
    form("declare", (0, MANY), declare, "(declare (type TYPE v…))", "Declares types, at the head of a body."),
];

/// One binding as written.
pub(super) struct Spec<'f> {
    pub name: Symbol,
    pub ty: Option<&'f Form>,
    pub init: Option<&'f Form>,
    pub form: &'f Form,
}

/// Takes a binding apart: `v`, `(v)`, `(v init)`, `(v TYPE init)`.
pub(super) fn spec<'f>(c: &mut Checker<'_>, form: &'f Form) -> Option<Spec<'f>> {
    let named = form.as_symbol().or_else(|| form.as_list()?.first()?.as_symbol());
    if let Some(name) = named.filter(|n| matches!(n.fold(), Symbol::NIL | Symbol::T)) {
        let d = diag::error(&diag::MALFORMED, &at(form), format!("`{name}` is a constant, and no name for a variable"));
        c.report(d.help("give the variable another name"));
        return None;
    }
    if let Some(name) = form.as_symbol().filter(|s| !s.is_keyword()) {
        return Some(Spec { name, ty: None, init: None, form });
    }
    let items = form.as_list().unwrap_or(&[]);
    let name = items.first().and_then(Form::as_symbol).filter(|s| !s.is_keyword());
    match (name, items.len()) {
        (Some(name), 1) => Some(Spec { name, ty: None, init: None, form }),
        (Some(name), 2) if items[1].is_call("array") => Some(Spec { name, ty: Some(&items[1]), init: None, form }),
        (Some(name), 2 | 3) if type_first(c, name, &items[1]) => {
            let value = items.get(2).map_or_else(|| "0".to_string(), Form::to_string);
            let text = format!("the variable stands before its type, and `{name}` is a type");
            let d = diag::error(&diag::MALFORMED, &at(form), text);
            c.report(d.help(format!("write ({} {name} {value})", items[1])));
            // Under the name that is meant, what follows is checked as it was thought.
            let name = items[1].as_symbol()?;
            Some(Spec { name, ty: Some(&items[0]), init: items.get(2), form })
        }
        (Some(name), 2) => Some(Spec { name, ty: None, init: Some(&items[1]), form }),
        (Some(name), 3) => Some(Spec { name, ty: Some(&items[1]), init: Some(&items[2]), form }),
        _ => {
            c.malformed(form, "a binding is written (variable value) or (variable TYPE value)");
            None
        }
    }
}

/// Whether a binding is written in C's order, the type first: `(u32 x 0)`.
fn type_first(c: &mut Checker<'_>, first: Symbol, second: &Form) -> bool {
    let Some(s) = second.as_symbol().filter(|s| !s.is_keyword() && !matches!(s.fold(), Symbol::NIL | Symbol::T)) else {
        return false;
    };
    crate::types::named(c.env, first).is_some()
        && c.binding(first).is_none()
        && !crate::types::is_type(c.env, second)
        && c.binding(s).is_none()
        && c.env.globals.get(s).is_none()
        && c.env.maps.get(s).is_none()
        && c.constant(s).is_none()
}

fn specs<'f>(c: &mut Checker<'_>, form: &'f Form) -> Vec<Spec<'f>> {
    match form.as_list() {
        Some(items) => {
            if bare_call(c, form, items) {
                return Vec::new();
            }
            items.iter().filter_map(|b| spec(c, b)).collect()
        }
        None => {
            c.malformed(form, "the variables are written as a list: ((variable value) …)");
            Vec::new()
        }
    }
}

/// Reports a call among the bindings, as in `(let (r (get-prandom-u32)) …)`: it would be a variable of that name.
fn bare_call(c: &mut Checker<'_>, form: &Form, items: &[Form]) -> bool {
    for (i, item) in items.iter().enumerate() {
        let Some([head, args @ ..]) = item.as_list() else { continue };
        let Some(name) = head.as_symbol() else { continue };
        let before = i.checked_sub(1).and_then(|i| items[i].as_symbol());
        if (before.is_none() && !args.is_empty()) || !c.operator_exists(name) {
            continue;
        }
        let text = format!("this binds a variable `{name}`, and calls nothing");
        let d = diag::error(&diag::MALFORMED, &at(item), text).also(form.span, "the bindings");
        c.report(match before {
            Some(v) => d.help(format!("each binding has parentheses of its own: (({v} {item}))")),
            None => {
                d.help(format!("a binding is (variable value): ((x {item})); a variable without a value is just v"))
            }
        });
        return true;
    }
    false
}

/// Checks a binding's initialiser.
fn init(c: &mut Checker<'_>, s: &Spec<'_>) -> Val {
    match s.init {
        Some(f) => {
            let ty = s.ty.and_then(|t| crate::types::named(c.env, t.as_symbol()?));
            c.value_for(f, ty.as_ref())
        }
        None => Val::literal(0, at(s.form)),
    }
}

/// The type written for a binding, in it or in a `declare`.
fn written(c: &mut Checker<'_>, s: &Spec<'_>, declared: &[(Symbol, Ty)]) -> Option<Ty> {
    match s.ty {
        Some(t) => c.type_of(t),
        None => declared.iter().find(|(n, _)| n.same_folded(s.name)).map(|(_, t)| t.clone()),
    }
}

/// Binds a variable; yields what sets it up.
pub(super) fn bind(c: &mut Checker<'_>, s: &Spec<'_>, ty: Option<Ty>, value: Val, scope: &[&[Form]]) -> Expr {
    if let Some(t @ (Ty::Array(..) | Ty::Struct(_))) = &ty
        && !matches!(value.ty(), Ty::Ptr(_))
    {
        return in_place(c, s, t.clone(), &value);
    }
    if let Some(t @ (Ty::Array(..) | Ty::Struct(_))) = ty {
        // A struct's name as the type of a pointer to it.
        let space = value.ty().as_ptr().map_or(Space::Unknown, |p| p.space);
        return c.bind(s.name, Some(Ty::ptr(space, Some(t))), value, s.form, scope).1;
    }
    c.bind(s.name, ty, value, s.form, scope).1
}

/// An array or struct that lives in the variable itself, zeroed.
fn in_place(c: &mut Checker<'_>, s: &Spec<'_>, ty: Ty, value: &Val) -> Expr {
    if !value.is_zero() && !value.never() {
        c.malformed(s.form, format!("a {ty} starts as 0, or as a copy by way of a pointer"));
    }
    let here = at(s.form);
    let len = ty.size();
    let id = c.f.local(s.name.name(), ty.clone(), LocalKind::Memory, s.form.span);
    c.f.var(id).in_place = true;
    c.f.scope.push(crate::check::Binding {
        name: s.name,
        local: id,
        used: false,
        span: s.form.span,
        made: s.form.origin.is_some(),
    });
    zeroed(id, ty, len, &here)
}

/// Fills an object on the stack with zeros.
pub(super) fn zeroed(id: crate::hir::LocalId, ty: Ty, len: u32, here: &At) -> Expr {
    let dst = Expr::new(ExprKind::AddrOf(id), Ty::ptr(Space::Stack, Some(ty)), here.clone());
    let zero = Expr::new(ExprKind::Const(0), Ty::U64, here.clone());
    Expr::new(ExprKind::Fill { dst: Box::new(dst), value: Box::new(zero), len }, Ty::Void, here.clone())
}

fn let_(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let specs = specs(c, &call.args[0]);
    let (declared, body) = c.declarations(&call.args[1..]);
    let mark = c.f.scope.len();
    let siblings = c.f.siblings.len();
    let mut values = Vec::with_capacity(specs.len());
    for s in &specs {
        values.push(init(c, s));
        c.f.siblings.push(s.name);
    }
    c.f.siblings.truncate(siblings);
    let mut parts = Vec::with_capacity(specs.len() + 1);
    let mut never = false;
    for (s, v) in specs.iter().zip(values) {
        never |= v.never() && exits(&v);
        let ty = written(c, s, &declared);
        parts.push(bind(c, s, ty, v, &[body]));
    }
    ignored(c, &call.args[1..]);
    let v = c.body(body, call.want, call.at());
    c.unbind(mark);
    finish(c, parts, v, never)
}

fn let_star(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let specs = specs(c, &call.args[0]);
    let (declared, body) = c.declarations(&call.args[1..]);
    let mark = c.f.scope.len();
    let mut parts = Vec::with_capacity(specs.len() + 1);
    let mut never = false;
    let rest = call.args[0].as_list().unwrap_or(&[]);
    for s in &specs {
        let v = init(c, s);
        never |= v.never() && exits(&v);
        let ty = written(c, s, &declared);
        parts.push(bind(c, s, ty, v, &[body, rest]));
    }
    ignored(c, &call.args[1..]);
    let v = c.body(body, call.want, call.at());
    c.unbind(mark);
    finish(c, parts, v, never)
}

/// Whether a value of type `Never` really leaves (a reported error does not).
fn exits(v: &Val) -> bool {
    !matches!(v.e.kind, ExprKind::Const(_))
}

/// Reads the declarations again, now that the names are bound: `ignore` marks them used.
fn ignored(c: &mut Checker<'_>, body: &[Form]) {
    for f in body.iter().take_while(|f| f.is_call("declare")) {
        for spec in f.as_list().unwrap_or(&[]).iter().skip(1) {
            let items = spec.as_list().unwrap_or(&[]);
            if items.first().and_then(Form::as_symbol).is_some_and(|h| h.is("ignore") || h.is("ignorable")) {
                for v in items[1..].iter().filter_map(Form::as_symbol) {
                    if let Some(i) = c.binding(v) {
                        c.f.scope[i].used = true;
                    }
                }
            }
        }
    }
}

fn finish(c: &mut Checker<'_>, parts: Vec<Expr>, v: Val, never: bool) -> Val {
    let mut v = c.seq(parts, v);
    if never {
        v.e.ty = Ty::Never;
    }
    v
}

fn pairs(c: &mut Checker<'_>, call: &Call<'_>) -> bool {
    let even = call.args.len().is_multiple_of(2);
    if !even {
        let text = format!("`{}` takes places and values in pairs", call.name);
        let mut d = diag::error(&diag::MALFORMED, &call.at(), text);
        if let Some(last) = call.args.last() {
            d = d.also(last.span, "this has no partner");
        }
        c.report(d.help(format!("written as ({} place value place value …)", call.name)));
    }
    even
}

fn setf(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    if !pairs(c, call) {
        return Val::error(call.at());
    }
    let mut parts = Vec::new();
    let mut last = Val::void(call.at());
    let n = call.args.len() / 2;
    for (i, pair) in call.args.chunks_exact(2).enumerate() {
        let place = c.place(&pair[0]);
        let ty = place.as_ref().and_then(|p| c.place_type(p));
        let v = c.value_for(&pair[1], ty.as_ref());
        if let Some(p) = &place {
            super::bytes::stored_order(c, p, &pair[1], &v);
        }
        let here = if n == 1 {
            call.at()
        } else {
            At { span: pair[0].span.to(pair[1].span), origin: call.form.origin.clone() }
        };
        let want = if i + 1 == n { call.want } else { Want::Effect };
        let set = match place {
            Some(p) => c.write(p, v, want, here),
            None => Val::error(here),
        };
        if i + 1 == n {
            last = set;
        } else {
            parts.push(set.e);
        }
    }
    c.seq(parts, last)
}

fn psetf(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    if !pairs(c, call) {
        return Val::error(call.at());
    }
    let mut parts = Vec::new();
    let mut writes = Vec::new();
    for pair in call.args.chunks_exact(2) {
        let Some(place) = c.place(&pair[0]) else { continue };
        let (before, place) = c.twice(place);
        parts.extend(before);
        let ty = c.place_type(&place);
        let v = c.value_for(&pair[1], ty.as_ref());
        let (setup, v) = saved(c, v);
        parts.extend(setup);
        writes.push((place, v));
    }
    for (place, v) in writes {
        let set = c.write(place, v, Want::Effect, call.at());
        parts.push(set.e);
    }
    let nothing = Val::literal(0, call.at());
    c.seq(parts, nothing)
}

/// A value kept apart from later assignments, even of a variable.
fn saved(c: &mut Checker<'_>, v: Val) -> (Option<Expr>, Val) {
    if !matches!(v.e.kind, ExprKind::Local(_)) {
        return c.once(v);
    }
    let here = v.e.at.clone();
    let ty = v.e.ty.clone();
    let id = c.temp(ty.clone(), LocalKind::Value);
    let set = Expr::new(ExprKind::Set(id, Box::new(v.e)), ty.clone(), here.clone());
    (Some(set), Val::new(ExprKind::Local(id), ty, here))
}

fn incf(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    step(c, call, arith::Op::Add)
}

fn decf(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    step(c, call, arith::Op::Sub)
}

fn step(c: &mut Checker<'_>, call: &Call<'_>, op: arith::Op) -> Val {
    let Some(place) = c.place(&call.args[0]) else {
        if let Some(d) = call.args.get(1) {
            c.value(d);
        }
        return Val::error(call.at());
    };
    let delta = match call.args.get(1) {
        Some(d) => c.value(d),
        None => Val::literal(1, call.at()),
    };
    if let Place::Map { map, key, setup } = place {
        return maps::step_entry(c, map, *key, setup, op, delta, call.want, call.at());
    }
    if call.want != Want::Effect && call.args[0].as_symbol().is_some() {
        // Its new content is what the form is for.
        c.value(&call.args[0]);
    }
    let (before, place) = c.twice(place);
    let mut old = c.read(place.clone());
    old.e.at = call.at();
    if c.counts_the_pointer(&old, call.name.name()) {
        return Val::error(call.at());
    }
    let new = arith::arith(c, op, old, delta, call.at());
    // The place cuts the sum; that is what a counter of its width does.
    let v = c.write(place, new, call.want, call.at());
    c.seq(before, v)
}

fn declare(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    c.fail(
        diag::error(&diag::MALFORMED, &call.at(), "`declare` stands at the head of a body only")
            .help("put it before the first other form of the let"),
    )
}
