//! `defstruct`, `defunion`, `defenum`.

use std::rc::Rc;

use whistler_diag::Diagnostic;
use whistler_lisp::{Form, Symbol};

use super::{Declared, Mode, duplicate, name_of};
use crate::check::at;
use crate::diagnostics as diag;
use crate::env::{Accessor, DeclKind, Env};
use crate::hir::{EnumDef, Field, IntTy, StructDef, Ty};
use crate::host::{self, Interp};
use crate::names::norm;

/// How a field is written: its type, and what C can't say.
struct Written {
    ty: Ty,
    big_endian: bool,
    bits: Option<u8>,
}

fn field_type(env: &mut Env, interp: &mut Interp, diags: &mut Vec<Diagnostic>, form: &Form) -> Option<Written> {
    if form.is_call("be")
        && let Some([_, inner]) = form.as_list()
    {
        let w = field_type(env, interp, diags, inner)?;
        if !matches!(w.ty, Ty::Int(_) | Ty::Enum(_)) || w.bits.is_some() {
            diags.push(diag::error(&diag::UNKNOWN_TYPE, &at(form), "only integers have a byte order"));
            return None;
        }
        return Some(Written { big_endian: true, ..w });
    }
    if form.is_call("array")
        && let Some([_, elem, n]) = form.as_list()
        && elem.is_call("be")
    {
        let w = field_type(env, interp, diags, elem)?;
        let ty = crate::types::array(interp, w.ty, form, n).map_err(|d| diags.push(*d)).ok()?;
        return Some(Written { ty, big_endian: true, bits: None });
    }
    if form.is_call("bits")
        && let Some([_, inner, n]) = form.as_list()
    {
        let w = field_type(env, interp, diags, inner)?;
        if w.ty.as_int().is_none() || w.big_endian || w.bits.is_some() {
            let text = "a bit-field is of an integer in the machine's byte order: (bits u32 3)";
            diags.push(diag::error(&diag::UNKNOWN_TYPE, &at(form), text));
            return None;
        }
        let n = host::eval_number(interp, n).map_err(|d| diags.push(*d)).ok()?;
        let most = w.ty.as_int().map_or(0, |i| i128::from(i.size) * 8);
        let Some(n) = n.filter(|n| (1..=most).contains(n)) else {
            diags.push(diag::error(
                &diag::UNKNOWN_TYPE,
                &at(form),
                format!("a bit-field of {} has 1 to {most} bits", w.ty),
            ));
            return None;
        };
        return Some(Written { bits: Some(n as u8), ..w });
    }
    match crate::types::parse(env, interp, form) {
        Ok(Ty::Void | Ty::Never | Ty::Kernel(_) | Ty::Map(_)) => {
            diags.push(diag::error(&diag::UNKNOWN_TYPE, &at(form), "a field needs a type of a known size"));
            None
        }
        Ok(ty) => Some(Written { ty, big_endian: false, bits: None }),
        Err(d) => {
            diags.push(*d);
            None
        }
    }
}

/// Reports a type that takes the name of one of the language's own, which would always be meant instead.
fn takes_scalar(diags: &mut Vec<Diagnostic>, name: Symbol, form: &Form) -> bool {
    let taken = crate::types::scalar(name).is_some();
    if taken {
        let text = format!("`{name}` is the name of a number type");
        diags.push(diag::error(&diag::DUPLICATE, &at(form), text).help("give yours another name"));
    }
    taken
}

/// What stands behind the name of a struct or union: whether it is packed, and its alignment.
fn options(interp: &mut Interp, diags: &mut Vec<Diagnostic>, named: &Form) -> Option<(bool, u32)> {
    let (mut packed, mut align) = (false, 1u32);
    let mut rest = named.as_list().and_then(|l| l.get(1..)).unwrap_or(&[]);
    while let [o, more @ ..] = rest {
        rest = more;
        match o.as_keyword() {
            Some(k) if k.is("packed") => packed = true,
            Some(k) if k.is("align") && !more.is_empty() => {
                let n = host::eval_number(interp, &more[0]).map_err(|d| diags.push(*d)).ok()??;
                if !(1..=4096).contains(&n) || !(n as u32).is_power_of_two() {
                    diags.push(diag::error(&diag::MALFORMED, &at(&more[0]), "an alignment is a power of two"));
                    return None;
                }
                align = n as u32;
                rest = &more[1..];
            }
            _ => {
                let text = "the options of a struct or union are :packed and :align n";
                diags.push(diag::error(&diag::MALFORMED, &at(o), text));
                return None;
            }
        }
    }
    Some((packed, align))
}

/// `(defstruct name (field TYPE)…)`, `(defstruct (name :packed :align n) …)`.
pub fn structure(
    env: &mut Env,
    interp: &mut Interp,
    diags: &mut Vec<Diagnostic>,
    form: &Form,
    mode: Mode,
) -> Option<Declared> {
    let name = name_of(diags, form)?;
    if takes_scalar(diags, name, form) || duplicate(env, diags, name, DeclKind::Struct, form, mode) {
        return None;
    }
    let items = form.as_list()?;
    let (packed, mut align) = options(interp, diags, &items[1])?;
    let mut fields: Vec<Field> = Vec::new();
    let mut errors = false;
    // The next free bit; plain fields start at the next byte that suits them.
    let mut bit = 0u64;
    for f in items[2..].iter().filter(|f| f.as_str().is_none()) {
        let Some((field, ty)) = f.as_list().filter(|l| l.len() == 2).and_then(|l| Some((l[0].as_symbol()?, &l[1])))
        else {
            let d = diag::error(&diag::MALFORMED, &at(f), "a field is written (name TYPE)");
            let options = f.as_list().is_some_and(|l| l.iter().skip(2).any(|o| o.as_keyword().is_some()));
            diags.push(if options {
                d.help("options stand behind the struct's name and are for all of it: (defstruct (name :align 8) …)")
            } else {
                d
            });
            errors = true;
            continue;
        };
        let Some(w) = field_type(env, interp, diags, ty) else {
            errors = true;
            continue;
        };
        if let Some(earlier) = fields.iter().find(|g| norm(Symbol::intern(&g.name)) == norm(field)) {
            diags.push(
                diag::error(&diag::DUPLICATE, &at(f), format!("field `{field}` is there twice"))
                    .also(earlier.span, "first here"),
            );
            errors = true;
            continue;
        }
        let size = u64::from(w.ty.size());
        let its_align = if packed { 1 } else { w.ty.align().max(1) };
        align = align.max(its_align);
        let (offset, bits) = match w.bits {
            Some(n) => {
                // As C: a bit-field does not cross a boundary of its type.
                if !packed && bit / (size * 8) != (bit + u64::from(n) - 1) / (size * 8) {
                    bit = bit.next_multiple_of(size * 8);
                }
                let at = bit;
                bit += u64::from(n);
                (at / 8, Some(((at % 8) as u8, n)))
            }
            None => {
                let byte = bit.div_ceil(8).next_multiple_of(u64::from(its_align));
                bit = (byte + size) * 8;
                (byte, None)
            }
        };
        if bit > 8 << 20 {
            diags.push(diag::error(&diag::MALFORMED, &at(form), "the struct is larger than a megabyte"));
            return None;
        }
        fields.push(Field {
            name: field.name().into(),
            ty: w.ty,
            offset: offset as u32,
            bits,
            big_endian: w.big_endian,
            span: f.span,
        });
    }
    if errors {
        return None;
    }
    let size = (bit.div_ceil(8) as u32).next_multiple_of(align);
    if fields.is_empty() {
        diags.push(diag::error(&diag::MALFORMED, &at(form), "a struct needs a field"));
        return None;
    }
    let def = Rc::new(StructDef { name: name.name().into(), fields, size, align, union: false, span: form.span });
    install(env, name, &def);
    env.note(name, DeclKind::Struct, form.span);
    Some(Declared { name, kind: DeclKind::Struct, summary: format!("{name} · {size} bytes, align {align}") })
}

/// Accessors and constants of a struct or union.
fn install(env: &mut Env, name: Symbol, def: &Rc<StructDef>) {
    env.forget_accessors(name);
    let s = name.name();
    for (i, f) in def.fields.iter().enumerate() {
        env.accessor(&format!("{s}-{}", f.name), Accessor::Field(def.clone(), i), name);
        let pointer = format!("{s}-{}-ptr", f.name);
        env.accessor(&pointer, Accessor::FieldPtr(def.clone(), i), name);
    }
    env.accessor(&format!("make-{s}"), Accessor::Make(def.clone()), name);
    env.accessor(&format!("as-{s}"), Accessor::As(Ty::Struct(def.clone())), name);
    env.structs.insert(name, def.clone());
}

/// `(defunion name struct…)`, or with fields `(name TYPE)`; options as a struct's.
pub fn union(
    env: &mut Env,
    interp: &mut Interp,
    diags: &mut Vec<Diagnostic>,
    form: &Form,
    mode: Mode,
) -> Option<Declared> {
    let name = name_of(diags, form)?;
    if takes_scalar(diags, name, form) || duplicate(env, diags, name, DeclKind::Union, form, mode) {
        return None;
    }
    let mut fields: Vec<Field> = Vec::new();
    let mut size = 0u32;
    let (packed, mut align) = options(interp, diags, &form.as_list()?[1])?;
    for f in form.as_list()?[2..].iter().filter(|f| f.as_str().is_none()) {
        let written = match f.as_list() {
            Some([n, t]) => n.as_symbol().map(|n| (n, t)),
            _ => f.as_symbol().map(|n| (n, f)),
        };
        let Some((field, ty)) = written else {
            let text = "a member is a struct's name, or written (name TYPE)";
            diags.push(diag::error(&diag::MALFORMED, &at(f), text));
            return None;
        };
        let w = field_type(env, interp, diags, ty)?;
        if let Some(earlier) = fields.iter().find(|g| norm(Symbol::intern(&g.name)) == norm(field)) {
            diags.push(
                diag::error(&diag::DUPLICATE, &at(f), format!("member `{field}` is there twice"))
                    .also(earlier.span, "first here"),
            );
            return None;
        }
        size = size.max(match w.bits {
            Some(n) if packed => u32::from(n).div_ceil(8),
            _ => w.ty.size(),
        });
        if !packed {
            align = align.max(w.ty.align());
        }
        fields.push(Field {
            name: field.name().into(),
            ty: w.ty,
            offset: 0,
            bits: w.bits.map(|n| (0, n)),
            big_endian: w.big_endian,
            span: f.span,
        });
    }
    if fields.is_empty() {
        diags.push(diag::error(&diag::MALFORMED, &at(form), "a union needs a member"));
        return None;
    }
    let size = size.next_multiple_of(align);
    let def = Rc::new(StructDef { name: name.name().into(), fields, size, align, union: true, span: form.span });
    install(env, name, &def);
    env.note(name, DeclKind::Union, form.span);
    Some(Declared { name, kind: DeclKind::Union, summary: format!("{name} · {size} bytes, align {align}") })
}

/// `(defenum name (member [value])…)`.
pub fn enumeration(
    env: &mut Env,
    interp: &mut Interp,
    diags: &mut Vec<Diagnostic>,
    form: &Form,
    mode: Mode,
) -> Option<Declared> {
    let name = name_of(diags, form)?;
    if takes_scalar(diags, name, form) || duplicate(env, diags, name, DeclKind::Enum, form, mode) {
        return None;
    }
    let mut next = 0i64;
    let mut members: Vec<(Symbol, i64)> = Vec::new();
    for m in form.as_list()?[2..].iter().filter(|f| f.as_str().is_none()) {
        let (member, value) = match m.as_list() {
            Some([n]) => (n.as_symbol(), None),
            Some([n, v]) => (n.as_symbol(), Some(v)),
            _ => (m.as_symbol(), None),
        };
        let Some(member) = member else {
            diags.push(diag::error(&diag::MALFORMED, &at(m), "a member is written (:name value)"));
            return None;
        };
        if let Some(v) = value {
            let n = host::eval_number(interp, v).map_err(|d| diags.push(*d)).ok()?;
            let Some(n) = n
                .and_then(|n| i64::try_from(n).ok())
                .filter(|n| (i64::from(i32::MIN)..=i64::from(u32::MAX)).contains(n))
            else {
                diags.push(diag::error(&diag::MALFORMED, &at(v), "a member's value is a number of 4 bytes"));
                return None;
            };
            next = n;
        }
        if members.iter().any(|(n, _)| norm(*n) == norm(member)) {
            diags.push(diag::error(&diag::DUPLICATE, &at(m), format!("member `{member}` is there twice")));
            return None;
        }
        members.push((member, next));
        next += 1;
    }
    if members.is_empty() {
        diags.push(diag::error(&diag::MALFORMED, &at(form), "an enum needs a member"));
        return None;
    }
    let signed = members.iter().any(|m| m.1 < 0);
    if signed && members.iter().any(|m| m.1 > i64::from(i32::MAX)) {
        let text = "an enum has 4 bytes: with a negative member, the others end at 2147483647";
        diags.push(diag::error(&diag::MALFORMED, &at(form), text));
        return None;
    }
    let int = if signed { IntTy::I32 } else { IntTy::U32 };
    let count = members.len();
    let named = members.iter().map(|(m, n)| (Rc::from(m.name()), *n)).collect();
    let def = Rc::new(EnumDef { name: name.name().into(), members: named, int });
    for enums in env.keywords.values_mut() {
        enums.retain(|e| e.name != def.name);
    }
    for (m, n) in &members {
        env.constant(&format!("+{}-{}+", name.name(), m.name()), i128::from(*n));
        env.keywords.entry(norm(*m)).or_default().push(def.clone());
    }
    env.enums.insert(name, def);
    let ty = Ty::Int(int);
    env.note(name, DeclKind::Enum, form.span);
    Some(Declared { name, kind: DeclKind::Enum, summary: format!("{name} · {count} members, {ty}") })
}
