//! Backquote.

use super::{MacroFn, Outcome, lang, list_at, malformed, tmpl};
use crate::{Form, FormKind, Symbol};

pub(super) const MACROS: &[(&str, MacroFn)] = &[("quasiquote", |_, f, a| match a {
    [x] => quasi(x, 1, f),
    _ => Err(malformed(f, "`template")),
})];

fn prefixed(form: &Form, head: Symbol) -> Option<&Form> {
    match &form.kind {
        FormKind::List(items) => match items.as_ref() {
            [h, x] if h.as_symbol() == Some(head) => Some(x),
            _ => None,
        },
        _ => None,
    }
}

fn has_unquote(form: &Form) -> bool {
    match &form.kind {
        FormKind::List(items) | FormKind::Vector(items) => {
            // The head of `,x`, or of the end of `(a . ,x)`.
            let at = items.len().checked_sub(2).and_then(|n| items.get(n)).and_then(Form::as_symbol);
            at.is_some_and(|s| matches!(s, Symbol::UNQUOTE | Symbol::UNQUOTE_SPLICING | Symbol::QUASIQUOTE))
                || items.iter().any(has_unquote)
        }
        FormKind::Dotted(items, tail) => items.iter().any(has_unquote) || has_unquote(tail),
        _ => false,
    }
}

fn nested(head: Symbol, x: &Form, depth: u32, at: &Form) -> Outcome {
    let head = Form::symbol(head, at.span);
    let inner = quasi(x, depth, at)?;
    Ok(tmpl!("(list (quote $h) $x)", at, h = &head, x = &inner))
}

fn quasi(form: &Form, depth: u32, at: &Form) -> Outcome {
    if let Some(x) = prefixed(form, Symbol::UNQUOTE) {
        return if depth == 1 { Ok(x.clone()) } else { nested(Symbol::UNQUOTE, x, depth - 1, at) };
    }
    if let Some(x) = prefixed(form, Symbol::QUASIQUOTE) {
        return nested(Symbol::QUASIQUOTE, x, depth + 1, at);
    }
    if !has_unquote(form) {
        return Ok(tmpl!("(quote $x)", at, x = form));
    }
    match &form.kind {
        FormKind::List(items) => list(items, None, depth, at),
        FormKind::Dotted(items, tail) => list(items, Some(tail), depth, at),
        FormKind::Vector(items) => {
            let l = list(items, None, depth, at)?;
            Ok(tmpl!("(coerce $l (quote vector))", at, l = &l))
        }
        _ => Ok(tmpl!("(quote $x)", at, x = form)),
    }
}

fn list(items: &[Form], tail: Option<&Form>, depth: u32, at: &Form) -> Outcome {
    // `(a . ,b)` reads as `(a unquote b)`.
    let (items, tail) = match items {
        [first @ .., u, x] if tail.is_none() && u.as_symbol() == Some(Symbol::UNQUOTE) && !first.is_empty() => {
            let t = list_at(vec![u.clone(), x.clone()], at);
            (first, Some(quasi(&t, depth, at)?))
        }
        _ => (items, tail.map(|t| quasi(t, depth, at)).transpose()?),
    };
    let mut parts: Vec<Form> = Vec::new();
    let mut run: Vec<Form> = Vec::new();
    for item in items {
        match prefixed(item, Symbol::UNQUOTE_SPLICING) {
            Some(x) if depth == 1 => {
                if !run.is_empty() {
                    parts.push(tmpl!("(list $@r)", at; r = &run));
                    run.clear();
                }
                parts.push(x.clone());
            }
            Some(x) => run.push(nested(Symbol::UNQUOTE_SPLICING, x, depth - 1, at)?),
            None => run.push(quasi(item, depth, at)?),
        }
    }
    match (tail, parts.is_empty()) {
        (None, true) => Ok(tmpl!("(list $@r)", at; r = &run)),
        (Some(t), true) => Ok(tmpl!("(list* $@r $t)", at, t = &t; r = &run)),
        (tail, false) => {
            if !run.is_empty() {
                parts.push(tmpl!("(list $@r)", at; r = &run));
            }
            parts.extend(tail);
            let mut call = vec![lang("append", at)];
            call.append(&mut parts);
            if call.len() == 2 {
                call.push(Form::nil(at.span));
            }
            Ok(list_at(call, at))
        }
    }
}
