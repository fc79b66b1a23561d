//! Maps: lookups, updates, entries as places.

use std::rc::Rc;

use whistler_isa::{MapType, MapValueKind, Operation, map_flags};
use whistler_lisp::Form;

use super::arith::{self, Op};
use super::binding::zeroed;
use super::{FormDef, form, place};
use crate::check::konst;
use crate::check::{Call, Checker, Fit, MapRef, Place, Val, Want, at, describe};
use crate::diagnostics as diag;
use crate::hir::{
    At, AtomicOp, BinOp, CmpOp, Expr, ExprKind, IntTy, LocalKind, MapDef, MapId, MapOp, PtrTy, Space, Ty,
};

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

#[derive(Clone, Copy, PartialEq, Eq)]
enum Given {
    Value,
    Pointer,
}

/// The declared map that a form names.
pub(super) fn map_arg(c: &mut Checker<'_>, form: &Form) -> Option<(MapId, Rc<MapDef>)> {
    match map_ref(c, form)? {
        (MapRef::Own(id), def) => Some((id, def)),
        (MapRef::Inner(..), def) => {
            let text = format!("this is a map inside of `{}`, and a declared one is needed", def.name);
            c.report(diag::error(&diag::ARGUMENT_TYPE, &at(form), text));
            None
        }
    }
}

/// The map that a form names, or that a lookup in a map of maps gave.
pub(super) fn map_ref(c: &mut Checker<'_>, form: &Form) -> Option<(MapRef, Rc<MapDef>)> {
    let v = c.value(form);
    if v.never() {
        return None;
    }
    if let ExprKind::Map(id) = v.e.kind {
        return Some((MapRef::Own(id), Rc::new(c.unit.maps[id.0 as usize].clone())));
    }
    let inner = match v.ty() {
        Ty::Ptr(PtrTy { pointee: Some(t), space: Space::Map, nullable, .. }) => match &**t {
            Ty::Map(def) => Some((def.clone(), *nullable)),
            _ => None,
        },
        _ => None,
    };
    match inner {
        Some((def, false)) => Some((MapRef::Inner(Box::new(v.e), def.clone()), def)),
        Some((_, true)) => {
            c.report(
                diag::error(&diag::MAYBE_NULL, &at(form), "there may be no map under that key")
                    .help("bind it with `when-let` or `if-let`: (when-let ((m (map-lookup …))) …)"),
            );
            None
        }
        None => {
            let d = diag::error(&diag::ARGUMENT_TYPE, &at(form), format!("this is {}, not a map", describe(v.ty())));
            let hiding = form.as_symbol().and_then(|s| {
                let span = c.f.scope[c.binding(s)?].span;
                c.env.maps.get(s).map(|_| (s, span))
            });
            c.report(match hiding {
                Some((s, span)) => {
                    d.also(span, format!("this variable hides the map `{s}`")).help("give the variable another name")
                }
                None => d.help("give the name of a `defmap`"),
            });
            None
        }
    }
}

/// Whether programs can do this with such a map; reports otherwise.
fn can(c: &mut Checker<'_>, def: &MapDef, op: Operation, here: &At, name: &str) -> bool {
    let ok = def.map_type.allows(op);
    if !ok {
        let text = format!("`{name}` on `{}`, a map of type :{}", def.name, def.map_type.keyword());
        let mut d = diag::error(&diag::MAP_OPERATION, here, text).also(def.span, "declared here");
        if let Some(help) = instead(def.map_type, op) {
            d = d.help(help);
        }
        c.report(d);
        return false;
    }
    let writes = matches!(op, Operation::Update | Operation::Delete | Operation::Push | Operation::Pop);
    if writes && def.flags & map_flags::RDONLY_PROG != 0 {
        let text = format!("`{name}` on `{}`, which programs only read (BPF_F_RDONLY_PROG)", def.name);
        c.report(diag::error(&diag::READ_ONLY, here, text).also(def.span, "declared here"));
        return false;
    }
    if !writes && def.flags & map_flags::WRONLY_PROG != 0 {
        let text = format!("`{name}` on `{}`, which programs only write (BPF_F_WRONLY_PROG)", def.name);
        c.report(diag::error(&diag::MAP_OPERATION, here, text).also(def.span, "declared here"));
        return false;
    }
    true
}

/// Whether programs of this type may use a map with such values: those that can run anywhere may not use locks and
/// timers (`check_map_prog_compatibility`); reports otherwise.
fn lockable(c: &mut Checker<'_>, def: &MapDef, here: &At) -> bool {
    use whistler_isa::ProgType as P;
    const FILTER: &[&str] = &["bpf_spin_lock", "bpf_res_spin_lock"];
    let refused = match c.prog_type() {
        Some(P::Kprobe | P::Tracepoint | P::PerfEvent | P::RawTracepoint | P::RawTracepointWritable) => {
            crate::builtin::SPECIAL
        }
        Some(P::SocketFilter) => FILTER,
        _ => return true,
    };
    let Some(found) = refused.iter().find(|t| def.holds(t)) else { return true };
    let shown = found.replace('_', "-");
    let prog = c.prog_type().map_or("", whistler_isa::ProgType::keyword);
    let text = format!("programs of type :{prog} can't use `{}`: its values hold a {shown}", def.name);
    let d = diag::error(&diag::NOT_HERE, here, text).also(def.span, "declared here");
    c.report(
        d.help("programs of type :fentry, :tc, :xdp … can; elsewhere, atomic operations and per-CPU maps need no lock"),
    );
    false
}

/// What the user may have meant instead.
fn instead(t: MapType, op: Operation) -> Option<&'static str> {
    match (t, op) {
        (MapType::Ringbuf, _) => Some("records go into a ring buffer with `with-ringbuf` or `ringbuf-output`"),
        (MapType::PerfEventArray, _) => Some("records are sent with `perf-event-output`"),
        (MapType::Queue | MapType::Stack, _) => Some("its forms are `map-push`, `map-pop` and `map-peek`"),
        (MapType::BloomFilter, _) => Some("its forms are `map-push`, and `map-peek` with a value to look for"),
        (MapType::ProgArray, _) => Some("programs go on through it with `tail-call`"),
        (MapType::StackTrace, Operation::Update) => Some("`get-stackid` fills it"),
        (
            MapType::Cpumap | MapType::Xskmap | MapType::Devmap | MapType::DevmapHash,
            Operation::Update | Operation::Delete,
        ) => Some("user space fills it; programs use `redirect-map`"),
        (MapType::TaskStorage, _) => Some("its values belong to tasks: `task-storage-get`, `task-storage-delete`"),
        (MapType::SkStorage, _) => Some("its values belong to sockets: `sk-storage-get`, `sk-storage-delete`"),
        (MapType::InodeStorage, _) => Some("its values belong to inodes: `inode-storage-get`, `inode-storage-delete`"),
        (MapType::CgrpStorage, _) => Some("its values belong to cgroups: `cgrp-storage-get`, `cgrp-storage-delete`"),
        (MapType::CgroupStorage | MapType::PercpuCgroupStorage, _) => {
            Some("its value is read with `get-local-storage`")
        }
        (MapType::Array | MapType::PercpuArray, Operation::Delete) => {
            Some("entries of an array can't be removed; set them to 0")
        }
        (MapType::ArrayOfMaps | MapType::HashOfMaps, Operation::Update | Operation::Delete) => {
            Some("user space puts the maps into it")
        }
        (MapType::Sockmap | MapType::Sockhash, Operation::Update) => {
            Some("sockets are put in by `sock-map-update`, `sock-hash-update`, or by user space")
        }
        _ => None,
    }
}

/// A key or value as a pointer to its bytes: what sets it up, and the pointer.
fn bytes_of(
    c: &mut Checker<'_>,
    v: Val,
    size: u32,
    ty: Option<&Ty>,
    what: &'static str,
    def: &MapDef,
) -> Option<(Vec<Expr>, Expr)> {
    if v.never() {
        return None;
    }
    let here = v.at().clone();
    if let Some(p) = v.ty().as_ptr()
        && takes_bytes(p, size, ty)
    {
        if let (None, Some(Ty::Struct(s))) = (ty, p.pointee.as_deref())
            && s.size > size
        {
            let text = format!("the {what} of `{}` has {size} bytes, and a {} has {}", def.name, s.name, s.size);
            let d = diag::error(&diag::KEY_VALUE, &here, text).also(def.span, "declared here");
            let by_pointer = if what == "key" { "map-lookup-ptr" } else { "map-update-ptr" };
            c.report(d.help(format!(
                "declare the map for it, :{what} {}; if its first {size} bytes are meant: ({by_pointer} …)",
                s.name
            )));
            return None;
        }
        return pointer_to(c, v, size, ty, what, def).map(|p| (Vec::new(), p));
    }
    let scalar = match ty {
        Some(t @ (Ty::Int(_) | Ty::Bool | Ty::Char | Ty::Enum(_) | Ty::Ptr(_))) => Some((t.clone(), Fit::Exact(what))),
        Some(_) => None,
        None if matches!(size, 1 | 2 | 4 | 8) => Some((Ty::Int(IntTy { size: size as u8, signed: false }), Fit::Bits)),
        None => None,
    };
    let number = v.int().is_some() || matches!(v.ty(), Ty::Ptr(_));
    if !number {
        c.number(v, what);
        return None;
    }
    if matches!(scalar, Some((_, Fit::Bits))) && c.not_its_content(&v, &format!("the map's {what} is a number")) {
        return None;
    }
    if let Some((t, how)) = scalar {
        let e = c.fit(v, &t, how);
        let id = c.temp(t.clone(), LocalKind::Memory);
        let ptr = Expr::new(ExprKind::AddrOf(id), Ty::ptr(Space::Stack, Some(t.clone())), here.clone());
        let store = ExprKind::Store { mem: t.clone(), ptr: Box::new(ptr.clone()), off: 0, value: Box::new(e) };
        return Some((vec![Expr::new(store, t, here)], ptr));
    }
    if ty.is_some() && !v.is_zero() {
        let t = ty.map(ToString::to_string).unwrap_or_default();
        c.report(
            diag::error(
                &diag::KEY_VALUE,
                &here,
                format!("the {what} of `{}` is a {t}, and this is a number", def.name),
            )
            .also(def.span, "declared here")
            .help(format!("make one with (make-{t}), and give the pointer")),
        );
        return None;
    }
    // A number for an object of another size: its bytes, then zeros.
    let t = ty.cloned().unwrap_or_else(|| Ty::Array(Rc::new(Ty::Int(IntTy::U8)), size.max(8)));
    let id = c.temp(t.clone(), LocalKind::Memory);
    let zero = zeroed(id, t.clone(), t.size(), &here);
    let ptr = Expr::new(ExprKind::AddrOf(id), Ty::ptr(Space::Stack, Some(t)), here.clone());
    if v.is_zero() {
        return Some((vec![zero], ptr));
    }
    let e = c.fit(v, &Ty::U64, Fit::Bits);
    let store = ExprKind::Store { mem: Ty::U64, ptr: Box::new(ptr.clone()), off: 0, value: Box::new(e) };
    Some((vec![zero, Expr::new(store, Ty::U64, here)], ptr))
}

/// Whether a pointer given for a key or value means the bytes it points to.
fn takes_bytes(p: &PtrTy, size: u32, ty: Option<&Ty>) -> bool {
    if matches!(p.space, Space::Kernel | Space::Trusted | Space::User | Space::Unknown | Space::Map) {
        return false;
    }
    match (ty, &p.pointee) {
        (Some(Ty::Struct(_) | Ty::Array(..)), _) => true,
        (Some(_), _) => false,
        (None, Some(t)) => matches!(**t, Ty::Struct(_) | Ty::Array(..)) || size > 8 || t.size() == size && size < 8,
        (None, None) => size > 8,
    }
}

/// A pointer to a key's or value's bytes, checked against the declaration.
fn pointer_to(
    c: &mut Checker<'_>,
    v: Val,
    size: u32,
    ty: Option<&Ty>,
    what: &'static str,
    def: &MapDef,
) -> Option<Expr> {
    let here = v.at().clone();
    let v = c.readable(v, 0, Some(size), &here)?;
    let v = c.plain_memory(v, 0, size, &here)?;
    if let Some(PtrTy { pointee: Some(t), .. }) = v.ty().as_ptr() {
        let other = match (ty, &**t) {
            (Some(Ty::Struct(a)), Ty::Struct(b)) => a.name != b.name,
            _ => false,
        };
        let short = t.size() != 0 && t.size() < size && matches!(**t, Ty::Struct(_) | Ty::Array(..));
        if other || short {
            let wanted = ty.map_or_else(|| format!("{size} bytes"), |t| format!("a {t} of {size} bytes"));
            let text =
                format!("the {what} of `{}` is {wanted}, and this points to a {t} of {} bytes", def.name, t.size());
            c.report(diag::error(&diag::KEY_VALUE, &here, text).also(def.span, "declared here"));
            return None;
        }
    }
    Some(v.e)
}

/// A key as a form gives it.
fn key_of(c: &mut Checker<'_>, form: &Form, def: &MapDef, given: Given) -> Option<(Vec<Expr>, Expr)> {
    let v = c.value_for(form, def.key.as_ref());
    if v.never() {
        return None;
    }
    if given == Given::Pointer {
        return pointer_to(c, v, def.key_size, def.key.as_ref(), "key", def).map(|p| (Vec::new(), p));
    }
    // The maps inside may each have a number of entries of their own.
    if is_array(def.map_type)
        && def.flags & map_flags::INNER_MAP == 0
        && let Some(k) = v.as_lit()
        && (k < 0 || k >= i128::from(def.max_entries))
    {
        let text = format!("index {k} of `{}`, which has {}", def.name, def.entries());
        let d = diag::error(&diag::INDEX_RANGE, &at(form), text).also(def.span, "declared here");
        c.report(d.help(format!("its entries are 0 to {}", i128::from(def.max_entries) - 1)));
        return None;
    }
    bytes_of(c, v, def.key_size, def.key.as_ref(), "key", def)
}

fn is_array(t: MapType) -> bool {
    matches!(t, MapType::Array | MapType::PercpuArray | MapType::ProgArray | MapType::ArrayOfMaps)
}

/// The type that a lookup in a map yields.
pub(crate) fn lookup_type(def: &MapDef) -> Ty {
    match def.map_type.info().holds {
        MapValueKind::Map => Ty::nullable_ptr(Space::Map, def.inner.clone().map(Ty::Map)),
        MapValueKind::Socket => Ty::nullable_ptr(Space::Trusted, Some(Ty::Kernel("bpf_sock".into()))),
        _ if def.flags & map_flags::RDONLY_PROG != 0 => Ty::nullable_ptr(Space::MapConst, Some(value_type(def))),
        _ => Ty::nullable_ptr(Space::MapValue, Some(value_type(def))),
    }
}

/// The type of a map's keys: as declared, else by size.
pub(crate) fn key_type(def: &MapDef) -> Ty {
    match &def.key {
        Some(t) => t.clone(),
        None if matches!(def.key_size, 1 | 2 | 4 | 8) => Ty::Int(IntTy { size: def.key_size as u8, signed: false }),
        None => Ty::Array(Rc::new(Ty::Int(IntTy::U8)), def.key_size),
    }
}

/// The type of a map's values: as declared, else by size.
pub(crate) fn value_type(def: &MapDef) -> Ty {
    match &def.value {
        Some(t) => t.clone(),
        None if matches!(def.value_size, 1 | 2 | 4 | 8) => Ty::Int(IntTy { size: def.value_size as u8, signed: false }),
        None => Ty::Array(Rc::new(Ty::Int(IntTy::U8)), def.value_size),
    }
}

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
    let (setup, mut key) = key_of(c, &call.args[1], &def, Given::Value)?;
    key.at = call.at();
    Some(Place::Map { map, key: Box::new(key), setup })
}

/// Reads an entry: its number, or 0 where there is none; for objects the pointer, or null.
pub fn read_entry(c: &mut Checker<'_>, map: MapRef, key: Expr, setup: Vec<Expr>, here: At) -> Val {
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
pub fn write_entry(c: &mut Checker<'_>, map: MapRef, key: Expr, setup: Vec<Expr>, v: Val, want: Want, here: At) -> Val {
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

/// `(incf (getmap m k) delta)`: atomic, except on per-CPU maps; creates the entry in hash maps.
#[allow(clippy::too_many_arguments)]
pub fn step_entry(
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
