//! Structs of ours: objects, fields, headers; and whatever an accessor's name stands for.

use std::rc::Rc;

use whistler_lisp::Symbol;

use super::FormDef;
use super::binding::zeroed;
use super::ctx::Part;
use super::memory::element;
use crate::check::{Call, Checker, MemPlace, Place, Val, Want, at};
use crate::diagnostics as diag;
use crate::env::{Accessor, RawField};
use crate::hir::{At, ExprKind, LocalKind, PtrTy, Space, StructDef, Ty};
use crate::names::nearest;

pub(super) static FORMS: &[FormDef] = &[];

fn counted(c: &mut Checker<'_>, call: &Call<'_>, min: usize, max: usize) -> bool {
    let n = call.args.len();
    if (min..=max).contains(&n) {
        return true;
    }
    let takes = if min == max { format!("{min}") } else { format!("{min} to {max}") };
    c.report(diag::error(
        &diag::ARGUMENT_COUNT,
        &call.at(),
        format!("`{}` takes {takes} argument{}, not {n}", call.name, if takes == "1" { "" } else { "s" }),
    ));
    false
}

/// Checks the call of an accessor.
pub fn accessor(c: &mut Checker<'_>, call: &Call<'_>, accessor: Accessor) -> Val {
    match accessor {
        Accessor::Make(def) => make_with(c, call, &def),
        Accessor::As(ty) => {
            if !counted(c, call, 1, 1) {
                return Val::error(call.at());
            }
            let v = c.value(&call.args[0]);
            if v.never() {
                return v;
            }
            super::memory::cast_to(c, Ty::ptr(Space::Kernel, Some(ty)), v, call.at())
        }
        Accessor::FieldPtr(def, i) => {
            if !counted(c, call, 1, MOST_INDICES) {
                return Val::error(call.at());
            }
            match field(c, call, &def, i) {
                Some(m) if m.bits.is_some() => {
                    let text = format!("field `{}` is of bits, which have no address", def.fields[i].name);
                    c.fail(diag::error(&diag::NOT_A_PLACE, &call.at(), text))
                }
                Some(m) => c.address(m),
                None => Val::error(call.at()),
            }
        }
        Accessor::HeaderPtr(f) => match header(c, call, &f) {
            Some(m) => c.address(m),
            None => Val::error(call.at()),
        },
        Accessor::Tp(field) => super::ctx::tracepoint(c, call, field, Part::Value),
        Accessor::TpPtr(field) => super::ctx::tracepoint(c, call, field, Part::Address),
        Accessor::TpStr(field) => super::ctx::tracepoint(c, call, field, Part::Text),
        Accessor::TpLen(field) => super::ctx::tracepoint(c, call, field, Part::Length),
        Accessor::Kernel(ty, f) => super::chain::field_value(c, call, &ty, f),
        Accessor::KernelPtr(ty, f) => super::chain::field_address(c, call, &ty, f),
        Accessor::Field(..) | Accessor::Header(_) => match accessor_place(c, call, accessor) {
            Some(m) => c.read(Place::Memory(m)),
            None => Val::error(call.at()),
        },
    }
}

/// The pointer, and as many indices as arrays of arrays are ever given.
const MOST_INDICES: usize = 5;

/// `(make-S :field value …)`: an object on the stack, zeroed but for the fields that are given.
fn make_with(c: &mut Checker<'_>, call: &Call<'_>, def: &Rc<StructDef>) -> Val {
    let made = make(c, Ty::Struct(def.clone()), call.at());
    let ExprKind::Seq(mut parts) = made.e.kind else { return made };
    let Some(object) = parts.pop() else { return Val::error(call.at()) };
    let mut rest = call.args;
    while let [key, value, more @ ..] = rest {
        rest = more;
        let Some(name) = key.as_keyword() else {
            c.malformed(key, format!("fields are given as :name value: ({} :{} …)", call.name, def.fields[0].name));
            return Val::error(call.at());
        };
        let place = member(c, Val::of(object.clone()), def, name, &at(key));
        let v = c.value_for(value, place.as_ref().map(|m| &m.ty));
        let Some(m) = place else { continue };
        let set = c.write(Place::Memory(m), v, Want::Effect, At { span: key.span.to(value.span), ..at(key) });
        parts.push(set.e);
    }
    if let [extra] = rest {
        return c.malformed(extra, format!("fields are given in pairs: ({} :field value)", call.name));
    }
    c.seq(parts, Val::of(object))
}

/// An object on the stack, zeroed.
pub(super) fn make(c: &mut Checker<'_>, ty: Ty, here: At) -> Val {
    let id = c.temp(ty.clone(), LocalKind::Memory);
    let zero = zeroed(id, ty.clone(), ty.size(), &here);
    let v = Val::new(ExprKind::AddrOf(id), Ty::ptr(Space::Stack, Some(ty)), here);
    c.seq(vec![zero], v)
}

/// The place that an accessor names.
pub fn accessor_place(c: &mut Checker<'_>, call: &Call<'_>, accessor: Accessor) -> Option<MemPlace> {
    match accessor {
        Accessor::Field(def, i) => {
            if !counted(c, call, 1, MOST_INDICES) {
                return None;
            }
            field(c, call, &def, i)
        }
        Accessor::Header(f) => header(c, call, &f),
        Accessor::Kernel(ty, field) => super::chain::field_place(c, call, &ty, field),
        Accessor::Tp(_) => {
            c.report(diag::error(&diag::CONTEXT_READ_ONLY, &call.at(), "the record of a tracepoint can't be written"));
            None
        }
        Accessor::FieldPtr(..)
        | Accessor::HeaderPtr(_)
        | Accessor::Make(_)
        | Accessor::As(_)
        | Accessor::TpPtr(_)
        | Accessor::TpStr(_)
        | Accessor::TpLen(_)
        | Accessor::KernelPtr(..) => {
            c.report(diag::error(&diag::NOT_A_PLACE, &call.at(), format!("({} …) can't be assigned", call.name)));
            None
        }
    }
}

fn field(c: &mut Checker<'_>, call: &Call<'_>, def: &Rc<StructDef>, i: usize) -> Option<MemPlace> {
    let p = c.value(&call.args[0]);
    let p = of_struct(c, p, def, call)?;
    let mut m = field_at(c, p, def, i, &call.at())?;
    for index in &call.args[1..] {
        let Ty::Array(elem, n) = m.ty.clone() else {
            let f = &def.fields[i];
            c.malformed(
                index,
                format!(
                    "field `{}` is no array{}",
                    f.name,
                    if call.args.len() > 2 { " of so many indices" } else { "" }
                ),
            );
            return None;
        };
        let (off, big_endian, before, space) = (m.off, m.big_endian, m.before, m.ptr.ty.clone());
        m = element(c, Val::new(m.ptr.kind, space, m.ptr.at), off, &elem, Some(n), index, call.at())?;
        m.big_endian = big_endian;
        m.before = before;
    }
    Some(m)
}

/// A field of the struct behind a pointer.
fn field_at(c: &mut Checker<'_>, p: Val, def: &Rc<StructDef>, i: usize, here: &At) -> Option<MemPlace> {
    let f = def.fields.get(i)?;
    let bits = def.bit_place(f);
    let (start, len) = match bits {
        Some(b) if b.unit > 0 => (f.offset - u32::from(b.back), b.unit.into()),
        Some(b) => (f.offset, b.bytes()),
        None => (f.offset, f.ty.size()),
    };
    let p = c.readable(p, start.into(), Some(len), here)?;
    let read_only = p.ty().as_ptr().and_then(|p| c.why_read_only(p.space));
    Some(MemPlace {
        ptr: p.e,
        off: f.offset as i32,
        ty: f.ty.clone(),
        big_endian: f.big_endian,
        bits,
        read_only,
        core: None,
        before: Vec::new(),
        at: here.clone(),
    })
}

/// Checks that a value can be a pointer to a struct.
fn of_struct(c: &mut Checker<'_>, p: Val, def: &Rc<StructDef>, call: &Call<'_>) -> Option<Val> {
    if let Some(PtrTy { pointee: Some(t), .. }) = p.ty().as_ptr()
        && let Ty::Struct(other) = &**t
        && other.name != def.name
        && !other.union
        && !def.union
        // The first member of a struct may be meant.
        && !other.fields.first().is_some_and(|f| matches!(&f.ty, Ty::Struct(s) if s.name == def.name))
    {
        let text = format!("`{}` takes a pointer to {}, and this is one to {}", call.name, def.name, other.name);
        c.report(diag::error(&diag::ARGUMENT_TYPE, &at(&call.args[0]), text));
        return None;
    }
    Some(p)
}

fn header(c: &mut Checker<'_>, call: &Call<'_>, f: &RawField) -> Option<MemPlace> {
    if !counted(c, call, 1, 2) {
        return None;
    }
    let p = c.value(&call.args[0]);
    let p = c.readable(p, f.offset.into(), Some(f.ty.size()), &call.at())?;
    let read_only = p.ty().as_ptr().and_then(|p| c.why_read_only(p.space));
    if let (Ty::Array(elem, n), Some(index)) = (&f.ty, call.args.get(1)) {
        let mut m = element(c, p, f.offset, elem, Some(*n), index, call.at())?;
        m.big_endian = f.big_endian;
        return Some(m);
    }
    Some(MemPlace {
        ptr: p.e,
        off: f.offset,
        ty: f.ty.clone(),
        big_endian: f.big_endian,
        bits: f.bits,
        read_only,
        core: None,
        before: Vec::new(),
        at: call.at(),
    })
}

/// Reports a field that isn't there.
pub(super) fn no_field(c: &mut Checker<'_>, def: &StructDef, field: Symbol, here: &At) -> Val {
    let near = nearest(field.name(), def.fields.iter().map(|f| &*f.name)).map(str::to_string);
    let mut d = diag::error(&diag::UNKNOWN_NAME, here, format!("{} has no field `{field}`", def.name))
        .also(def.span, "defined here");
    if let Some(near) = near {
        d = d.help(format!("did you mean `{near}`?"));
    }
    c.fail(d)
}

/// A field of a struct of ours behind a pointer.
pub(super) fn member(c: &mut Checker<'_>, p: Val, def: &Rc<StructDef>, name: Symbol, here: &At) -> Option<MemPlace> {
    let found = def.field(name.name()).and_then(|f| def.fields.iter().position(|g| std::ptr::eq(f, g)));
    match found {
        Some(i) => field_at(c, p, def, i, here),
        None => {
            no_field(c, def, name, here);
            None
        }
    }
}
