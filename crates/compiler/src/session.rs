//! A session: declarations, and the unit that is checked and compiled from them. Invariant: declaring
//! has no effect outside of the session, and checking none at all.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use whistler_btf::TypeSource;
use whistler_codegen::OptLevel;
use whistler_diag::{Diagnostic, FileId, Severity, SourceMap};
use whistler_isa::Target;
use whistler_lisp::{Form, LispError, Symbol, Value};
use whistler_object::Object;

use crate::check::{Checker, at};
use crate::decl::{self, Declared, Mode};
use crate::diagnostics as diag;
use crate::env::{DeclKind, Env};
use crate::follow::Refused;
use crate::hir::{At, Space, Ty, Unit};
use crate::host::{self, Interp};
use crate::names::norm;

/// Forms that declare something for programs.
pub const DECLARATIONS: &[&str] = &[
    "defstruct",
    "defunion",
    "defenum",
    "defmap",
    "defglobal",
    "defparam",
    "defsubprog",
    "defprog",
    "deftracepoint",
    "import-kernel-struct",
    "defheader",
];

/// Host forms that need a kernel or a loader; without one they are skipped.
const LIVE_FORMS: &[&str] = &[
    "attach",
    "detach",
    "follow",
    "watch",
    "hist",
    "links",
    "compile-to-elf",
    "load-object",
    "with-bpf-session",
    "with-bpf-object",
    "ring-poll",
    "ring-consume",
    "open-ring-consumer",
    "open-decoding-ring-consumer",
    "with-decoding-ring-consumer",
    "close-ring-consumer",
    "do-map-entries",
    "map-ref",
    "(setf map-ref)",
    "map-delete",
    "map-keys",
    "map-entries",
    "map-count",
    "map-clear",
    "global-ref",
    "(setf global-ref)",
    "disasm",
    "stats",
    "verifier-log",
    "run-prog",
    "ring-records",
    "emitted-lines",
    "context",
    "read-pcap",
    "write-pcap",
    "asdf:load-system",
    "load-system",
];

/// How deep macros may expand into declarations.
const EXPANSIONS: usize = 100;

/// What compiling yields.
#[derive(Debug)]
pub struct Compiled {
    /// The object.
    pub object: Object,
    /// Programs and subprograms with the number of their instructions.
    pub functions: Vec<(String, usize)>,
    /// Stages in order, with the time each took.
    pub times: Vec<(&'static str, Duration)>,
}

/// What the one who loads the programs may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Privilege {
    /// Addresses of the kernel may be seen (`CAP_PERFMON`).
    #[default]
    Full,
    /// They may not: the verifier refuses programs that put them where user space can read them.
    Unprivileged,
}

/// Declarations and what is needed to compile them.
pub struct Session {
    /// What is declared.
    pub env: Env,
    /// What is compiled for.
    pub target: Target,
    /// Who will load it.
    pub privilege: Privilege,
    types: Rc<dyn TypeSource>,
    /// Declarations that host code came to while it ran.
    queue: Rc<RefCell<Vec<Form>>>,
    registered: bool,
    /// Whether files are only looked at: nothing is live.
    looking: bool,
    /// What the file under check tried to declare and didn't.
    refused: Refused,
    /// What it declared and nothing in it mentions.
    unused: Vec<Diagnostic>,
}

/// Whether a name is that of a declaring form.
pub fn is_declaration_name(name: Symbol) -> bool {
    DECLARATIONS.iter().any(|d| name.is(d))
}

impl Session {
    /// A session with nothing declared.
    pub fn new(target: Target, types: Rc<dyn TypeSource>) -> Session {
        let source = types.clone();
        let env = Env {
            kernel_names: Some(Rc::new(move |n: &str| {
                source.btf().is_some_and(|b| crate::kernel::find(b, n).is_some())
            })),
            ..Env::default()
        };
        Session {
            env,
            target,
            privilege: Privilege::Full,
            types,
            queue: Rc::default(),
            registered: false,
            looking: false,
            refused: Refused::default(),
            unused: Vec::new(),
        }
    }

    /// Whether a form declares something for programs.
    pub fn is_declaration(&self, form: &Form) -> bool {
        form.head().is_some_and(|h| is_declaration_name(h) || h.is("defconstant"))
    }

    /// Makes the library and the declaring forms known to the host, so that they work inside of
    /// other host forms, too.
    pub fn register(&mut self, interp: &mut Interp) {
        if std::mem::replace(&mut self.registered, true) {
            return;
        }
        crate::library::register(&mut self.env, interp);
        for name in DECLARATIONS {
            let queue = self.queue.clone();
            interp.define_special(
                name,
                Rc::new(move |_: &mut Interp, form: &Form| {
                    queue.borrow_mut().push(form.clone());
                    Ok(form.as_list().and_then(|l| l.get(1)?.as_symbol()).map_or(Value::NIL, Value::Symbol))
                }),
            );
        }
    }

    /// Declares something. Program bodies are kept, and checked by [`Session::check`].
    pub fn declare(&mut self, interp: &mut Interp, form: &Form, mode: Mode) -> (Option<Declared>, Vec<Diagnostic>) {
        self.register(interp);
        let mut diags = Vec::new();
        let declared = self.declare_into(interp, form, mode, &mut diags);
        (declared, diags)
    }

    /// Makes the live forms known where they stand inside of others: a form that comes to one is skipped.
    fn stand_ins(&mut self, interp: &mut Interp) {
        if std::mem::replace(&mut self.looking, true) {
            return;
        }
        for name in LIVE_FORMS {
            if interp.function(Symbol::intern_static(name)).is_none() {
                interp.define_native(
                    name,
                    "&rest arguments",
                    "",
                    Rc::new(move |_, _| Err(LispError::needs_host(name))),
                );
            }
        }
    }

    fn declare_into(
        &mut self,
        interp: &mut Interp,
        form: &Form,
        mode: Mode,
        diags: &mut Vec<Diagnostic>,
    ) -> Option<Declared> {
        let head = form.head()?;
        let env = &mut self.env;
        let types = &*self.types;
        match norm(head).name() {
            "defstruct" => decl::structs::structure(env, interp, diags, form, mode),
            "defunion" => decl::structs::union(env, interp, diags, form, mode),
            "defenum" => decl::structs::enumeration(env, interp, diags, form, mode),
            "defmap" => decl::maps::map(env, interp, &self.target, diags, form, mode),
            "defglobal" | "defparam" => decl::globals::global(env, interp, diags, form, mode),
            "defsubprog" => decl::programs::subprogram(env, interp, diags, form, mode),
            "defprog" => decl::programs::program(env, interp, &self.target, diags, form, mode),
            "deftracepoint" => decl::kernel_types::tracepoint(env, types, diags, form),
            "import-kernel-struct" => decl::kernel_types::kernel_struct(env, types, diags, form),
            "defheader" => decl::header::declare(env, interp, diags, form),
            "defconstant" => {
                let name = decl::name_of(diags, form)?;
                match interp.eval(form) {
                    Ok(_) => Some(Declared { name, kind: DeclKind::Constant, summary: name.to_string() }),
                    Err(e) => {
                        diags.push(e.to_diagnostic());
                        None
                    }
                }
            }
            _ => {
                diags.push(diag::error(&diag::MALFORMED, &at(form), format!("`{head}` declares nothing")));
                None
            }
        }
    }

    /// Takes one top-level form: declares it, or evaluates it in the host.
    pub fn top_level(&mut self, interp: &mut Interp, form: &Form, mode: Mode, diags: &mut Vec<Diagnostic>) {
        self.register(interp);
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
            let declared = self.declare_into(interp, form, mode, diags);
            if self.looking {
                // In a running session the name would be that of a live thing.
                if declared.is_none() {
                    self.refused.note(form);
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
            // Only a test run has a use for it.
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
                diags.push(diag::error(&diag::TOO_DEEP, &at(form), "forms are nested too deeply here"));
                return;
            }
            for f in items.iter().skip(skip) {
                self.top_level_within(interp, f, mode, diags, depth + 1);
            }
            return;
        }
        if let Some(m) = host::user_macro(interp, head) {
            if depth >= EXPANSIONS {
                diags.push(diag::error(&diag::EXPANSION, &at(form), format!("`{head}` expands without end")));
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
            self.refused.note(form);
            diags.push(unknown_operator(interp, head, form));
            return;
        }
        self.evaluate(interp, form, mode, diags);
    }

    fn evaluate(&mut self, interp: &mut Interp, form: &Form, mode: Mode, diags: &mut Vec<Diagnostic>) {
        let head = form.head();
        let live = head.is_some_and(|h| LIVE_FORMS.iter().any(|l| h.is(l)));
        if live && (self.looking || head.is_some_and(|h| interp.function(h).is_none() && !interp.is_defined(h))) {
            skipped(form, diags);
            return;
        }
        let result = interp.eval(form).map(|_| ());
        let queued: Vec<Form> = self.queue.borrow_mut().drain(..).collect();
        for f in &queued {
            self.declare_into(interp, f, mode, diags);
        }
        if let Err(e) = result {
            if e.needs_host {
                skipped(form, diags);
            } else {
                self.refused.note(form);
                diags.push(e.to_diagnostic());
            }
        }
    }

    /// Reads a file's forms and takes them in order; programs are declared, not checked yet.
    pub fn load_source(&mut self, interp: &mut Interp, sources: &SourceMap, file: FileId) -> Vec<Diagnostic> {
        self.register(interp);
        self.stand_ins(interp);
        self.refused = Refused::default();
        let (forms, mut diags) = whistler_lisp::read(sources, file);
        if diags.iter().any(Diagnostic::is_error) {
            self.refused.unread();
        }
        for f in &forms {
            self.top_level(interp, f, Mode::File, &mut diags);
        }
        diags.retain(|d| !self.refused.explains(d));
        self.unused = crate::unused::unused(&forms);
        diags
    }

    /// Checks programs and all that they use: the named ones, or all.
    pub fn check(&mut self, interp: &mut Interp, names: Option<&[Symbol]>) -> (Unit, Vec<Diagnostic>) {
        self.register(interp);
        let programs: Vec<Symbol> = match names {
            Some(names) => names.iter().filter_map(|n| self.env.programs.spelled(*n)).collect(),
            None => self.env.order.iter().filter(|d| d.1 == DeclKind::Program).map(|d| d.0).collect(),
        };
        let maps: Vec<Symbol> = match names {
            Some(_) => Vec::new(),
            None => self.env.order.iter().filter(|d| d.1 == DeclKind::Map).map(|d| d.0).collect(),
        };
        let subprograms: Vec<Symbol> = match names {
            Some(_) => Vec::new(),
            None => self.env.order.iter().filter(|d| d.1 == DeclKind::Subprogram).map(|d| d.0).collect(),
        };
        let mut c = Checker::new(&mut self.env, interp, self.target, self.types.clone());
        for m in maps {
            // User space may want a map that no program mentions.
            c.map_id(m);
        }
        for name in programs {
            if let Some(decl) = c.env.programs.get(name).cloned() {
                c.program(&decl);
            }
        }
        for name in subprograms {
            c.uncalled(name);
        }
        if names.is_none() {
            c.contents();
        }
        if self.privilege == Privilege::Unprivileged {
            crate::check::leaks::check(&mut c);
        }
        let mut unit = std::mem::take(&mut c.unit);
        c.kernel.finish(&mut unit.btf);
        let mut diags = std::mem::take(&mut c.diags);
        diags.retain(|d| !self.refused.explains(d));
        (unit, diags)
    }

    /// Checks and compiles.
    pub fn compile(
        &mut self,
        interp: &mut Interp,
        sources: &SourceMap,
        names: Option<&[Symbol]>,
        opt: OptLevel,
    ) -> (Option<Compiled>, Vec<Diagnostic>) {
        let start = Instant::now();
        let (unit, mut diags) = self.check(interp, names);
        let mut times = vec![("checking", start.elapsed())];
        if diags.iter().any(Diagnostic::is_error) {
            return (None, diags);
        }
        match crate::assemble::assemble_with_times(&unit, sources, &self.target, opt, &mut times) {
            Ok(object) => {
                let functions = object
                    .programs
                    .iter()
                    .map(|p| &p.function)
                    .chain(&object.subprograms)
                    .map(|f| (f.name.clone(), f.insns.len()))
                    .collect();
                (Some(Compiled { object, functions, times }), diags)
            }
            Err(more) => {
                diags.extend(more);
                (None, diags)
            }
        }
    }

    /// Loads a file's forms, then checks and compiles all programs. Everything wrong is reported in one run.
    pub fn compile_source(
        &mut self,
        interp: &mut Interp,
        sources: &SourceMap,
        file: FileId,
        opt: OptLevel,
    ) -> (Option<Compiled>, Vec<Diagnostic>) {
        let start = Instant::now();
        let mut diags = self.load_source(interp, sources, file);
        let reading = start.elapsed();
        let failed = diags.iter().any(Diagnostic::is_error);
        let (mut compiled, more) =
            if failed { (None, self.check(interp, None).1) } else { self.compile(interp, sources, None, opt) };
        for d in more {
            if !diags.contains(&d) {
                diags.push(d);
            }
        }
        if !diags.iter().any(Diagnostic::is_error) {
            // With errors, what would use them may be what is wrong.
            diags.append(&mut self.unused);
        }
        sort(&mut diags);
        if let Some(compiled) = &mut compiled {
            compiled.times.insert(0, ("reading", reading));
        }
        (compiled, diags)
    }

    /// The programs and subprograms that mention a name (a map, struct, constant, macro, subprogram),
    /// as of their last check.
    pub fn dependants(&self, name: Symbol) -> Vec<Symbol> {
        let key = norm(name);
        let mut found: Vec<Symbol> = self
            .env
            .uses
            .iter()
            .filter(|(_, uses)| uses.iter().any(|u| *u == name || norm(*u) == key))
            .map(|(n, _)| *n)
            .collect();
        found.sort();
        found
    }

    /// The kernel's types.
    pub fn types(&self) -> &Rc<dyn TypeSource> {
        &self.types
    }
}

/// In the order of the text, errors and warnings alike.
fn sort(diags: &mut [Diagnostic]) {
    diags.sort_by_key(|d| (d.severity == Severity::Note, d.primary.span.file, d.primary.span.lo));
}

/// An operator outside of programs that doesn't exist.
fn unknown_operator(interp: &Interp, head: Symbol, form: &Form) -> Diagnostic {
    let place = form.as_list().and_then(|l| l.first()).map_or(form.span, |h| h.span);
    let mut d = interp.undefined_function(head).at(place).to_diagnostic();
    let key = norm(head);
    if crate::forms::lookup(key).is_some() || whistler_isa::helpers::by_name(key.name()).is_some() {
        d.help = vec![format!("`{head}` is for programs: it stands in the body of a defprog or defsubprog")];
    }
    for e in form.origin.iter().flat_map(|e| e.chain()) {
        d = d.expanded_from(e.call_span, format!("in this expansion of `{}`", e.macro_name));
    }
    d
}

fn skipped(form: &Form, diags: &mut Vec<Diagnostic>) {
    let head = form.head().map_or_else(String::new, |h| h.to_string());
    let mut d =
        diag::error(&diag::SKIPPED, &at(form), format!("`{head}` needs a running session; it is left out here"));
    d.severity = Severity::Note;
    diags.push(d);
}

impl Checker<'_> {
    /// Checks that the programs that lie in program arrays from the start are there, and of one type for each.
    fn contents(&mut self) {
        let arrays: Vec<_> =
            self.unit.maps.iter().filter(|m| m.map_type == whistler_isa::MapType::ProgArray).cloned().collect();
        for map in arrays {
            let here = At { span: map.span, origin: None };
            let mut first: Option<(Symbol, whistler_isa::ProgType)> = None;
            for (_, name) in &map.contents {
                let name = Symbol::intern(name);
                let Some(decl) = self.env.programs.get(name).cloned() else {
                    let mut d = diag::error(
                        &diag::UNKNOWN_NAME,
                        &here,
                        format!("there is no program `{name}` to put into `{}`", map.name),
                    );
                    if let Some(near) = crate::names::nearest(name.name(), self.env.programs.names().map(Symbol::name))
                    {
                        d = d.help(format!("did you mean `{near}`?"));
                    }
                    self.report(d);
                    continue;
                };
                match first {
                    Some((other, ty)) if ty != decl.prog_type => {
                        let text = format!(
                            "the programs in `{}` are of one type, and `{other}` is :{}, `{name}` :{}",
                            map.name,
                            ty.keyword(),
                            decl.prog_type.keyword()
                        );
                        self.report(diag::error(&diag::MAP_RULE, &here, text).also(decl.form.span, "declared here"));
                    }
                    Some(_) => {}
                    None => first = Some((name, decl.prog_type)),
                }
            }
        }
    }

    /// Checks a subprogram that no program calls, for its mistakes alone.
    fn uncalled(&mut self, name: Symbol) {
        if self.was_instanced(name) {
            return;
        }
        let Some(decl) = self.env.subprograms.get(name).cloned() else { return };
        let types = decl
            .params
            .iter()
            .map(|p| match &p.ty {
                t if decl.global && crate::forms::calls::global_parameter(t).is_some() => {
                    crate::forms::calls::global_parameter(t).unwrap_or(Ty::U64)
                }
                Ty::Ptr(t) => Ty::ptr(Space::Mem, t.pointee.as_deref().cloned()),
                Ty::Struct(_) | Ty::Array(..) => Ty::ptr(Space::Mem, Some(p.ty.clone())),
                Ty::Kernel(_) => Ty::ptr(Space::Kernel, Some(p.ty.clone())),
                t => t.clone(),
            })
            .collect();
        let before = self.unit.functions.len();
        self.f = Default::default();
        self.caller_unknown = true;
        self.instance(name, &decl, types, &[], &at(&decl.form));
        self.caller_unknown = false;
        self.forget_functions(before);
    }
}
