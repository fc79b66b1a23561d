//! Tests in the language: `deftest`, `is`, and the runner. Invariant: every test starts with fresh maps and globals, and
//! a check that fails does not end its test.

use std::rc::Rc;
use std::time::{Duration, Instant};

use whistler_diag::{Code, Diagnostic, FileId, Span};
use whistler_lisp::{Form, FormKind, Interp, LispError, LispResult, Root, Symbol, Value};

use crate::image::{Image, Mode};
use crate::live::Shared;

/// A check that did not hold.
pub const CHECK_FAILED: Code = Code("E0910");
/// The virtual machine and the kernel came to different results.
pub const DISAGREE: Code = Code("E0911");

/// A test as it was defined.
pub(crate) struct TestDef {
    name: String,
    span: Span,
    body: Body,
}

/// What a test does.
enum Body {
    /// A function.
    Ready(Root),
    /// Nothing: its form could not be made a function, and why.
    Broken(Vec<Diagnostic>),
}

/// One run of a program within a test.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Run {
    /// The program.
    pub program: String,
    /// What it returned.
    pub result: u32,
    /// The packet afterwards.
    pub packet: Option<Vec<u8>>,
}

/// What the test that runs has come to so far.
#[derive(Default)]
pub(crate) struct Running {
    checks: Vec<(Span, bool)>,
    /// Each with how often its check failed.
    failures: Vec<(Diagnostic, usize)>,
    runs: Vec<Run>,
    warnings: Vec<Diagnostic>,
    skipped: Option<String>,
    /// Whether a program was given a packet that begins with the IP header.
    no_link_header: bool,
}

/// How a test ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// All checks held.
    Passed,
    /// Some did not, or it ended in an error; the reports say which.
    Failed,
    /// It could not be tried here, and why.
    Skipped(String),
}

/// A test that was run.
#[derive(Clone, Debug)]
pub struct TestReport {
    /// Its name.
    pub name: String,
    /// Where it is defined.
    pub span: Span,
    /// How it ended.
    pub verdict: Verdict,
    /// What went wrong, and what is doubtful.
    pub diagnostics: Vec<Diagnostic>,
    /// Its checks in order: where they stand, and whether they held.
    pub checks: Vec<(Span, bool)>,
    /// Its runs of programs, in order.
    pub runs: Vec<Run>,
    /// How long it took.
    pub time: Duration,
}

/// Forms of scripts that a test run passes over: what they do outlives the test, or waits.
const PASSED_OVER: &[&str] = &["attach", "detach", "follow", "watch", "sleep"];

/// Installs `deftest` and `is`.
pub(crate) fn install(interp: &mut Interp, shared: &Rc<Shared>) {
    interp.define_host_macro("deftest", Rc::new(|_, form| deftest(form)));
    interp.define_host_macro("is", Rc::new(is));
    let s = shared.clone();
    interp.define_native("%deftest", "name body file lo hi", "", Rc::new(move |i, args| s.add_test(i, args)));
    let s = shared.clone();
    interp.define_native("%dropped", "text file lo hi", "", Rc::new(move |i, args| s.dropped(i, args)));
    let s = shared.clone();
    interp.define_native("%applied", "function values form", "", Rc::new(move |i, args| s.applied(i, args)));
    let s = shared.clone();
    interp.define_native("%is", "holds form values text file lo hi", "", Rc::new(move |i, args| s.check(i, args)));
}

/// The host forms of a file under test that would act outside of it do nothing.
pub(crate) fn pass_over(interp: &mut Interp) {
    for name in PASSED_OVER {
        interp.define_native(name, "&rest arguments", "", Rc::new(|_, _| Ok(Value::NIL)));
    }
}

fn place(span: Span) -> [Form; 3] {
    [i64::from(span.file.0), i64::from(span.lo), i64::from(span.hi)].map(|n| Form::int(n, span))
}

fn span_of(values: &[Value]) -> Span {
    let n = |i: usize| values.get(i).and_then(|v| v.as_i64()).and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
    Span { file: FileId(n(0)), lo: n(1), hi: n(2) }
}

fn call(name: &str, arguments: Vec<Form>, span: Span) -> Form {
    let mut items = vec![Form::symbol(Symbol::intern(name), span)];
    items.extend(arguments);
    Form::list(items, span)
}

/// A call of an operator of the language, whatever the user's file calls so.
fn host(name: &'static str, arguments: Vec<Form>, span: Span) -> Form {
    let mut items = vec![Form::symbol(Symbol::cl(name), span)];
    items.extend(arguments);
    Form::list(items, span)
}

/// The test that a form defines, with the place of its name.
pub(crate) fn named_test(form: &Form) -> Option<(Symbol, Span)> {
    let name = form.as_list().filter(|_| form.is_call("deftest"))?.get(1)?;
    let symbol = match &name.kind {
        // Which is an error, of that test alone.
        FormKind::Str(text) => Symbol::intern(text),
        _ => name.as_symbol()?,
    };
    Some((symbol, name.span))
}

/// `(deftest name form…)`
fn deftest(form: &Form) -> Result<Form, LispError> {
    let Some([_, name, body @ ..]) = form.as_list() else {
        return Err(LispError::malformed(form.span, "it is written (deftest name form…)"));
    };
    let Some(symbol) = name.as_symbol() else {
        return Err(LispError::malformed(name.span, "a test is named by a symbol"));
    };
    let mut lambda = vec![Form::nil(form.span)];
    let dropped = whistler_compiler::session::dropped_checks(body);
    for f in body {
        if dropped.iter().any(|(d, _)| std::ptr::eq(*d, f)) {
            let [file, lo, hi] = place(f.span);
            lambda.push(call("%dropped", vec![Form::str(f.to_string(), f.span), file, lo, hi], f.span));
        }
        lambda.push(f.clone());
    }
    let [file, lo, hi] = place(name.span);
    let name = Form::str(symbol.name(), name.span);
    Ok(call("%deftest", vec![name, host("lambda", lambda, form.span), file, lo, hi], form.span))
}

/// `(is form [text])`: of a call of a function the arguments are kept, to be shown.
fn is(interp: &mut Interp, form: &Form) -> Result<Form, LispError> {
    let (test, text) = whistler_compiler::session::check_form(interp, form)?;
    let text = text.cloned().unwrap_or_else(|| Form::nil(form.span));
    let quoted = host("quote", vec![test.clone()], test.span);
    let [file, lo, hi] = place(test.span);
    let function = test.head().filter(|h| interp.is_plain_function(*h));
    let (Some(head), Some([_, arguments @ ..])) = (function, test.as_list()) else {
        let nothing = Form::nil(test.span);
        return Ok(call("%is", vec![test.clone(), quoted, nothing, text, file, lo, hi], form.span));
    };
    let values = Form::symbol(Symbol::gensym("values"), test.span);
    let all = host("list", arguments.to_vec(), test.span);
    let function = host("function", vec![Form::symbol(head, test.span)], test.span);
    let applied = call("%applied", vec![function, values.clone(), quoted.clone()], test.span);
    let checked = call("%is", vec![applied, quoted, values.clone(), text, file, lo, hi], form.span);
    let bindings = Form::list(vec![Form::list(vec![values, all], test.span)], test.span);
    Ok(host("let", vec![bindings, checked], form.span))
}

impl Shared {
    fn add_test(&self, interp: &mut Interp, args: &[Value]) -> LispResult {
        let [name, body, place @ ..] = args else { return Ok(Value::NIL) };
        let name = interp.heap.str(*name).unwrap_or_default().to_string();
        let test = TestDef { name: name.clone(), span: span_of(place), body: Body::Ready(interp.heap.root(*body)) };
        self.keep_test(test)?;
        Ok(interp.heap.symbol(&name))
    }

    fn keep_test(&self, test: TestDef) -> Result<(), LispError> {
        let tests = &mut self.live()?.tests;
        // Defined again, it takes the old one's place.
        match tests.iter_mut().find(|t| t.name == test.name) {
            Some(old) => *old = test,
            None => tests.push(test),
        }
        Ok(())
    }

    /// Keeps a test whose form is wrong: it fails, and the others run.
    pub fn add_broken_test(&self, (name, span): (Symbol, Span), why: Vec<Diagnostic>) -> Result<(), LispError> {
        self.keep_test(TestDef { name: name.name().to_string(), span, body: Body::Broken(why) })
    }

    /// Calls the function of a check. Where it can't work with `nil`, the arguments that are `nil` are named.
    fn applied(&self, interp: &mut Interp, args: &[Value]) -> LispResult {
        let [function, values, form] = args else { return Ok(Value::NIL) };
        let arguments = interp.heap.list_items(*values).unwrap_or_default();
        interp.call(*function, &arguments).map_err(|e| {
            if e.code != whistler_lisp::error::WRONG_TYPE || !e.message.starts_with("nil is ") {
                return e;
            }
            let forms = interp.heap.list_items(*form).unwrap_or_default();
            let mut e = e;
            for (f, v) in forms.iter().skip(1).zip(&arguments) {
                let source = interp.show(*f);
                if v.is_nil() && source != "nil" {
                    e = e.help(nil_of(&source));
                } else if source != interp.show(*v) {
                    let shown = interp.show(*v);
                    e = e.help(format!("{source} is {shown}"));
                }
            }
            e
        })
    }

    fn check(&self, interp: &mut Interp, args: &[Value]) -> LispResult {
        let [holds, form, values, text, place @ ..] = args else { return Ok(Value::NIL) };
        let span = span_of(place);
        if !text.is_nil() && interp.heap.str(*text).is_none() {
            let (shown, test) = (interp.prin1(*text)?, interp.prin1(*form)?);
            return Err(whistler_compiler::session::no_text(span, &shown, &test));
        }
        let holds = holds.is_true();
        let failure = if holds { None } else { Some(failed_check(interp, *form, *values, *text, span)?) };
        match &mut self.live()?.running {
            Some(running) => {
                running.checks.push((span, holds));
                if let Some(d) = failure {
                    // In a loop one report is enough.
                    match running.failures.iter_mut().find(|(f, _)| f.primary.span == span) {
                        Some((_, times)) => *times += 1,
                        None => running.failures.push((d, 1)),
                    }
                }
            }
            // At the prompt, or in a script, a check that fails is an error.
            None => {
                if let Some(d) = failure {
                    return Err(LispError::from_diagnostic(d));
                }
            }
        }
        Ok(Value::from(holds))
    }

    /// A comparison whose value is dropped is told of in the test that runs.
    fn dropped(&self, interp: &mut Interp, args: &[Value]) -> LispResult {
        let [text, place @ ..] = args else { return Ok(Value::NIL) };
        let text = interp.heap.str(*text).unwrap_or_default();
        if let Some(running) = &mut self.live()?.running {
            running.warnings.push(whistler_compiler::session::dropped_check(span_of(place), text));
        }
        Ok(Value::NIL)
    }

    /// Notes a run of a program in the test that runs, if one does.
    pub fn note_run(&self, run: Run) -> Result<(), LispError> {
        let mut live = self.live()?;
        live.used = true;
        if let Some(running) = &mut live.running {
            running.runs.push(run);
        }
        Ok(())
    }

    /// Notes that a program was given a packet that begins with the IP header.
    pub fn note_no_link_header(&self) -> Result<(), LispError> {
        if let Some(running) = &mut self.live()?.running {
            running.no_link_header = true;
        }
        Ok(())
    }

    /// An error that ends the test as one that can't be tried here.
    pub fn skip(&self, why: String) -> LispError {
        if let Ok(mut live) = self.live()
            && let Some(running) = &mut live.running
        {
            running.skipped.get_or_insert(why.clone());
        }
        LispError::simple(why)
    }
}

/// What is said of a form that gave `nil` where a number is needed.
pub(crate) fn nil_of(source: &str) -> String {
    match source.strip_prefix("(map-ref ").and_then(|s| s.strip_suffix(')')) {
        Some(rest) => format!("{source} is nil: no entry; (map-ref {rest} 0) gives 0 then"),
        None => format!("{source} is nil"),
    }
}

/// A failure with how often it was.
fn repeated((d, times): (Diagnostic, usize)) -> Diagnostic {
    match times {
        0 | 1 => d,
        2 => d.note("and once more"),
        n => d.note(format!("and {} more times", n - 1)),
    }
}

fn failed_check(
    interp: &mut Interp,
    form: Value,
    values: Value,
    text: Value,
    span: Span,
) -> Result<Diagnostic, LispError> {
    let shown = interp.prin1(form)?;
    let mut d = Diagnostic::error(CHECK_FAILED, span, format!("this does not hold: {shown}")).label("is false");
    let forms = interp.heap.list_items(form).unwrap_or_default();
    let values = interp.heap.list_items(values).unwrap_or_default();
    for (f, v) in forms.iter().skip(1).zip(values) {
        let (source, value) = (interp.prin1(*f)?, interp.prin1(v)?);
        if source != value {
            d = d.note(format!("{source} is {value}"));
        }
    }
    if let Some(text) = interp.heap.str(text) {
        d = d.note(text.to_string());
    }
    Ok(d)
}

impl Image {
    /// The names of the tests that were defined, in order.
    pub fn test_names(&self) -> Vec<String> {
        self.shared.live().map(|l| l.tests.iter().map(|t| t.name.clone()).collect()).unwrap_or_default()
    }

    /// Runs one test, on fresh maps and globals.
    pub fn run_test(&mut self, name: &str) -> Option<TestReport> {
        let start = Instant::now();
        let (span, body) = {
            let live = self.shared.live().ok()?;
            let test = live.tests.iter().find(|t| t.name == name)?;
            let body = match &test.body {
                Body::Ready(body) => Ok(body.get()),
                Body::Broken(why) => Err(why.clone()),
            };
            (test.span, body)
        };
        let body = match body {
            Ok(body) => body,
            Err(diagnostics) => {
                let (name, verdict) = (name.to_string(), Verdict::Failed);
                let (checks, runs, time) = (Vec::new(), Vec::new(), start.elapsed());
                return Some(TestReport { name, span, verdict, diagnostics, checks, runs, time });
            }
        };
        let shared = self.shared.clone();
        let result = match shared.renew() {
            Ok(()) => {
                if let Ok(mut live) = shared.live() {
                    live.running = Some(Running::default());
                    live.per_cpu_read = None;
                    live.missed = None;
                    live.beyond = None;
                }
                self.interp.call(body, &[]).map_err(|e| shared.explained(e))
            }
            Err(e) => Err(e),
        };
        // What it printed ends before what is said of it begins.
        let _ = self.interp.fresh_line();
        let running = shared.live().ok().and_then(|mut l| l.running.take()).unwrap_or_default();
        let mut diagnostics: Vec<Diagnostic> = running.failures.into_iter().map(repeated).collect();
        let verdict = match (result, running.skipped) {
            (_, Some(why)) => {
                // A test that caught the reason went on without what it needs.
                diagnostics.clear();
                Verdict::Skipped(why)
            }
            (Err(e), None) => {
                diagnostics.push(e.to_diagnostic());
                Verdict::Failed
            }
            (Ok(_), None) if !diagnostics.is_empty() => Verdict::Failed,
            (Ok(_), None) => Verdict::Passed,
        };
        if verdict == Verdict::Passed && running.checks.is_empty() && running.warnings.is_empty() {
            diagnostics.push(whistler_compiler::session::no_checks(span));
        }
        if running.no_link_header && !matches!(verdict, Verdict::Skipped(_)) {
            let d = whistler_compiler::session::no_link_header(span);
            diagnostics.push(d.help("a packet begins so: (packet (eth) (ipv4) …)"));
        }
        if !matches!(verdict, Verdict::Skipped(_)) {
            diagnostics.extend(running.warnings);
        }
        let name = name.to_string();
        Some(TestReport {
            name,
            span,
            verdict,
            diagnostics,
            checks: running.checks,
            runs: running.runs,
            time: start.elapsed(),
        })
    }

    /// Where programs run.
    pub fn mode(&self) -> Mode {
        self.shared.options.mode
    }
}

/// What differs between a test in the virtual machine and in the kernel: runs and checks one by one.
pub fn disagreements(vm: &TestReport, kernel: &TestReport) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for (i, (a, b)) in vm.runs.iter().zip(&kernel.runs).enumerate() {
        if a == b {
            continue;
        }
        let text = format!("the kernel runs `{}` differently (run {} of this test)", b.program, i + 1);
        let mut d = Diagnostic::error(DISAGREE, vm.span, text);
        if a.result != b.result {
            d = d.note(format!("the virtual machine returns {}, the kernel {}", a.result as i32, b.result as i32));
        }
        if a.packet != b.packet {
            let hex = |p: &Option<Vec<u8>>| match p {
                Some(p) => p.iter().map(|b| format!("{b:02x}")).collect(),
                None => "none".to_string(),
            };
            d = d.note(format!("packet in the virtual machine: {}", hex(&a.packet)));
            d = d.note(format!("packet in the kernel:          {}", hex(&b.packet)));
        }
        out.push(d);
    }
    if vm.runs.len() != kernel.runs.len() {
        let text = format!("{} runs in the virtual machine, {} in the kernel", vm.runs.len(), kernel.runs.len());
        out.push(Diagnostic::error(DISAGREE, vm.span, text));
    }
    for ((span, a), (_, b)) in vm.checks.iter().zip(&kernel.checks) {
        if a != b {
            let word = |holds: &bool| if *holds { "holds" } else { "does not hold" };
            let text = format!("this {} in the virtual machine and {} in the kernel", word(a), word(b));
            out.push(Diagnostic::error(DISAGREE, *span, text));
        }
    }
    out
}
