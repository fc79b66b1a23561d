//! What the forms of maps are given: maps, keys, values. Invariant: bytes that a map is given are of its size, and an
//! operation is one that programs can do with such a map.

use std::rc::Rc;

use whistler_isa::{MapType, MapValueKind, Operation, map_flags};
use whistler_lisp::Form;

use super::super::binding::zeroed;
use crate::check::{Checker, Fit, MapRef, Val, at, describe};
use crate::diagnostics as diag;
use crate::hir::{At, Expr, ExprKind, IntTy, LocalKind, MapDef, MapId, PtrTy, Space, Ty};

/// How keys and values are given.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Given {
    /// As they are.
    Value,
    /// As they are, for a place: nobody asks whether it is there.
    Place,
    /// By a pointer to their bytes.
    Pointer,
}

/// The declared map that a form names.
pub(in crate::forms) fn map_arg(c: &mut Checker<'_>, form: &Form) -> Option<(MapId, Rc<MapDef>)> {
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
pub(in crate::forms) fn map_ref(c: &mut Checker<'_>, form: &Form) -> Option<(MapRef, Rc<MapDef>)> {
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
pub(super) fn can(c: &mut Checker<'_>, def: &MapDef, op: Operation, here: &At, name: &str) -> bool {
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
pub(super) fn lockable(c: &mut Checker<'_>, def: &MapDef, here: &At) -> bool {
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
        (MapType::Array | MapType::PercpuArray, Operation::Delete) => Some(
            "an array has all its entries always, and one that was never set is 0; where entries come and go: :type :hash",
        ),
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
pub(super) fn bytes_of(
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
pub(super) fn pointer_to(
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
pub(super) fn key_of(c: &mut Checker<'_>, form: &Form, def: &MapDef, given: Given) -> Option<(Vec<Expr>, Expr)> {
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
    if given == Given::Place {
        beyond(c, form, &v, def);
    }
    bytes_of(c, v, def.key_size, def.key.as_ref(), "key", def)
}

/// Warns of a number of a packet, of which the map has entries for some values alone, and that nothing bounds.
fn beyond(c: &mut Checker<'_>, form: &Form, v: &Val, def: &MapDef) {
    let Some(int) = v.int().filter(|i| i.size <= 2 && !i.signed) else { return };
    let (_, most) = crate::check::val::type_range(int);
    let entries = i128::from(def.max_entries);
    let fixed = matches!(def.map_type, MapType::Array | MapType::PercpuArray) && def.flags & map_flags::INNER_MAP == 0;
    if !fixed || form.origin.is_some() || v.hi != most || most < entries || !c.as_read(&v.e) {
        return;
    }
    // A test of it may stand before, in a way that isn't followed.
    let text = form.to_string();
    if c.f.ordered.contains(&text) || matches!(v.e.kind, ExprKind::Local(l) if c.f.vars[l.0 as usize].compared) {
        return;
    }
    let name = &def.name;
    let text = format!(
        "this may be up to {most}, and `{name}` has {}: keys of {entries} and more are not in it",
        def.entries()
    );
    let d = diag::warning(&diag::KEY_BEYOND, &at(form), text).also(def.span, "declared here");
    c.report(d.note("under a key that is not there nothing is counted, and 0 is read").help(format!(
        "declare it with :max-entries {}, or bound the key before; if it is meant so: (cast u32 {form})",
        most + 1
    )));
}

pub(super) fn is_array(t: MapType) -> bool {
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
