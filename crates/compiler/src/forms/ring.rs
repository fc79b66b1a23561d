//! Ring buffers: reserve, submit, discard; a record must leave on every path.

use whistler_lisp::Form;

use super::{FormDef, MANY, form};
use crate::check::flow::Flow;
use crate::check::{Call, Checker, Cleanup, Fit, Val, at};
use crate::diagnostics as diag;
use crate::hir::{At, Expr, ExprKind, LocalId, LocalKind, Space, Ty};

pub(super) static FORMS: &[FormDef] = &[
    form("ringbuf-reserve", (2, 3), reserve, "(ringbuf-reserve map n [flags])", "Space for a record, or null."),
    form("ringbuf-submit", (1, 2), |c, k| release(c, k, SUBMIT), "(ringbuf-submit record [flags])", "Sends a record."),
    form(
        "ringbuf-discard",
        (1, 2),
        |c, k| release(c, k, DISCARD),
        "(ringbuf-discard record [flags])",
        "Drops a record.",
    ),
    form("ringbuf-output", (3, 4), output, "(ringbuf-output map pointer n [flags])", "Sends a copy of n bytes."),
    form(
        "with-ringbuf",
        (1, MANY),
        with_ringbuf,
        "(with-ringbuf (v map n [:flags f]) form…)",
        "Forms with a record that is sent at the end.",
    ),
];

const RESERVE: &str = "ringbuf_reserve";
const SUBMIT: &str = "ringbuf_submit";
const DISCARD: &str = "ringbuf_discard";

fn number_or(c: &mut Checker<'_>, form: Option<&Form>, here: &At) -> Expr {
    match form {
        Some(f) => {
            let v = c.value(f);
            let v = c.number(v, "flags");
            c.fit(v, &Ty::U64, Fit::Bits)
        }
        None => Expr::new(ExprKind::Const(0), Ty::U64, here.clone()),
    }
}

fn ring_map(c: &mut Checker<'_>, form: &Form) -> Option<Expr> {
    let (id, def) = super::maps::map_arg(c, form)?;
    if def.map_type != whistler_isa::MapType::Ringbuf {
        let text = format!("`{}` is no ring buffer but a map of type :{}", def.name, def.map_type.keyword());
        c.report(diag::error(&diag::MAP_OPERATION, &at(form), text).also(def.span, "declared here"));
        return None;
    }
    Some(Expr::new(ExprKind::Map(id), Ty::ptr(Space::Map, None), at(form)))
}

/// A reservation of a constant number of bytes.
fn reservation(c: &mut Checker<'_>, map: &Form, size: &Form, flags: Option<&Form>, here: At) -> Option<Val> {
    let map = ring_map(c, map);
    let n = c.const_value(size, "the size of a record");
    let flags = number_or(c, flags, &here);
    let (map, n) = (map?, n?);
    if !(1..=1 << 30).contains(&n) {
        c.malformed(size, format!("a record of {n} bytes"));
        return None;
    }
    // `(sizeof S)` tells what the record is.
    let pointee = match size.as_list() {
        Some([op, ty]) if op.as_symbol().is_some_and(|o| o.is("sizeof")) => c.type_of(ty),
        _ => None,
    };
    let pointee = pointee.unwrap_or_else(|| Ty::Array(std::rc::Rc::new(Ty::Int(crate::hir::IntTy::U8)), n as u32));
    let size = Expr::new(ExprKind::Const(n as i64), Ty::U64, at(size));
    let ty = Ty::nullable_ptr(Space::Ring, Some(pointee));
    super::calls::call_helper(c, RESERVE, vec![map, size, flags], ty, here).map(Val::of)
}

fn reserve(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    reservation(c, &call.args[0], &call.args[1], call.args.get(2), call.at()).unwrap_or_else(|| Val::error(call.at()))
}

fn release(c: &mut Checker<'_>, call: &Call<'_>, helper: &str) -> Val {
    let p = c.value(&call.args[0]);
    let flags = number_or(c, call.args.get(1), &call.at());
    let here = call.at();
    let Some(p) = c.readable(p, 0, None, &here) else { return Val::error(here) };
    if p.ty().as_ptr().is_none_or(|p| p.space != Space::Ring) {
        return c.fail(diag::error(&diag::ARGUMENT_TYPE, &at(&call.args[0]), "this is no record of a ring buffer"));
    }
    if let Some(root) = c.root_of(&p.e) {
        c.f.flow.live.retain(|l| *l != root);
        c.f.flow.released.push(root);
    }
    match super::calls::call_helper(c, helper, vec![p.e, flags], Ty::Void, here.clone()) {
        Some(e) => Val::of(e),
        None => Val::error(here),
    }
}

fn output(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let map = ring_map(c, &call.args[0]);
    let p = c.value(&call.args[1]);
    let n = c.value(&call.args[2]);
    let flags = number_or(c, call.args.get(3), &call.at());
    let Some(map) = map else { return Val::error(call.at()) };
    super::calls::checked_helper(c, "ringbuf_output", vec![Val::of(map), p, n, Val::of(flags)], call.at())
}

fn with_ringbuf(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let Some([var, map, size, options @ ..]) = call.args[0].as_list() else {
        return c.malformed(&call.args[0], "written as (with-ringbuf (variable map size) form…)");
    };
    let Some(name) = var.as_symbol() else { return c.malformed(var, "the record's name is a symbol") };
    let flags_form = match options {
        [] => None,
        [k, f] if k.as_keyword().is_some_and(|k| k.is("flags")) => Some(f),
        _ => return c.malformed(&options[0], "with-ringbuf knows the option :flags only"),
    };
    let Some(record) = reservation(c, map, size, None, call.at()) else { return Val::error(call.at()) };
    let flags = number_or(c, flags_form, &call.at());
    let mut parts = Vec::new();
    let (set, flags) = c.once(Val::of(flags));
    parts.extend(set);
    let mark = c.f.scope.len();
    let (id, set) = c.bind(name, None, record, var, &[&call.args[1..]]);
    parts.push(set);
    let test = c.read_local(id, at(var));
    let before = c.f.cleanups.len();
    let body = super::control::branch(
        c,
        test,
        crate::check::Want::Effect,
        call.at(),
        |c| {
            c.f.cleanups.push(Cleanup { record: id, flags: flags.e });
            let v = c.body(&call.args[1..], crate::check::Want::Effect, call.at());
            let v = if v.never() { v } else { submit_if_live(c, v, id) };
            c.f.cleanups.truncate(before);
            v
        },
        |_| Val::literal(0, call.at()),
    );
    c.f.cleanups.truncate(before);
    c.unbind(mark);
    let never = body.never();
    parts.push(body.e);
    let mut v = Val::literal(0, call.at());
    v = c.seq(parts, v);
    if never {
        v.e.ty = Ty::Never;
    }
    v
}

fn submission(c: &mut Checker<'_>, cleanup: &Cleanup, here: At) -> Expr {
    let ty = c.f.locals[cleanup.record.0 as usize].ty.clone();
    let p = Expr::new(ExprKind::Local(cleanup.record), ty, here.clone());
    c.f.flow.live.retain(|l| *l != cleanup.record);
    c.f.flow.released.push(cleanup.record);
    super::calls::call_helper(c, SUBMIT, vec![p, cleanup.flags.clone()], Ty::Void, here.clone())
        .unwrap_or_else(|| Val::error(here).e)
}

fn submit_if_live(c: &mut Checker<'_>, v: Val, record: LocalId) -> Val {
    if !c.f.flow.live.contains(&record) {
        return v;
    }
    let Some(cleanup) = c.f.cleanups.iter().find(|k| k.record == record).cloned() else { return v };
    let here = v.at().clone();
    let submit = submission(c, &cleanup, here.clone());
    let nothing = Val::literal(0, here);
    c.seq(vec![v.e, submit], nothing)
}

/// Where two paths meet and only one has released a record of `with-ringbuf`, the other submits it:
/// after the meeting nobody could use it any more.
pub(super) fn settle(c: &mut Checker<'_>, v: &mut Val, flow: &mut Flow, other: &Flow) {
    let here = v.at().clone();
    let open: Vec<Cleanup> =
        c.f.cleanups
            .iter()
            .filter(|k| {
                flow.live.contains(&k.record) && other.released.contains(&k.record) && !other.live.contains(&k.record)
            })
            .cloned()
            .collect();
    for cleanup in open {
        std::mem::swap(&mut c.f.flow, flow);
        let submit = submission(c, &cleanup, here.clone());
        std::mem::swap(&mut c.f.flow, flow);
        let old = std::mem::replace(v, Val::void(here.clone()));
        let (set, result) =
            if old.ty() == &Ty::Void { (Some(old.e.clone()), Val::void(here.clone())) } else { keep(c, old) };
        let mut parts: Vec<Expr> = set.into_iter().collect();
        parts.push(submit);
        *v = c.seq(parts, result);
    }
}

/// A value computed now and read later.
fn keep(c: &mut Checker<'_>, v: Val) -> (Option<Expr>, Val) {
    if v.lit {
        return (None, v);
    }
    let here = v.at().clone();
    let ty = v.ty().clone();
    let id = c.temp(ty.clone(), LocalKind::Value);
    let set = Expr::new(ExprKind::Set(id, Box::new(v.e)), ty.clone(), here.clone());
    (Some(set), Val::new(ExprKind::Local(id), ty, here))
}

/// What leaving does to records still open above `keep` cleanups: they are submitted, after the
/// value is computed.
pub(crate) fn leave(c: &mut Checker<'_>, keep_open: usize, value: Expr) -> (Vec<Expr>, Expr) {
    let open: Vec<Cleanup> =
        c.f.cleanups.iter().skip(keep_open).rev().filter(|k| c.f.flow.live.contains(&k.record)).cloned().collect();
    if open.is_empty() {
        return (Vec::new(), value);
    }
    let here = value.at.clone();
    let (set, v) = if value.as_const().is_some() { (None, Val::of(value)) } else { keep(c, Val::of(value)) };
    let mut parts: Vec<Expr> = set.into_iter().collect();
    for cleanup in open {
        parts.push(submission(c, &cleanup, here.clone()));
    }
    (parts, v.e)
}

/// Reports a record that is left open.
pub(crate) fn not_released(c: &mut Checker<'_>, l: LocalId, here: &At) {
    let local = &c.f.locals[l.0 as usize];
    let d = diag::error(
        &diag::NOT_RELEASED,
        here,
        format!("the record in `{}` is neither submitted nor discarded on a path that ends here", local.name),
    )
    .also(local.span, "reserved here")
    .help("submit it on every path, or use (with-ringbuf (v map n) …), which does");
    c.report(d);
}
