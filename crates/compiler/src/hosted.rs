//! What shows in the text of host code without running it: histograms printed by other steps than they are counted by,
//! control texts of C. Invariant: only what is written out in the file is judged; a number that is computed is taken to be right.

use whistler_diag::Diagnostic;
use whistler_lisp::{Form, FormKind, Symbol};

use crate::check::at;
use crate::diagnostics as diag;
use crate::names::norm;

/// Forms that are of programs, or data.
const NOT_HOST: &[&str] = &["defprog", "defsubprog", "defmacro", "quote", "quasiquote"];

/// How a histogram is counted.
struct Counted<'f> {
    map: Symbol,
    form: &'f Form,
    /// Low, high and step of `lhist!`; none for powers of two.
    steps: Option<&'f [Form]>,
}

/// Warnings for a file's host code.
pub(crate) fn warnings(forms: &[Form]) -> Vec<Diagnostic> {
    let mut counted = Vec::new();
    forms.iter().for_each(|f| counts(f, &mut counted));
    let mut out = Vec::new();
    let look = Look { forms, counted };
    forms.iter().for_each(|f| look.host(f, &mut out));
    out
}

/// The forms that count into histograms.
fn counts<'f>(form: &'f Form, out: &mut Vec<Counted<'f>>) {
    let Some(items) = form.as_list() else { return };
    if let [_, map, rest @ ..] = items
        && let Some(map) = map.as_symbol().map(norm)
    {
        match rest {
            [_key, _value, steps @ ..] if form.is_call("lhist!") && steps.len() == 3 => {
                out.push(Counted { map, form, steps: Some(steps) });
            }
            _ if form.is_call("hist!") => out.push(Counted { map, form, steps: None }),
            _ => {}
        }
    }
    items.iter().for_each(|f| counts(f, out));
}

struct Look<'f> {
    forms: &'f [Form],
    counted: Vec<Counted<'f>>,
}

impl Look<'_> {
    fn host(&self, form: &Form, out: &mut Vec<Diagnostic>) {
        let Some(items) = form.as_list() else { return };
        if NOT_HOST.iter().any(|h| form.is_call(h)) {
            return;
        }
        if form.is_call("hist") {
            out.extend(self.hist(form, items));
        }
        if form.is_call("format") {
            out.extend(of_c(items));
        }
        items.iter().for_each(|f| self.host(f, out));
    }

    /// Whether a map is printed as it is counted.
    fn hist(&self, form: &Form, items: &[Form]) -> Option<Diagnostic> {
        let [_, map, options @ ..] = items else { return None };
        let name = map.as_symbol()?;
        let mut counted = self.counted.iter().filter(|c| c.map == norm(name));
        let first = counted.next()?;
        // What is counted in several ways is printed by one of them.
        if counted.next().is_some() {
            return None;
        }
        let given = |key: &str| options.chunks(2).find(|o| o[0].as_keyword().is_some_and(|k| k.is(key)))?.get(1);
        let keys = ["low", "high", "step"];
        let asked: Vec<Option<&Form>> = keys.iter().map(|k| given(k)).collect();
        let (text, help) = match first.steps {
            None if asked.iter().all(Option::is_none) => return None,
            None => (
                format!("this prints `{name}` by steps, and it is counted by powers of two"),
                format!("write (hist {name}), or count it by `lhist!`"),
            ),
            Some(steps) => {
                let [low, high, step] = steps else { return None };
                let help = format!("write (hist {name} :low {low} :high {high} :step {step})");
                if asked.iter().all(Option::is_none) {
                    (format!("this prints `{name}` by powers of two, and it is counted by steps of {step}"), help)
                } else {
                    let other = (0..3).find_map(|i| {
                        let (is, asked) = (&steps[i], asked[i]?);
                        let (n, m) = (self.number(is)?, self.number(asked)?);
                        (n != m)
                            .then(|| format!("`{name}` is counted with :{} {n}, and this prints it with {m}", keys[i]))
                    })?;
                    (other, help)
                }
            }
        };
        let d = diag::warning(&diag::OTHER_STEPS, &at(form), text).also(first.form.span, "counted here");
        Some(d.help(help))
    }

    /// A number as it is written, or by the constant of the file.
    fn number(&self, form: &Form) -> Option<i128> {
        if let Some(n) = form.as_int() {
            return Some(n);
        }
        let name = norm(form.as_symbol()?);
        let of = |f: &Form| match f.as_list()? {
            [head, n, value, ..] if head.as_symbol()?.is("defconstant") && norm(n.as_symbol()?) == name => {
                value.as_int()
            }
            _ => None,
        };
        self.forms.iter().find_map(of)
    }
}

/// Whether `format` is given a text of `printf` and something to fill in.
fn of_c(items: &[Form]) -> Option<Diagnostic> {
    let [_, _, control, _, ..] = items else { return None };
    let FormKind::Str(text) = &control.kind else { return None };
    if !whistler_lisp::is_of_c(text) {
        return None;
    }
    let d = "these directives are C's: `format` prints the text as it stands, and none of the values";
    let help = "write ~d for numbers, ~x for hexadecimal ones, ~a for anything, ~% for a new line";
    Some(diag::warning(&diag::CONTROL_OF_C, &at(control), d).help(help))
}
