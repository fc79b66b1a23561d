//! The seam to the host Lisp: macros, constants and evaluation, with its errors as diagnostics.

use std::rc::Rc;

use whistler_diag::Diagnostic;
use whistler_lisp::{Form, FormKind, Symbol, Value};
pub use whistler_lisp::{Interp, Macro};

/// The macro of the user or the library that a name means; never one of the host's own.
pub fn user_macro(host: &mut Interp, name: Symbol) -> Option<Rc<Macro>> {
    host.user_macro(name)
}

/// The user's macro whose name is nearest to this one, if one is near.
pub fn nearest_macro(host: &mut Interp, name: &str) -> Option<String> {
    let all = host.all_names();
    let macros = all.into_iter().filter(|s| host.user_macro(*s).is_some());
    let names: Vec<&str> = macros.map(Symbol::name).collect();
    crate::names::nearest(name, names.into_iter()).map(str::to_string)
}

/// Expands a macro call once.
pub fn expand(host: &mut Interp, m: &Macro, form: &Form) -> Result<Form, Box<Diagnostic>> {
    host.expand_macro(m, form).map_err(|e| Box::new(e.to_diagnostic()))
}

/// Whether the host has a function of this name.
pub fn is_function(host: &mut Interp, name: Symbol) -> bool {
    host.function(name).is_some()
}

/// The number of a host constant (`defconstant`).
pub fn constant(host: &mut Interp, name: Symbol) -> Option<i128> {
    let v = host.constant(name)?;
    number(host, v)
}

/// A host value as a number.
pub fn number(host: &mut Interp, v: Value) -> Option<i128> {
    match v {
        Value::Int(n) => Some(i128::from(n)),
        Value::Char(c) => Some(i128::from(u32::from(c))),
        Value::Symbol(Symbol::NIL) => Some(0),
        Value::Symbol(Symbol::T) => Some(1),
        _ => host.value_to_form(v, whistler_diag::Span::NONE).ok()?.as_int(),
    }
}

/// The number that a form has in the host; for what declarations hold.
pub fn eval_number(host: &mut Interp, form: &Form) -> Result<Option<i128>, Box<Diagnostic>> {
    if let FormKind::Int(n) = form.kind {
        return Ok(Some(i128::from(n)));
    }
    let v = host.eval(form).map_err(|e| Box::new(e.to_diagnostic()))?;
    Ok(number(host, v))
}
