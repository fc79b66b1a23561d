//! `destructuring-bind`, and with it the lambda lists of macros.

use super::{MacroFn, gensym, list_at, malformed, tmpl};
use crate::compile::LambdaList;
use crate::error::LispError;
use crate::{Form, FormKind, Symbol};

pub(super) const MACROS: &[(&str, MacroFn)] = &[("destructuring-bind", |_, f, a| match a {
    [pattern, value, body @ ..] => {
        let mut out = Vec::new();
        let what = Form::str("", f.span);
        let v = gensym("v", f);
        out.push(list_at(vec![v.clone(), value.clone()], f));
        bind(pattern, &v, &what, &mut out, 0)?;
        Ok(tmpl!("(let* ($@b) $@body)", f; b = &out, body = body))
    }
    _ => Err(malformed(f, "(destructuring-bind pattern list body…)")),
})];

/// Bindings for `let*` that take the value of the variable `v` apart by `pattern`.
pub(super) fn bind(pattern: &Form, v: &Form, what: &Form, out: &mut Vec<Form>, depth: usize) -> Result<(), LispError> {
    if let FormKind::Symbol(s) = pattern.kind
        && s.fold() != Symbol::NIL
    {
        out.push(list_at(vec![pattern.clone(), v.clone()], pattern));
        return Ok(());
    }
    if depth > 50 {
        return Err(LispError::malformed(pattern.span, "this pattern is nested too deeply"));
    }
    let l = LambdaList::parse(pattern, true)?;
    let at = pattern;
    let put = |name: &Form, value: Form, out: &mut Vec<Form>| -> Result<(), LispError> {
        if name.as_symbol().is_some_and(|s| s.fold() != Symbol::NIL) {
            out.push(list_at(vec![name.clone(), value], name));
            return Ok(());
        }
        let t = gensym("part", name);
        out.push(list_at(vec![t.clone(), value], name));
        bind(name, &t, what, out, depth + 1)
    };
    if let Some(w) = &l.whole {
        put(w, v.clone(), out)?;
    }
    if let Some(e) = &l.environment {
        put(e, Form::nil(at.span), out)?;
    }
    let all = v.clone();
    let mut v = v.clone();
    let next = |v: &mut Form, out: &mut Vec<Form>| {
        let t = gensym("rest", at);
        out.push(tmpl!("($t (cdr $v))", at, t = &t, v = v));
        *v = t;
    };
    let text = Form::str(crate::compile::short(pattern), at.span);
    for p in &l.required {
        put(p, tmpl!("(%required $v $w $p $a)", at, v = &v, w = what, p = &text, a = &all), out)?;
        next(&mut v, out);
    }
    for o in &l.optional {
        let default = o.default.clone().unwrap_or_else(|| Form::nil(at.span));
        if let Some(s) = &o.supplied {
            put(s, tmpl!("(if $v t nil)", at, v = &v), out)?;
        }
        put(&o.pattern, tmpl!("(if $v (car $v) $d)", at, v = &v, d = &default), out)?;
        next(&mut v, out);
    }
    if let Some(r) = &l.rest {
        put(r, v.clone(), out)?;
    }
    for k in &l.keys {
        let key = Form::symbol(k.keyword.unwrap_or(Symbol::NIL), at.span);
        let found = gensym("found", at);
        let default = k.default.clone().unwrap_or_else(|| Form::nil(at.span));
        out.push(tmpl!("($f (%find-key $v (quote $k)))", at, f = &found, v = &v, k = &key));
        if let Some(s) = &k.supplied {
            put(s, tmpl!("(if $f t nil)", at, f = &found), out)?;
        }
        put(&k.pattern, tmpl!("(if $f (car $f) $d)", at, f = &found, d = &default), out)?;
    }
    if l.has_keys && !l.allow_other_keys {
        let keys = list_at(l.keys.iter().filter_map(|k| k.keyword).map(|s| Form::symbol(s, at.span)).collect(), at);
        let t = gensym("check", at);
        out.push(tmpl!("($t (%check-keys $v (quote $k) $w))", at, t = &t, v = &v, k = &keys, w = what));
    } else if l.rest.is_none() && !l.has_keys {
        let t = gensym("check", at);
        out.push(tmpl!("($t (%no-more $v $w $p $a))", at, t = &t, v = &v, w = what, p = &text, a = &all));
    }
    for (name, value) in &l.aux {
        put(name, value.clone().unwrap_or_else(|| Form::nil(at.span)), out)?;
    }
    Ok(())
}
