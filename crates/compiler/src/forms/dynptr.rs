//! Dynptrs: memory whose size is known only at run time, read and written through the kernel, which checks. Invariant:
//! a reservation made by `with-dynptr` leaves on every path.

use whistler_isa::kfuncs;

use super::{FormDef, MANY, form, refs};
use crate::builtin;
use crate::check::{Call, Checker, Cleanup, Fit, Release, Val, at};
use crate::diagnostics as diag;
use crate::hir::{Expr, ExprKind, LocalKind, Space, Ty};

pub(super) static FORMS: &[FormDef] = &[
    form(
        "with-dynptr",
        (1, MANY),
        with_dynptr,
        "(with-dynptr (d (SOURCE argument…)) form…)",
        "Forms with a dynptr from (mem pointer n), (ringbuf map n), (skb), (skb-meta) or (xdp).",
    ),
    form("dynptr-load", (3, 3), load, "(dynptr-load TYPE d offset)", "Reads through a dynptr; 0 where it has ended."),
    form(
        "dynptr-store",
        (4, 4),
        store,
        "(dynptr-store TYPE d offset value)",
        "Writes through a dynptr; 0, or an error where it has ended.",
    ),
];

fn with_dynptr(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let Some([var, source]) = call.args[0].as_list() else {
        return c.malformed(&call.args[0], "written as (with-dynptr (variable (SOURCE argument…)) form…)");
    };
    let (Some(name), Some([kind, arguments @ ..])) = (var.as_symbol(), source.as_list()) else {
        return c.malformed(&call.args[0], "written as (with-dynptr (variable (SOURCE argument…)) form…)");
    };
    let kind_name = kind.as_symbol().map(crate::names::norm).map_or("", |s| s.name());
    let (takes, ringbuf) = match kind_name {
        "mem" | "ringbuf" => (2, kind_name == "ringbuf"),
        "skb" | "skb-meta" | "xdp" => (0, false),
        _ => {
            let text = "a dynptr comes from (mem pointer n), (ringbuf map n), (skb), (skb-meta) or (xdp)";
            return c.malformed(source, text);
        }
    };
    if arguments.len() != takes && arguments.len() != takes + 1 {
        let text = format!("`{kind_name}` takes {takes} arguments, and flags");
        return c.fail(diag::error(&diag::ARGUMENT_COUNT, &at(source), text));
    }
    let mut values: Vec<Val> = arguments.iter().map(|f| c.value(f)).collect();
    if values.iter().any(Val::never) {
        return Val::error(call.at());
    }
    if values.len() == takes {
        values.push(Val::literal(0, at(source)));
    }
    let Some(ty) = builtin::of("bpf_dynptr") else { return Val::error(call.at()) };
    let memory = c.temp(ty.clone(), LocalKind::Memory);
    let address = Expr::new(ExprKind::AddrOf(memory), Ty::ptr(Space::Stack, Some(ty)), at(var));
    let mark = c.f.scope.len();
    let (id, set) = c.bind(name, None, Val::of(address), var, &[&call.args[1..]]);
    let d = c.read_local(id, at(var));
    values.push(d);
    let made = match kind_name {
        "mem" => {
            let space = values[0].ty().as_ptr().map(|p| p.space);
            if matches!(space, Some(s) if !matches!(s, Space::MapValue | Space::Global)) {
                let text = "a dynptr of memory needs the value of a map, or a global";
                c.report(diag::error(&diag::ARGUMENT_TYPE, &at(&arguments[0]), text));
            }
            super::calls::checked_helper(c, "dynptr_from_mem", values, call.at())
        }
        "ringbuf" => super::calls::checked_helper(c, "ringbuf_reserve_dynptr", values, call.at()),
        kind => {
            let found = kfuncs::by_name(&format!("bpf_dynptr_from_{}", kind.replace('-', "_")));
            let Some(k) = found else { return Val::error(call.at()) };
            let ctx = super::ctx::ctx(c, call.at());
            values.insert(0, Val::of(ctx));
            super::kfuncs::checked(c, k, values, call.at())
        }
    };
    if made.never() {
        c.unbind(mark);
        return made;
    }
    let before = c.f.cleanups.len();
    if ringbuf {
        c.f.cleanups.push(Cleanup::Object { object: id, by: Release::SubmitDynptr });
    }
    let v = c.body(&call.args[1..], call.want, call.at());
    let v = if v.never() || !ringbuf { v } else { refs::release_if_live(c, v, id) };
    c.f.cleanups.truncate(before);
    c.unbind(mark);
    let never = v.never();
    let mut v = c.seq(vec![set, made.e], v);
    if never {
        v.e.ty = Ty::Never;
    }
    v
}

/// A place on the stack for one value of a type.
fn place(c: &mut Checker<'_>, call: &Call<'_>) -> Option<(Ty, Expr, Val)> {
    let ty = c.type_of(&call.args[0])?;
    if ty.as_int().is_none() {
        let text = format!("a {ty} is not read as one number; use (dynptr-read pointer n d offset)");
        c.report(diag::error(&diag::ARGUMENT_TYPE, &at(&call.args[0]), text));
        return None;
    }
    let id = c.temp(ty.clone(), LocalKind::Memory);
    let address = Expr::new(ExprKind::AddrOf(id), Ty::ptr(Space::Stack, Some(ty.clone())), call.at());
    let zero = Val::constant(0, ty.clone(), call.at());
    let set = Expr::new(ExprKind::Set(id, Box::new(zero.e)), ty.clone(), call.at());
    Some((ty, set, Val::of(address)))
}

fn size(ty: &Ty, call: &Call<'_>) -> Val {
    Val::literal(i128::from(ty.size()), call.at())
}

fn load(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let Some((ty, set, address)) = place(c, call) else { return Val::error(call.at()) };
    let d = c.value(&call.args[1]);
    let off = c.value(&call.args[2]);
    let args = vec![address.clone(), size(&ty, call), d, off, Val::literal(0, call.at())];
    let read = super::calls::checked_helper(c, "dynptr_read", args, call.at());
    if read.never() {
        return read;
    }
    let v = Val::new(ExprKind::Load { ptr: Box::new(address.e), off: 0 }, ty, call.at());
    c.seq(vec![set, read.e], v)
}

fn store(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let Some((ty, _, address)) = place(c, call) else { return Val::error(call.at()) };
    let d = c.value(&call.args[1]);
    let off = c.value(&call.args[2]);
    let v = c.value(&call.args[3]);
    if v.never() {
        return v;
    }
    let value = c.fit(v, &ty, Fit::Place);
    let kind = ExprKind::Store { mem: ty.clone(), ptr: Box::new(address.e.clone()), off: 0, value: Box::new(value) };
    let set = Expr::new(kind, ty.clone(), call.at());
    let args = vec![d, off, address, size(&ty, call), Val::literal(0, call.at())];
    let written = super::calls::checked_helper(c, "dynptr_write", args, call.at());
    if written.never() {
        return written;
    }
    c.seq(vec![set], written)
}
