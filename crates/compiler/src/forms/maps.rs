//! Maps: lookups, updates, entries as places.

use std::rc::Rc;

use whistler_isa::{MapType, Operation};
use whistler_lisp::Form;

use super::arith::Op;
use super::binding::zeroed;
use super::{FormDef, form, place};
use crate::check::konst;
use crate::check::{Call, Checker, Fit, MapRef, Place, Val, at};
use crate::diagnostics as diag;
use crate::hir::{At, CmpOp, Expr, ExprKind, LocalKind, MapDef, MapOp, Space, Ty};

mod entries;
mod given;

pub(crate) use entries::{read_entry, step_entry, write_entry};
use given::{Given, bytes_of, can, is_array, key_of, lockable, pointer_to};
pub(crate) use given::{key_type, lookup_type, value_type};
pub(super) use given::{map_arg, map_ref};

pub(super) static FORMS: &[FormDef] = &[
    form(
        "map-lookup",
        (2, 2),
        |c, k| lookup_form(c, k, Given::Value),
        "(map-lookup map key)",
        "Pointer to the value, or null.",
    ),
    form(
        "map-lookup-ptr",
        (2, 2),
        |c, k| lookup_form(c, k, Given::Pointer),
        "(map-lookup-ptr map key-pointer)",
        "Pointer to the value, or null.",
    ),
    form(
        "map-update",
        (3, 4),
        |c, k| update_form(c, k, Given::Value),
        "(map-update map key value [flags])",
        "Writes an entry; 0 or an error.",
    ),
    form(
        "map-update-ptr",
        (3, 4),
        |c, k| update_form(c, k, Given::Pointer),
        "(map-update-ptr map key-pointer value-pointer [flags])",
        "Writes an entry; 0 or an error.",
    ),
    form(
        "setmap",
        (3, 4),
        |c, k| update_form(c, k, Given::Value),
        "(setmap map key value [flags])",
        "Writes an entry; 0 or an error.",
    ),
    form(
        "map-delete",
        (2, 2),
        |c, k| delete_form(c, k, Given::Value),
        "(map-delete map key)",
        "Removes an entry; 0 or an error.",
    ),
    form(
        "map-delete-ptr",
        (2, 2),
        |c, k| delete_form(c, k, Given::Pointer),
        "(map-delete-ptr map key-pointer)",
        "Removes an entry; 0 or an error.",
    ),
    form(
        "remmap",
        (2, 2),
        |c, k| delete_form(c, k, Given::Value),
        "(remmap map key)",
        "Removes an entry; 0 or an error.",
    ),
    form(
        "delmap",
        (2, 2),
        |c, k| delete_form(c, k, Given::Value),
        "(delmap map key)",
        "Removes an entry; 0 or an error.",
    ),
    form(
        "map-lookup-percpu",
        (3, 3),
        lookup_percpu,
        "(map-lookup-percpu map key cpu)",
        "Pointer to the value of one CPU, or null.",
    ),
    form(
        "map-push",
        (2, 3),
        push,
        "(map-push map value [flags])",
        "Puts a value into a queue, stack or bloom filter; 0 or an error.",
    ),
    form(
        "map-pop",
        (1, 2),
        |c, k| take(c, k, "map_pop_elem"),
        "(map-pop map [pointer])",
        "Takes a value out: a pointer to a copy or null; with a place for it, 0 or an error.",
    ),
    form(
        "map-peek",
        (1, 2),
        |c, k| take(c, k, "map_peek_elem"),
        "(map-peek map [pointer])",
        "As `map-pop`, and the value stays. Of a bloom filter, 0 if the value may be in it.",
    ),
    place("getmap", (2, 2), getmap, "(getmap map key)", "The value under a key; 0 where there is none."),
    form("incf-map", (2, 3), incf_map, "(incf-map map key [delta])", "Adds to the value under a key."),
];
fn map_op(op: MapOp, map: &MapRef, mut args: Vec<Expr>, ty: Ty, here: &At) -> Expr {
    let kind = match map {
        MapRef::Own(map) => ExprKind::MapOp { op, map: *map, args },
        MapRef::Inner(pointer, _) => {
            args.insert(0, (**pointer).clone());
            ExprKind::Helper { id: op.helper(), args }
        }
    };
    Expr::new(kind, ty, here.clone())
}

/// A helper on a map: the map comes first.
fn map_helper(c: &mut Checker<'_>, name: &str, map: &MapRef, mut args: Vec<Expr>, ty: Ty, here: &At) -> Option<Expr> {
    let map = match map {
        MapRef::Own(id) => Expr::new(ExprKind::Map(*id), Ty::ptr(Space::Map, None), here.clone()),
        MapRef::Inner(pointer, _) => (**pointer).clone(),
    };
    args.insert(0, map);
    super::calls::call_helper(c, name, args, ty, here.clone())
}

/// The map of a form that is called with it first; the other arguments are checked even where it is wrong.
fn subject(c: &mut Checker<'_>, call: &Call<'_>, op: Operation) -> Option<(MapRef, Rc<MapDef>)> {
    let found = map_ref(c, &call.args[0]);
    let Some((map, def)) = found else {
        for f in &call.args[1..] {
            c.value(f);
        }
        return None;
    };
    if !can(c, &def, op, &call.at(), call.name.name()) || !lockable(c, &def, &call.at()) {
        return None;
    }
    // An inner map's pointer is used once for each operation, and evaluated once.
    Some((map, def))
}

fn lookup_form(c: &mut Checker<'_>, call: &Call<'_>, given: Given) -> Val {
    let Some((map, def)) = subject(c, call, Operation::Lookup) else { return Val::error(call.at()) };
    let Some((setup, key)) = key_of(c, &call.args[1], &def, given) else { return Val::error(call.at()) };
    let v = Val::of(map_op(MapOp::Lookup, &map, vec![key], lookup_type(&def), &call.at()));
    c.seq(setup, v)
}

fn lookup_percpu(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let Some((map, def)) = subject(c, call, Operation::Lookup) else { return Val::error(call.at()) };
    if !def.map_type.info().per_cpu {
        let text = format!("`{}` has one value for all CPUs, being of type :{}", def.name, def.map_type.keyword());
        return c.fail(diag::error(&diag::MAP_OPERATION, &call.at(), text).also(def.span, "declared here"));
    }
    let key = key_of(c, &call.args[1], &def, Given::Value);
    let cpu = c.value(&call.args[2]);
    let cpu = c.number(cpu, "a CPU's number");
    let (Some((setup, key)), false) = (key, cpu.never()) else { return Val::error(call.at()) };
    let cpu = c.fit(cpu, &Ty::U32, Fit::Place);
    match map_helper(c, "map_lookup_percpu_elem", &map, vec![key, cpu], lookup_type(&def), &call.at()) {
        Some(e) => c.seq(setup, Val::of(e)),
        None => Val::error(call.at()),
    }
}

fn push(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let Some((map, def)) = subject(c, call, Operation::Push) else { return Val::error(call.at()) };
    let v = c.value_for(&call.args[1], def.value.as_ref());
    let value = bytes_of(c, v, def.value_size, def.value.as_ref(), "value", &def);
    let flags = flags(c, call.args.get(2), &def, &call.at());
    let Some((setup, value)) = value else { return Val::error(call.at()) };
    match map_helper(c, "map_push_elem", &map, vec![value, flags], Ty::I64, &call.at()) {
        Some(e) => c.seq(setup, Val::of(e)),
        None => Val::error(call.at()),
    }
}

/// `map-pop` and `map-peek`.
fn take(c: &mut Checker<'_>, call: &Call<'_>, helper: &str) -> Val {
    let op = if helper == "map_pop_elem" { Operation::Pop } else { Operation::Peek };
    let Some((map, def)) = subject(c, call, op) else { return Val::error(call.at()) };
    let here = call.at();
    let Some(place) = call.args.get(1) else {
        if def.map_type == MapType::BloomFilter {
            let d = diag::error(&diag::ARGUMENT_COUNT, &here, "a bloom filter is asked for a value");
            return c.fail(d.help(format!("written as (map-peek {} value)", def.name)));
        }
        return taken(c, &map, &def, helper, &here);
    };
    let v = c.value_for(place, def.value.as_ref());
    if v.never() {
        return v;
    }
    let given = if def.map_type == MapType::BloomFilter {
        bytes_of(c, v, def.value_size, def.value.as_ref(), "value", &def)
    } else {
        let v = pointer_to(c, v, def.value_size, def.value.as_ref(), "value", &def);
        v.map(|p| (Vec::new(), p))
    };
    let Some((setup, p)) = given else { return Val::error(here) };
    if def.map_type != MapType::BloomFilter
        && let Some(why) = p.ty.as_ptr().and_then(|p| c.why_read_only(p.space))
    {
        return c.fail(diag::error(&diag::READ_ONLY, &here, why));
    }
    match map_helper(c, helper, &map, vec![p], Ty::I64, &here) {
        Some(e) => c.seq(setup, Val::of(e)),
        None => Val::error(here),
    }
}

/// A value taken out into a place of its own: the pointer to it, or null.
fn taken(c: &mut Checker<'_>, map: &MapRef, def: &MapDef, helper: &str, here: &At) -> Val {
    let ty = value_type(def);
    let id = c.temp(ty.clone(), LocalKind::Memory);
    let zero = zeroed(id, ty.clone(), ty.size(), here);
    let place = Expr::new(ExprKind::AddrOf(id), Ty::ptr(Space::Stack, Some(ty.clone())), here.clone());
    let Some(call) = map_helper(c, helper, map, vec![place.clone()], Ty::I64, here) else {
        return Val::error(here.clone());
    };
    let pointer = Ty::nullable_ptr(Space::Stack, Some(ty));
    let (there, null) = (
        Expr::new(ExprKind::Cast(Box::new(place)), pointer.clone(), here.clone()),
        Expr::new(ExprKind::Const(0), pointer.clone(), here.clone()),
    );
    let failed = Expr::new(ExprKind::Cmp(CmpOp::Eq, Box::new(call), Box::new(konst(0, here))), Ty::Bool, here.clone());
    let v = Val::new(ExprKind::If(Box::new(failed), Box::new(there), Box::new(null)), pointer, here.clone());
    c.seq(vec![zero], v)
}

fn flags(c: &mut Checker<'_>, form: Option<&Form>, def: &MapDef, here: &At) -> Expr {
    match form {
        Some(f) => {
            let v = c.value(f);
            let v = c.number(v, "flags");
            let e = c.fit(v, &Ty::U64, Fit::Bits);
            if let ExprKind::Const(n) = e.kind
                && let Some(d) = never_taken(def, n as u64, &at(f))
            {
                c.report(d);
            }
            e
        }
        None => Expr::new(ExprKind::Const(0), Ty::U64, here.clone()),
    }
}

/// The warning for flags with which an operation that writes such a map always fails.
fn never_taken(def: &MapDef, flags: u64, here: &At) -> Option<whistler_diag::Diagnostic> {
    const LOCK: u64 = 4;
    let name = &def.name;
    let (answer, help) = match def.map_type {
        MapType::Queue | MapType::Stack if !matches!(flags, 0 | 2) => {
            ("EINVAL", "a push takes 0, or BPF_EXIST: a full map then loses its oldest value")
        }
        MapType::BloomFilter if flags != 0 => ("EINVAL", "a push into a bloom filter takes no flags"),
        MapType::Queue | MapType::Stack | MapType::BloomFilter => return None,
        // Newer kernels have flags above these for per-CPU maps.
        MapType::PercpuArray | MapType::PercpuHash | MapType::LruPercpuHash if flags > 7 => return None,
        _ if flags & !LOCK > 2 => ("EINVAL", "an update takes BPF_ANY, BPF_NOEXIST or BPF_EXIST, one of them"),
        MapType::Array | MapType::PercpuArray if flags & 1 != 0 => {
            ("EEXIST", "the entries of an array are always there: leave BPF_NOEXIST out")
        }
        _ if flags & LOCK != 0 && !def.holds("bpf_spin_lock") => {
            ("EINVAL", "BPF_F_LOCK is for values with a bpf-spin-lock in them")
        }
        _ => return None,
    };
    let text = format!("with these flags, {flags}, `{name}` never takes a value: the answer is always -{answer}");
    Some(diag::warning(&diag::FLAGS_REFUSED, here, text).also(def.span, "declared here").help(help))
}

fn update_form(c: &mut Checker<'_>, call: &Call<'_>, given: Given) -> Val {
    let Some((map, def)) = subject(c, call, Operation::Update) else { return Val::error(call.at()) };
    let key = key_of(c, &call.args[1], &def, given);
    let v = c.value_for(&call.args[2], def.value.as_ref());
    let value = if v.never() {
        None
    } else if given == Given::Pointer {
        pointer_to(c, v, def.value_size, def.value.as_ref(), "value", &def).map(|p| (Vec::new(), p))
    } else {
        bytes_of(c, v, def.value_size, def.value.as_ref(), "value", &def)
    };
    let flags = flags(c, call.args.get(3), &def, &call.at());
    let (Some((mut setup, key)), Some((more, value))) = (key, value) else { return Val::error(call.at()) };
    setup.extend(more);
    let v = Val::of(map_op(MapOp::Update, &map, vec![key, value, flags], Ty::I64, &call.at()));
    c.seq(setup, v)
}

fn delete_form(c: &mut Checker<'_>, call: &Call<'_>, given: Given) -> Val {
    let Some((map, def)) = subject(c, call, Operation::Delete) else { return Val::error(call.at()) };
    let Some((setup, key)) = key_of(c, &call.args[1], &def, given) else { return Val::error(call.at()) };
    let v = Val::of(map_op(MapOp::Delete, &map, vec![key], Ty::I64, &call.at()));
    c.seq(setup, v)
}

fn getmap(c: &mut Checker<'_>, call: &Call<'_>) -> Option<Place> {
    let (map, def) = subject(c, call, Operation::Lookup)?;
    let (setup, mut key) = key_of(c, &call.args[1], &def, Given::Place)?;
    key.at = call.at();
    Some(Place::Map { map, key: Box::new(key), setup })
}

fn incf_map(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let place = getmap(c, call);
    let delta = match call.args.get(2) {
        Some(d) => c.value(d),
        None => Val::literal(1, call.at()),
    };
    match place {
        Some(Place::Map { map, key, setup }) => step_entry(c, map, *key, setup, Op::Add, delta, call.want, call.at()),
        _ => Val::error(call.at()),
    }
}
