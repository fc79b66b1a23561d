//! `deftest` where tests aren't run: whether one is well written, and whether it checks anything.

use whistler_diag::Diagnostic;
use whistler_lisp::{Form, LispError, Symbol};

use crate::diagnostics as diag;
use crate::hir::At;
use crate::host::Interp;

/// Only a test run runs tests; whether one is well written shows without.
pub(super) fn look_at_test(interp: &mut Interp, form: &Form, diags: &mut Vec<Diagnostic>) {
    let shape = || LispError::malformed(form.span, "it is written (deftest name form…)").to_diagnostic();
    let Some([_, name, body @ ..]) = form.as_list() else { return diags.push(shape()) };
    if name.as_symbol().is_none() {
        return diags.push(LispError::malformed(name.span, "a test is named by a symbol").to_diagnostic());
    }
    if body.is_empty() {
        return diags.push(shape());
    }
    let mut all = vec![Form::symbol(Symbol::cl("progn"), form.span)];
    all.extend_from_slice(body);
    if let Err(e) = interp.look_at(&Form::list(all, form.span)) {
        diags.push(e.to_diagnostic());
    }
    let dropped = dropped_checks(body);
    if dropped.is_empty() && !may_check(interp, body) {
        diags.push(no_checks(name.span));
    }
    diags.extend(dropped.into_iter().map(|(_, d)| d));
}

/// Functions that are called for the truth of what they give.
const COMPARE: &[&str] = &[
    "=", "/=", "<", ">", "<=", ">=", "eq", "eql", "equal", "equalp", "string=", "string/=", "not", "null", "zerop",
    "search",
];

/// A warning for each form of a test's body that compares and is not within `is`.
pub fn dropped_checks(body: &[Form]) -> Vec<(&Form, Diagnostic)> {
    let compares = |f: &&Form| f.origin.is_none() && f.head().is_some_and(|h| COMPARE.iter().any(|n| h.is(n)));
    body.iter().filter(compares).map(|f| (f, dropped_check(f.span, &f.to_string()))).collect()
}

/// The warning for a form at a place, as it reads, that compares for nobody.
pub fn dropped_check(place: whistler_diag::Span, text: &str) -> Diagnostic {
    let at = At { span: place, origin: None };
    diag::warning(&diag::CHECK_DROPPED, &at, "this compares, and nobody looks at what it gives")
        .help(format!("did you mean (is {text})?"))
}

/// The warning for a test that checks nothing; `place` is its name.
pub fn no_checks(place: whistler_diag::Span) -> Diagnostic {
    diag::warning(
        &diag::NO_CHECKS,
        &At { span: place, origin: None },
        "this test has no checks: it passes whatever its programs do",
    )
    .help("what must be true is written (is form)")
}

/// Whether there is an `is` in the forms, or a call of what the user wrote, which may have one.
fn may_check(interp: &mut Interp, forms: &[Form]) -> bool {
    forms.iter().any(|f| match (f.as_symbol(), f.as_list()) {
        (Some(s), _) => s.is("is") || interp.is_users(s),
        (None, Some(items)) => may_check(interp, items),
        (None, None) => false,
    })
}
