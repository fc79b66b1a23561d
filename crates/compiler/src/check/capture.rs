//! Macros that capture: a variable of the caller's in an argument that means, in the expansion, a variable of the macro's
//! own template. Invariant: whose a variable is, is decided by expanding once more with the caller's name exchanged for
//! one that nobody else has: what still has the old name is the template's.

use rustc_hash::FxHashMap;
use whistler_diag::Span;
use whistler_lisp::{Form, FormKind, Symbol};

use super::{Checker, at};
use crate::diagnostics as diag;
use crate::hir::At;
use crate::host::Macro;
use crate::names::norm;

/// What a form binds in its second part.
enum Binds<'f> {
    /// Clauses of a name and a value; whether each sees those before it.
    Clauses(&'f [Form], Sees),
    /// So many names at the head of a list.
    Names(&'f [Form]),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sees {
    Nothing,
    Before,
}

impl Checker<'_> {
    /// Warns of the variables of the caller's that an expansion captured; notes those that the macro means its caller to see.
    pub(super) fn captured(&mut self, m: &Macro, form: &Form, expanded: &Form) {
        // Those of the library bind no names of their own; a test of it sees to that.
        let Some([_, args @ ..]) = form.as_list().filter(|_| !m.library) else { return };
        let mut bound = Vec::new();
        bound_names(expanded, &mut bound);
        if bound.is_empty() {
            return;
        }
        let mut written = FxHashMap::default();
        args.iter().for_each(|a| written_symbols(a, &mut written));
        bound.retain(|s| written.contains_key(s));
        for s in bound {
            let fresh = Symbol::uninterned(s.name());
            let renamed = Form { kind: renamed(form, s, fresh).kind, ..form.clone() };
            let Ok(again) = crate::host::expand(self.host, m, &renamed) else { return };
            let Some(seen) = captures(&again, s, fresh) else { continue };
            // The caller's own variable of this name, if it has one. What another macro meant its caller to see is none.
            let outer = self.binding(s).filter(|i| !(self.f.scope[*i].made && self.f.anaphora.contains(&s)));
            let global = self.env.globals.get(s).map(|_| Span::NONE);
            self.f.anaphora.insert(s);
            let Some(theirs) = outer.map(|i| self.f.scope[i].span).or(global) else { continue };
            if let Some(i) = outer {
                self.f.scope[i].used = true;
            }
            let span = seen.or(written.get(&s).copied()).unwrap_or(form.span);
            let name = m.name;
            let text = format!("`{name}` captures this `{s}`: in its expansion it is the `{s}` that the macro binds");
            let here = At { span, origin: at(form).origin };
            let mut d = diag::warning(&diag::CAPTURED, &here, text).label("not the variable outside");
            if !theirs.is_none() {
                d = d.also(theirs, format!("this `{s}` is not seen"));
            }
            if let Some(place) = self.host.function_span(m.expander.get()) {
                d = d.also(place, format!("`{name}` binds its own `{s}`"));
            }
            self.report(d.help(format!(
                "give the macro's variable a name that nobody has: (let (({s} (gensym \"{s}\"))) `(… ((,{s} …)) …)), and ,{s} \
                 wherever its template means it"
            )));
        }
    }
}

/// The symbols that the user wrote in a form, each where it first stands.
fn written_symbols(form: &Form, out: &mut FxHashMap<Symbol, Span>) {
    match &form.kind {
        FormKind::Symbol(s) if form.origin.is_none() && !s.is_keyword() && !s.is_uninterned() => {
            out.entry(*s).or_insert(form.span);
        }
        FormKind::List(items) | FormKind::Vector(items) => items.iter().for_each(|f| written_symbols(f, out)),
        FormKind::Dotted(items, tail) => {
            items.iter().for_each(|f| written_symbols(f, out));
            written_symbols(tail, out);
        }
        _ => {}
    }
}

fn binds(form: &Form) -> Option<Binds<'_>> {
    let [head, second, _, ..] = form.as_list()? else { return None };
    let items = second.as_list().filter(|l| !l.is_empty())?;
    Some(match norm(head.as_symbol()?).name() {
        "let" | "when-let" | "if-let" => match items {
            // One clause without parentheses of its own.
            [name, ..] if name.as_symbol().is_some() && !form.is_call("let") => Binds::Names(&items[..1]),
            _ => Binds::Clauses(items, Sees::Nothing),
        },
        "let*" | "when-let*" => Binds::Clauses(items, Sees::Before),
        "dotimes" | "with-ringbuf" => Binds::Names(&items[..1]),
        "do-map" => Binds::Names(&items[..items.len().min(2)]),
        name if name.starts_with("with-") => Binds::Names(items),
        _ => return None,
    })
}

/// The name that a clause binds.
fn name_of(clause: &Form) -> Option<Symbol> {
    clause.as_symbol().or_else(|| clause.as_list()?.first()?.as_symbol())
}

fn bound_names(form: &Form, out: &mut Vec<Symbol>) {
    let Some(items) = form.as_list() else { return };
    if form.is_call("quote") {
        return;
    }
    let names: Vec<Symbol> = match binds(form) {
        Some(Binds::Clauses(clauses, _)) => clauses.iter().filter_map(name_of).collect(),
        Some(Binds::Names(names)) => names.iter().filter_map(Form::as_symbol).collect(),
        None => Vec::new(),
    };
    for s in names {
        if !s.is_keyword() && !s.is_uninterned() && !out.contains(&s) {
            out.push(s);
        }
    }
    items.iter().for_each(|f| bound_names(f, out));
}

/// The call with a name of its arguments exchanged.
fn renamed(call: &Form, old: Symbol, new: Symbol) -> Form {
    fn all(items: &[Form], old: Symbol, new: Symbol) -> Vec<Form> {
        items.iter().map(|f| exchanged(f, old, new)).collect()
    }
    fn exchanged(form: &Form, old: Symbol, new: Symbol) -> Form {
        let kind = match &form.kind {
            FormKind::Symbol(s) if *s == old => FormKind::Symbol(new),
            FormKind::List(items) => FormKind::List(all(items, old, new).into()),
            FormKind::Dotted(items, tail) => {
                FormKind::Dotted(all(items, old, new).into(), exchanged(tail, old, new).into())
            }
            other => other.clone(),
        };
        Form { kind, ..form.clone() }
    }
    let Some((head, args)) = call.as_list().and_then(<[Form]>::split_first) else { return call.clone() };
    let mut items = vec![head.clone()];
    items.extend(all(args, old, new));
    Form { kind: FormKind::List(items.into()), ..call.clone() }
}

/// Where `theirs` stands in the scope of a variable `own`, if it does: its place in the source, when that is known.
fn captures(form: &Form, own: Symbol, theirs: Symbol) -> Option<Option<Span>> {
    let items = form.as_list()?;
    if form.is_call("quote") {
        return None;
    }
    let body = || items.get(2..).unwrap_or(&[]).iter();
    let found = match binds(form) {
        Some(Binds::Clauses(clauses, sees)) => {
            let at = clauses.iter().position(|c| name_of(c) == Some(own));
            at.and_then(|i| {
                let later = clauses.iter().skip(if sees == Sees::Before { i + 1 } else { clauses.len() });
                let inits = later.flat_map(|c| c.as_list().unwrap_or(&[]).iter().skip(1));
                let shadowed = clauses.iter().any(|c| name_of(c) == Some(theirs));
                let rest = body().filter(|_| !shadowed);
                inits.chain(rest).find_map(|f| free(f, theirs))
            })
        }
        Some(Binds::Names(names)) if names.iter().any(|n| n.as_symbol() == Some(own)) => {
            body().find_map(|f| free(f, theirs))
        }
        _ => None,
    };
    found.or_else(|| items.iter().find_map(|f| captures(f, own, theirs)))
}

/// Where a name stands that no form around it, within this one, binds.
fn free(form: &Form, name: Symbol) -> Option<Option<Span>> {
    if form.as_symbol() == Some(name) {
        return Some((!form.span.is_none()).then_some(form.span).filter(|_| form.origin.is_none()));
    }
    let items = form.as_list()?;
    if form.is_call("quote") {
        return None;
    }
    match binds(form) {
        Some(Binds::Clauses(clauses, sees)) => {
            for c in clauses {
                let init = c.as_list().unwrap_or(&[]).iter().skip(1).find_map(|f| free(f, name));
                if init.is_some() {
                    return init;
                }
                if name_of(c) == Some(name) && sees == Sees::Before {
                    return None;
                }
            }
            let bound = clauses.iter().any(|c| name_of(c) == Some(name));
            items.iter().skip(2).filter(|_| !bound).find_map(|f| free(f, name))
        }
        Some(Binds::Names(names)) if names.iter().any(|n| n.as_symbol() == Some(name)) => None,
        _ => items.iter().find_map(|f| free(f, name)),
    }
}
