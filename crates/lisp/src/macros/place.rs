//! Generalised places: `setf` and what is made of it.

use super::{Hole, MacroFn, Outcome, gensym, lang, list_at, malformed, template, tmpl};
use crate::compile::Cx;
use crate::error::LispError;
use crate::interp::Interp;
use crate::{Form, FormKind, Symbol};

pub(super) const MACROS: &[(&str, MacroFn)] = &[
    ("setf", setf),
    ("psetf", psetf),
    ("psetq", psetf),
    ("incf", |i, f, a| modify(i, f, a, "(+ $old $d)")),
    ("decf", |i, f, a| modify(i, f, a, "(- $old $d)")),
    ("push", |i, f, a| match a {
        [x, place] => {
            let v = gensym("x", f);
            let p = Place::of(i, place)?;
            let new = tmpl!("(cons $v $o)", f, v = &v, o = &p.read);
            let store = p.store(&new);
            Ok(p.wrap(f, vec![list_at(vec![v, x.clone()], f)], store))
        }
        _ => Err(malformed(f, "(push value place)")),
    }),
    ("pushnew", |i, f, a| match a {
        [x, place, keys @ ..] => {
            let v = gensym("x", f);
            let p = Place::of(i, place)?;
            let new = tmpl!("(adjoin $v $o $@k)", f, v = &v, o = &p.read; k = keys);
            let store = p.store(&new);
            Ok(p.wrap(f, vec![list_at(vec![v, x.clone()], f)], store))
        }
        _ => Err(malformed(f, "(pushnew value place)")),
    }),
    ("pop", |i, f, a| match a {
        [place] => {
            let p = Place::of(i, place)?;
            let old = gensym("old", f);
            let store = p.store(&tmpl!("(cdr $o)", f, o = &old));
            let body = tmpl!("(let (($o $r)) $s (car $o))", f, o = &old, r = &p.read, s = &store);
            Ok(p.wrap(f, Vec::new(), body))
        }
        _ => Err(malformed(f, "(pop place)")),
    }),
    ("rotatef", |i, f, a| shift(i, f, a, true)),
    ("shiftf", |i, f, a| shift(i, f, a, false)),
    ("remf", |i, f, a| match a {
        [place, key] => {
            let p = Place::of(i, place)?;
            let store = p.store(&tmpl!("(%remf $o $k)", f, o = &p.read, k = key));
            Ok(p.wrap(f, Vec::new(), store))
        }
        _ => Err(malformed(f, "(remf place key)")),
    }),
];

/// Places that are lists of a reader and arguments, and how each is written.
/// `$@a` are the arguments, `$v` is the new value; the writer's value is `$v`.
const WRITERS: &[(&str, &str)] = &[
    ("car", "(%set-car $@a $v)"),
    ("first", "(%set-car $@a $v)"),
    ("cdr", "(%set-cdr $@a $v)"),
    ("rest", "(%set-cdr $@a $v)"),
    ("caar", "(%set-car (car $@a) $v)"),
    ("cadr", "(%set-car (cdr $@a) $v)"),
    ("cdar", "(%set-cdr (car $@a) $v)"),
    ("cddr", "(%set-cdr (cdr $@a) $v)"),
    ("caddr", "(%set-car (cddr $@a) $v)"),
    ("second", "(%set-car (cdr $@a) $v)"),
    ("third", "(%set-car (cddr $@a) $v)"),
    ("fourth", "(%set-car (cdddr $@a) $v)"),
    ("fifth", "(%set-car (nthcdr 4 $@a) $v)"),
    ("nth", "(%set-nth $@a $v)"),
    ("elt", "(%set-elt $@a $v)"),
    ("aref", "(%set-elt $@a $v)"),
    ("svref", "(%set-elt $@a $v)"),
    ("char", "(%set-elt $@a $v)"),
    ("schar", "(%set-elt $@a $v)"),
    ("gethash", "(%puthash $v $@a)"),
    ("symbol-value", "(set $@a $v)"),
    ("symbol-function", "(%set-function $@a $v)"),
    ("fdefinition", "(%set-function $@a $v)"),
    ("slot-value", "(%set-slot $@a $v)"),
    ("fill-pointer", "(%set-fill-pointer $@a $v)"),
    ("documentation", "(%set-documentation $@a $v)"),
    ("subseq", "(%set-subseq $v $@a)"),
];

/// A place whose parts are evaluated once.
struct Place {
    bindings: Vec<Form>,
    read: Form,
    place: Form,
    at: Form,
}

impl Place {
    /// Puts the place's arguments into variables. `getf`, `ldb` and `the` keep their inner place.
    fn of(i: &mut Interp, form: &Form) -> Result<Place, LispError> {
        let form = &expanded(i, form)?;
        let Some((head, args)) = form.as_list().and_then(<[Form]>::split_first) else {
            return Ok(Place { bindings: Vec::new(), read: form.clone(), place: form.clone(), at: form.clone() });
        };
        let name = head.as_symbol().map_or("", Symbol::name);
        let inner = match name {
            "getf" => Some(0),
            "ldb" | "mask-field" | "the" => Some(1),
            _ => None,
        };
        let mut bindings = Vec::new();
        let mut parts = vec![head.clone()];
        for (n, a) in args.iter().enumerate() {
            let simple = !matches!(a.kind, FormKind::List(_)) || a.is_call("quote");
            if Some(n) == inner {
                let p = Place::of(i, a)?;
                bindings.extend(p.bindings);
                parts.push(p.place);
            } else if simple && !matches!(a.kind, FormKind::Symbol(_)) || a.is_call("byte") || name == "the" {
                parts.push(a.clone());
            } else {
                let v = gensym("arg", a);
                bindings.push(list_at(vec![v.clone(), a.clone()], a));
                parts.push(v);
            }
        }
        let place = list_at(parts, form);
        Ok(Place { bindings, read: place.clone(), place, at: form.clone() })
    }

    fn store(&self, value: &Form) -> Form {
        tmpl!("(setf $p $v)", &self.at, p = &self.place, v = value)
    }

    fn wrap(self, f: &Form, before: Vec<Form>, body: Form) -> Form {
        let all: Vec<Form> = before.into_iter().chain(self.bindings).collect();
        if all.is_empty() { body } else { tmpl!("(let* ($@b) $x)", f, x = &body; b = &all) }
    }
}

/// A place behind macros.
fn expanded(i: &mut Interp, form: &Form) -> Outcome {
    let mut form = form.clone();
    for _ in 0..100 {
        let Some(head) = form.head() else { break };
        let name = head.fold().name();
        if WRITERS.iter().any(|(n, _)| *n == name)
            || matches!(name, "getf" | "ldb" | "values" | "the")
            || i.setf_known(head)
        {
            break;
        }
        let mut cx = Cx::new(i);
        match cx.expand_once(&form)? {
            Some(f) => form = f,
            None => break,
        }
    }
    Ok(form)
}

fn setf(i: &mut Interp, f: &Form, a: &[Form]) -> Outcome {
    if !a.len().is_multiple_of(2) {
        return Err(malformed(f, "(setf place value …)"));
    }
    let mut out = Vec::new();
    for pair in a.chunks_exact(2) {
        out.push(setf_one(i, f, &pair[0], &pair[1])?);
    }
    Ok(if out.len() == 1 { out.remove(0) } else { tmpl!("(progn $@x)", f; x = &out) })
}

fn setf_one(i: &mut Interp, f: &Form, place: &Form, value: &Form) -> Outcome {
    let place = &expanded(i, place)?;
    if place.as_symbol().is_some() {
        return Ok(tmpl!("(setq $p $v)", f, p = place, v = value));
    }
    let Some((head, args)) = place.as_list().and_then(<[Form]>::split_first) else {
        return Err(LispError::malformed(
            place.span,
            format!("`{}` is not a place that can be set", crate::compile::short(place)),
        ));
    };
    let Some(name) = head.as_symbol() else { return Err(malformed(f, "(setf place value …)")) };
    let folded = name.fold().name();
    if let Some((_, writer)) = WRITERS.iter().find(|(n, _)| *n == folded).filter(|_| !i.setf_known(name)) {
        // The value is evaluated after the place's arguments.
        return Ok(template(writer, f, &[("a", Hole::Many(args)), ("v", Hole::One(value))]));
    }
    match (folded, args) {
        ("values", places) => {
            let temps: Vec<Form> = places.iter().map(|p| gensym("v", p)).collect();
            let sets: Vec<Form> =
                places.iter().zip(&temps).map(|(p, t)| tmpl!("(setf $p $t)", f, p = p, t = t)).collect();
            let list = list_at(temps, f);
            Ok(tmpl!("(multiple-value-bind $l $v $@s)", f, l = &list, v = value; s = &sets))
        }
        ("getf", [inner, key, ..]) => {
            let (k, v) = (gensym("key", f), gensym("v", f));
            Ok(tmpl!(
                "(let* (($k $key) ($v $x)) (setf $p (%putf $p $k $v)) $v)",
                f,
                k = &k,
                key = key,
                v = &v,
                x = value,
                p = inner
            ))
        }
        ("ldb", [spec, inner]) => {
            let v = gensym("v", f);
            Ok(tmpl!("(let (($v $x)) (setf $p (dpb $v $s $p)) $v)", f, v = &v, x = value, s = spec, p = inner))
        }
        ("the", [_, inner]) => Ok(tmpl!("(setf $p $v)", f, p = inner, v = value)),
        ("nthcdr" | "last", _) => {
            Err(LispError::malformed(place.span, format!("`{folded}` is not a place that can be set")))
        }
        _ => {
            if let Some((writer, _)) = i.setf_expanders.get(&name.unqualified()).copied() {
                let w = Form::symbol(writer, head.span);
                let mut call = vec![w];
                call.extend_from_slice(args);
                call.push(value.clone());
                return Ok(list_at(call, f));
            }
            let writer = Form::symbol(i.setf_name(name), head.span);
            let v = gensym("v", f);
            let temps: Vec<Form> = args.iter().map(|a| gensym("a", a)).collect();
            let binds: Vec<Form> =
                temps.iter().zip(args).map(|(t, a)| list_at(vec![t.clone(), a.clone()], a)).collect();
            Ok(tmpl!("(let* ($@b ($v $x)) ($w $v $@t))", f, v = &v, x = value, w = &writer; b = &binds, t = &temps))
        }
    }
}

fn psetf(_: &mut Interp, f: &Form, a: &[Form]) -> Outcome {
    if !a.len().is_multiple_of(2) {
        return Err(malformed(f, "(psetf place value …)"));
    }
    let (mut binds, mut sets) = (Vec::new(), Vec::new());
    for pair in a.chunks_exact(2) {
        let t = gensym("v", f);
        binds.push(list_at(vec![t.clone(), pair[1].clone()], f));
        sets.push(tmpl!("(setf $p $t)", f, p = &pair[0], t = &t));
    }
    Ok(tmpl!("(let ($@b) $@s nil)", f; b = &binds, s = &sets))
}

fn modify(i: &mut Interp, f: &Form, a: &[Form], new: &'static str) -> Outcome {
    let (place, delta) = match a {
        [place] => (place, None),
        [place, delta] => (place, Some(delta.clone())),
        _ => return Err(malformed(f, "(incf place [delta])")),
    };
    let one = Form::int(1, f.span);
    let p = Place::of(i, place)?;
    let simple = delta.as_ref().is_none_or(|d| matches!(d.kind, FormKind::Int(_)));
    if simple {
        let d = delta.unwrap_or(one);
        let new = template(new, f, &[("old", Hole::One(&p.read)), ("d", Hole::One(&d))]);
        let store = p.store(&new);
        return Ok(p.wrap(f, Vec::new(), store));
    }
    let d = gensym("d", f);
    let new = template(new, f, &[("old", Hole::One(&p.read)), ("d", Hole::One(&d))]);
    let store = p.store(&new);
    let binding = list_at(vec![d, delta.unwrap_or(one)], f);
    Ok(p.wrap(f, vec![binding], store))
}

fn shift(_: &mut Interp, f: &Form, a: &[Form], rotate: bool) -> Outcome {
    if a.is_empty() {
        return Ok(Form::nil(f.span));
    }
    let (mut binds, mut temps) = (Vec::new(), Vec::new());
    for p in a {
        let t = gensym("v", p);
        binds.push(list_at(vec![t.clone(), p.clone()], f));
        temps.push(t);
    }
    let places = if rotate { a } else { &a[..a.len() - 1] };
    let sets: Vec<Form> = places
        .iter()
        .enumerate()
        .map(|(n, p)| tmpl!("(setf $p $t)", f, p = p, t = &temps[(n + 1) % temps.len()]))
        .collect();
    let result = if rotate { lang("nil", f) } else { temps[0].clone() };
    let result = if rotate { Form::nil(result.span) } else { result };
    Ok(tmpl!("(let ($@b) $@s $r)", f, r = &result; b = &binds, s = &sets))
}
