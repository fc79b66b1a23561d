//! Atomic operations on memory of 4 or 8 bytes.

use super::memory::displaced;
use super::{FormDef, form};
use crate::check::{Call, Checker, Fit, Place, Val, Want, at};
use crate::diagnostics as diag;
use crate::hir::{At, AtomicOp, Expr, ExprKind, IntTy, Space, Ty};
use whistler_isa::{IsaLevel, KernelVersion};
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
    form(
        "load-acquire",
        (2, 3),
        load_acquire,
        "(load-acquire TYPE pointer [offset])",
        "Reads; what comes behind is not read or written before.",
    ),
    form(
        "store-release",
        (4, 4),
        store_release,
        "(store-release TYPE pointer offset value)",
        "Writes; what stands before has been read and written by then.",
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
    let p = writable(c, p, off, int, AtomicOp::Add, &call.at());
    if p.is_none() {
        c.mend_not_a_pointer(&call.args[0]);
    }
    Some((p?, off, int))
}

/// The memory of an atomic operation, if it may be used so.
pub(super) fn writable(c: &mut Checker<'_>, p: Val, off: i32, int: IntTy, op: AtomicOp, here: &At) -> Option<Expr> {
    let plain = matches!(op, AtomicOp::LoadAcquire | AtomicOp::StoreRelease);
    if int.size < 4 && !plain {
        let d = diag::error(&diag::ATOMIC_SIZE, here, format!("eBPF has no atomic operations on {} bytes", int.size));
        c.report(d);
        return None;
    }
    let p = c.readable(p, off.into(), Some(int.size.into()), here)?;
    // What the verifier's atomic_ptr_type_ok refuses.
    let refused = match p.ty().as_ptr().map(|p| p.space) {
        Some(Space::Packet) => Some("the packet"),
        Some(Space::Ctx) => Some("the context"),
        _ => None,
    };
    if let Some(what) = refused {
        let d = diag::error(&diag::ATOMIC_SIZE, here, format!("the kernel allows no atomic operations on {what}"));
        c.report(d.help("nobody else writes it while the program runs: load and store do"));
        return None;
    }
    if let Some(at) = place_in_object(c, &p.e, off).filter(|n| n % i64::from(int.size) != 0) {
        let text = format!("an atomic operation on {} bytes at {at}, which is no multiple of {}", int.size, int.size);
        let help =
            "the verifier wants it aligned; in a packed struct, put the field at such a place, or load and store";
        c.report(diag::error(&diag::ATOMIC_SIZE, here, text).help(help));
        return None;
    }
    if op == AtomicOp::LoadAcquire {
        return Some(p.e);
    }
    if let Some(why) = p.ty().as_ptr().and_then(|p| c.why_read_only(p.space)) {
        c.report(diag::error(&diag::READ_ONLY, here, why));
        return None;
    }
    Some(p.e)
}

/// How many bytes from the start of an aligned object a constant place is.
fn place_in_object(c: &Checker<'_>, e: &Expr, off: i32) -> Option<i64> {
    let mut at = i64::from(off);
    let mut e = e;
    loop {
        match &e.kind {
            ExprKind::Bin(crate::hir::BinOp::Add, p, n) => {
                at += n.as_const()?;
                e = p;
            }
            ExprKind::Cast(inner) if inner.ty.as_ptr().is_some() => e = inner,
            ExprKind::AddrOf(_) | ExprKind::Global(_) => return Some(at),
            ExprKind::Local(l) => {
                let var = &c.f.vars[l.0 as usize];
                // Only a lookup's own result may be null, and values are aligned.
                let whole = var.ty.as_ptr().is_some_and(|p| p.space == Space::MapValue && p.nullable);
                return (whole && !var.assigned).then_some(at);
            }
            _ => return None,
        }
    }
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

/// The type, pointer and offset of a load or store with an order; says where the target has none.
fn ordered(c: &mut Checker<'_>, call: &Call<'_>, op: AtomicOp) -> Option<(Expr, i32, IntTy)> {
    /// The first kernel with these instructions.
    const SINCE: KernelVersion = KernelVersion::new(6, 15);
    let ty = c.type_of(&call.args[0]);
    let p = c.value(&call.args[1]);
    let (p, off) = displaced(c, p, call.args.get(2))?;
    if !c.target.has(SINCE) || c.target.isa < IsaLevel::V4 {
        let text =
            format!("`{}` needs kernel 6.15 and instruction set v4; the target is {}", call.name, c.target.kernel);
        let d = diag::error(&diag::HELPER_TARGET, &call.at(), text);
        c.report(
            d.help("compile with --target 6.15 for kernels from there on; atomic-xchg orders as well, everywhere"),
        );
        return None;
    }
    let ty = ty?;
    let Ty::Int(int) = ty else {
        c.report(diag::error(&diag::ATOMIC_SIZE, &at(&call.args[0]), format!("{ty} has no atomic operations")));
        return None;
    };
    let p = writable(c, p, off, int, op, &call.at())?;
    Some((p, off, int))
}

fn load_acquire(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let op = AtomicOp::LoadAcquire;
    let Some((ptr, off, mem)) = ordered(c, call, op) else { return Val::error(call.at()) };
    let value = Box::new(Expr::new(ExprKind::Const(0), Ty::Int(mem), call.at()));
    Val::new(ExprKind::Atomic { op, mem, fetch: true, ptr: Box::new(ptr), off, value }, Ty::Int(mem), call.at())
}

fn store_release(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let op = AtomicOp::StoreRelease;
    let place = ordered(c, call, op);
    let value = operand(c, &call.args[3], place.as_ref().map(|p| p.2));
    let (Some((ptr, off, mem)), Some(value)) = (place, value) else { return Val::error(call.at()) };
    let kind = ExprKind::Atomic { op, mem, fetch: false, ptr: Box::new(ptr), off, value: Box::new(value) };
    Val::new(kind, Ty::Void, call.at())
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
            let Some(ptr) = writable(c, Val::of(m.ptr), m.off, int, AtomicOp::Add, &call.at()) else {
                return Val::error(call.at());
            };
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
