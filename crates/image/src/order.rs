//! The order in which a text's forms are evaluated. Invariant: forms keep their order, but that a program whose body
//! names what is declared further down waits for it, as `whistler check` sees whole files; a form that uses a
//! waiting program comes after it.

use rustc_hash::{FxHashMap, FxHashSet};
use whistler_compiler::names::norm_str;
use whistler_compiler::session::is_declaration_name;
use whistler_diag::{Diagnostic, Span};
use whistler_lisp::{Form, FormKind};

/// Forms beside declarations that define something which a program's body may name.
const DEFINING: &[&str] = &["defmacro", "defconstant", "defun", "defparameter", "defvar", "deftype"];

/// Forms whose body runs later, if at all: a program that they name need not be there yet.
const LATER: &[&str] = &["deftest", "defun", "defmacro"];

/// What the forms of a text declare, and where.
pub(crate) struct Order<'f> {
    forms: &'f [Form],
    /// By name, the forms that declare it.
    declared: FxHashMap<String, Vec<usize>>,
}

impl<'f> Order<'f> {
    /// Of a text's top-level forms.
    pub fn new(forms: &'f [Form]) -> Order<'f> {
        let mut declared: FxHashMap<String, Vec<usize>> = FxHashMap::default();
        for (i, form) in forms.iter().enumerate() {
            let Some(name) = declares(form) else { continue };
            declared.entry(name).or_default().push(i);
        }
        Order { forms, declared }
    }

    /// The indices in the order in which they are evaluated.
    pub fn indices(&self) -> Vec<usize> {
        let mut out = Vec::with_capacity(self.forms.len());
        // Programs that wait, each with the last form that it needs.
        let mut waiting: Vec<(usize, usize)> = Vec::new();
        for (i, form) in self.forms.iter().enumerate() {
            if !waiting.is_empty() && !LATER.iter().any(|l| form.is_call(l)) && !is_declaration(form) {
                let named = self.reached(i);
                let (now, still) = waiting.into_iter().partition(|(p, _)| named.contains(p));
                waiting = still;
                out.extend(now.into_iter().map(|(p, _): (usize, usize)| p));
            }
            match self.last_needed(i) {
                Some(last) => waiting.push((i, last)),
                None => out.push(i),
            }
            let (now, still) = waiting.into_iter().partition(|(_, last)| *last == i);
            waiting = still;
            out.extend(now.into_iter().map(|(p, _): (usize, usize)| p));
        }
        out.extend(waiting.into_iter().map(|(p, _)| p));
        out
    }

    /// For a program, the last of the forms below it whose declarations it needs.
    fn last_needed(&self, i: usize) -> Option<usize> {
        if !self.forms[i].is_call("defprog") {
            return None;
        }
        let below = |j: &usize| *j > i && !self.forms[*j].is_call("defprog");
        self.reached(i).into_iter().chain(self.struct_ops_with(i)).filter(below).max()
    }

    /// The first struct of operations that names a program, and so says which member it is, if it stands below.
    fn struct_ops_with(&self, i: usize) -> Option<usize> {
        let name = declares(&self.forms[i])?;
        let names_it = |f: &Form| {
            let mut names = Vec::new();
            symbols(f, &mut names);
            names.contains(&name)
        };
        let first = self.forms.iter().position(|f| f.is_call("defstruct-ops") && names_it(f))?;
        (first > i).then_some(first)
    }

    /// The forms that declare what a form names, and what those name. Of names that are declared above the form
    /// only that counts: below, they are declared anew.
    fn reached(&self, i: usize) -> FxHashSet<usize> {
        let mut found = FxHashSet::default();
        let mut look = vec![i];
        while let Some(at) = look.pop() {
            let mut names = Vec::new();
            symbols(&self.forms[at], &mut names);
            for name in names {
                for j in self.declaring(&name) {
                    let again = j > i && self.declared.get(&name).is_some_and(|all| all.iter().any(|k| *k < i));
                    if j != i && !again && found.insert(j) && !self.forms[j].is_call("defprog") {
                        look.push(j);
                    }
                }
            }
        }
        found
    }

    /// The forms that bring a name: declare it, or what an accessor, maker or constant is made from.
    fn declaring(&self, name: &str) -> Vec<usize> {
        let bare = name.trim_matches('+');
        let bare = bare.strip_prefix("make-").or_else(|| bare.strip_prefix("as-")).unwrap_or(bare);
        let starts = bare.char_indices().filter(|(_, c)| *c == '-').map(|(n, _)| &bare[..n]);
        let mut out: Vec<usize> =
            [name, bare].into_iter().chain(starts).filter_map(|n| self.declared.get(n)).flatten().copied().collect();
        if bare.starts_with("tp-") {
            out.extend(self.forms.iter().enumerate().filter(|(_, f)| f.is_call("deftracepoint")).map(|(i, _)| i));
        }
        out
    }

    /// Adds to a report of a missing name that it is declared below the form that needs it.
    pub fn point_below(&self, i: usize, d: &mut Diagnostic) {
        let Some(name) = d.about.as_deref().map(norm_str) else { return };
        let below = self.declaring(&name).into_iter().filter(|j| *j > i).min();
        let Some(span) = below.map(|j| self.forms[j].span) else { return };
        if span != Span::NONE {
            *d = d.clone().also(span, "declared here, further down").help("move the declaration before its first use");
        }
    }
}

fn is_declaration(form: &Form) -> bool {
    form.head().is_some_and(|h| is_declaration_name(h) || DEFINING.iter().any(|d| h.is(d)))
}

/// The name that a form declares.
fn declares(form: &Form) -> Option<String> {
    if !is_declaration(form) {
        return None;
    }
    let named = form.as_list()?.get(1)?;
    let name = named.as_symbol().or_else(|| named.as_list()?.first()?.as_symbol())?;
    Some(norm_str(name.name()))
}

/// The names in a form, each once, but for keywords.
fn symbols(form: &Form, out: &mut Vec<String>) {
    match &form.kind {
        FormKind::Symbol(s) if !s.is_keyword() => {
            let name = norm_str(s.name());
            if !out.contains(&name) {
                out.push(name);
            }
        }
        FormKind::List(items) | FormKind::Vector(items) => items.iter().for_each(|f| symbols(f, out)),
        FormKind::Dotted(items, tail) => {
            items.iter().for_each(|f| symbols(f, out));
            symbols(tail, out);
        }
        _ => {}
    }
}
