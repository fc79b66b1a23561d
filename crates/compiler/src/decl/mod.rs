//! Declarations: one room for each kind. Invariant: a declaration that is reported as wrong
//! changes nothing.

pub mod globals;
pub mod header;
pub mod kernel_types;
pub mod maps;
pub mod programs;
pub mod struct_ops;
pub mod structs;

use whistler_diag::Diagnostic;
use whistler_lisp::{Form, FormKind, Interp, Symbol};

use crate::check::at;
use crate::diagnostics as diag;
use crate::env::{DeclKind, Env};

/// Whether a second declaration of a name is an error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// In a file: it is.
    File,
    /// At the prompt: it redefines.
    Prompt,
}

/// What was declared.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Declared {
    /// Its name as written.
    pub name: Symbol,
    /// What it is.
    pub kind: DeclKind,
    /// In a few words: `exec-event · 24 bytes, align 4`.
    pub summary: String,
}

/// Reports a name that is declared already. Whether it was.
pub(crate) fn duplicate(
    env: &Env,
    diags: &mut Vec<Diagnostic>,
    name: Symbol,
    kind: DeclKind,
    form: &Form,
    mode: Mode,
) -> bool {
    if mode == Mode::Prompt || env.in_library {
        return false;
    }
    let Some(earlier) = env.declared(name, kind) else { return false };
    // A file that is loaded again redefines; only two in one text contradict each other.
    if earlier == form.span || earlier.file != form.span.file {
        return false;
    }
    diags.push(
        diag::error(&diag::DUPLICATE, &at(form), format!("the {} `{name}` is declared twice", kind.word()))
            .also(earlier, "declared here first")
            .help("at the prompt a second declaration redefines; in a file, give it another name"),
    );
    true
}

/// Warns of a declaration that takes the name of something of the kernel's.
pub(crate) fn takes_kernel_name(env: &Env, diags: &mut Vec<Diagnostic>, name: Symbol, kind: DeclKind, form: &Form) {
    if env.in_library {
        return;
    }
    let taken = match kind {
        DeclKind::Constant | DeclKind::Global | DeclKind::Param => {
            whistler_isa::constants::by_name(name.name()).map(|n| format!("a constant of the kernel's, {n}"))
        }
        DeclKind::Subprogram => {
            let key = crate::names::norm(name);
            if whistler_isa::helpers::by_name(key.name()).is_some() {
                Some("a helper of the kernel's".to_string())
            } else {
                whistler_isa::kfuncs::by_name(key.name()).map(|_| "a function of the kernel's".to_string())
            }
        }
        _ => None,
    };
    let Some(taken) = taken else { return };
    let text = format!("`{name}` is {taken}; programs mean this {} from here on", kind.word());
    let d = diag::warning(&diag::KERNEL_NAME_TAKEN, &at(form), text);
    diags.push(d.help("give yours another name"));
}

/// The name that a declaration declares.
pub(crate) fn name_of(diags: &mut Vec<Diagnostic>, form: &Form) -> Option<Symbol> {
    let named = form.as_list().and_then(|l| l.get(1));
    let name = named
        .and_then(|n| n.as_symbol().or_else(|| n.as_list()?.first()?.as_symbol()))
        .filter(|n| !n.is_keyword() && n.fold() != Symbol::NIL);
    if name.is_none() {
        diags.push(diag::error(&diag::MALFORMED, &at(form), "a name is missing here"));
    }
    name
}

/// Reports an option that a declaration doesn't have, at its name (which stands before its value).
pub(crate) fn no_option(what: &str, parts: &[Form], value: &Form, name: Symbol, known: &[&str]) -> Diagnostic {
    let place =
        parts.windows(2).find(|w| w[1].span == value.span && w[0].as_keyword() == Some(name)).map_or(value, |w| &w[0]);
    let d = diag::error(&diag::MALFORMED, &at(place), format!("{what} has no option `:{}`", name.name()));
    match crate::names::nearest(name.name(), known.iter().copied()) {
        Some(near) => d.help(format!("did you mean `:{near}`?")),
        None => {
            let all: Vec<String> = known.iter().map(|k| format!(":{k}")).collect();
            d.help(format!("it has {}", all.join(" ")))
        }
    }
}

/// The options `:key value …` of a form.
pub(crate) fn options<'f>(diags: &mut Vec<Diagnostic>, forms: &'f [Form]) -> Vec<(Symbol, &'f Form)> {
    let mut out = Vec::new();
    let mut rest = forms;
    while let [key, more @ ..] = rest {
        let (Some(k), Some(v)) = (key.as_keyword(), more.first()) else {
            diags.push(diag::error(&diag::MALFORMED, &at(key), "options are written :name value"));
            break;
        };
        out.push((k, v));
        rest = &more[1..];
    }
    out
}

/// The number that a form in a declaration has: host arithmetic over numbers, constants of the host, of declarations
/// and of the kernel, and `(sizeof TYPE)`.
pub(crate) fn value_of(env: &mut Env, interp: &mut Interp, form: &Form) -> Result<Option<i128>, Box<Diagnostic>> {
    let known = substituted(env, interp, form)?;
    crate::host::eval_number(interp, known.as_ref().unwrap_or(form))
}

/// The form with what only declarations and the kernel know put in as numbers; `None` when there is nothing of that.
fn substituted(env: &mut Env, interp: &mut Interp, form: &Form) -> Result<Option<Form>, Box<Diagnostic>> {
    let number = |n: i128| i64::try_from(n).ok().map(|n| Form::int(n, form.span));
    match &form.kind {
        FormKind::Symbol(s) if !s.is_keyword() => {
            if crate::host::constant(interp, *s).is_some() {
                return Ok(None);
            }
            let own = env.constants.get(&crate::names::norm(*s)).copied();
            let kernel = || whistler_isa::constants::of(s.name(), whistler_isa::Arch::HERE).map(i128::from);
            Ok(own.or_else(kernel).and_then(number))
        }
        FormKind::List(items) => {
            if form.is_call("sizeof")
                && let [_, ty] = &items[..]
            {
                return Ok(number(crate::types::parse(env, interp, ty)?.size().into()));
            }
            let mut out = items.to_vec();
            let mut changed = false;
            for f in out.iter_mut().skip(1) {
                if let Some(new) = substituted(env, interp, f)? {
                    *f = new;
                    changed = true;
                }
            }
            Ok(changed.then(|| Form::list(out, form.span)))
        }
        _ => Ok(None),
    }
}
