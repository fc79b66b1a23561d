//! References: what a call hands out and the program must give back. Invariant: a variable stands in `Flow::live`
//! exactly while it may hold something that must still be released.

use whistler_isa::{MapType, Ret, helpers, kfuncs};

use super::{FormDef, MANY, form};
use crate::builtin;
use crate::check::flow::Flow;
use crate::check::{Call, Checker, Cleanup, Release, Val, Want, at};
use crate::diagnostics as diag;
use crate::hir::{At, Expr, ExprKind, LocalId, LocalKind, MapOp, Space, Ty, Unit};

pub(super) static FORMS: &[FormDef] = &[form(
    "with-reference",
    (1, MANY),
    with_reference,
    "(with-reference (v call) form…)",
    "Forms with what a call acquires, if it is not null; it is released at the end.",
)];

/// Whether a value comes from a call that hands out something to be released.
pub(crate) fn acquires(unit: &Unit, e: &Expr) -> bool {
    if !matches!(e.ty, Ty::Ptr(_)) {
        return false;
    }
    match &e.kind {
        ExprKind::Helper { id, .. } => helpers::by_id(*id).is_some_and(whistler_isa::Helper::acquires),
        ExprKind::Kfunc { kfunc, .. } => kfunc.acquires(),
        ExprKind::MapOp { op: MapOp::Lookup, map, .. } => {
            let map = unit.maps.get(map.0 as usize);
            map.is_some_and(|m| matches!(m.map_type, MapType::Sockmap | MapType::Sockhash))
        }
        ExprKind::Seq(es) => es.last().is_some_and(|e| acquires(unit, e)),
        ExprKind::Cast(e) => acquires(unit, e),
        _ => false,
    }
}

/// How what calls of a type hand out is released.
fn release_of(e: &Expr) -> Option<Release> {
    match &e.kind {
        ExprKind::Helper { id, .. } => match helpers::by_id(*id)?.ret {
            Ret::Socket | Ret::SockCommon | Ret::TcpSock => helpers::by_name("sk_release").map(Release::Helper),
            _ => None,
        },
        ExprKind::MapOp { .. } => helpers::by_name("sk_release").map(Release::Helper),
        ExprKind::Kfunc { .. } => match e.ty.as_ptr()?.pointee.as_deref()? {
            Ty::Kernel(name) => kfuncs::release_of(name).map(Release::Kfunc),
            _ => None,
        },
        ExprKind::Seq(es) => release_of(es.last()?),
        ExprKind::Cast(e) => release_of(e),
        _ => None,
    }
}

/// The object behind a pointer now must be released.
pub(super) fn holds(c: &mut Checker<'_>, e: &Expr) {
    if let Some(root) = c.root_of(e) {
        c.f.flow.released.retain(|l| *l != root);
        if !c.f.flow.live.contains(&root) {
            c.f.flow.live.push(root);
        }
    }
}

/// The object behind a pointer has been released.
pub(super) fn released(c: &mut Checker<'_>, e: &Expr) {
    if let Some(root) = c.root_of(e) {
        c.f.flow.live.retain(|l| *l != root);
        c.f.flow.released.push(root);
    }
}

/// Reports the use of an object that has been released.
pub(super) fn gone(c: &mut Checker<'_>, e: &Expr, here: &At) -> bool {
    let Some(l) = c.root_of(e).filter(|l| c.f.flow.released.contains(l)) else { return false };
    let local = &c.f.locals[l.0 as usize];
    let text = format!("`{}` has been {}", local.name, how_released(&local.ty));
    c.report(diag::error(&diag::RELEASED_TWICE, here, text));
    true
}

/// Whether what a parameter of this type points to may be one that somebody has to release.
pub(crate) fn may_be_held(ty: &Ty) -> bool {
    ty.as_ptr().is_some_and(|p| matches!(p.space, Space::Ring | Space::Trusted | Space::Kernel))
}

/// Reports a tail call while an object is held: where it succeeds, nothing behind it runs
/// (the verifier's `check_resource_leak` for `tail_call`).
pub(super) fn held_at_tail_call(c: &mut Checker<'_>, l: LocalId, here: &At) {
    let local = &c.f.locals[l.0 as usize];
    let ends = how_released(&local.ty);
    let text = format!("a tail call leaves the program for good, and `{}` is not {ends} before it", local.name);
    let d = diag::error(&diag::NOT_RELEASED, here, text).also(local.span, "begins here");
    c.report(d.help(format!("make the call where `{}` has been {ends}, or before it is taken", local.name)));
}

/// What was done with an object of this type, in a word.
pub(crate) fn how_released(ty: &Ty) -> &'static str {
    match ty {
        Ty::Ptr(p) if p.space == Space::Ring => "submitted or discarded",
        Ty::Ptr(p) if p.pointee.as_deref().is_some_and(|t| builtin::is(t, "bpf_dynptr")) => "submitted or discarded",
        _ => "released",
    }
}

/// Reports an object that is left unreleased.
pub(crate) fn not_released(c: &mut Checker<'_>, l: LocalId, here: &At) {
    let local = &c.f.locals[l.0 as usize];
    let name = local.name.clone();
    let record = |with: &str| {
        let text = format!("the record in `{name}` is neither submitted nor discarded on a path that ends here");
        (text, "reserved here", format!("submit it on every path, or use {with}, which does"))
    };
    let pointer = local.ty.as_ptr();
    let (text, label, help) = match pointer.and_then(|p| p.pointee.as_deref()) {
        Some(t) if builtin::is(t, "bpf_dynptr") => record("(with-dynptr (d (ringbuf map n)) …)"),
        _ if pointer.is_none_or(|p| p.space == Space::Ring) => record("(with-ringbuf (v map n) …)"),
        of => {
            let by = match of {
                Some(Ty::Kernel(n)) if n.starts_with("bpf_sock") || &**n == "sock_common" => "sk-release".to_string(),
                Some(Ty::Kernel(n)) => kfuncs::release_of(n).map_or_else(|| "its function".into(), |k| k.spelled()),
                _ => "its function".to_string(),
            };
            let help =
                format!("release it on every path by ({by} {name}), or use (with-reference (v call) …), which does");
            (format!("the reference in `{name}` is not released on a path that ends here"), "acquired here", help)
        }
    };
    let d = diag::error(&diag::NOT_RELEASED, here, text).also(local.span, label).help(help);
    c.report(d);
}

fn with_reference(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let Some([var, value]) = call.args[0].as_list() else {
        return c.malformed(&call.args[0], "written as (with-reference (variable call) form…)");
    };
    let Some(name) = var.as_symbol() else { return c.malformed(var, "the variable's name is a symbol") };
    let v = c.value(value);
    if v.never() {
        return v;
    }
    let by = if acquires(&c.unit, &v.e) { release_of(&v.e) } else { None };
    let Some(by) = by else {
        let text = "this call hands out nothing that a function releases";
        return c.fail(
            diag::error(&diag::ARGUMENT_TYPE, &at(value), text)
                .help("it is for (sk-lookup-tcp …), (task-from-pid …) and the like; records have `with-ringbuf`"),
        );
    };
    let mark = c.f.scope.len();
    let (id, set) = c.bind(name, None, v, var, &[&call.args[1..]]);
    if let Some(b) = c.f.scope.last_mut() {
        b.used = true;
    }
    let test = c.read_local(id, at(var));
    let before = c.f.cleanups.len();
    let body = super::control::branch(
        c,
        test,
        call.want,
        call.at(),
        |c| {
            c.f.cleanups.push(Cleanup::Object { object: id, by: by.clone() });
            let v = c.body(&call.args[1..], call.want, call.at());
            let v = if v.never() { v } else { release_if_live(c, v, id) };
            c.f.cleanups.truncate(before);
            v
        },
        |_| Val::literal(0, call.at()),
    );
    c.f.cleanups.truncate(before);
    c.unbind(mark);
    c.seq(vec![set], body)
}

/// What a cleanup does.
fn effect(c: &mut Checker<'_>, cleanup: &Cleanup, here: At) -> Expr {
    let (object, by) = match cleanup {
        Cleanup::Always { end, .. } => return end.clone(),
        Cleanup::Object { object, by } => (*object, by),
    };
    let mut ty = c.f.locals[object.0 as usize].ty.clone();
    if let Ty::Ptr(p) = &mut ty {
        p.nullable = false;
    }
    let p = Expr::new(ExprKind::Local(object), ty, here.clone());
    c.f.flow.live.retain(|l| *l != object);
    c.f.flow.released.push(object);
    let made = match by {
        Release::Submit { flags } => {
            super::calls::call_helper(c, "ringbuf_submit", vec![p, flags.clone()], Ty::Void, here.clone())
        }
        Release::SubmitDynptr => {
            let zero = Expr::new(ExprKind::Const(0), Ty::U64, here.clone());
            super::calls::call_helper(c, "ringbuf_submit_dynptr", vec![p, zero], Ty::Void, here.clone())
        }
        Release::Helper(h) => super::calls::call_helper(c, h.name, vec![p], Ty::I64, here.clone()),
        Release::Kfunc(k) => super::kfuncs::call_kfunc(c, k, vec![p], Ty::Void, here.clone()),
    };
    made.unwrap_or_else(|| Val::error(here).e)
}

/// Releases an object of the innermost `with-…` at its end, after the value is computed.
pub(super) fn release_if_live(c: &mut Checker<'_>, v: Val, object: LocalId) -> Val {
    if !c.f.flow.live.contains(&object) {
        return v;
    }
    let found = c.f.cleanups.iter().find(|k| matches!(k, Cleanup::Object { object: o, .. } if *o == object));
    match found.cloned() {
        Some(cleanup) => finish(c, v, &cleanup),
        None => v,
    }
}

/// A value, then what a cleanup does.
pub(super) fn finish(c: &mut Checker<'_>, v: Val, cleanup: &Cleanup) -> Val {
    let here = v.at().clone();
    let done = effect(c, cleanup, here.clone());
    let (set, v) = keep(c, v);
    let mut parts: Vec<Expr> = set.into_iter().collect();
    parts.push(done);
    c.seq(parts, v)
}

/// Where two paths meet and only one has released an object of a `with-…`, the other releases it:
/// after the meeting nobody could use it any more.
pub(crate) fn settle(c: &mut Checker<'_>, v: &mut Val, flow: &mut Flow, other: &Flow) {
    let here = v.at().clone();
    let gone = |l: &LocalId| flow.live.contains(l) && other.released.contains(l) && !other.live.contains(l);
    let open: Vec<Cleanup> =
        c.f.cleanups.iter().filter(|k| matches!(k, Cleanup::Object { object, .. } if gone(object))).cloned().collect();
    for cleanup in open {
        std::mem::swap(&mut c.f.flow, flow);
        let done = effect(c, &cleanup, here.clone());
        std::mem::swap(&mut c.f.flow, flow);
        let old = std::mem::replace(v, Val::void(here.clone()));
        let (set, result) = keep(c, old);
        let mut parts: Vec<Expr> = set.into_iter().collect();
        parts.push(done);
        *v = c.seq(parts, result);
    }
}

/// A value computed now and read later.
pub(super) fn keep(c: &mut Checker<'_>, v: Val) -> (Option<Expr>, Val) {
    if v.lit {
        return (None, v);
    }
    let here = v.at().clone();
    if v.ty() == &Ty::Void {
        return (Some(v.e), Val::void(here));
    }
    let ty = v.ty().clone();
    let id = c.temp(ty.clone(), LocalKind::Value);
    let set = Expr::new(ExprKind::Set(id, Box::new(v.e)), ty.clone(), here.clone());
    (Some(set), Val::new(ExprKind::Local(id), ty, here))
}

/// What leaving does to what is open above `keep_open` cleanups: it is ended, after the value is computed.
pub(crate) fn leave(c: &mut Checker<'_>, keep_open: usize, value: Expr) -> (Vec<Expr>, Expr) {
    let live = |k: &Cleanup| match k {
        Cleanup::Object { object, .. } => c.f.flow.live.contains(object),
        Cleanup::Always { .. } => true,
    };
    let open = c.f.cleanups.iter().enumerate().skip(keep_open).rev().filter(|(_, k)| live(k));
    let open: Vec<(usize, Cleanup)> = open.map(|(i, k)| (i, k.clone())).collect();
    let Some((outermost, _)) = open.last() else { return (Vec::new(), value) };
    let here = value.at.clone();
    // Whether a loop or callback, which may become a function of its own, lies between.
    let between = c.f.rounds.last().is_some_and(|round| round > outermost);
    let (set, v) = if value.as_const().is_some() { (None, Val::of(value)) } else { keep(c, Val::of(value)) };
    let mut parts: Vec<Expr> = set.into_iter().collect();
    for (_, cleanup) in open {
        let taken = match &cleanup {
            Cleanup::Object { object, .. } => *object,
            Cleanup::Always { taken, .. } => *taken,
        };
        let release = effect(c, &cleanup, here.clone());
        parts.push(if between {
            Expr::new(ExprKind::OnLeaving { taken, release: Box::new(release) }, Ty::Void, here.clone())
        } else {
            release
        });
    }
    if between {
        // With the value, so that both can be done behind the call.
        return (Vec::new(), c.seq(parts, v).e);
    }
    (parts, v.e)
}

/// A cleanup that ends a region on every way out of it, and what stands where the region begins.
pub(super) fn ends_with(c: &mut Checker<'_>, end: Expr) -> (Expr, Cleanup) {
    let here = end.at.clone();
    let taken = c.temp(Ty::U64, LocalKind::Value);
    let zero = Expr::new(ExprKind::Const(0), Ty::U64, here.clone());
    let begun = Expr::new(ExprKind::Set(taken, Box::new(zero)), Ty::U64, here);
    (begun, Cleanup::Always { end, taken })
}

/// Forms between the beginning and the end of a region, which also ends when they are left early.
pub(super) fn region(c: &mut Checker<'_>, call: &Call<'_>, begin: Expr, end: Expr, from: usize, want: Want) -> Val {
    let before = c.f.cleanups.len();
    let (begun, cleanup) = ends_with(c, end);
    c.f.cleanups.push(cleanup.clone());
    let v = c.body(&call.args[from..], want, call.at());
    c.f.cleanups.truncate(before);
    if v.never() {
        let mut v = c.seq(vec![begin, begun], v);
        v.e.ty = Ty::Never;
        return v;
    }
    let v = finish(c, v, &cleanup);
    c.seq(vec![begin, begun], v)
}
