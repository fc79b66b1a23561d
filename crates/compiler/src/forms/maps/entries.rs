//! Entries of maps as places: read, written, counted up. Invariant: an entry that another CPU has just made is not
//! overwritten by counting.

use whistler_isa::{MapValueKind, Operation};

use super::super::arith::{self, Op};
use super::{bytes_of, can, is_array, lookup_type, map_op, value_type};
use crate::check::{Checker, Fit, MapRef, Val, Want};
use crate::diagnostics as diag;
use crate::hir::{At, AtomicOp, BinOp, Expr, ExprKind, IntTy, LocalKind, MapOp, Space, Ty};

/// Reads an entry: its number, or 0 where there is none; for objects the pointer, or null.
pub(crate) fn read_entry(c: &mut Checker<'_>, map: MapRef, key: Expr, setup: Vec<Expr>, here: At) -> Val {
    let def = map.def(c).clone();
    let ty = lookup_type(&def);
    let found = Val::of(map_op(MapOp::Lookup, &map, vec![key], ty, &here));
    let value = value_type(&def);
    if def.map_type.info().holds != MapValueKind::Data || matches!(value, Ty::Struct(_) | Ty::Array(..)) {
        return c.seq(setup, found);
    }
    let mut parts = setup;
    let (set, p) = c.once(found);
    parts.extend(set);
    let load = Expr::new(ExprKind::Load { ptr: Box::new(p.e.clone()), off: 0 }, value.clone(), here.clone());
    let zero = Expr::new(ExprKind::Const(0), value.clone(), here.clone());
    let v = Val::new(ExprKind::If(Box::new(p.e), Box::new(load), Box::new(zero)), value, here);
    c.seq(parts, v)
}

/// Writes an entry; yields the value.
pub(crate) fn write_entry(
    c: &mut Checker<'_>,
    map: MapRef,
    key: Expr,
    setup: Vec<Expr>,
    v: Val,
    want: Want,
    here: At,
) -> Val {
    let def = map.def(c).clone();
    let mut parts = setup;
    let v = if want == Want::Effect {
        v
    } else {
        let (set, v) = c.once(v);
        parts.extend(set);
        v
    };
    let result = v.clone();
    let Some((more, value)) = bytes_of(c, v, def.value_size, def.value.as_ref(), "value", &def) else {
        return Val::error(here);
    };
    parts.extend(more);
    if !can(c, &def, Operation::Update, &here, "(setf (getmap …))") {
        return Val::error(here);
    }
    let flags = Expr::new(ExprKind::Const(0), Ty::U64, here.clone());
    let update = map_op(MapOp::Update, &map, vec![key, value, flags], Ty::I64, &here);
    if want == Want::Effect {
        return c.seq(parts, Val::of(update));
    }
    parts.push(update);
    let ty = value_type(&def);
    let held = if ty.is_number() { Val::of(c.fit(result, &ty, Fit::Bits)) } else { result };
    c.seq(parts, held)
}

/// `(incf (getmap m k) delta)`: atomic, except on per-CPU maps; creates the entry in hash maps.
#[allow(clippy::too_many_arguments)]
pub(crate) fn step_entry(
    c: &mut Checker<'_>,
    map: MapRef,
    key: Expr,
    setup: Vec<Expr>,
    op: Op,
    delta: Val,
    want: Want,
    here: At,
) -> Val {
    let def = map.def(c).clone();
    if !can(c, &def, Operation::Update, &here, "incf") {
        return Val::error(here);
    }
    let ty = value_type(&def);
    let int = match &ty {
        Ty::Int(i) if i.size >= 4 => *i,
        Ty::Enum(e) => e.int,
        t => {
            let text = format!("`{}` holds values of type {t}: eBPF can't add to that atomically", def.name);
            let d = diag::error(&diag::ATOMIC_SIZE, &here, text).also(def.span, "declared here");
            return c.fail(d.help("look the value up and change its fields: (when-let ((p (map-lookup …))) (incf …))"));
        }
    };
    let delta = c.number(delta, "incf");
    if delta.never() {
        return Val::error(here);
    }
    let mut parts = setup;
    let delta = match op {
        Op::Sub => arith::arith(c, Op::Sub, Val::literal(0, here.clone()), delta, here.clone()),
        _ => delta,
    };
    let (set, delta) = c.once(delta);
    parts.extend(set);
    let delta_e = c.fit(delta, &ty, Fit::Bits);
    let lookup = Val::of(map_op(MapOp::Lookup, &map, vec![key.clone()], lookup_type(&def), &here));
    let (set, p) = c.once(lookup);
    parts.extend(set);
    let per_cpu = def.map_type.info().per_cpu;
    let value_wanted = want != Want::Effect;
    let present = if per_cpu {
        let old = Expr::new(ExprKind::Load { ptr: Box::new(p.e.clone()), off: 0 }, ty.clone(), here.clone());
        let sum =
            Expr::new(ExprKind::Bin(BinOp::Add, Box::new(old), Box::new(delta_e.clone())), wide(int), here.clone());
        let store = ExprKind::Store { mem: ty.clone(), ptr: Box::new(p.e.clone()), off: 0, value: Box::new(sum) };
        Val::new(store, ty.clone(), here.clone())
    } else {
        let atomic = ExprKind::Atomic {
            op: AtomicOp::Add,
            mem: int,
            fetch: value_wanted,
            ptr: Box::new(p.e.clone()),
            off: 0,
            value: Box::new(delta_e.clone()),
        };
        if value_wanted {
            let old = Expr::new(atomic, ty.clone(), here.clone());
            let sum =
                Expr::new(ExprKind::Bin(BinOp::Add, Box::new(old), Box::new(delta_e.clone())), wide(int), here.clone());
            Val::new(ExprKind::Cast(Box::new(sum)), ty.clone(), here.clone())
        } else {
            Val::new(atomic, Ty::Void, here.clone())
        }
    };
    let absent = if is_array(def.map_type) {
        Val::constant(0, ty.clone(), here.clone())
    } else {
        let id = c.temp(ty.clone(), LocalKind::Memory);
        let ptr = Expr::new(ExprKind::AddrOf(id), Ty::ptr(Space::Stack, Some(ty.clone())), here.clone());
        let store =
            ExprKind::Store { mem: ty.clone(), ptr: Box::new(ptr.clone()), off: 0, value: Box::new(delta_e.clone()) };
        let store = Expr::new(store, ty.clone(), here.clone());
        // BPF_NOEXIST: an entry that another CPU has just made is not overwritten.
        let flags = Expr::new(ExprKind::Const(1), Ty::U64, here.clone());
        let update = map_op(MapOp::Update, &map, vec![key, ptr, flags], Ty::I64, &here);
        c.seq(vec![store, update], Val::of(delta_e))
    };
    let out = if value_wanted { ty } else { Ty::Void };
    let (a, b) = (c.join_arm(present, &out), c.join_arm(absent, &out));
    let v = Val::new(ExprKind::If(Box::new(p.e), Box::new(a), Box::new(b)), out, here);
    c.seq(parts, v)
}

fn wide(i: IntTy) -> Ty {
    if i.signed { Ty::I64 } else { Ty::U64 }
}
