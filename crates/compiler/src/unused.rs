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
    let mut out = Vec::new();
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
