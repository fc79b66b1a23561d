//! `defmap`, `defglobal`, `defparam`.

use std::rc::Rc;

use whistler_diag::Diagnostic;
use whistler_isa::{MapType, SizeRule, Target};
use whistler_lisp::{Form, FormKind};

use super::{Declared, Mode, duplicate, name_of, options};
use crate::check::at;
use crate::diagnostics as diag;
use crate::env::{DeclKind, Env};
use crate::hir::{GlobalDef, MapDef, Ty};
use crate::host::{self, Interp};
use crate::names::nearest;

/// Page size that ring buffers are checked against; the target's may be larger, which its loader sees.
const PAGE: u32 = 4096;

fn rule(form: &Form, message: String) -> Diagnostic {
    diag::error(&diag::MAP_RULE, &at(form), message)
}

/// A number of 32 bits from an option's value.
fn number(interp: &mut Interp, diags: &mut Vec<Diagnostic>, form: &Form, what: &str) -> Option<u32> {
    match host::eval_number(interp, form) {
        Ok(Some(n)) => match u32::try_from(n) {
            Ok(n) => Some(n),
            Err(_) => {
                diags.push(rule(form, format!("{n} is no possible {what}")));
                None
            }
        },
        Ok(None) => {
            diags.push(diag::error(&diag::NOT_CONSTANT, &at(form), format!("the {what} must be a number")));
            None
        }
        Err(d) => {
            diags.push(*d);
            None
        }
    }
}

/// `(defmap name :type T …)`
pub fn map(
    env: &mut Env,
    interp: &mut Interp,
    target: &Target,
    diags: &mut Vec<Diagnostic>,
    form: &Form,
    mode: Mode,
) -> Option<Declared> {
    let name = name_of(diags, form)?;
    if duplicate(env, diags, name, DeclKind::Map, form, mode) {
        return None;
    }
    let before = diags.len();
    let (mut ty, mut key, mut value, mut key_size, mut value_size) = (None, None, None, None, None);
    let (mut entries, mut flags, mut pin) = (None, None, None);
    for (k, v) in options(diags, &form.as_list()?[2..]) {
        if k.is("type") {
            match v.as_symbol().and_then(|s| MapType::by_keyword(s.name())) {
                Some(t) => ty = Some((t, v)),
                None => {
                    let mut d = rule(v, format!("there is no map type `{v}`"));
                    if let Some(near) =
                        nearest(v.as_symbol().map_or("", |s| s.name()), MapType::ALL.iter().map(|t| t.keyword()))
                    {
                        d = d.help(format!("did you mean `:{near}`?"));
                    }
                    diags.push(d);
                }
            }
        } else if k.is("key") || k.is("value") {
            match crate::types::parse(env, interp, v) {
                Ok(t) if k.is("key") => key = Some((t, v)),
                Ok(t) => value = Some((t, v)),
                Err(d) => diags.push(*d),
            }
        } else if k.is("key-size") {
            key_size = number(interp, diags, v, "key size").map(|n| (n, v));
        } else if k.is("value-size") {
            value_size = number(interp, diags, v, "value size").map(|n| (n, v));
        } else if k.is("max-entries") {
            entries = number(interp, diags, v, "number of entries").map(|n| (n, v));
        } else if k.is("map-flags") || k.is("flags") {
            flags = flag_value(interp, diags, v).map(|n| (n, v));
        } else if k.is("pin") {
            pin = v.as_str().map(str::to_string);
        } else if !k.is("inner") {
            let known = ["type", "key", "value", "key-size", "value-size", "max-entries", "map-flags", "pin", "inner"];
            let mut d = diag::error(&diag::MALFORMED, &at(v), format!("defmap has no option `:{}`", k.name()));
            if let Some(near) = nearest(k.name(), known.into_iter()) {
                d = d.help(format!("did you mean `:{near}`?"));
            }
            diags.push(d);
        }
    }
    let Some((ty, ty_form)) = ty else {
        if diags.len() == before {
            diags.push(rule(form, format!("the map `{name}` needs a :type")));
        }
        return None;
    };
    let info = ty.info();
    if !target.has(info.since) {
        let text = format!(
            "maps of type :{} came with kernel {}, and the target is {}",
            ty.keyword(),
            info.since,
            target.kernel
        );
        diags.push(diag::error(&diag::MAP_TOO_NEW, &at(ty_form), text));
    }
    let size = |diags: &mut Vec<Diagnostic>,
                what: &str,
                typed: &Option<(Ty, &Form)>,
                sized: Option<(u32, &Form)>,
                r: SizeRule| {
        let (n, f) = match (typed, sized) {
            (Some((t, f)), _) => (t.size(), *f),
            (None, Some((n, f))) => (n, f),
            (None, None) => match r.default_size() {
                Some(n) => return n,
                None => {
                    diags.push(rule(form, format!("the map `{name}` needs a :{what} (or :{what}-size)")));
                    return 0;
                }
            },
        };
        if !r.allows(n) {
            diags.push(rule(f, format!("the {what} of a map of type :{} is {r}, not {n}", ty.keyword())));
        }
        n
    };
    let key_bytes = size(diags, "key", &key, key_size, info.key);
    let value_bytes = size(diags, "value", &value, value_size, info.value);
    let max_entries = match entries {
        Some((n, f)) => {
            if !info.entries.allows(n, PAGE) {
                let text = match info.entries {
                    whistler_isa::EntriesRule::RingBytes => {
                        format!("the size of a ring buffer is a power of two and a multiple of {PAGE}, not {n}")
                    }
                    whistler_isa::EntriesRule::Positive => "a map needs an entry at least".to_string(),
                    whistler_isa::EntriesRule::Zero => {
                        format!("a map of type :{} has no number of entries", ty.keyword())
                    }
                    whistler_isa::EntriesRule::One => format!("a map of type :{} has one entry", ty.keyword()),
                    _ => format!("a map of type :{} can't have {n} entries", ty.keyword()),
                };
                diags.push(rule(f, text));
            }
            n
        }
        None => match info.entries {
            whistler_isa::EntriesRule::One => 1,
            r if r.allows(0, PAGE) => 0,
            _ => {
                diags.push(rule(form, format!("the map `{name}` needs :max-entries")));
                0
            }
        },
    };
    let mut given = flags.map_or(0, |f| f.0);
    if given & !(info.allowed_flags) != 0 {
        let f = flags.map_or(form, |f| f.1);
        let odd = given & !(info.allowed_flags);
        diags.push(rule(f, format!("maps of type :{} don't take the flags {odd:#x}", ty.keyword())));
    }
    if let Some((_, f)) = flags
        && given & info.required_flags != info.required_flags
    {
        diags.push(rule(f, format!("maps of type :{} need the flags {:#x}", ty.keyword(), info.required_flags)));
    }
    given |= info.required_flags;
    if diags[before..].iter().any(Diagnostic::is_error) {
        return None;
    }
    let def = MapDef {
        name: name.name().into(),
        map_type: ty,
        key_size: key_bytes,
        value_size: value_bytes,
        key: key.map(|k| k.0),
        value: value.map(|v| v.0),
        max_entries,
        flags: given,
        pin,
        span: form.span,
    };
    let summary = summary(&def);
    env.maps.insert(name, Rc::new(def));
    env.note(name, DeclKind::Map, form.span);
    Some(Declared { name, kind: DeclKind::Map, summary })
}

fn summary(m: &MapDef) -> String {
    let part = |t: &Option<Ty>, n: u32| t.as_ref().map_or_else(|| format!("{n} bytes"), ToString::to_string);
    match m.map_type {
        MapType::Ringbuf | MapType::UserRingbuf => {
            format!("{} · {}, {} KiB", m.name, m.map_type.keyword(), m.max_entries / 1024)
        }
        _ => format!(
            "{} · {}, {} → {}, {} entries",
            m.name,
            m.map_type.keyword(),
            part(&m.key, m.key_size),
            part(&m.value, m.value_size),
            m.max_entries
        ),
    }
}

/// Flags: a number, a kernel constant, or a list of those (an expression of the host, too).
fn flag_value(interp: &mut Interp, diags: &mut Vec<Diagnostic>, form: &Form) -> Option<u32> {
    if let FormKind::Symbol(s) = form.kind
        && let Some(n) = whistler_isa::constants::by_name(s.name())
    {
        return u32::try_from(n).ok();
    }
    if let Some([head, rest @ ..]) = form.as_list()
        && head.as_symbol().is_some_and(|h| h.is("logior") || whistler_isa::constants::by_name(h.name()).is_some())
    {
        let parts = if head.as_symbol().is_some_and(|h| h.is("logior")) { rest } else { form.as_list()? };
        let mut all = 0;
        for p in parts {
            all |= flag_value(interp, diags, p)?;
        }
        return Some(all);
    }
    number(interp, diags, form, "set of flags")
}

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
        Some(v) => initial(interp, diags, v, &ty, &mut init)?,
        None => init.resize(ty.size() as usize, 0),
    }
    let summary = format!("{name} · {ty}{}", if writable { "" } else { ", set before load" });
    let def = GlobalDef { name: name.name().into(), ty, init, writable, span: form.span };
    env.globals.insert(name, Rc::new(def));
    env.note(name, kind, form.span);
    Some(Declared { name, kind, summary })
}

/// The bytes of an initial value.
fn initial(interp: &mut Interp, diags: &mut Vec<Diagnostic>, form: &Form, ty: &Ty, out: &mut Vec<u8>) -> Option<()> {
    let elements = |f: &Form| match &f.kind {
        FormKind::Vector(v) => Some(v.to_vec()),
        FormKind::List(l)
            if l.first().is_some_and(|h| h.as_symbol().is_some_and(|s| s.is("vector") || s.is("list"))) =>
        {
            Some(l[1..].to_vec())
        }
        _ => None,
    };
    match ty {
        Ty::Array(elem, n) => {
            let end = out.len() + ty.size() as usize;
            if let Some(s) = form.as_str().filter(|_| elem.size() == 1) {
                if s.len() > *n as usize {
                    diags.push(diag::error(
                        &diag::MALFORMED,
                        &at(form),
                        format!("the string is longer than {n} bytes"),
                    ));
                    return None;
                }
                out.extend_from_slice(s.as_bytes());
            } else if let Some(items) = elements(form) {
                if items.len() > *n as usize {
                    diags.push(diag::error(&diag::MALFORMED, &at(form), format!("more than {n} elements")));
                    return None;
                }
                for f in &items {
                    initial(interp, diags, f, elem, out)?;
                }
            } else if host::eval_number(interp, form).ok().flatten() != Some(0) {
                diags.push(diag::error(
                    &diag::MALFORMED,
                    &at(form),
                    format!("the value of a {ty} is written #(…), or 0"),
                ));
                return None;
            }
            out.resize(end, 0);
            Some(())
        }
        Ty::Struct(_) => {
            if host::eval_number(interp, form).ok().flatten() != Some(0) {
                diags.push(diag::error(&diag::MALFORMED, &at(form), format!("a {ty} starts as 0")));
                return None;
            }
            out.resize(out.len() + ty.size() as usize, 0);
            Some(())
        }
        _ => {
            let n = match host::eval_number(interp, form) {
                Ok(Some(n)) => n,
                Ok(None) => {
                    diags.push(diag::error(&diag::NOT_CONSTANT, &at(form), "the value must be a number"));
                    return None;
                }
                Err(d) => {
                    diags.push(*d);
                    return None;
                }
            };
            let bits = ty.size() * 8;
            if !(-(1i128 << (bits - 1))..(1i128 << bits)).contains(&n) {
                diags.push(diag::warning(&diag::CONSTANT_CUT, &at(form), format!("{n} does not fit {ty}")));
            }
            out.extend_from_slice(&(n as i64).to_le_bytes()[..ty.size() as usize]);
            Some(())
        }
    }
}
