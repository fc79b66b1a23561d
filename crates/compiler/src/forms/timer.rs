//! Timers in map values. A timer's function runs later, when what is around it is gone: it is a function of its own,
//! called with the key and the value.

use std::rc::Rc;

use whistler_isa::ProgType;
use whistler_lisp::{Form, Symbol};

use super::{FormDef, form};
use crate::check::{Call, Checker, Val, at};
use crate::diagnostics as diag;
use crate::env::{ParamDecl, SubprogDecl};
use crate::hir::{Expr, ExprKind, Space, Ty};

pub(super) static FORMS: &[FormDef] = &[
    form("timer-init", (2, 3), init, "(timer-init timer map [clock])", "Sets a timer up; 0 or an error."),
    form(
        "timer-set-callback",
        (3, 3),
        set_callback,
        "(timer-set-callback timer map (lambda (key value) form…))",
        "What runs when the timer fires; 0 or an error.",
    ),
    form("timer-start", (2, 3), start, "(timer-start timer ns [flags])", "Starts a timer; 0 or an error."),
    form("timer-cancel", (1, 1), cancel, "(timer-cancel timer)", "Stops a timer; whether it ran, or an error."),
];

/// `CLOCK_MONOTONIC`.
const MONOTONIC: i64 = 1;
/// The types whose programs may not have timers: `is_tracing_prog_type` in the kernel's verifier.
const TRACING: [ProgType; 5] = [
    ProgType::Kprobe,
    ProgType::Tracepoint,
    ProgType::PerfEvent,
    ProgType::RawTracepoint,
    ProgType::RawTracepointWritable,
];

/// A timer's address, where the program may have one.
fn timer(c: &mut Checker<'_>, call: &Call<'_>) -> Option<Val> {
    let p = c.value(&call.args[0]);
    if p.never() {
        return None;
    }
    if let Some(t) = c.prog_type().filter(|t| TRACING.contains(t)) {
        let text = format!("programs of type :{} can't have timers", t.keyword());
        c.report(diag::error(&diag::HELPER_PROGRAM, &call.at(), text));
        return None;
    }
    let is_timer = p
        .ty()
        .as_ptr()
        .and_then(|p| p.pointee.as_deref())
        .is_some_and(|t| matches!(t, Ty::Struct(s) if &*s.name == "bpf_timer"));
    if !is_timer {
        let d = diag::error(&diag::ARGUMENT_TYPE, &at(&call.args[0]), "this is no timer in a map's value");
        c.report(d.help("give the value's struct a field of type bpf-timer, and (S-FIELD-ptr value) here"));
        return None;
    }
    Some(p)
}

fn number_or(c: &mut Checker<'_>, form: Option<&Form>, default: i64, call: &Call<'_>) -> Val {
    match form {
        Some(f) => c.value(f),
        None => Val::literal(default.into(), call.at()),
    }
}

fn init(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let p = timer(c, call);
    let map = c.value(&call.args[1]);
    let clock = number_or(c, call.args.get(2), MONOTONIC, call);
    let Some(p) = p else { return Val::error(call.at()) };
    super::calls::checked_helper(c, "timer_init", vec![p, map, clock], call.at())
}

fn start(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let p = timer(c, call);
    let ns = c.value(&call.args[1]);
    let flags = number_or(c, call.args.get(2), 0, call);
    let Some(p) = p else { return Val::error(call.at()) };
    soon(c, &call.args[1], &ns);
    super::calls::checked_helper(c, "timer_start", vec![p, ns, flags], call.at())
}

/// Warns of a time that is a plain number and so short that other units were thought of.
fn soon(c: &mut Checker<'_>, form: &Form, ns: &Val) {
    /// Of what is shorter, the timer does hardly anything else than fire.
    const SHORT: i128 = 100_000;
    let plain = form.as_int().is_some() || form.as_symbol().is_some();
    let Some(n) = ns.as_lit().filter(|n| (1..SHORT).contains(n) && plain && form.origin.is_none()) else { return };
    let text = format!("the timer fires after {n} ns: this is a number of nanoseconds");
    let d = diag::warning(&diag::SHORT_TIME, &at(form), text);
    c.report(d.help(format!(
        "{n} ms are (* {form} 1000000), {n} µs (* {form} 1000); if nanoseconds are meant, write them so: (* {form} 1)"
    )));
}

fn cancel(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    match timer(c, call) {
        Some(p) => super::calls::checked_helper(c, "timer_cancel", vec![p], call.at()),
        None => Val::error(call.at()),
    }
}

fn set_callback(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    const WRITTEN: &str = "(timer-set-callback timer map (lambda (key value) …))";
    let p = timer(c, call);
    let map = super::maps::map_arg(c, &call.args[1]);
    let (Some(p), Some((_, def))) = (p, map) else { return Val::error(call.at()) };
    let Some((names, body)) = super::callback::function_form(c, &call.args[2], WRITTEN) else {
        return Val::error(call.at());
    };
    if names.len() != 2 {
        let text = format!("a timer's function takes the key and the value, not {} arguments", names.len());
        let d = diag::error(&diag::ARGUMENT_COUNT, &at(&call.args[2]), text);
        return c.fail(d.help(format!("written as {WRITTEN}")));
    }
    let key = Ty::ptr(Space::Rodata, Some(super::maps::key_type(&def)));
    let value = Ty::ptr(Space::MapValue, Some(super::maps::value_type(&def)));
    let types = vec![Ty::ptr(Space::Map, None), key, value];
    let names = [Symbol::intern("_map"), names[0], names[1]];
    let span = call.args[2].span;
    let params = names.iter().zip(&types).map(|(name, ty)| ParamDecl { name: *name, ty: ty.clone(), span }).collect();
    let owner = c.f.name.map_or_else(|| "program".to_string(), |n| n.name().to_string());
    let decl = Rc::new(SubprogDecl {
        name: Symbol::intern(&format!("{owner}-timer-{}", span.lo)),
        params,
        ret: Ty::Void,
        body: body.into(),
        skip: 0,
        form: call.args[2].clone(),
        global: false,
    });
    let names = c.f.scope.iter().map(|b| b.name).collect();
    let around = std::mem::replace(&mut c.around, names);
    let made = c.instance(decl.name, &decl, types, &[], &call.at());
    c.around = around;
    let Some(id) = made else { return Val::error(call.at()) };
    if c.unit.functions[id.0 as usize].uses_ctx {
        let d = diag::error(&diag::NOT_HERE, &at(&call.args[2]), "a timer's function runs without the context");
        return c.fail(d.help("keep what it needs in the map's value"));
    }
    let function = Expr::new(ExprKind::FnAddr(id), Ty::ptr(Space::Mem, None), call.at());
    let Some(p) = c.readable(p, 0, None, &call.at()) else { return Val::error(call.at()) };
    match super::calls::call_helper(c, "timer_set_callback", vec![p.e, function], Ty::I64, call.at()) {
        Some(e) => Val::of(e),
        None => Val::error(call.at()),
    }
}
