//! The host's own macros: forms into simpler forms, by templates. Invariant:
//! none of them is ever visible to kernel code, and the operators in their
//! templates are the language's own (`cl:`), whatever the user has shadowed.

mod control;
mod define;
mod destructure;
mod loops;
mod place;
mod quasi;

use std::cell::RefCell;

use rustc_hash::FxHashMap;
use whistler_diag::{FileId, Span};

pub(crate) use define::macro_lambda;

use crate::error::LispError;
use crate::interp::Interp;
use crate::{Form, FormKind, Symbol};

/// A macro of the host: the interpreter, the whole form, its arguments.
pub(crate) type MacroFn = fn(&mut Interp, &Form, &[Form]) -> Result<Form, LispError>;

type Outcome = Result<Form, LispError>;

/// All macro tables.
pub(crate) const TABLES: &[&[(&str, MacroFn)]] =
    &[control::MACROS, define::MACROS, loops::MACROS, place::MACROS, quasi::MACROS, destructure::MACROS];

/// Macros that Common Lisp doesn't have: a user's own of the same name takes their place.
pub(crate) fn may_be_redefined(name: Symbol) -> bool {
    ["when-let", "when-let*", "if-let", "while", "until"].iter().any(|n| name.is(n))
}

/// What a template's `$name` stands for.
pub(crate) enum Hole<'a> {
    One(&'a Form),
    Many(&'a [Form]),
}

thread_local! {
    static TEMPLATES: RefCell<FxHashMap<*const u8, Form>> = RefCell::default();
}

/// A form from a template: `$x` is replaced by a form, `$@x` by several; all other symbols are the language's.
/// Everything the template itself spells has the place of `at`.
pub(crate) fn template(text: &'static str, at: &Form, holes: &[(&str, Hole<'_>)]) -> Form {
    let parsed = TEMPLATES.with_borrow_mut(|t| {
        t.entry(text.as_ptr())
            .or_insert_with(|| {
                let (mut forms, errors) = crate::read_text(FileId(0), text);
                debug_assert!(errors.is_empty() && forms.len() == 1, "template {text}");
                if forms.is_empty() { Form::nil(Span::NONE) } else { forms.remove(0) }
            })
            .clone()
    });
    fill(&parsed, at, holes)
}

fn hole<'h, 'f>(form: &Form, prefix: &str, holes: &'h [(&str, Hole<'f>)]) -> Option<&'h Hole<'f>> {
    let name = form.as_symbol()?.name().strip_prefix(prefix)?;
    holes.iter().find(|(n, _)| *n == name).map(|(_, h)| h)
}

fn fill(form: &Form, at: &Form, holes: &[(&str, Hole<'_>)]) -> Form {
    if let Some(Hole::One(f)) = hole(form, "$", holes) {
        return (*f).clone();
    }
    let all = |items: &[Form]| {
        let mut out = Vec::with_capacity(items.len() + 4);
        for item in items {
            match hole(item, "$@", holes) {
                Some(Hole::Many(fs)) => out.extend_from_slice(fs),
                _ => out.push(fill(item, at, holes)),
            }
        }
        out
    };
    let kind = match &form.kind {
        FormKind::Symbol(s) => FormKind::Symbol(language(*s)),
        FormKind::List(items) => FormKind::List(all(items).into()),
        other => other.clone(),
    };
    Form { kind, span: at.span, origin: at.origin.clone() }
}

fn language(s: Symbol) -> Symbol {
    let name = s.name();
    if s.package().is_some() || s == Symbol::NIL || s == Symbol::T || name.starts_with('&') || name.starts_with('*') {
        s
    } else {
        Symbol::cl(name)
    }
}

/// A new variable.
pub(crate) fn gensym(prefix: &str, at: &Form) -> Form {
    Form { kind: FormKind::Symbol(Symbol::uninterned(prefix)), span: at.span, origin: at.origin.clone() }
}

/// A list form in place of `at`.
pub(crate) fn list_at(items: Vec<Form>, at: &Form) -> Form {
    Form { kind: FormKind::List(items.into()), span: at.span, origin: at.origin.clone() }
}

/// A symbol of the language in place of `at`.
pub(crate) fn lang(name: &str, at: &Form) -> Form {
    Form { kind: FormKind::Symbol(Symbol::cl(name)), span: at.span, origin: at.origin.clone() }
}

pub(crate) fn malformed(form: &Form, shape: &str) -> LispError {
    LispError::malformed(form.span, format!("malformed `{}`", form.head().map_or("form", Symbol::name)))
        .help(format!("it is written `{shape}`"))
        .at_form(form)
}

macro_rules! tmpl {
    ($text:literal, $at:expr $(, $name:ident = $form:expr)* $(; $($many:ident = $forms:expr),*)?) => {
        $crate::macros::template($text, $at, &[
            $((stringify!($name), $crate::macros::Hole::One($form)),)*
            $($((stringify!($many), $crate::macros::Hole::Many($forms)),)*)?
        ])
    };
}
pub(crate) use tmpl;
