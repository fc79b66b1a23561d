//! Helpers that call back. The function is written where it is passed, as `(lambda (x…) form…)`, and sees the
//! variables around it; `#'name` passes a subprogram. The context pointer through which the kernel would have it all
//! shared is made by the compiler (see [`crate::outline`]).

use whistler_isa::{ArgKind, Helper, helpers};
use whistler_lisp::{Form, FormKind, Symbol};

use super::callee::{self, Callee};
use super::calls;
use super::{FormDef, form};
use crate::check::{Call, Checker, Fit, Val, Want, at};
use crate::diagnostics as diag;
use crate::hir::{Callback, Expr, ExprKind, LocalId, LocalKind, MapId, Space, Ty};

pub(super) static FORMS: &[FormDef] = &[form(
    "bpf-loop",
    (2, 4),
    bpf_loop,
    "(bpf-loop count (lambda (i) form…))",
    "Calls back with i = 0, 1, … below count, until one gives 1; yields the number of calls.",
)];

fn bpf_loop(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    match helpers::by_name("loop") {
        Some(h) => with_callback(c, call, h),
        None => Val::error(call.at()),
    }
}

/// Whether a helper calls back while it runs, with a context pointer for what is shared.
pub(super) fn calls_back(h: &Helper) -> bool {
    h.args.iter().any(|a| a.kind == ArgKind::Func) && h.args.iter().any(|a| a.kind == ArgKind::Stack)
}

/// What the helper calls its function with: parameters that only the machine sees, and those that the user names.
fn parameters(c: &Checker<'_>, h: &Helper, map: Option<MapId>) -> Option<(Vec<Ty>, Vec<Ty>)> {
    let kernel = |name: &str| Ty::ptr(Space::Trusted, Some(Ty::Kernel(name.into())));
    Some(match h.name {
        "loop" => (Vec::new(), vec![Ty::U64]),
        "for_each_map_elem" => {
            let def = &c.unit.maps[map?.0 as usize];
            let key = Ty::ptr(Space::Rodata, Some(super::maps::key_type(def)));
            let value = Ty::ptr(Space::MapValue, Some(super::maps::value_type(def)));
            (vec![Ty::ptr(Space::Map, None)], vec![key, value])
        }
        "find_vma" => (Vec::new(), vec![kernel("task_struct"), kernel("vm_area_struct")]),
        // A dynptr that the kernel made, and only it writes.
        "user_ringbuf_drain" => (Vec::new(), vec![Ty::ptr(Space::Mem, crate::builtin::of("bpf_dynptr"))]),
        _ => return None,
    })
}

/// A call of a helper that calls back: `(helper argument… (lambda …) [flags])`.
pub(super) fn with_callback(c: &mut Checker<'_>, call: &Call<'_>, h: &'static Helper) -> Val {
    let at_fn = h.args.iter().position(|a| a.kind == ArgKind::Func).unwrap_or(0);
    let written = format!("({} {} (lambda ({}) …))", call.name, argument_names(h, at_fn), names_given(h).join(" "));
    let given = call.args.len();
    // The context pointer may be written as in C, when it is null, and flags that are 0 need not be.
    let rest = call.args.get(at_fn + 1..).unwrap_or(&[]);
    let null_ctx = rest.len() == 2 && rest[0].as_int() == Some(0) || rest.first().is_some_and(Form::is_nil);
    let flags = match (rest, null_ctx) {
        ([], _) | ([_], true) => None,
        ([f], false) | ([_, f], true) => Some(f),
        _ => {
            let text = format!("`{}` does not take {given} arguments", call.name);
            let d = diag::error(&diag::ARGUMENT_COUNT, &call.at(), text);
            return c.fail(d.help(format!("written as {written}; the function sees the variables around it")));
        }
    };
    let Some(function) = call.args.get(at_fn) else {
        let text = format!("`{}` wants a function to call", call.name);
        let d = diag::error(&diag::ARGUMENT_COUNT, &call.at(), text);
        return c.fail(d.help(format!("written as {written}")));
    };
    if !calls::allowed(c, h, &call.at()) {
        return Val::error(call.at());
    }
    let values: Vec<Val> = call.args[..at_fn].iter().map(|f| c.value(f)).collect();
    let map = values.iter().find_map(|v| match v.e.kind {
        ExprKind::Map(id) => Some(id),
        _ => None,
    });
    if values.iter().any(Val::never) {
        return Val::error(call.at());
    }
    let mut before = Vec::new();
    let callee = Callee::new(calls::shown(h), h.args, &values);
    for (i, v) in values.into_iter().enumerate() {
        match callee::argument(c, &callee, i, v) {
            Some(e) => before.push(e),
            None => return Val::error(call.at()),
        }
    }
    if !calls::takes_map(c, h, map, &call.at()) {
        return Val::error(call.at());
    }
    let Some((hidden, shown)) = parameters(c, h, map) else { return Val::error(call.at()) };
    let flags = match flags {
        Some(f) => {
            let v = c.value(f);
            let v = c.number(v, "flags");
            c.fit(v, &Ty::U64, Fit::Bits)
        }
        None => Expr::new(ExprKind::Const(0), Ty::U64, call.at()),
    };
    let Some(callback) = closure(c, function, &hidden, &shown, &written) else { return Val::error(call.at()) };
    let kind = ExprKind::WithCallback { helper: h.id, before, callback: Box::new(callback), after: vec![flags] };
    Val::new(kind, Ty::I64, call.at())
}

/// The names of what a helper calls its function with.
fn names_given(h: &Helper) -> &'static [&'static str] {
    match h.name {
        "loop" => &["i"],
        "for_each_map_elem" => &["key", "value"],
        "find_vma" => &["task", "vma"],
        "user_ringbuf_drain" => &["dynptr"],
        _ => &["…"],
    }
}

/// Whether a callback's value certainly is meant for nothing: what a place then holds, a sum, a line's length.
fn by_chance(c: &Checker<'_>, e: &Expr, depth: usize) -> bool {
    let int = e.ty.as_int().is_some_and(|_| e.ty != Ty::Bool);
    match &e.kind {
        ExprKind::Seq(es) => es.last().is_some_and(|e| by_chance(c, e, depth)),
        ExprKind::If(_, a, b) => by_chance(c, a, depth) || by_chance(c, b, depth),
        ExprKind::Cast(inner) => by_chance(c, inner, depth),
        ExprKind::Set(_, to) => int && to.as_const().is_none_or(|n| !(0..=1).contains(&n)),
        ExprKind::Store { value, .. } => int && value.as_const().is_none_or(|n| !(0..=1).contains(&n)),
        ExprKind::Atomic { .. } | ExprKind::Bin(..) => int,
        ExprKind::Local(l) => int && c.f.locals[l.0 as usize].name.is_empty() && !c.f.vars[l.0 as usize].written,
        ExprKind::Helper { id, .. } => {
            helpers::by_id(*id).is_some_and(|h| matches!(h.name, "trace_printk" | "trace_vprintk"))
        }
        ExprKind::Call { function, .. } if depth < 8 => {
            c.unit.functions.get(function.0 as usize).is_some_and(|f| by_chance(c, &f.body, depth + 1))
        }
        _ => false,
    }
}

/// Warns of a callback whose last form's value ends the walk by chance.
fn ends_the_walk(c: &mut Checker<'_>, v: &Val, form: &Form, body: &[Form]) {
    let in_range = v.lo >= 0 && v.hi <= 1;
    if v.never() || in_range || form.origin.is_some() || !by_chance(c, &v.e, 0) {
        return;
    }
    let place = match form.head().is_some_and(|h| h.is("lambda")) {
        true => body.last().unwrap_or(form),
        false => form,
    };
    let d = diag::warning(&diag::WALK_ENDS, &at(place), "this value ends the walk as soon as it isn't 0");
    c.report(d.help("let a 0 be the function's last form; 1 ends the walk"));
}

fn argument_names(h: &Helper, before: usize) -> String {
    let names: Vec<String> = h.args[..before].iter().map(|a| a.name.replace('_', "-")).collect();
    names.join(" ")
}

/// The names and forms of a function as it is passed.
pub(super) fn function_form(c: &mut Checker<'_>, form: &Form, written: &str) -> Option<(Vec<Symbol>, Vec<Form>)> {
    let items = form.as_list().unwrap_or(&[]);
    match items {
        [head, params, body @ ..] if head.as_symbol().is_some_and(|h| h.is("lambda")) => {
            let Some(list) = params.as_list() else {
                c.malformed(params, "the parameters of a function are a list of names");
                return None;
            };
            let mut names = Vec::new();
            for p in list {
                match p.as_symbol() {
                    Some(s) => names.push(s),
                    None => {
                        c.malformed(p, "a parameter of a callback is a name; the helper says what it is");
                        return None;
                    }
                }
            }
            Some((names, body.to_vec()))
        }
        [head, name] if head.as_symbol().is_some_and(|h| h.is("function")) => {
            let Some(symbol) = name.as_symbol().filter(|s| c.env.subprograms.spelled(*s).is_some()) else {
                let text = format!("there is no subprogram `{name}`");
                let d = diag::error(&diag::UNKNOWN_NAME, &at(name), text).about(&name.to_string());
                let of_host = name.as_symbol().is_some_and(|s| crate::host::is_function(c.host, s));
                let near = {
                    let known = c.env.subprograms.names().map(Symbol::name);
                    crate::names::nearest(name.as_symbol().map_or("", |s| s.name()), known).map(str::to_string)
                };
                c.report(match near {
                    _ if of_host => {
                        d.help(format!("it is a function of the host: what programs call is a (defsubprog {name} …)"))
                    }
                    Some(near) => d.help(format!("did you mean `{near}`?")),
                    None => d.help(format!("written as {written}")),
                });
                return None;
            };
            let spelled = c.env.subprograms.spelled(symbol)?;
            let count = c.env.subprograms.get(spelled)?.params.len();
            let names: Vec<Symbol> = (0..count).map(|n| Symbol::intern(&format!("_argument-{n}"))).collect();
            let mut call = vec![name.clone()];
            call.extend(names.iter().map(|n| {
                let mut f = Form::symbol(*n, form.span);
                f.origin.clone_from(&form.origin);
                f
            }));
            let body = Form { kind: FormKind::List(call.into()), ..form.clone() };
            Some((names, vec![body]))
        }
        _ => {
            let d = diag::error(&diag::ARGUMENT_TYPE, &at(form), "a function is wanted here");
            c.report(d.help(format!("written as {written}, or with #'name of a subprogram")));
            None
        }
    }
}

/// A function that sees what is around it.
fn closure(c: &mut Checker<'_>, form: &Form, hidden: &[Ty], shown: &[Ty], written: &str) -> Option<Callback> {
    let (names, body) = function_form(c, form, written)?;
    if names.len() > shown.len() || (names.len() < shown.len() && !names.is_empty()) {
        let text = format!("the function is called with {} arguments and takes {}", shown.len(), names.len());
        let d = diag::error(&diag::ARGUMENT_COUNT, &at(form), text).help(format!("written as {written}"));
        c.report(match names.len() > shown.len() {
            true => {
                d.note("the map and the context that C passes are left out: the function sees the variables around it")
            }
            false => d,
        });
        return None;
    }
    let label = c.label();
    let mark = c.f.scope.len();
    let mut params: Vec<LocalId> = hidden.iter().map(|t| c.temp(t.clone(), LocalKind::Value)).collect();
    let args: Vec<LocalId> = shown.iter().map(|t| c.temp(t.clone(), LocalKind::Value)).collect();
    params.extend(&args);
    c.f.callbacks += 1;
    let (_, body, entry) = super::loops::round(c, |c| {
        let mut parts = Vec::new();
        for ((name, arg), ty) in names.iter().zip(&args).zip(shown) {
            let v = Val::new(ExprKind::Local(*arg), ty.clone(), at(form));
            let (_, set) = c.bind(*name, None, v, form, &[&body]);
            if let Some(b) = c.f.scope.last_mut() {
                b.used = true;
            }
            parts.push(set);
        }
        let v = c.body(&body, Want::Value, at(form));
        ends_the_walk(c, &v, form, &body);
        let v = if v.never() { v } else { Val::of(c.truth(v)) };
        let body = c.seq(parts, v).e;
        (Expr::new(ExprKind::Const(1), Ty::Bool, at(form)), body)
    });
    c.f.callbacks -= 1;
    c.unbind(mark);
    c.f.flow = entry;
    Some(Callback { params, label, body })
}
