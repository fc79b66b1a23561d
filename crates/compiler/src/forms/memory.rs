//! Memory: loads, stores, copies, addresses, sizes.

use whistler_lisp::Form;

use super::binding::zeroed;
use super::{FormDef, MANY, form, place};
use crate::check::{Call, Checker, Fit, MemPlace, Place, Val, at};
use crate::diagnostics as diag;
use crate::hir::{At, BinOp, Expr, ExprKind, IntTy, LocalKind, PtrTy, Space, Ty};

pub(super) static FORMS: &[FormDef] = &[
    place("load", (2, 3), load, "(load TYPE pointer [offset])", "Reads memory."),
    form("store", (4, 4), store, "(store TYPE pointer offset value)", "Writes memory."),
    place("deref", (1, 1), deref, "(deref pointer)", "What a typed pointer points to."),
    place("aref", (2, 2), aref, "(aref array index)", "An element of an array."),
    form("stack-addr", (1, 1), stack_addr, "(stack-addr variable)", "The address of a variable."),
    form("memset", (4, 4), memset, "(memset pointer offset byte n)", "Fills n bytes."),
    form("memcpy", (5, 5), memcpy, "(memcpy to offset from offset n)", "Copies n bytes."),
    form("memcmp", (3, 3), memcmp, "(memcmp a b n)", "0 if n bytes are equal."),
    form("sizeof", (1, MANY), sizeof, "(sizeof TYPE field…)", "Bytes of a type, or of what lies in it."),
    form(
        "offsetof",
        (2, MANY),
        offsetof,
        "(offsetof STRUCT field…)",
        "Where a field lies, or what lies in it: fields and indices.",
    ),
    form("cast", (2, 2), cast, "(cast TYPE x)", "The value as another type."),
    form(
        "kernel-load",
        (2, 3),
        kernel_load,
        "(kernel-load TYPE address [offset])",
        "Reads kernel memory by a probe read.",
    ),
    form(
        "user-load",
        (2, 3),
        user_load,
        "(user-load TYPE address [offset])",
        "Reads memory of the process by a probe read.",
    ),
];

/// A pointer and a number of bytes from it: the constant part apart.
pub(super) fn displaced(c: &mut Checker<'_>, p: Val, off: Option<&Form>) -> Option<(Val, i32)> {
    let Some(form) = off else { return Some((p, 0)) };
    let n = c.value(form);
    let n = c.number(n, "an offset");
    if p.never() || n.never() {
        return None;
    }
    if let Some(k) = n.as_lit() {
        return match i32::try_from(k) {
            Ok(k) => Some((p, k)),
            Err(_) => {
                c.malformed(form, format!("an offset of {k} bytes"));
                None
            }
        };
    }
    let moved = super::arith::arith(c, super::arith::Op::Add, p, n, at(form));
    Some((moved, 0))
}

fn load(c: &mut Checker<'_>, call: &Call<'_>) -> Option<Place> {
    let ty = c.type_of(&call.args[0]);
    let p = c.value(&call.args[1]);
    let (p, off) = displaced(c, p, call.args.get(2))?;
    let place = memory(c, p, off, ty?, call.at());
    if place.is_none() {
        c.mend_not_a_pointer(&call.args[1]);
    }
    place.map(Place::Memory)
}

/// The place of a type at a pointer, if it may be read through.
pub(super) fn memory(c: &mut Checker<'_>, p: Val, off: i32, ty: Ty, here: At) -> Option<MemPlace> {
    let p = c.readable(p, i64::from(off), Some(ty.size()), &here)?;
    let p = c.plain_memory(p, i64::from(off), ty.size(), &here)?;
    let read_only = p.ty().as_ptr().and_then(|p| c.why_read_only(p.space));
    Some(MemPlace {
        ptr: p.e,
        off,
        ty,
        big_endian: false,
        bits: None,
        read_only,
        core: None,
        before: Vec::new(),
        at: here,
    })
}

fn store(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let ty = c.type_of(&call.args[0]);
    let p = c.value(&call.args[1]);
    let place = displaced(c, p, Some(&call.args[2])).and_then(|(p, off)| memory(c, p, off, ty.clone()?, call.at()));
    let v = c.value_for(&call.args[3], ty.as_ref());
    match place {
        Some(m) => c.write(Place::Memory(m), v, call.want, call.at()),
        None => {
            c.mend_not_a_pointer(&call.args[1]);
            Val::error(call.at())
        }
    }
}

fn deref(c: &mut Checker<'_>, call: &Call<'_>) -> Option<Place> {
    let p = c.value(&call.args[0]);
    if p.never() {
        return None;
    }
    let Some(PtrTy { pointee: Some(t), .. }) = p.ty().as_ptr() else {
        c.report(
            diag::error(&diag::ARGUMENT_TYPE, &at(&call.args[0]), "it isn't known what this points to")
                .help("use (load TYPE pointer), or cast it: (cast (ptr TYPE) …)"),
        );
        return None;
    };
    let t = (**t).clone();
    memory(c, p, 0, t, call.at()).map(Place::Memory)
}

fn aref(c: &mut Checker<'_>, call: &Call<'_>) -> Option<Place> {
    let a = c.value(&call.args[0]);
    if a.never() {
        c.value(&call.args[1]);
        return None;
    }
    let pointee = a.ty().as_ptr().and_then(|p| p.pointee.clone());
    let (elem, len) = match pointee.as_deref() {
        Some(Ty::Array(t, n)) => ((**t).clone(), Some(*n)),
        Some(t) => (t.clone(), None),
        None => {
            c.report(diag::error(&diag::ARGUMENT_TYPE, &at(&call.args[0]), "this is no array"));
            return None;
        }
    };
    let a = c.readable(a, 0, len.map(|_| 0), &call.at())?;
    element(c, a, 0, &elem, len, &call.args[1], call.at()).map(Place::Memory)
}

/// The place of an element: the index checked against the array's length.
pub(super) fn element(
    c: &mut Checker<'_>,
    base: Val,
    off: i32,
    elem: &Ty,
    len: Option<u32>,
    index: &Form,
    here: At,
) -> Option<MemPlace> {
    let i = c.value(index);
    let i = c.number(i, "an index");
    if i.never() {
        return None;
    }
    let size = elem.size();
    let read_only = base.ty().as_ptr().and_then(|p| c.why_read_only(p.space));
    let mut m = MemPlace {
        ptr: base.e.clone(),
        off,
        ty: elem.clone(),
        big_endian: false,
        bits: None,
        read_only,
        core: None,
        before: Vec::new(),
        at: here.clone(),
    };
    if let Some(k) = i.as_lit() {
        if k < 0 || len.is_some_and(|n| k >= i128::from(n)) {
            let n = len.unwrap_or(0);
            c.report(outside(k, n, &at(index)));
            return None;
        }
        m.off = off.checked_add(i32::try_from(k * i128::from(size)).ok()?)?;
        if len.is_none() {
            c.readable(base, i64::from(m.off), Some(size), &here)?;
        }
        return Some(m);
    }
    if let Some(n) = len
        && (i.lo < 0 || i.hi >= i128::from(n))
    {
        c.report(
            diag::error(&diag::INDEX_UNBOUNDED, &at(index), format!("this index may lie outside of the {n} elements"))
                .label(format!("may be from {} to {}", i.lo, i.hi))
                .help(if n.is_power_of_two() {
                    format!("bound it: (logand i {}), or test it first: (when (< i {n}) …)", n - 1)
                } else {
                    format!("test it first: (when (< i {n}) …)")
                }),
        );
        return None;
    }
    let scaled = if size == 1 { i.e } else { crate::check::bin(BinOp::Mul, i.e, size.into(), &here) };
    let ty = Ty::Ptr(PtrTy { pointee: None, ..base.ty().as_ptr()?.clone() });
    m.ptr = Expr::new(ExprKind::Bin(BinOp::Add, Box::new(base.e), Box::new(scaled)), ty, here);
    Some(m)
}

fn stack_addr(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let f = &call.args[0];
    if let Some(s) = f.as_symbol() {
        if let Some(i) = c.binding(s) {
            c.f.scope[i].used = true;
            let local = c.f.scope[i].local;
            return address_of(c, local, call.at());
        }
        if let Some(p) = c.global_place(s, f) {
            return c.address(p);
        }
    }
    match c.place(f) {
        Some(Place::Memory(m)) => c.address(m),
        Some(_) => c.malformed(f, "this has no address"),
        None => Val::error(call.at()),
    }
}

/// The address of a local, which lives in memory from now on.
fn address_of(c: &mut Checker<'_>, local: crate::hir::LocalId, here: At) -> Val {
    let ordinal = c.f.var(local).ordinal;
    if !c.f.var(local).in_place {
        c.f.locals[local.0 as usize].kind = LocalKind::Memory;
        c.f.var(local).addressed = true;
        if ordinal != u32::MAX && !c.f.var(local).assigned && c.f.lessons.assigned.insert(ordinal) {
            // What a helper writes there is what it then holds: it counts as assigned.
            c.f.again = true;
        }
        c.forget(local);
    }
    let ty = c.f.locals[local.0 as usize].ty.clone();
    Val::new(ExprKind::AddrOf(local), Ty::ptr(Space::Stack, Some(ty)), here)
}

/// A constant number of bytes.
fn length(c: &mut Checker<'_>, f: &Form) -> Option<u32> {
    let n = c.const_value(f, "the number of bytes")?;
    match u32::try_from(n) {
        Ok(n) if n <= 1 << 16 => Some(n),
        _ => {
            c.malformed(f, format!("{n} bytes"));
            None
        }
    }
}

/// Bytes behind a pointer, as the operand of a copy or fill.
fn region(c: &mut Checker<'_>, p: Val, off: Option<&Form>, len: Option<u32>, write: bool, here: &At) -> Option<Expr> {
    let (p, off) = displaced(c, p, off)?;
    let p = c.readable(p, i64::from(off), len, here)?;
    let p = c.plain_memory(p, i64::from(off), len.unwrap_or(0), here)?;
    let ptr = p.ty().as_ptr()?.clone();
    if write && let Some(why) = c.why_read_only(ptr.space) {
        c.report(diag::error(&diag::READ_ONLY, here, why));
        return None;
    }
    Some(crate::check::offset(p.e, off.into(), Ty::Ptr(PtrTy { pointee: None, ..ptr }), here))
}

fn memset(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let p = c.value(&call.args[0]);
    let v = c.value(&call.args[2]);
    let v = c.number(v, "memset");
    let len = length(c, &call.args[3]);
    let dst = region(c, p, Some(&call.args[1]), len, true, &call.at());
    let (Some(dst), Some(len), false) = (dst, len, v.never()) else { return Val::error(call.at()) };
    Val::new(ExprKind::Fill { dst: Box::new(dst), value: Box::new(v.e), len }, Ty::Void, call.at())
}

fn memcpy(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let len = length(c, &call.args[4]);
    let to = c.value(&call.args[0]);
    let dst = region(c, to, Some(&call.args[1]), len, true, &call.at());
    let from = c.value(&call.args[2]);
    let src = region(c, from, Some(&call.args[3]), len, false, &call.at());
    let (Some(dst), Some(src), Some(len)) = (dst, src, len) else { return Val::error(call.at()) };
    Val::new(ExprKind::Copy { dst: Box::new(dst), src: Box::new(src), len }, Ty::Void, call.at())
}

fn memcmp(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let len = length(c, &call.args[2]);
    let a = c.value(&call.args[0]);
    let a = region(c, a, None, len, false, &call.at());
    let b = c.value(&call.args[1]);
    let b = region(c, b, None, len, false, &call.at());
    let (Some(a), Some(b), Some(len)) = (a, b, len) else { return Val::error(call.at()) };
    Val::new(ExprKind::Differ { a: Box::new(a), b: Box::new(b), len }, Ty::Bool, call.at())
}

fn sizeof(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    match c.type_of(&call.args[0]) {
        Some(Ty::Kernel(name)) if call.args.len() == 1 => super::core_ask::size_of(c, &name, call.at()),
        Some(t) => match inside(c, t, &call.args[1..]) {
            Some((t, _)) => Val::literal(i128::from(t.size()), call.at()),
            None => Val::error(call.at()),
        },
        None => Val::error(call.at()),
    }
}

/// The type at the end of a path of fields and constant indices, and how far from the start it lies.
fn inside(c: &mut Checker<'_>, ty: Ty, path: &[Form]) -> Option<(Ty, u32)> {
    let (mut ty, mut at_) = (ty, 0u32);
    for step in path {
        (ty, at_) = match &ty {
            Ty::Struct(def) => {
                let Some(name) = step.as_symbol() else {
                    c.malformed(step, "a field is named by a symbol");
                    return None;
                };
                let Some(f) = def.field(name.name()) else {
                    super::structs::no_field(c, def, name, &at(step));
                    return None;
                };
                if f.bits.is_some() {
                    c.malformed(step, format!("field `{name}` is of bits, which have no bytes of their own"));
                    return None;
                }
                (f.ty.clone(), at_ + f.offset)
            }
            Ty::Array(elem, n) => {
                let i = c.const_value(step, "the index in a path")?;
                if !(0..i128::from(*n)).contains(&i) {
                    let text = format!("index {i} of an array of {n}");
                    c.report(diag::error(&diag::INDEX_RANGE, &at(step), text));
                    return None;
                }
                ((**elem).clone(), at_ + i as u32 * elem.size())
            }
            other => {
                c.malformed(step, format!("{other} has no fields"));
                return None;
            }
        };
    }
    Some((ty, at_))
}

fn offsetof(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    match c.type_of(&call.args[0]) {
        Some(Ty::Kernel(name)) => {
            let (Some(field), 2) = (call.args[1].as_symbol(), call.args.len()) else {
                return c.malformed(&call.args[1], "one field of a kernel struct is named by a symbol");
            };
            super::core_ask::offset_of(c, &name, field, call.at())
        }
        Some(t) => match inside(c, t, &call.args[1..]) {
            Some((_, off)) => Val::literal(i128::from(off), call.at()),
            None => Val::error(call.at()),
        },
        None => Val::error(call.at()),
    }
}

fn cast(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let ty = c.type_of(&call.args[0]);
    let v = c.value(&call.args[1]);
    let (Some(ty), false) = (ty, v.never()) else { return Val::error(call.at()) };
    cast_to(c, ty, v, call.at())
}

/// A pointer of which the program says that its address is meant.
fn meant(v: Val, here: At) -> Val {
    let Ty::Ptr(p) = v.ty() else { return v };
    let ty = Ty::Ptr(PtrTy { number: true, ..p.clone() });
    let (base, facts) = (v.base, v.facts);
    let mut out = Val::new(ExprKind::Cast(Box::new(v.e)), ty, here);
    (out.base, out.facts) = (base, facts);
    out
}

/// Whether a struct is larger than the room in an object of the kernel's that it is put over.
fn too_small(v: &Val, to: &PtrTy, here: &At) -> Option<whistler_diag::Diagnostic> {
    let (from, to) = (v.ty().as_ptr()?, to.pointee.as_deref()?);
    let room = from.pointee.as_deref().filter(|t| from.space == Space::Mem && matches!(t, Ty::Array(..)))?.size();
    if !matches!(to, Ty::Struct(_)) || to.size() <= room {
        return None;
    }
    let text = format!("a {to} has {} bytes, and there is room for {room}", to.size());
    Some(diag::error(&diag::OBJECT_BOUNDS, here, text))
}

/// A value as another type.
pub(super) fn cast_to(c: &mut Checker<'_>, ty: Ty, v: Val, here: At) -> Val {
    match &ty {
        Ty::Ptr(p) => {
            let mut p = p.clone();
            if let Some(d) = too_small(&v, &p, &here) {
                return c.fail(d);
            }
            match v.ty() {
                Ty::Ptr(q) => {
                    p.space = q.space;
                    p.nullable = q.nullable;
                }
                _ => {
                    if p.space == Space::Unknown {
                        p.space = Space::Kernel;
                    }
                }
            }
            let (base, facts) = (v.base.or_else(|| c.packet_base(&v.e)), v.facts);
            let mut out = Val::new(ExprKind::Cast(Box::new(v.e)), Ty::Ptr(p), here);
            out.base = base;
            out.facts = facts;
            out
        }
        // For the verifier it stays a pointer.
        Ty::Int(IntTy { size: 8, .. }) if v.ty().as_ptr().is_some_and(|p| !p.space.is_number()) => meant(v, here),
        Ty::Int(i) => {
            if let Some(n) = v.as_lit() {
                // A written type is no longer a literal's: it does not fit itself to the other side.
                return Val::constant(i.canonical(n as i64), ty, here);
            }
            let range = (v.lo, v.hi);
            if i.size < 8 {
                let bits = u32::from(i.size) * 8;
                super::arith::nothing_left(c, &v.e, (1 << bits) - 1, &format!("and {ty} keeps {bits} bits"), &here);
            }
            let mut e = c.fit(v, &ty, Fit::Bits);
            // A cast that is written stands where it is written: what is cut by it is cut on purpose.
            if matches!(&e.kind, ExprKind::Cast(inner) if inner.at.span == e.at.span) {
                e.at = here;
            }
            let full = crate::check::val::type_range(*i);
            let out = Val::of(e);
            if range.0 >= full.0 && range.1 <= full.1 { out.within(range.0, range.1) } else { out }
        }
        Ty::Struct(_) | Ty::Array(..) | Ty::Kernel(_) | Ty::Map(_) => {
            let t = Ty::ptr(Space::Unknown, Some(ty));
            cast_to(c, t, v, here)
        }
        Ty::Enum(e) => {
            if let Some(n) = v.as_lit() {
                return Val::constant(e.int.canonical(n as i64), ty, here);
            }
            let mut v = v;
            if let Ty::Enum(other) = v.ty().clone() {
                v.e = Expr::new(ExprKind::Cast(Box::new(v.e)), Ty::Int(other.int), here.clone());
            }
            Val::of(c.fit(v, &ty, Fit::Bits))
        }
        Ty::Bool | Ty::Char | Ty::Void | Ty::Never => Val::of(c.fit(v, &ty, Fit::Bits)),
    }
}

fn kernel_load(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    probe(c, call, "probe_read_kernel")
}

fn user_load(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    probe(c, call, "probe_read_user")
}

fn probe(c: &mut Checker<'_>, call: &Call<'_>, helper: &str) -> Val {
    let ty = c.type_of(&call.args[0]);
    let p = c.value(&call.args[1]);
    super::probes::source(c, helper, &p);
    let moved = displaced(c, p, call.args.get(2));
    let (Some(ty), Some((p, off))) = (ty, moved) else { return Val::error(call.at()) };
    let address = super::arith::arith(c, super::arith::Op::Add, p, Val::literal(off.into(), call.at()), call.at());
    probe_read(c, helper, ty, address, call.at())
}

/// A scalar read by a probe: through a temporary on the stack, 0 where the read fails.
pub(super) fn probe_read(c: &mut Checker<'_>, helper: &str, ty: Ty, address: Val, here: At) -> Val {
    if !matches!(ty, Ty::Int(_) | Ty::Bool | Ty::Char | Ty::Enum(_) | Ty::Ptr(_)) {
        return c.fail(
            diag::error(&diag::ARGUMENT_TYPE, &here, format!("a whole {ty} can't be read into a register"))
                .help("read it into memory with `probe-read-kernel`"),
        );
    }
    let size = ty.size();
    let id = c.temp(ty.clone(), LocalKind::Memory);
    let zero = zeroed(id, ty.clone(), size, &here);
    let dst = Expr::new(ExprKind::AddrOf(id), Ty::ptr(Space::Stack, Some(ty.clone())), here.clone());
    let n = Expr::new(ExprKind::Const(size.into()), Ty::U64, here.clone());
    let address = c.fit(address, &Ty::U64, Fit::Bits);
    let read = super::calls::call_helper(c, helper, vec![dst, n, address], Ty::I64, here.clone());
    let Some(read) = read else { return Val::error(here) };
    let v = Val::new(ExprKind::Local(id), ty, here);
    c.seq(vec![zero, read], v)
}

/// The report on a constant index that an array doesn't have.
pub(super) fn outside(index: i128, len: u32, here: &At) -> whistler_diag::Diagnostic {
    let d = diag::error(&diag::INDEX_RANGE, here, format!("index {index} of an array of {len}"));
    match len.checked_sub(1) {
        Some(last) => d.help(format!("its elements are 0 to {last}")),
        None => d.help("it has no elements"),
    }
}
