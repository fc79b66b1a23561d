//! Ring buffers: reserve, submit, discard; a record must leave on every path.

use whistler_lisp::Form;

use super::{FormDef, MANY, form};
use crate::check::{Call, Checker, Cleanup, Fit, Release, Val, at};
use crate::diagnostics as diag;
use crate::hir::{At, Expr, ExprKind, Space, Ty};

pub(crate) use super::refs::{leave, not_released, settle};

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
    if !fits(c, &map, n, size) {
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

/// Bytes that the kernel puts before each record (`BPF_RINGBUF_HDR_SZ`).
const HEADER: i128 = 8;

/// Whether a record of so many bytes has room when the ring is empty; reports otherwise.
fn fits(c: &mut Checker<'_>, map: &Expr, n: i128, size: &Form) -> bool {
    let ExprKind::Map(id) = map.kind else { return true };
    let def = &c.unit.maps[id.0 as usize];
    let room = i128::from(def.max_entries);
    // The producer may come up to one byte short of a whole turn.
    let taken = (n + HEADER + 7) & !7;
    if taken < room || room == 0 {
        return true;
    }
    let text = format!("a record of {n} bytes never fits into `{}`, a ring of {room} bytes", def.name);
    let d = diag::error(&diag::OBJECT_BOUNDS, &at(size), text).also(def.span, "declared here");
    let enough = u128::try_from(taken + 1).unwrap_or(1).next_power_of_two().max(4096);
    c.report(d.help(format!("each takes {HEADER} bytes more; :max-entries {enough} holds one, a larger ring several")));
    false
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
    super::refs::released(c, &p.e);
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
    if n.lo == n.hi && !fits(c, &map, n.lo, &call.args[2]) {
        return Val::error(call.at());
    }
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
            c.f.cleanups.push(Cleanup::Object { object: id, by: Release::Submit { flags: flags.e } });
            let v = c.body(&call.args[1..], crate::check::Want::Effect, call.at());
            c.record_written(id, &v.e, var);
            c.sent_empty(id, &v.e, var);
            let v = if v.never() { v } else { super::refs::release_if_live(c, v, id) };
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
