//! `defglobal` and `defparam`: variables of a unit, and constant tables. Invariant: the bytes of an initial value are
//! exactly as many as its type has.

use std::rc::Rc;

use whistler_diag::Diagnostic;
use whistler_lisp::{Form, FormKind};

use super::{Declared, Mode, duplicate, name_of, value_of};
use crate::check::at;
use crate::diagnostics as diag;
use crate::env::{DeclKind, Env};
use crate::hir::{Field, GlobalDef, StructDef, Ty};
use crate::host::Interp;
use crate::names::nearest;

/// `(defglobal name TYPE init)` and `(defparam name TYPE init)`.
pub fn global(
    env: &mut Env,
    interp: &mut Interp,
    diags: &mut Vec<Diagnostic>,
    form: &Form,
    mode: Mode,
) -> Option<Declared> {
    let name = name_of(diags, form)?;
    let writable = form.is_call("defglobal");
    let kind = if writable { DeclKind::Global } else { DeclKind::Param };
    if duplicate(env, diags, name, kind, form, mode) {
        return None;
    }
    let items = form.as_list()?;
    let Some(ty_form) = items.get(2) else {
        let head = if writable { "defglobal" } else { "defparam" };
        diags.push(diag::error(&diag::MALFORMED, &at(form), format!("written as ({head} name TYPE [value])")));
        return None;
    };
    let ty = crate::types::parse(env, interp, ty_form).map_err(|d| diags.push(*d)).ok()?;
    if ty.size() == 0 || ty.size() > 1 << 20 {
        diags.push(diag::error(
            &diag::UNKNOWN_TYPE,
            &at(ty_form),
            format!("a variable of type {ty}, which has no usable size"),
        ));
        return None;
    }
    let mut init = Vec::new();
    match items.get(3) {
        Some(v) => initial(env, interp, diags, v, &ty, &mut init)?,
        None => init.resize(ty.size() as usize, 0),
    }
    let summary = format!("{name} · {ty}{}", if writable { "" } else { ", set before load" });
    let def = GlobalDef { name: name.name().into(), ty, init, writable, span: form.span };
    env.globals.insert(name, Rc::new(def));
    env.note(name, kind, form.span);
    Some(Declared { name, kind, summary })
}

/// The bytes of an initial value.
fn initial(
    env: &mut Env,
    interp: &mut Interp,
    diags: &mut Vec<Diagnostic>,
    form: &Form,
    ty: &Ty,
    out: &mut Vec<u8>,
) -> Option<()> {
    match ty {
        Ty::Array(elem, n) => array(env, interp, diags, form, ty, elem, *n, false, out),
        Ty::Struct(def) => record(env, interp, diags, form, def, out),
        _ => {
            let n = scalar(env, interp, diags, form, ty)?;
            let bits = ty.size() * 8;
            if !(-(1i128 << (bits - 1))..(1i128 << bits)).contains(&n) {
                diags.push(diag::warning(&diag::CONSTANT_CUT, &at(form), format!("{n} does not fit {ty}")));
            }
            let n = if *ty == Ty::Bool { i128::from(n != 0) } else { n };
            out.extend_from_slice(&(n as i64).to_le_bytes()[..ty.size() as usize]);
            Some(())
        }
    }
}

fn is_zero(env: &mut Env, interp: &mut Interp, form: &Form) -> bool {
    form.as_list().is_none_or(|l| l.is_empty()) && value_of(env, interp, form).ok().flatten() == Some(0)
}

/// The elements as written: `#(…)`, `(vector …)`, `(list …)`.
fn elements(f: &Form) -> Option<Vec<Form>> {
    match &f.kind {
        FormKind::Vector(v) => Some(v.to_vec()),
        FormKind::List(l)
            if l.first().is_some_and(|h| h.as_symbol().is_some_and(|s| s.is("vector") || s.is("list"))) =>
        {
            Some(l[1..].to_vec())
        }
        _ => None,
    }
}

#[expect(clippy::too_many_arguments, reason = "where names are looked up, what is said, and one array")]
fn array(
    env: &mut Env,
    interp: &mut Interp,
    diags: &mut Vec<Diagnostic>,
    form: &Form,
    ty: &Ty,
    elem: &Ty,
    n: u32,
    big_endian: bool,
    out: &mut Vec<u8>,
) -> Option<()> {
    let end = out.len() + ty.size() as usize;
    if let Some(s) = form.as_str().filter(|_| elem.size() == 1) {
        if s.len() > n as usize {
            let text = format!("the string is longer than {n} bytes");
            diags.push(diag::error(&diag::MALFORMED, &at(form), text));
            return None;
        }
        out.extend_from_slice(s.as_bytes());
    } else if let Some(items) = elements(form) {
        if items.len() > n as usize {
            let text = format!("{} elements for an array of {n}", items.len());
            diags.push(diag::error(&diag::MALFORMED, &at(form), text));
            return None;
        }
        for f in &items {
            let start = out.len();
            initial(env, interp, diags, f, elem, out)?;
            if big_endian {
                out[start..].reverse();
            }
        }
    } else if !is_zero(env, interp, form) {
        let text = format!("the value of a {ty} is written #(…), or 0");
        diags.push(diag::error(&diag::MALFORMED, &at(form), text));
        return None;
    }
    out.resize(end, 0);
    Some(())
}

/// A struct's value: `(:field value …)`, `(make-S :field value …)`, or `#(value …)` in the order of its fields.
fn record(
    env: &mut Env,
    interp: &mut Interp,
    diags: &mut Vec<Diagnostic>,
    form: &Form,
    def: &StructDef,
    out: &mut Vec<u8>,
) -> Option<()> {
    let start = out.len();
    out.resize(start + def.size as usize, 0);
    let mut given: Vec<(&Field, Form)> = Vec::new();
    let make = format!("make-{}", def.name);
    let pairs = match form.as_list() {
        Some([head, rest @ ..]) if head.as_symbol().is_some_and(|s| s.is(&make)) => Some(rest),
        Some(all @ [head, ..]) if head.as_keyword().is_some() => Some(all),
        _ => None,
    };
    if let Some(mut rest) = pairs {
        while let [key, value, more @ ..] = rest {
            rest = more;
            let Some(f) = key.as_keyword().and_then(|k| def.field(k.name())) else {
                let mut d = diag::error(&diag::UNKNOWN_NAME, &at(key), format!("{} has no field `{key}`", def.name))
                    .also(def.span, "defined here");
                let near = nearest(key.as_symbol().map_or("", |s| s.name()), def.fields.iter().map(|f| &*f.name));
                if let Some(near) = near {
                    d = d.help(format!("did you mean `:{near}`?"));
                }
                diags.push(d);
                return None;
            };
            given.push((f, value.clone()));
        }
        if !rest.is_empty() {
            diags.push(diag::error(&diag::MALFORMED, &at(form), "fields are given in pairs: (:field value …)"));
            return None;
        }
    } else if let Some(items) = elements(form) {
        if items.len() > def.fields.len() {
            let text = format!("{} values for the {} fields of {}", items.len(), def.fields.len(), def.name);
            diags.push(diag::error(&diag::MALFORMED, &at(form), text));
            return None;
        }
        given.extend(def.fields.iter().zip(items));
    } else if !is_zero(env, interp, form) {
        let text = format!("the value of a {} is written (:{} value …), or 0", def.name, def.fields[0].name);
        diags.push(diag::error(&diag::MALFORMED, &at(form), text));
        return None;
    }
    for (f, value) in given {
        let at_ = start + f.offset as usize;
        if let Some(bits) = def.bit_place(f) {
            let n = scalar(env, interp, diags, &value, &f.ty)?;
            let (mask, n) = (u128::from(bits.mask()) << bits.pos, (u128::from(n as u64 & bits.mask())) << bits.pos);
            for (i, b) in out[at_..at_ + bits.bytes() as usize].iter_mut().enumerate() {
                *b = (*b & !((mask >> (8 * i)) as u8)) | (n >> (8 * i)) as u8;
            }
            continue;
        }
        let mut bytes = Vec::new();
        match &f.ty {
            Ty::Array(elem, n) => array(env, interp, diags, &value, &f.ty, elem, *n, f.big_endian, &mut bytes)?,
            _ => {
                initial(env, interp, diags, &value, &f.ty, &mut bytes)?;
                if f.big_endian {
                    bytes.reverse();
                }
            }
        }
        out[at_..at_ + bytes.len()].copy_from_slice(&bytes);
    }
    Some(())
}

fn scalar(env: &mut Env, interp: &mut Interp, diags: &mut Vec<Diagnostic>, form: &Form, ty: &Ty) -> Option<i128> {
    if let (Ty::Enum(e), Some(k)) = (ty, form.as_keyword()) {
        let value = e.value(k.name());
        if value.is_none() {
            let text = format!("`{form}` is no member of {}", e.name);
            diags.push(diag::error(&diag::UNKNOWN_NAME, &at(form), text));
        }
        return value.map(i128::from);
    }
    match value_of(env, interp, form) {
        Ok(Some(n)) => Some(n),
        Ok(None) => {
            diags.push(diag::error(&diag::NOT_CONSTANT, &at(form), "the value must be a number"));
            None
        }
        Err(d) => {
            diags.push(*d);
            None
        }
    }
}
