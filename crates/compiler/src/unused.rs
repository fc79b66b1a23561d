//! Declarations that nothing uses. Invariant: what any other form of the file mentions, program or host, counts
//! as used; a file without programs is taken for a part of others.

use rustc_hash::FxHashSet;
use whistler_diag::Diagnostic;
use whistler_lisp::{Form, FormKind, Symbol};

use crate::check::at;
use crate::diagnostics as diag;
use crate::names::norm;

/// The declaring forms that are looked at, what they declare, and options that say that others use it.
const LOOKED_AT: &[(&str, &str, &[&str])] = &[
    ("defmap", "map", &["pin"]),
    ("defglobal", "global", &[]),
    ("defparam", "parameter", &[]),
    ("defsubprog", "subprogram", &["global"]),
];

/// Warnings for what a file's forms declare and none of them mentions.
pub(crate) fn unused(forms: &[Form]) -> Vec<Diagnostic> {
    if !forms.iter().any(|f| f.is_call("defprog")) {
        return Vec::new();
    }
    let mentions: Vec<FxHashSet<Symbol>> = forms
        .iter()
        .map(|f| {
            let mut seen = FxHashSet::default();
            mentioned(f, &mut seen);
            seen
        })
        .collect();
    let mut out = unread_fields(forms, &mentions);
    for (i, f) in forms.iter().enumerate() {
        let Some((_, what, options)) = LOOKED_AT.iter().find(|(head, ..)| f.is_call(head)) else { continue };
        let Some(items) = f.as_list() else { continue };
        let Some(named) = items.get(1) else { continue };
        let Some(name) = named.as_symbol() else { continue };
        let shared = items.iter().filter_map(Form::as_keyword).any(|k| options.iter().any(|o| k.is(o)));
        let key = norm(name);
        let used = mentions.iter().enumerate().any(|(j, seen)| j != i && seen.contains(&key));
        if used || shared || name.name().starts_with('_') {
            continue;
        }
        out.push(
            diag::warning(&diag::UNUSED_DECLARATION, &at(named), format!("the {what} `{name}` is never used"))
                .help(format!("take it out, or name it `_{}` if that is meant", name.name())),
        );
    }
    out
}

/// Warns of fields of an event's record that are declared and never read. One that the checker misses in a program at
/// that event is left to it.
fn unread_fields(forms: &[Form], mentions: &[FxHashSet<Symbol>]) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for f in forms.iter().filter(|f| f.is_call("deftracepoint")) {
        let Some([_, event, fields @ ..]) = f.as_list() else { continue };
        for field in fields {
            let Some(name) = field.as_symbol() else { continue };
            let key = norm(name);
            let read = ["", "-ptr", "-str", "-len"].iter().any(|part| {
                let accessor = Symbol::intern(&format!("tp-{}{part}", key.name()));
                mentions.iter().any(|seen| seen.contains(&norm(accessor)))
            });
            if read || forms.iter().any(|f| reads_by_context(f, key)) {
                continue;
            }
            let text = format!("the field `{name}` of {event} is declared and never read");
            let d = diag::warning(&diag::UNREAD_FIELD, &at(field), text);
            let event = event.as_symbol().map_or_else(String::new, |e| e.name().to_string());
            out.push(d.help(format!("read it: (tp-{}), or take it out", key.name())).about(&event));
        }
    }
    out
}

/// Whether `(ctx FIELD …)` stands in a form.
fn reads_by_context(form: &Form, field: Symbol) -> bool {
    let Some(items) = form.as_list() else { return false };
    let here = form.is_call("ctx") && items.get(1).and_then(Form::as_symbol).is_some_and(|s| norm(s) == field);
    here || items.iter().any(|f| reads_by_context(f, field))
}

fn mentioned(form: &Form, seen: &mut FxHashSet<Symbol>) {
    match &form.kind {
        FormKind::Symbol(s) => drop(seen.insert(norm(*s))),
        FormKind::List(items) | FormKind::Vector(items) => items.iter().for_each(|f| mentioned(f, seen)),
        FormKind::Dotted(items, last) => {
            items.iter().for_each(|f| mentioned(f, seen));
            mentioned(last, seen);
        }
        _ => {}
    }
}
