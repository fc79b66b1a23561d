//! The image as its drivers see it: texts in, one [`Step`] per form out.

use std::cell::{Ref, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use whistler_compiler::Session;
use whistler_compiler::session::TestNames;
use whistler_diag::{Diagnostic, SourceMap};
use whistler_isa::Target;
use whistler_kernel::Kernel;
use whistler_lisp::{Form, HostIo, Interp, LispError, Symbol, Value};

use crate::forms;
use crate::live::{Live, Shared};
use crate::order::Order;
use crate::tests::named_test;

/// Where programs run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// In the running kernel.
    Kernel,
    /// In the virtual machine, on recorded events.
    Vm,
}

/// What an image is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Purpose {
    /// Work with the machine: attach, follow, wait.
    #[default]
    Live,
    /// The tests of a file: its forms that act outside of it are passed over.
    Tests,
}

/// How an image is set up.
pub struct Options {
    /// Where programs run.
    pub mode: Mode,
    /// What it is for.
    pub purpose: Purpose,
    /// Whose types and tracepoints programs see.
    pub kernel: Rc<Kernel>,
    /// What programs are compiled for; `None`: what runs them.
    pub target: Option<Target>,
    /// Where the texts are kept that spans point into.
    pub sources: Rc<RefCell<SourceMap>>,
    /// Set from outside (Ctrl-C) to end what is running.
    pub interrupt: Arc<AtomicBool>,
    /// Whether attached programs may be exchanged later: links that the kernel can't update then go
    /// through a stub, at the price of a tail call per event.
    pub exchangeable: bool,
    /// Following ends after so many records.
    pub follow_count: Option<u64>,
    /// Following ends after that time.
    pub follow_time: Option<Duration>,
    /// Recorded events (file name and text) for the virtual machine.
    pub recorded: Option<(String, String)>,
    /// What is shown of the verifier's log when the kernel refuses a program.
    pub refusal: Refusal,
}

/// What is shown of the verifier's log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Refusal {
    /// The complaint at its source line, with what was known of the variables there.
    #[default]
    AtTheSource,
    /// The whole log as well.
    WholeLog,
}

/// What one form came to.
#[derive(Debug, Default)]
pub struct Step {
    /// The value (or, for a declaration, what became of it) as text.
    pub value: Option<String>,
    /// Errors and warnings.
    pub diagnostics: Vec<Diagnostic>,
    /// Whether it ended in an error. Nothing after it in the same text is evaluated.
    pub failed: bool,
}

/// How far the evaluation of a text came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reached {
    /// To its end.
    End,
    /// To a form that failed; the text has so many tests.
    Stopped {
        /// The tests.
        tests: usize,
    },
}

/// A live session.
pub struct Image {
    pub(crate) interp: Interp,
    pub(crate) shared: Rc<Shared>,
}

impl Image {
    /// An empty image whose Lisp talks to `io`.
    pub fn new(options: Options, io: Box<dyn HostIo>) -> Image {
        let mut interp = Interp::new(io);
        interp.set_interrupt_flag(options.interrupt.clone());
        interp.set_outer_constants(Rc::new(|name| whistler_isa::constants::of(name, whistler_isa::Arch::HERE)));
        // What runs here is compiled for here.
        let target = match (options.target, options.mode, options.kernel.version()) {
            (Some(target), ..) => target,
            (None, Mode::Kernel, Some(version)) => Target::for_kernel(version),
            (None, ..) => Target::default(),
        };
        let mut session = Session::new(target, options.kernel.clone());
        // The session's own way with declarations is replaced by ours, which makes them live.
        session.register(&mut interp);
        let shared = Rc::new(Shared { session: RefCell::new(session), live: RefCell::new(Live::default()), options });
        forms::install(&mut interp, &shared);
        Image { interp, shared }
    }

    /// The texts read so far.
    pub fn sources(&self) -> Ref<'_, SourceMap> {
        self.shared.options.sources.borrow()
    }

    /// One line on where programs run and what is allowed.
    pub fn summary(&self) -> String {
        let kernel = &self.shared.options.kernel;
        if self.shared.options.mode == Mode::Vm {
            return "virtual machine".to_string();
        }
        let btf = if kernel.shared_btf().is_some() { "yes" } else { "no" };
        let caps = match crate::missing::held(kernel) {
            held if held.is_empty() => "none".to_string(),
            held => held.join(" "),
        };
        format!("kernel {} · BTF {btf} · caps: {caps}", kernel.release())
    }

    /// What earlier processes left attached, and how to remove it; `None` when there is nothing.
    pub fn leftovers(&self) -> Option<String> {
        if self.shared.options.mode == Mode::Vm {
            return None;
        }
        // Where the network can't be asked there is nothing to offer either.
        let found = whistler_loader::find_leftovers().ok().filter(|f| !f.is_empty())?;
        let lines = forms::leftovers::lines(&found).join("\n  ");
        self.shared.live().ok()?.leftovers = found;
        Some(format!(
            "killed sessions left traffic filters attached:\n  {lines}\n(remove-leftover 1) removes the first, (remove-leftover t) all"
        ))
    }

    /// How many bytes of the Rust stack evaluation may use; for threads with a large one.
    pub fn set_stack_budget(&mut self, bytes: usize) {
        self.interp.set_stack_budget(bytes);
    }

    /// Evaluates the forms of a text one after the other, up to the first that fails; a program that needs what is
    /// declared below it waits for that. `each` gets every form's step as soon as it is done. Where tests are run, a
    /// test that is wrong is kept as one that fails, and the forms behind it are evaluated.
    pub fn eval(&mut self, name: &str, text: &str, each: &mut dyn FnMut(Step)) -> Reached {
        let file = self.shared.options.sources.borrow_mut().add(name, text);
        let (forms, diagnostics) = whistler_lisp::read(&self.shared.options.sources.borrow(), file);
        let stopped = || Reached::Stopped { tests: forms.iter().filter(|f| named_test(f).is_some()).count() };
        if diagnostics.iter().any(Diagnostic::is_error) {
            each(Step { diagnostics, failed: true, ..Step::default() });
            return stopped();
        }
        let of_tests = self.shared.options.purpose == Purpose::Tests;
        let mut names = TestNames::default();
        let order = Order::new(&forms);
        for i in order.indices() {
            let test = named_test(&forms[i]).filter(|_| of_tests);
            if let Some(d) = test.and_then(|(name, span)| names.note(name, span)) {
                each(Step { diagnostics: vec![d], failed: true, ..Step::default() });
                continue;
            }
            let mut step = self.eval_form(&forms[i]);
            if step.failed
                && let Some(d) = step.diagnostics.first_mut()
            {
                order.point_below(i, d);
            }
            if let (true, Some(test)) = (step.failed, test)
                && self.shared.add_broken_test(test, step.diagnostics.clone()).is_ok()
            {
                continue;
            }
            let failed = step.failed;
            each(step);
            if failed {
                return stopped();
            }
        }
        Reached::End
    }

    /// What a script should be told that defines programs and does nothing with them.
    pub fn idle(&self) -> Option<String> {
        let live = self.shared.live().ok()?;
        if live.used || live.last_link > 0 || live.last_unit > 0 {
            return None;
        }
        let mut names: Vec<String> =
            live.programs.keys().map(|n| self.shared.spelled(n).ok().flatten().unwrap_or_else(|| n.clone())).collect();
        names.sort();
        let first = names.first()?;
        let tests = match live.tests.is_empty() {
            true => "",
            false => "; `whistler test` runs the tests",
        };
        let iterator = live.programs.get(first).is_some_and(|p| {
            p.compiled.object.programs.iter().any(|p| p.section.trim_start_matches('?').starts_with("iter"))
        });
        Some(match iterator {
            true => format!("nothing was read: (princ (read-iterator {first})){tests}"),
            false => format!("nothing was attached: (attach {first}){tests}"),
        })
    }

    fn eval_form(&mut self, form: &Form) -> Step {
        self.shared.options.interrupt.store(false, Ordering::Relaxed);
        if let Ok(mut live) = self.shared.live() {
            live.missed = None;
            live.beyond = None;
        }
        let result = self.interp.eval(form).map_err(|e| self.shared.explained(e));
        // What it printed ends before what is said of it begins.
        if self.shared.options.purpose == Purpose::Tests || self.shared.options.exchangeable {
            let _ = self.interp.fresh_line();
        }
        // Macros, constants and functions of the host are used by programs, too.
        let names = self.interp.take_redefined();
        let shared = self.shared.clone();
        let live = shared.live().is_ok_and(|l| !l.programs.is_empty() || !l.declarations.is_empty());
        let changed = if live { shared.changed_by_host(&mut self.interp, names) } else { Ok(()) };
        let printed = shared.print_emitted(&mut self.interp, Duration::ZERO).map(|_| ());
        let result = result.and_then(|v| changed.and(printed).map(|()| v));
        if let (true, Ok(value)) = (shared.options.exchangeable, &result) {
            self.remember(form, *value);
        }
        self.step(result)
    }

    /// What Common Lisp's prompt keeps: `*` is the last value, `**` and `***` those before it. And numbers that mean
    /// nothing by themselves get words.
    fn remember(&mut self, form: &Form, value: Value) {
        for (older, newer) in [("***", "**"), ("**", "*")] {
            let kept = self.interp.constant(Symbol::intern(newer)).unwrap_or(Value::NIL);
            self.interp.define_variable(older, kept);
        }
        self.interp.define_variable("*", value);
        // They are no definitions of the user's, which programs could be made from.
        self.interp.take_redefined();
        let numbers: Option<Vec<i128>> = match form.is_call("stats") {
            true => self
                .interp
                .heap
                .list_items(value)
                .map(|l| l.iter().filter_map(|v| self.interp.heap.as_i128(*v)).collect()),
            false => None,
        };
        if let (Some([instructions, runs, ns]), Ok(mut live)) = (numbers.as_deref(), self.shared.live()) {
            let counted = if *runs == 0 { " (counted while sysctl kernel.bpf_stats_enabled is 1)" } else { "" };
            live.said = Some(format!(
                "({instructions} {runs} {ns}) · {instructions} instructions, {runs} runs in {ns} ns{counted}"
            ));
        }
    }

    /// Prints what attached programs emit, until Ctrl-C or the limits that following has. Nothing happens when no
    /// attached program emits, or something was followed already.
    pub fn follow_emitted(&mut self) -> Step {
        let shared = self.shared.clone();
        let emits = shared.live().is_ok_and(|l| l.emits.known() && !l.links.is_empty() && !l.emits.watched);
        if !emits {
            return Step::default();
        }
        let (count, time) = (shared.options.follow_count, shared.options.follow_time);
        let result = shared.follow_emitted(&mut self.interp, count, time).map(|_| Value::NIL);
        self.step(result)
    }

    fn step(&mut self, result: Result<Value, LispError>) -> Step {
        let (mut diagnostics, said) = self.shared.take_reports();
        match result {
            Ok(value) => {
                let value = match said {
                    Some(text) => Some(text),
                    None => Some(self.interp.prin1(value).unwrap_or_else(|_| self.interp.show(value))),
                };
                Step { value, diagnostics, failed: false }
            }
            Err(e) => {
                diagnostics.insert(0, e.to_diagnostic());
                Step { value: said, diagnostics, failed: true }
            }
        }
    }

    /// Tells host code the arguments, as `*posix-argv*`: the program's name first.
    pub fn set_arguments(&mut self, args: &[String]) {
        let values: Vec<Value> = args.iter().map(|a| self.interp.heap.string(a.as_str())).collect();
        let list = self.interp.heap.list(&values);
        self.interp.define_variable("*posix-argv*", list);
    }

    /// Whether a name is that of a function, macro or variable.
    pub fn knows(&mut self, name: &str) -> bool {
        let name = Symbol::intern(name);
        self.interp.is_defined(name) || self.interp.function(name).is_some() || self.interp.constant(name).is_some()
    }

    /// Whether the function `main` is defined.
    pub fn has_main(&mut self) -> bool {
        self.interp.function(Symbol::intern("main")).is_some()
    }

    /// Calls the function `main` with strings, if there is one.
    pub fn call_main(&mut self, args: &[String]) -> Step {
        let Some(main) = self.interp.function(Symbol::intern("main")) else {
            if args.is_empty() {
                return Step::default();
            }
            let e = LispError::simple("arguments were given, but the file defines no function `main` to take them");
            return self.step(Err(e));
        };
        if let Ok(mut live) = self.shared.live() {
            live.emits.watched = false;
        }
        let values: Vec<Value> = args.iter().map(|a| self.interp.heap.string(a.as_str())).collect();
        let result = self.interp.call(main, &values).map_err(|e| self.shared.explained(e));
        // What was emitted meanwhile, unless `main` followed it itself. When it ends, so does the script.
        let shared = self.shared.clone();
        let watched = shared.live().is_ok_and(|mut l| std::mem::replace(&mut l.emits.watched, true));
        let printed = match watched {
            true => Ok(()),
            false => shared.print_emitted(&mut self.interp, Duration::ZERO).map(|_| ()),
        };
        self.step(result.and_then(|v| printed.map(|()| v)))
    }

    /// The names that begin with `prefix`, for completion.
    pub fn complete(&self, prefix: &str) -> Vec<String> {
        let folded = prefix.to_lowercase();
        let mut names: Vec<String> = self
            .interp
            .all_names()
            .into_iter()
            .map(|s| s.name().to_string())
            .chain(self.shared.declared_names())
            .chain(whistler_compiler::forms::names().map(str::to_string))
            .chain(whistler_isa::helpers::HELPERS.iter().map(|h| whistler_compiler::names::norm_str(h.name)))
            .filter(|n| n.to_lowercase().starts_with(&folded))
            .collect();
        names.sort();
        names.dedup();
        names
    }
}
