//! `deftest` where tests aren't run: whether one is well written, and whether it checks anything.

use whistler_diag::{Diagnostic, Span};
use whistler_lisp::{Form, FormKind, LispError, Symbol};

use crate::diagnostics as diag;
use crate::hir::At;
use crate::host::Interp;
use crate::names::norm;

/// The tests of a file, by name, with the places where they are named.
#[derive(Default)]
pub struct TestNames(Vec<(Symbol, Span)>);

impl TestNames {
    /// Notes a test. The error where the file has one of that name already.
    pub fn note(&mut self, name: Symbol, place: Span) -> Option<Diagnostic> {
        let key = norm(name);
        if let Some((_, first)) = self.0.iter().find(|(n, _)| *n == key) {
            let at = At { span: place, origin: None };
            let d = diag::error(&diag::DUPLICATE, &at, format!("the test `{name}` is defined twice"));
            return Some(d.also(*first, "first here").help("give one of them another name"));
        }
        self.0.push((key, place));
        None
    }
}

/// `(is form [text])` taken apart. Errors: it is of another shape, or what stands for the text can't be one.
pub fn check_form<'f>(interp: &Interp, form: &'f Form) -> Result<(&'f Form, Option<&'f Form>), LispError> {
    match form.as_list() {
        Some([_, test]) if test.is_call("run-prog") => Err(LispError::malformed(
            test.span,
            "what a program returns is a number, and every number is true: this holds whatever it is",
        )
        .help(format!("(is (= {test} XDP_PASS)), or whatever it is to return"))),
        Some([_, test]) => Ok((test, None)),
        Some([_, test, text]) => {
            let other = match &text.kind {
                FormKind::Str(_) | FormKind::List(_) => false,
                FormKind::Symbol(s) => s.is_keyword() || s.fold() == Symbol::NIL || interp.is_constant(*s),
                _ => true,
            };
            if other {
                return Err(no_text(text.span, &text.to_string(), &test.to_string()));
            }
            Ok((test, Some(text)))
        }
        _ => Err(LispError::malformed(form.span, "it is written (is form [\"text\"])")),
    }
}

/// The error for a second argument of `is` that is no text; `shown` is what it is, `test` what is checked.
pub fn no_text(place: Span, shown: &str, test: &str) -> LispError {
    let text = format!("the second argument of `is` is a text to show when the check fails, and {shown} is none");
    let compares = COMPARE.iter().any(|f| test.starts_with(&format!("({f} ")));
    LispError::malformed(place, text).help(match compares {
        true => format!("(is {test} \"what this is about\")"),
        false => format!("to compare the two: (is (= {test} {shown}))"),
    })
}

/// Only a test run runs tests; whether one is well written shows without.
pub(super) fn look_at_test(interp: &mut Interp, form: &Form, names: &mut TestNames, diags: &mut Vec<Diagnostic>) {
    let shape = || LispError::malformed(form.span, "it is written (deftest name form…)").to_diagnostic();
    let Some([_, name, body @ ..]) = form.as_list() else { return diags.push(shape()) };
    let Some(symbol) = name.as_symbol() else {
        return diags.push(LispError::malformed(name.span, "a test is named by a symbol").to_diagnostic());
    };
    diags.extend(names.note(symbol, name.span));
    if body.is_empty() {
        return diags.push(shape());
    }
    let mut all = vec![Form::symbol(Symbol::cl("progn"), form.span)];
    all.extend_from_slice(body);
    if let Err(e) = interp.look_at(&Form::list(all, form.span)) {
        diags.push(e.to_diagnostic());
    }
    bad_checks(interp, body, diags);
    no_link_headers(body, diags);
    let dropped = dropped_checks(body);
    if dropped.is_empty() && !may_check(interp, body) {
        diags.push(no_checks(name.span));
    }
    diags.extend(dropped.into_iter().map(|(_, d)| d));
}

/// Reports the `is` forms in these forms that are not well written.
fn bad_checks(interp: &Interp, forms: &[Form], diags: &mut Vec<Diagnostic>) {
    for form in forms {
        let Some(items) = form.as_list().filter(|_| !form.is_call("quote")) else { continue };
        if form.is_call("is") {
            diags.extend(check_form(interp, form).err().map(|e| e.to_diagnostic()));
        }
        bad_checks(interp, items, diags);
    }
}

/// Warns of packets that begin with the IP header where they are given to programs.
fn no_link_headers(forms: &[Form], diags: &mut Vec<Diagnostic>) {
    for form in forms {
        let Some(items) = form.as_list().filter(|_| !form.is_call("quote")) else { continue };
        if let [head, _, packet, ..] = items
            && head.as_symbol().is_some_and(|h| h.is("run-prog"))
            && let Some([_, first, ..]) = packet.as_list().filter(|_| packet.is_call("packet"))
            && (first.is_call("ipv4") || first.is_call("ipv6"))
        {
            let d = no_link_header(first.span);
            diags.push(d.help(format!("write (packet (eth) {first} …)")));
        }
        no_link_headers(items, diags);
    }
}

/// The warning for a packet that begins with the IP header; `place` is where that is said.
pub fn no_link_header(place: Span) -> Diagnostic {
    let at = At { span: place, origin: None };
    let text = "this packet begins with the IP header: its first 14 bytes are taken for an Ethernet header";
    diag::warning(&diag::LINK_HEADER_LEFT_OUT, &at, text)
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
