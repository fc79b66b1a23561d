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
    host.expand_macro(m, form).map_err(|e| {
        let mut d = e.to_diagnostic();
        if d.about.as_deref().is_some_and(is_of_programs) {
            d.help = vec![
                "a macro gives back a form: a backquote stands before what it gives back, and a comma before each parameter in it: `(incf (getmap stats ,slot))".to_string(),
            ];
        }
        Box::new(d)
    })
}

/// Whether only programs know a name: a form, a helper, a number's type.
fn is_of_programs(name: &str) -> bool {
    let key = crate::names::norm_str(name);
    crate::forms::names().any(|n| n == key)
        || whistler_isa::helpers::by_name(&key).is_some()
        || crate::types::scalar(Symbol::intern(&key)).is_some()
}

/// What programs or other languages call what the host has under another name.
const INSTEAD: &[(&str, &str)] = &[
    (
        "getmap",
        "the host reads an entry of a map with (map-ref map key); what programs call is a `defsubprog`, no `defun`",
    ),
    ("setmap", "the host writes an entry of a map with (setf (map-ref map key) value)"),
    ("incf-map", "the host writes an entry of a map with (incf (map-ref map key))"),
    ("remmap", "the host removes an entry of a map with (map-delete map key)"),
    ("do-map", "the host walks a map with (do-map-entries (key value map) form…)"),
    ("is-equal", "a check is written (is (= a b)), or (is (equal a b)) of lists and strings"),
    ("is-true", "a check is written (is form)"),
    ("is-eql", "a check is written (is (eql a b))"),
    ("assert-equal", "a check is written (is (equal a b))"),
    ("ip", "the layer of a packet is `ipv4`, or `ipv6`"),
    ("ip4-header", "the layer of a packet is `ipv4`"),
    ("ether", "the layer of a packet is `eth`"),
    ("ethernet", "the layer of a packet is `eth`"),
    ("raw", "bytes at the end of a packet are (payload \"text\"), or (payload n) zeros"),
    ("run", "a program is run with (run-prog program packet)"),
    ("run-program", "a program is run with (run-prog program packet)"),
    ("test-run", "a program is run with (run-prog program packet)"),
];

/// The mend for a function that the host doesn't have, by its name.
pub fn instead(name: &str) -> Option<String> {
    let key = crate::names::norm_str(name);
    if let Some((_, mend)) = INSTEAD.iter().find(|(n, _)| *n == key) {
        return Some((*mend).to_string());
    }
    is_of_programs(&key).then(|| format!("`{name}` is for programs: it stands in the body of a defprog or defsubprog"))
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
