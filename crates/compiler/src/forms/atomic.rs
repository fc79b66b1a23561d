//! Atomic operations on memory of 4 or 8 bytes.

use super::memory::displaced;
use super::{FormDef, form};
use crate::check::{Call, Checker, Fit, Place, Val, Want, at};
use crate::diagnostics as diag;
use crate::hir::{At, AtomicOp, Expr, ExprKind, IntTy, Ty};
use whistler_lisp::Form;

pub(super) static FORMS: &[FormDef] = &[
    form("atomic-add", (3, 4), |c, k| simple(c, k, AtomicOp::Add, false), "(atomic-add p offset v [TYPE])", "Adds."),
    form(
        "atomic-and",
        (3, 4),
        |c, k| simple(c, k, AtomicOp::And, false),
        "(atomic-and p offset v [TYPE])",
        "Keeps the common bits.",
    ),
    form("atomic-or", (3, 4), |c, k| simple(c, k, AtomicOp::Or, false), "(atomic-or p offset v [TYPE])", "Sets bits."),
    form(
        "atomic-xor",
        (3, 4),
        |c, k| simple(c, k, AtomicOp::Xor, false),
        "(atomic-xor p offset v [TYPE])",
        "Flips bits.",
    ),
    form(
        "atomic-fetch-add",
        (3, 4),
        |c, k| simple(c, k, AtomicOp::Add, true),
        "(atomic-fetch-add p offset v [TYPE])",
        "Adds; yields the old content.",
    ),
    form(
        "atomic-fetch-and",
        (3, 4),
        |c, k| simple(c, k, AtomicOp::And, true),
        "(atomic-fetch-and p offset v [TYPE])",
        "Keeps the common bits; yields the old content.",
    ),
    form(
        "atomic-fetch-or",
        (3, 4),
        |c, k| simple(c, k, AtomicOp::Or, true),
        "(atomic-fetch-or p offset v [TYPE])",
        "Sets bits; yields the old content.",
    ),
    form(
        "atomic-fetch-xor",
        (3, 4),
        |c, k| simple(c, k, AtomicOp::Xor, true),
        "(atomic-fetch-xor p offset v [TYPE])",
        "Flips bits; yields the old content.",
    ),
    form(
        "atomic-xchg",
        (3, 4),
        |c, k| simple(c, k, AtomicOp::Xchg, true),
        "(atomic-xchg p offset v [TYPE])",
        "Exchanges; yields the old content.",
    ),
    form(
        "atomic-cmpxchg",
        (4, 5),
        cmpxchg,
        "(atomic-cmpxchg p offset expected new [TYPE])",
        "Exchanges if equal; yields the old content.",
    ),
    form("atomic-incf", (1, 2), incf, "(atomic-incf place [delta])", "Adds to a field or other memory."),
];

/// The memory and its type: written, else the pointer's, else `u64`.
fn target(c: &mut Checker<'_>, call: &Call<'_>, ty: Option<&Form>) -> Option<(Expr, i32, IntTy)> {
    let p = c.value(&call.args[0]);
    let pointee = p.ty().as_ptr().and_then(|p| p.pointee.as_deref().and_then(Ty::as_int));
    let (p, off) = displaced(c, p, Some(&call.args[1]))?;
    let int = match ty {
        Some(f) => match c.type_of(f)? {
            Ty::Int(i) => i,
            Ty::Enum(e) => e.int,
            t => {
                c.report(diag::error(&diag::ATOMIC_SIZE, &at(f), format!("{t} has no atomic operations")));
                return None;
            }
        },
        None => pointee.filter(|i| i.size >= 4).unwrap_or(IntTy::U64),
    };
    let p = writable(c, p, off, int, &call.at())?;
    Some((p, off, int))
}

fn writable(c: &mut Checker<'_>, p: Val, off: i32, int: IntTy, here: &At) -> Option<Expr> {
    if int.size < 4 {
        let d = diag::error(&diag::ATOMIC_SIZE, here, format!("eBPF has no atomic operations on {} bytes", int.size));
        c.report(d);
        return None;
    }
    let p = c.readable(p, off.into(), Some(int.size.into()), here)?;
    if let Some(why) = p.ty().as_ptr().and_then(|p| c.why_read_only(p.space)) {
        c.report(diag::error(&diag::READ_ONLY, here, why));
        return None;
    }
    Some(p.e)
}

fn operand(c: &mut Checker<'_>, f: &Form, int: Option<IntTy>) -> Option<Expr> {
    let v = c.value(f);
    let v = c.number(v, "an atomic operation");
    if v.never() {
        return None;
    }
    Some(c.fit(v, &Ty::Int(int.unwrap_or(IntTy::U64)), Fit::Bits))
}

fn simple(c: &mut Checker<'_>, call: &Call<'_>, op: AtomicOp, fetch: bool) -> Val {
    let place = target(c, call, call.args.get(3));
    let value = operand(c, &call.args[2], place.as_ref().map(|p| p.2));
    let (Some((ptr, off, mem)), Some(value)) = (place, value) else { return Val::error(call.at()) };
    let ty = if fetch { Ty::Int(mem) } else { Ty::Void };
    Val::new(ExprKind::Atomic { op, mem, fetch, ptr: Box::new(ptr), off, value: Box::new(value) }, ty, call.at())
}

fn cmpxchg(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let place = target(c, call, call.args.get(4));
    let int = place.as_ref().map(|p| p.2);
    let expected = operand(c, &call.args[2], int);
    let new = operand(c, &call.args[3], int);
    let (Some((ptr, off, mem)), Some(expected), Some(new)) = (place, expected, new) else {
        return Val::error(call.at());
    };
    let kind = ExprKind::CmpXchg { mem, ptr: Box::new(ptr), off, expected: Box::new(expected), new: Box::new(new) };
    Val::new(kind, Ty::Int(mem), call.at())
}

fn incf(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let place = c.place(&call.args[0]);
    let delta = match call.args.get(1) {
        Some(f) => c.value(f),
        None => Val::literal(1, call.at()),
    };
    match place {
        Some(Place::Map { map, key, setup }) => {
            super::maps::step_entry(c, map, *key, setup, super::arith::Op::Add, delta, Want::Effect, call.at())
        }
        Some(Place::Memory(m)) => {
            let (Ty::Int(_) | Ty::Enum(_), Some(int)) = (&m.ty, m.ty.as_int()) else {
                return c.fail(diag::error(
                    &diag::ATOMIC_SIZE,
                    &call.at(),
                    format!("{} has no atomic operations", m.ty),
                ));
            };
            if m.big_endian || m.bits.is_some() {
                return c.fail(diag::error(
                    &diag::ATOMIC_SIZE,
                    &call.at(),
                    "this field is not a plain number in memory",
                ));
            }
            let delta = c.number(delta, "atomic-incf");
            let Some(ptr) = writable(c, Val::of(m.ptr), m.off, int, &call.at()) else { return Val::error(call.at()) };
            if delta.never() {
                return delta;
            }
            let value = c.fit(delta, &Ty::Int(int), Fit::Bits);
            let kind = ExprKind::Atomic {
                op: AtomicOp::Add,
                mem: int,
                fetch: false,
                ptr: Box::new(ptr),
                off: m.off,
                value: Box::new(value),
            };
            let v = Val::new(kind, Ty::Void, call.at());
            c.seq(m.before, v)
        }
        Some(Place::Local(_)) => {
            c.malformed(&call.args[0], "a variable in a register needs no atomic operation; use incf")
        }
        None => Val::error(call.at()),
    }
}
