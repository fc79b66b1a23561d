//! Chains of fields, through our structs and the kernel's.

use whistler_btf::{Btf, CoreKind, Kind, TypeId, TypeSource};
use whistler_lisp::{Form, Symbol};

use super::{FormDef, MANY, form, place};
use crate::check::{Call, Checker, Fit, MemPlace, Place, Val, at};
use crate::diagnostics as diag;
use crate::hir::{At, BinOp, CoreId, Expr, ExprKind, PtrTy, Space, Ty};
use crate::kernel::{self, FieldInfo};
use crate::names::nearest;

pub(super) static FORMS: &[FormDef] = &[
    place("->", (2, MANY), chain, "(-> pointer field…)", "A field, by way of fields; of kernel structs, too."),
    form("core-load", (5, 5), core_load, "(core-load TYPE pointer offset STRUCT field)", "A field of a kernel struct."),
    form(
        "core-ctx-load",
        (4, 4),
        core_ctx_load,
        "(core-ctx-load TYPE offset STRUCT field)",
        "A field of the context, as a kernel struct.",
    ),
];

/// What stands behind a step of a chain.
enum Step {
    Memory(MemPlace),
    Value(Val),
}

pub(super) fn no_btf(c: &mut Checker<'_>, here: &At) {
    let why = c.types.btf_problem().unwrap_or_else(|| "there is no BTF".to_string());
    c.report(diag::error(&diag::NO_TYPES, here, "the kernel's types are needed here").note(why));
}

/// The kernel's struct of a name; reports when there is none.
pub(super) fn kernel_type(c: &mut Checker<'_>, name: &str, here: &At) -> Option<TypeId> {
    let types = c.types.clone();
    let Some(btf) = types.btf() else {
        no_btf(c, here);
        return None;
    };
    let found = kernel::find(btf, name);
    if found.is_none() {
        c.report(kernel::no_struct(btf, name, here));
    }
    found
}

/// A step that is known when compiling: a field by its name, or an element by its number.
#[derive(Clone)]
pub(super) struct Way {
    pub step: WayStep,
    pub at: At,
}

#[derive(Clone, Copy)]
pub(super) enum WayStep {
    Field(Symbol),
    Element(u32),
}

impl Way {
    pub(super) fn of(form: &Form) -> Option<Way> {
        let step = match (form.as_symbol(), form.as_int()) {
            (Some(s), _) => WayStep::Field(s),
            (None, Some(i)) => WayStep::Element(u32::try_from(i).ok()?),
            (None, None) => return None,
        };
        Some(Way { step, at: at(form) })
    }

    pub(super) fn field(name: Symbol, at: At) -> Way {
        Way { step: WayStep::Field(name), at }
    }
}

/// A path of fields and elements from a kernel struct on, up to where it leaves the struct.
pub(super) fn path(c: &mut Checker<'_>, root: TypeId, name: &str, ways: &[Way]) -> Option<Vec<FieldInfo>> {
    let types: std::rc::Rc<dyn TypeSource> = c.types.clone();
    let btf = types.btf()?;
    let mut out = Vec::new();
    let mut id = root;
    for way in ways {
        let here = &way.at;
        let f = match way.step {
            WayStep::Field(f) => f,
            WayStep::Element(i) => {
                let Ok(Kind::Array { len, .. }) = btf.ty(id).map(|t| t.get()) else { break };
                // An array without a length ends its struct, and has as many as were allocated.
                if len != 0 && i >= len {
                    c.report(super::memory::outside(i.into(), len, here));
                    return None;
                }
                let element = kernel::element(btf, id, i)?;
                id = kernel::strip(btf, element.ty);
                out.push(element);
                continue;
            }
        };
        if btf.ty(id).ok().and_then(|t| t.composite()).is_none() {
            break;
        }
        let Some(info) = kernel::field(btf, id, f.name()) else {
            let mut names = Vec::new();
            kernel::field_names(btf, id, &mut names);
            let shown = btf.ty(id).map(|t| t.name.to_string()).unwrap_or_else(|_| name.to_string());
            let mut d = diag::error(&diag::UNKNOWN_NAME, here, format!("{shown} has no field `{f}` in this kernel"));
            if let Some(near) = nearest(f.name(), names.iter().map(String::as_str)) {
                d = d.help(format!("did you mean `{near}`?"));
            }
            c.report(d);
            return None;
        };
        id = kernel::strip(btf, info.ty);
        out.push(info);
    }
    Some(out)
}

fn chain(c: &mut Checker<'_>, call: &Call<'_>) -> Option<Place> {
    let p = c.value(&call.args[0]);
    if p.never() {
        return None;
    }
    let mut step = Step::Value(p);
    let mut rest = &call.args[1..];
    while !rest.is_empty() {
        let pointer = match step {
            Step::Value(v) => v,
            Step::Memory(m) => match m.ty {
                Ty::Struct(_) | Ty::Array(..) => c.address(m),
                _ => c.read(Place::Memory(m)),
            },
        };
        let (next, used) = one_step(c, pointer, rest, call)?;
        step = next;
        rest = &rest[used..];
    }
    Some(Place::Memory(match step {
        Step::Memory(m) => m,
        Step::Value(v) => value_place(c, v, call.at()),
    }))
}

/// A value that was read already, as a place that only reads.
fn value_place(c: &mut Checker<'_>, v: Val, at: At) -> MemPlace {
    let ty = v.ty().clone();
    let id = c.temp(ty.clone(), crate::hir::LocalKind::Memory);
    let ptr = Expr::new(ExprKind::AddrOf(id), Ty::ptr(Space::Stack, Some(ty.clone())), at.clone());
    let set = Expr::new(ExprKind::Set(id, Box::new(v.e)), ty.clone(), at.clone());
    MemPlace {
        ptr,
        off: 0,
        ty,
        big_endian: false,
        bits: None,
        read_only: Some("a kernel object can't be written".to_string()),
        core: None,
        before: vec![set],
        at,
    }
}

fn one_step(c: &mut Checker<'_>, p: Val, fields: &[Form], call: &Call<'_>) -> Option<(Step, usize)> {
    if super::refs::gone(c, &p.e, &call.at()) {
        return None;
    }
    let first = &fields[0];
    let Some(PtrTy { pointee: Some(t), space, nullable, .. }) = p.ty().as_ptr().cloned() else {
        let name = first.to_string();
        if p.ty().as_ptr().is_some_and(|p| p.space == Space::Ctx) {
            let d = diag::error(&diag::ARGUMENT_TYPE, &call.at(), "the context's fields are not read by `->`");
            let mend = super::ctx::field_by_other_name(c, &format!("ctx-{name}"), super::ctx::Spelling::Near);
            c.report(d.help(mend.unwrap_or_else(|| "a field of the context is (ctx FIELD)".to_string())));
            return None;
        }
        c.report(
            diag::error(
                &diag::ARGUMENT_TYPE,
                first_at(call, first).as_ref(),
                format!("what `{name}` is asked of has no known struct"),
            )
            .help("name it: (-> (cast (ptr task_struct) x) …)"),
        );
        return None;
    };
    match &*t {
        Ty::Struct(def) => {
            let name = field_name(c, first)?;
            let m = super::structs::member(c, p, def, name, &call.at())?;
            Some((Step::Memory(m), 1))
        }
        Ty::Array(elem, n) if matches!(space, Space::Kernel | Space::User) => {
            Some((Step::Value(far_element(c, p, space, elem, Some(*n), first, call)?), 1))
        }
        Ty::Array(elem, n) => {
            let p = c.readable(p, 0, Some(0), &call.at())?;
            let m = super::memory::element(c, p, 0, elem, Some(*n), first, call.at())?;
            Some((Step::Memory(m), 1))
        }
        Ty::Kernel(kname) => {
            if nullable {
                c.readable(p, 0, None, &call.at());
                return None;
            }
            field_name(c, first)?;
            let ways: Vec<Way> = fields.iter().map_while(Way::of).collect();
            let root = kernel_type(c, kname, &call.at())?;
            let path = path(c, root, kname, &ways)?;
            let used = path.len();
            let v = kernel_field(c, p, space, root, &path, call.at())?;
            Some((v, used))
        }
        Ty::Int(_) | Ty::Bool | Ty::Char | Ty::Enum(_) | Ty::Ptr(_)
            if matches!(space, Space::Kernel | Space::User)
                && first.as_symbol().is_none_or(|s| c.binding(s).is_some()) =>
        {
            Some((Step::Value(far_element(c, p, space, &t, None, first, call)?), 1))
        }
        _ => {
            let name = first.to_string();
            c.malformed(first, format!("a {t} has no field `{name}`"));
            None
        }
    }
}

/// An element of an array in memory that is read by probes: its value, or the address of a struct.
fn far_element(
    c: &mut Checker<'_>,
    p: Val,
    space: Space,
    elem: &Ty,
    len: Option<u32>,
    index: &Form,
    call: &Call<'_>,
) -> Option<Val> {
    let here = call.at();
    let Ty::Kernel(name) = elem else {
        let address = match len {
            Some(_) => {
                let m = super::memory::element(c, p, 0, elem, len, index, here.clone())?;
                c.address(m)
            }
            None => {
                let i = c.value(index);
                let i = c.number(i, "an index");
                if i.never() {
                    return None;
                }
                let base = Expr::new(ExprKind::Cast(Box::new(p.e)), Ty::U64, here.clone());
                let far = crate::check::bin(BinOp::Mul, i.e, elem.size().into(), &here);
                Val::new(ExprKind::Bin(BinOp::Add, Box::new(base), Box::new(far)), Ty::U64, here.clone())
            }
        };
        if matches!(elem, Ty::Array(..)) {
            return Some(address);
        }
        let helper = if space == Space::User { "probe_read_user" } else { "probe_read_kernel" };
        let v = super::memory::probe_read(c, helper, elem.clone(), address, here);
        return (!v.never()).then_some(v);
    };
    let types = c.types.clone();
    if types.btf().is_none_or(|btf| kernel::find(btf, name).is_none()) {
        c.report(
            diag::error(&diag::ARGUMENT_TYPE, &at(index), "the elements are structs without a name")
                .help("an index that is a number can be followed by a field: (-> p array 2 field)"),
        );
        return None;
    }
    // How far apart they lie is asked of the running kernel. An index of one element more or less than there are is
    // as good as any other address: what is there is read by probes.
    let i = c.value(index);
    let i = c.number(i, "an index");
    let size = super::core_ask::size_of(c, name, here.clone());
    if i.never() || size.never() {
        return None;
    }
    let base = Expr::new(ExprKind::Cast(Box::new(p.e)), Ty::U64, here.clone());
    let far = Expr::new(ExprKind::Bin(BinOp::Mul, Box::new(i.e), Box::new(size.e)), Ty::U64, here.clone());
    let sum = Expr::new(ExprKind::Bin(BinOp::Add, Box::new(base), Box::new(far)), Ty::U64, here.clone());
    Some(Val::new(ExprKind::Cast(Box::new(sum)), Ty::ptr(space, Some(elem.clone())), here))
}

fn first_at(_call: &Call<'_>, first: &Form) -> Box<At> {
    Box::new(at(first))
}

fn field_name(c: &mut Checker<'_>, f: &Form) -> Option<Symbol> {
    let s = f.as_symbol();
    if s.is_none() {
        c.malformed(f, "a field is named by a symbol");
    }
    s
}

/// The record of a question about a field.
pub(super) fn record(c: &mut Checker<'_>, root: TypeId, path: &[FieldInfo], kind: CoreKind) -> Option<CoreId> {
    let types = c.types.clone();
    Some(c.kernel.record(types.btf()?, &mut c.unit, root, path, kind))
}

/// A field of a kernel object: read directly or by a probe; of an object inside, the address.
fn kernel_field(c: &mut Checker<'_>, p: Val, space: Space, root: TypeId, path: &[FieldInfo], here: At) -> Option<Step> {
    let types = c.types.clone();
    let btf = types.btf()?;
    let last = path.last()?;
    if last.bits != 0 {
        return Some(Step::Value(super::bitfield::read(c, p, space, root, path, here)));
    }
    let Some(ty) = kernel::field_ty(btf, last.ty, space) else {
        c.report(diag::error(
            &diag::ARGUMENT_TYPE,
            &here,
            format!("`{}` has a type that programs can't hold", last.name),
        ));
        return None;
    };
    if here.origin.is_none() {
        if kernel::in_network_order(btf, last.ty) {
            c.note_network_order(here.span, ty.size(), &last.name);
        }
        let holder = match path.len().checked_sub(2).and_then(|i| path.get(i)) {
            Some(f) => kernel::strip(btf, f.ty),
            None => root,
        };
        let of = btf.ty(holder).map(|t| t.name).unwrap_or_default();
        if let Some(clock) = whistler_isa::tracing::clock_of_field(of, &last.name) {
            c.f.times.push((here.span, clock));
        }
    }
    let host_port = whistler_isa::places::HOST_ORDER_MEMBERS.contains(&&*last.name)
        || btf.ty(root).is_ok_and(|t| whistler_isa::places::host_order(t.name, &last.name));
    if here.origin.is_none() && host_port {
        c.note_host_port(here.span);
    }
    let local = (path.iter().map(|f| i64::from(f.bit_offset)).sum::<i64>()) / 8;
    let core = record(c, root, path, CoreKind::FieldByteOffset)?;
    let root_name = btf.ty(root).map(|t| t.name.to_string()).unwrap_or_default();
    let writable = match space {
        Space::Trusted => c.may_write(&root_name, path),
        _ => Err("a kernel object can't be written".to_string()),
    };
    if let (Ty::Array(..), Ok(())) = (&ty, &writable) {
        // Room for the program's own data: the verifier lets it be read and written as memory.
        let off = Expr::new(ExprKind::CoreValue { core, local }, Ty::U64, here.clone());
        let kind = ExprKind::Bin(BinOp::Add, Box::new(p.e), Box::new(off));
        return Some(Step::Value(Val::new(kind, Ty::ptr(Space::Mem, Some(ty)), here)));
    }
    if space == Space::Trusted && embedded(btf, root, path, &ty) {
        return Some(Step::Value(part_of(p, core, local, ty, here)));
    }
    if matches!(ty, Ty::Kernel(_) | Ty::Array(..)) {
        let target = if space == Space::User { Space::User } else { Space::Kernel };
        let sum = address(p, core, local, &here);
        return Some(Step::Value(Val::new(ExprKind::Cast(Box::new(sum)), Ty::ptr(target, Some(ty)), here)));
    }
    if space == Space::Trusted {
        return Some(Step::Memory(MemPlace {
            ptr: p.e,
            off: local as i32,
            ty,
            big_endian: false,
            bits: None,
            read_only: writable.err(),
            core: Some(core),
            before: Vec::new(),
            at: here,
        }));
    }
    // Of an element only place and size can be asked, not how it is extended.
    if let Ty::Int(int) = ty
        && !(int.signed && last.element.is_some())
    {
        let v = super::bitfield::read_far(c, p, space, (root, path), int, here);
        return (!v.never()).then_some(Step::Value(v));
    }
    let helper = if space == Space::User { "probe_read_user" } else { "probe_read_kernel" };
    let sum = Val::of(address(p, core, local, &here));
    let v = super::memory::probe_read(c, helper, ty, sum, here);
    (!v.never()).then_some(Step::Value(v))
}

/// Whether the verifier finds a field of an object that it knows by its place, as an object of the field's type.
fn embedded(btf: &Btf, root: TypeId, path: &[FieldInfo], ty: &Ty) -> bool {
    let Some(last) = path.last().filter(|_| matches!(ty, Ty::Kernel(name) if !name.is_empty())) else { return false };
    let bytes = path.iter().map(|f| f.bit_offset).sum::<u32>() / 8;
    path.iter().all(|f| f.element.is_none()) && kernel::object_at(btf, root, bytes, kernel::strip(btf, last.ty))
}

/// The address of an object inside of another one that the verifier knows.
fn part_of(p: Val, core: CoreId, local: i64, ty: Ty, here: At) -> Val {
    let off = Expr::new(ExprKind::CoreValue { core, local }, Ty::U64, here.clone());
    Val::new(ExprKind::Bin(BinOp::Add, Box::new(p.e), Box::new(off)), Ty::ptr(Space::Trusted, Some(ty)), here)
}

/// Pointer plus a field's offset in the running kernel, as a number.
fn address(p: Val, core: CoreId, local: i64, here: &At) -> Expr {
    let base = Expr::new(ExprKind::Cast(Box::new(p.e)), Ty::U64, here.clone());
    let off = Expr::new(ExprKind::CoreValue { core, local }, Ty::U64, here.clone());
    Expr::new(ExprKind::Bin(BinOp::Add, Box::new(base), Box::new(off)), Ty::U64, here.clone())
}

fn as_kernel_pointer(c: &mut Checker<'_>, p: Val, ty: &str) -> Val {
    let here = p.at().clone();
    match p.ty().as_ptr() {
        Some(q) if matches!(q.pointee.as_deref(), Some(Ty::Kernel(_))) => p,
        Some(q) => {
            let t = Ty::Ptr(PtrTy { pointee: Some(std::rc::Rc::new(Ty::Kernel(ty.into()))), ..q.clone() });
            Val::new(ExprKind::Cast(Box::new(p.e)), t, here)
        }
        None => {
            let p = c.number(p, "a kernel pointer");
            if p.never() {
                return p;
            }
            Val::new(ExprKind::Cast(Box::new(p.e)), Ty::ptr(Space::Kernel, Some(Ty::Kernel(ty.into()))), here)
        }
    }
}

fn accessor_step(
    c: &mut Checker<'_>,
    call: &Call<'_>,
    ty: &str,
    field: Symbol,
) -> Option<(Val, Space, TypeId, Vec<FieldInfo>)> {
    if call.args.is_empty() {
        c.malformed(call.form, format!("written as ({} pointer)", call.name));
        return None;
    }
    let p = c.value(&call.args[0]);
    if p.never() {
        return None;
    }
    let p = as_kernel_pointer(c, p, ty);
    let q = p.ty().as_ptr()?.clone();
    if q.nullable {
        c.readable(p, 0, None, &call.at());
        return None;
    }
    let space = match q.space {
        Space::Trusted | Space::User => q.space,
        _ => Space::Kernel,
    };
    let root = kernel_type(c, ty, &call.at())?;
    let mut ways = vec![Way::field(field, call.at())];
    // `(S-F p 3)`: a number is part of what the running kernel is asked.
    ways.extend(call.args.get(1).and_then(Way::of).filter(|w| matches!(w.step, WayStep::Element(_))));
    let path = path(c, root, ty, &ways)?;
    Some((p, space, root, path))
}

/// `(S-F p [i])` on a kernel struct.
pub(super) fn field_value(c: &mut Checker<'_>, call: &Call<'_>, ty: &str, field: Symbol) -> Val {
    let Some((p, space, root, path)) = accessor_step(c, call, ty, field) else { return Val::error(call.at()) };
    let elements = path.len();
    let v = match kernel_field(c, p, space, root, &path, call.at()) {
        Some(Step::Value(v)) => v,
        Some(Step::Memory(m)) => c.read(Place::Memory(m)),
        None => return Val::error(call.at()),
    };
    let Some(index) = call.args.get(elements) else { return v };
    let Some(PtrTy { pointee: Some(t), space, .. }) = v.ty().as_ptr().cloned() else {
        return c.malformed(index, "this field is no array");
    };
    let Ty::Array(elem, n) = &*t else { return c.malformed(index, "this field is no array") };
    far_element(c, v, space, elem, Some(*n), index, call).unwrap_or_else(|| Val::error(call.at()))
}

/// `(S-F p)` on a kernel struct as a place, where the program may write it; reports otherwise.
pub(super) fn field_place(c: &mut Checker<'_>, call: &Call<'_>, ty: &str, field: Symbol) -> Option<MemPlace> {
    let (p, space, root, path) = accessor_step(c, call, ty, field)?;
    match kernel_field(c, p, space, root, &path, call.at())? {
        Step::Memory(m) if call.args.len() == path.len() => Some(m),
        _ => {
            let d = diag::error(&diag::READ_ONLY, &call.at(), "a kernel object can't be written");
            c.report(match c.what_may_be_written() {
                Some(what) => d.help(what),
                None => d,
            });
            None
        }
    }
}

/// `(S-F-ptr p)` on a kernel struct: the field's address in the running kernel.
pub(super) fn field_address(c: &mut Checker<'_>, call: &Call<'_>, ty: &str, field: Symbol) -> Val {
    let Some((p, space, root, path)) = accessor_step(c, call, ty, field) else { return Val::error(call.at()) };
    let types = c.types.clone();
    let Some(btf) = types.btf() else { return Val::error(call.at()) };
    let Some(last) = path.last() else { return Val::error(call.at()) };
    if last.bits != 0 {
        return no_address(c, &last.name, call);
    }
    let local = path.iter().map(|f| i64::from(f.bit_offset)).sum::<i64>() / 8;
    let pointee = kernel::field_ty(btf, last.ty, space);
    let Some(core) = record(c, root, &path, CoreKind::FieldByteOffset) else { return Val::error(call.at()) };
    if let Some(ty) = pointee.clone().filter(|t| space == Space::Trusted && embedded(btf, root, &path, t)) {
        return part_of(p, core, local, ty, call.at());
    }
    let space = if space == Space::User { Space::User } else { Space::Kernel };
    let sum = address(p, core, local, &call.at());
    Val::new(ExprKind::Cast(Box::new(sum)), Ty::ptr(space, pointee), call.at())
}

fn no_address(c: &mut Checker<'_>, field: &str, call: &Call<'_>) -> Val {
    let text = format!("field `{field}` is of bits, which have no address");
    c.fail(diag::error(&diag::ARGUMENT_TYPE, &call.at(), text).help("read it by its name; the shifts are made for you"))
}

/// `(core-load TYPE p offset STRUCT field)`: the offset written is only a fallback of the original's.
fn core_load(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let ty = c.type_of(&call.args[0]);
    let p = c.value(&call.args[1]);
    c.const_value(&call.args[2], "an offset");
    core_field(c, call, ty, p, &call.args[3], &call.args[4])
}

fn core_ctx_load(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let ty = c.type_of(&call.args[0]);
    c.const_value(&call.args[1], "an offset");
    let p = Val::of(super::ctx::ctx(c, call.at()));
    core_field(c, call, ty, p, &call.args[2], &call.args[3])
}

fn core_field(c: &mut Checker<'_>, call: &Call<'_>, ty: Option<Ty>, p: Val, of: &Form, field: &Form) -> Val {
    let name = |f: &Form| f.as_symbol().map(|s| s.name().to_string()).or_else(|| f.as_str().map(str::to_string));
    let (Some(ty), Some(of), Some(field), false) = (ty, name(of), name(field), p.never()) else {
        return Val::error(call.at());
    };
    let direct = p.ty().as_ptr().is_some_and(|p| matches!(p.space, Space::Ctx | Space::Trusted));
    let Some(root) = kernel_type(c, &of, &call.at()) else { return Val::error(call.at()) };
    let Some(path) = path(c, root, &of, &[Way::field(Symbol::intern(&field), call.at())]) else {
        return Val::error(call.at());
    };
    if path[0].bits != 0 {
        let space = if direct { Space::Trusted } else { Space::Kernel };
        let v = super::bitfield::read(c, p, space, root, &path, call.at());
        return Val::of(c.fit(v, &ty, Fit::Bits));
    }
    let types = c.types.clone();
    let known = types.btf().and_then(|b| kernel::field_ty(b, path[0].ty, Space::Kernel));
    if let (false, Ty::Int(_), Some(Ty::Int(int))) = (direct, &ty, known) {
        // As many bytes as the running kernel has, not as are written here.
        let v = super::bitfield::read_far(c, p, Space::Kernel, (root, &path), int, call.at());
        return Val::of(c.fit(v, &ty, Fit::Bits));
    }
    let local = i64::from(path[0].bit_offset) / 8;
    let Some(core) = record(c, root, &path, CoreKind::FieldByteOffset) else { return Val::error(call.at()) };
    if direct {
        return Val::new(ExprKind::CoreLoad { core, ptr: Box::new(p.e), off: local as i32 }, ty, call.at());
    }
    let sum = Val::of(address(p, core, local, &call.at()));
    super::memory::probe_read(c, "probe_read_kernel", ty, sum, call.at())
}
