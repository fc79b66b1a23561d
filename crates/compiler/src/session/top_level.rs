//! Top-level forms of a file, in order: declared, expanded, or evaluated in the host. Invariant: what fails is noted as
//! refused, so that what uses it isn't reported for that.

use whistler_diag::{Diagnostic, FileId, Severity, SourceMap};
use whistler_lisp::{Form, LispError, Symbol, Value};

use super::deftest::{TestNames, look_at_test};
use super::live::{LIVE_FORMS, LIVE_MACROS, SESSION_FORM, skipped};
use super::{Session, is_declaration_name};
use crate::check::{EXPANSION_COUNT, at};
use crate::decl::{self, Mode};
use crate::diagnostics as diag;
use crate::env::{DeclKind, Env};
use crate::follow::Refused;
use crate::host::{self, Interp};
use crate::names::norm;

/// How deep macros may expand into declarations.
const EXPANSIONS: usize = 100;

impl Session {
    /// Takes one top-level form: declares it, or evaluates it in the host.
    pub fn top_level(&mut self, interp: &mut Interp, form: &Form, mode: Mode, diags: &mut Vec<Diagnostic>) {
        self.register(interp);
        self.expansions = 0;
        self.top_level_within(interp, form, mode, diags, 0);
    }

    fn top_level_within(
        &mut self,
        interp: &mut Interp,
        form: &Form,
        mode: Mode,
        diags: &mut Vec<Diagnostic>,
        depth: usize,
    ) {
        let Some(head) = form.head() else {
            self.evaluate(interp, form, mode, diags);
            return;
        };
        if is_declaration_name(head) {
            let before = diags.len();
            let declared = self.declare_into(interp, form, mode, diags);
            if self.looking {
                // In a running session the name would be that of a live thing.
                if declared.is_none() {
                    self.refused.note(form, diags.get(before..).unwrap_or(&[]));
                }
                if let Some(d) = declared.as_ref().filter(|d| matches!(d.kind, DeclKind::Struct | DeclKind::Union)) {
                    self.record_stand_ins(interp, d.name);
                }
                let name = declared.map(|d| d.name).or_else(|| form.as_list()?.get(1)?.as_symbol());
                if let Some(name) = name.filter(|n| interp.constant(*n).is_none()) {
                    interp.define_variable(name.name(), Value::Symbol(name));
                }
            }
            return;
        }
        let items = form.as_list().unwrap_or(&[]);
        if self.looking && head.is("deftest") {
            look_at_test(interp, form, &mut self.tests, diags);
            return;
        }
        let nested = if head.is("progn") {
            Some(1)
        } else if head.is("eval-when") {
            Some(2)
        } else {
            None
        };
        if let Some(skip) = nested {
            if depth >= EXPANSIONS {
                let text = format!("forms are nested more than {EXPANSIONS} deep here");
                diags.push(diag::error(&diag::TOO_DEEP, &at(form), text));
                return;
            }
            for f in items.iter().skip(skip) {
                self.top_level_within(interp, f, mode, diags, depth + 1);
            }
            return;
        }
        if let Some(m) = host::user_macro(interp, head) {
            if self.expansions > EXPANSION_COUNT {
                return;
            }
            self.expansions += 1;
            if depth >= EXPANSIONS || self.expansions > EXPANSION_COUNT {
                diags.push(diag::error(&diag::EXPANSION, &at(form), format!("`{head}` expands without end")));
                self.expansions = EXPANSION_COUNT + 1;
                return;
            }
            match host::expand(interp, &m, form) {
                Ok(f) => self.top_level_within(interp, &f, mode, diags, depth + 1),
                Err(d) => diags.push(*d),
            }
            return;
        }
        if !LIVE_FORMS.iter().any(|l| head.is(l)) && !interp.is_defined(head) {
            // Before its arguments are evaluated: they may be no expressions of the host.
            let d = unknown_operator(interp, head, form);
            self.refused.note(form, std::slice::from_ref(&d));
            diags.push(d);
            return;
        }
        if head.is("defconstant")
            && let Some(name) = items.get(1).and_then(Form::as_symbol)
        {
            self.constants.push(name);
            decl::takes_kernel_name(&self.env, diags, name, DeclKind::Constant, form);
        }
        self.evaluate(interp, form, mode, diags);
    }

    fn evaluate(&mut self, interp: &mut Interp, form: &Form, mode: Mode, diags: &mut Vec<Diagnostic>) {
        let head = form.head();
        let live = head.is_some_and(|h| LIVE_FORMS.iter().chain(LIVE_MACROS).any(|l| h.is(l)));
        if head.is_some_and(|h| h.is(SESSION_FORM)) && self.looking {
            self.look_at_bpf_session(interp, form, diags);
            skipped(form, diags);
            return;
        }
        if live && (self.looking || head.is_some_and(|h| interp.function(h).is_none() && !interp.is_defined(h))) {
            skipped(form, diags);
            return;
        }
        let result = interp.eval(form).map(|_| ());
        let queued: Vec<Form> = self.queue.borrow_mut().drain(..).collect();
        for f in &queued {
            if f.head().is_some_and(|h| h.is(SESSION_FORM)) {
                self.look_at_bpf_session(interp, f, diags);
            } else {
                self.declare_into(interp, f, mode, diags);
            }
        }
        if let Err(e) = result {
            if e.needs_host {
                skipped(form, diags);
            } else {
                let d = of_programs(e.to_diagnostic());
                self.refused.note(form, std::slice::from_ref(&d));
                diags.push(d);
            }
        }
    }

    /// Reads a file's forms and takes them in order; programs are declared, not checked yet.
    pub fn load_source(&mut self, interp: &mut Interp, sources: &SourceMap, file: FileId) -> Vec<Diagnostic> {
        self.register(interp);
        self.stand_ins(interp);
        self.refused = Refused::default();
        self.tests = TestNames::default();
        let (forms, mut diags) = whistler_lisp::read(sources, file);
        if diags.iter().any(Diagnostic::is_error) {
            self.refused.unread();
        }
        for f in &forms {
            self.top_level(interp, f, Mode::File, &mut diags);
        }
        // One that was come to has failed, and is said.
        let said = |d: &Diagnostic| {
            let at = d.primary.span;
            diags.iter().any(|e| {
                let of = e.primary.span;
                e.is_error() && of.file == at.file && of.lo <= at.lo && at.hi <= of.hi
            })
        };
        let open: Vec<Diagnostic> = unknown_calls(interp, &self.env).into_iter().filter(|d| !said(d)).collect();
        diags.extend(open);
        self.refused.settle(&mut diags);
        self.unused = crate::unused::unused(&forms);
        diags.extend(crate::opt_in::not_asked_for(&forms));
        self.unused.extend(crate::hosted::warnings(&forms));
        diags
    }
}

/// Says of a place that only programs can set what the host has for it.
fn of_programs(mut d: Diagnostic) -> Diagnostic {
    let place = d.about.as_deref().and_then(|a| a.strip_prefix("(setf ")?.strip_suffix(')')).map(str::to_string);
    if let Some(place) = place.filter(|p| crate::forms::lookup(norm(Symbol::intern(p))).is_some()) {
        d.message = format!("({place} …) can be set by programs, not by the host");
        d.help = vec![
            "the host has (map-ref map key) for an entry of a loaded map".into(),
            "a number for programs that is there from the start is a (defparam name u32 7)".into(),
        ];
    }
    d
}

/// Functions that host code calls and nothing defines.
fn unknown_calls(interp: &mut Interp, env: &Env) -> Vec<Diagnostic> {
    // A running session reads what was decoded as a struct by the names that programs use.
    let is_reader = |s: Symbol| s.name().starts_with("(setf ") || env.accessors.contains_key(&norm(s));
    let errors = interp.unknown_calls(is_reader);
    let warning = |e: LispError| {
        let mut d = e.to_diagnostic();
        d.severity = Severity::Warning;
        d.code = diag::HOST_CALL.code;
        d
    };
    errors.into_iter().filter(|e| !e.span.is_none()).map(warning).collect()
}

/// An operator outside of programs that doesn't exist.
fn unknown_operator(interp: &Interp, head: Symbol, form: &Form) -> Diagnostic {
    let place = form.as_list().and_then(|l| l.first()).map_or(form.span, |h| h.span);
    let mut d = interp.undefined_function(head).at(place).to_diagnostic();
    for e in form.origin.iter().flat_map(|e| e.chain()) {
        d = d.expanded_from(e.call_span, format!("in this expansion of `{}`", e.macro_name));
    }
    d
}
