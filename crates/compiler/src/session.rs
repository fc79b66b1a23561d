//! A session: declarations, and the unit that is checked and compiled from them. Invariant: declaring
//! has no effect outside of the session, and checking none at all.

mod bpf;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use whistler_btf::TypeSource;
use whistler_codegen::OptLevel;
use whistler_diag::{Diagnostic, FileId, Severity, SourceMap};
use whistler_isa::Target;
use whistler_lisp::{Form, LispError, Symbol, Value};
use whistler_object::Object;

use crate::check::{Checker, EXPANSION_COUNT, at};
use crate::decl::{self, Declared, Mode};
use crate::diagnostics as diag;
use crate::env::{DeclKind, Env};
use crate::follow::Refused;
use crate::hir::{At, Exports, Space, Ty, Unit};
use crate::host::{self, Interp};
use crate::names::norm;

pub use bpf::BpfSession;

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
    "import-kernel-enum",
    "defheader",
];

/// Host functions that need a kernel or a loader; without one a form that comes to them is skipped.
pub const LIVE_FORMS: &[&str] = &[
    "attach",
    "attach-cgroup",
    "attach-fentry",
    "attach-kprobe",
    "attach-kprobe-multi",
    "attach-lsm",
    "attach-obj-cgroup",
    "attach-obj-fentry",
    "attach-obj-kprobe",
    "attach-obj-kprobe-multi",
    "attach-obj-lsm",
    "attach-obj-sk-lookup",
    "attach-obj-tc",
    "attach-obj-tracepoint",
    "attach-obj-uprobe",
    "attach-obj-xdp",
    "attach-sk-lookup",
    "attach-tc",
    "attach-tracepoint",
    "attach-uprobe",
    "attach-xdp",
    "bpf-error-errno",
    "bpf-object-map",
    "bpf-object-prog",
    "bpf-session-map",
    "bpf-session-maps",
    "bpf-session-prog",
    "bpf-session-progs",
    "bpf-verifier-error-log",
    "bpf-verifier-error-program",
    "close-bpf-object",
    "close-ring-consumer",
    "decode-int-value",
    "deftest",
    "detach",
    "disasm",
    "encode-int-key",
    "follow",
    "follow-emitted",
    "global-ref",
    "(setf global-ref)",
    "hist",
    "leftovers",
    "links",
    "load-bpf-object",
    "load-object",
    "map-clear",
    "map-count",
    "map-delete",
    "map-delete-int",
    "map-delete-struct",
    "map-entries",
    "map-get-next-key",
    "map-get-next-key-int",
    "map-get-next-key-struct",
    "map-info-fd",
    "map-info-key-size",
    "map-info-max-entries",
    "map-info-name",
    "map-info-type",
    "map-info-value-size",
    "map-keys",
    "map-lookup",
    "map-lookup-int",
    "map-lookup-struct",
    "map-lookup-struct-int",
    "map-ref",
    "(setf map-ref)",
    "map-update",
    "map-update-int",
    "map-update-struct",
    "map-update-struct-int",
    "open-bpf-object",
    "open-decoding-ring-consumer",
    "open-ring-consumer",
    "prog-info-fd",
    "prog-info-name",
    "remove-leftover",
    "read-iterator",
    "ring-consume",
    "ring-poll",
    "run-prog",
    "sap-ref-16",
    "sap-ref-32",
    "sap-ref-64",
    "sap-ref-8",
    "stats",
    "verifier-log",
    "ring-records",
    "emitted-lines",
    "context",
    "kernel-object",
    "read-pcap",
    "write-pcap",
    "watch",
];

/// The same that are macros: what stands in them is no call.
pub const LIVE_MACROS: &[&str] =
    &["do-map-entries", "with-bpf-object", "with-bpf-session", "with-decoding-ring-consumer"];

/// The form whose programs are checked even where nothing is live.
const SESSION_FORM: &str = "with-bpf-session";

/// How much is checked at once.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// All that there will be: what is not there is missing.
    Whole,
    /// Some of it.
    Part,
}

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
    /// The kernel's types, and the structs of other kernels that were declared.
    types: Rc<dyn TypeSource>,
    source: Rc<dyn TypeSource>,
    /// Declarations that host code came to while it ran.
    queue: Rc<RefCell<Vec<Form>>>,
    registered: bool,
    /// Whether files are only looked at: nothing is live.
    looking: bool,
    /// What the file under check tried to declare and didn't.
    refused: Refused,
    /// What it declared and nothing in it mentions.
    unused: Vec<Diagnostic>,
    elf: Rc<RefCell<Option<String>>>,
    /// What the host's `sizeof` and `offsetof` know.
    host_types: Rc<RefCell<Env>>,
    /// Names of `defconstant` forms, in order.
    constants: Vec<Symbol>,
    /// Macro calls expanded of the top-level form under way.
    expansions: usize,
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
            source: types.clone(),
            types,
            queue: Rc::default(),
            registered: false,
            looking: false,
            refused: Refused::default(),
            unused: Vec::new(),
            elf: Rc::default(),
            host_types: Rc::default(),
            constants: Vec::new(),
            expansions: 0,
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
        host_sizes(interp, &self.host_types);
        kernel_constants(interp);
        interp.set_instead(Rc::new(host::instead));
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
        let elf = self.elf.clone();
        let note = move |interp: &mut Interp, args: &[Value]| match args {
            [path] if interp.heap.str(*path).is_some() => {
                *elf.borrow_mut() = interp.heap.str(*path).map(str::to_string);
                Ok(*path)
            }
            _ => Err(LispError::simple("`compile-to-elf` takes the name of a file, as a string")),
        };
        interp.define_native("compile-to-elf", "path", "", Rc::new(note));
        interp.define_native("is", "holds &optional text", "", Rc::new(|_, _| Err(LispError::needs_host("is"))));
        interp.watch_calls();
        for name in LIVE_MACROS.iter().copied() {
            let queue = self.queue.clone();
            let stop = format!("%no-{name}");
            let call = Symbol::intern(&stop);
            interp.define_native(&stop, "", "", Rc::new(move |_, _| Err(LispError::needs_host(name))));
            interp.define_host_macro(
                name,
                Rc::new(move |_, form| {
                    // Checked when the form it stands in is done.
                    if name == SESSION_FORM {
                        queue.borrow_mut().push(form.clone());
                    }
                    Ok(Form::list(vec![Form::symbol(call, form.span)], form.span))
                }),
            );
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

    /// The functions that a running session has for a struct.
    fn record_stand_ins(&self, interp: &mut Interp, name: Symbol) {
        let Some(def) = self.env.structs.get(name) else { return };
        let mut names = vec![
            format!("make-{name}-record"),
            format!("{name}-record-p"),
            format!("encode-{name}"),
            format!("decode-{name}"),
        ];
        names.extend(def.fields.iter().map(|f| format!("{name}-record-{}", f.name)));
        for function in names {
            let what = function.clone();
            let stop = move |_: &mut Interp, _: &[Value]| Err(LispError::needs_host(&what));
            interp.define_native(&function, "&rest arguments", "", Rc::new(stop));
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
        let declared = match norm(head).name() {
            "defstruct" => decl::structs::structure(env, interp, diags, form, mode),
            "defunion" => decl::structs::union(env, interp, diags, form, mode),
            "defenum" => decl::structs::enumeration(env, interp, diags, form, mode),
            "defmap" => decl::maps::map(env, interp, &self.target, diags, form, mode),
            "defglobal" | "defparam" => decl::globals::global(env, interp, diags, form, mode),
            "defsubprog" => decl::programs::subprogram(env, interp, diags, form, mode),
            "defprog" => decl::programs::program(env, interp, &self.target, diags, form, mode),
            "deftracepoint" => decl::kernel_types::tracepoint(env, types, diags, form),
            "import-kernel-struct" => {
                let declared = decl::kernel_types::kernel_struct(env, interp, types, diags, form);
                self.types = crate::flavours::with_flavours(&self.source, &self.env.flavours, &self.env.kernel_modules);
                declared
            }
            "import-kernel-enum" => decl::kernel_types::kernel_enum(env, types, diags, form),
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
        };
        if let Some(d) = &declared {
            decl::takes_kernel_name(&self.env, diags, d.name, d.kind, form);
            match d.kind {
                DeclKind::Struct | DeclKind::Union | DeclKind::Enum => {
                    let mut known = self.host_types.borrow_mut();
                    known.structs.clone_from(&self.env.structs);
                    known.enums.clone_from(&self.env.enums);
                    // Host code names members as programs do.
                    for (member, value) in self.env.enums.get(d.name).iter().flat_map(|e| &e.members) {
                        let member = member.trim_start_matches(':');
                        interp.define_constant(&format!("+{}-{member}+", d.name), Value::Int(*value));
                    }
                }
                DeclKind::Constant => self.constants.push(d.name),
                _ => {}
            }
        }
        declared
    }

    /// What a whole file declares for user space.
    fn exports(&mut self, interp: &mut Interp) -> Exports {
        let mut out = Exports::default();
        for (name, kind, _) in &self.env.order {
            match kind {
                DeclKind::Struct | DeclKind::Union => out.structs.extend(self.env.structs.get(*name).cloned()),
                DeclKind::Enum => out.enums.extend(self.env.enums.get(*name).cloned()),
                _ => {}
            }
        }
        for name in &self.constants {
            let plain = name.name().trim_matches('+').to_string();
            let known = out.constants.iter().any(|(n, _)| *n == plain);
            if let (false, Some(value)) = (known, host::constant(interp, *name)) {
                out.constants.push((plain, value));
            }
        }
        out
    }

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
            look_at_test(interp, form, diags);
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
        let extent = if names.is_some() { Extent::Part } else { Extent::Whole };
        self.check_all(interp, extent, programs, maps, subprograms)
    }

    fn check_all(
        &mut self,
        interp: &mut Interp,
        extent: Extent,
        programs: Vec<Symbol>,
        maps: Vec<Symbol>,
        subprograms: Vec<Symbol>,
    ) -> (Unit, Vec<Diagnostic>) {
        let mut c = Checker::new(&mut self.env, interp, self.target, self.types.clone());
        for m in maps {
            // User space may want a map that no program mentions.
            c.map_id(m);
        }
        for name in programs {
            if let Some(decl) = c.env.programs.get(name).cloned() {
                c.attach_target(&decl);
                c.program(&decl);
            }
        }
        for name in subprograms {
            c.uncalled(name);
        }
        if extent == Extent::Whole {
            c.contents();
        }
        if self.privilege == Privilege::Unprivileged {
            crate::check::leaks::check(&mut c);
        }
        let mut unit = std::mem::take(&mut c.unit);
        c.kernel.finish(&mut unit);
        let mut diags = std::mem::take(&mut c.diags);
        diags.retain(|d| !self.refused.explains(d));
        crate::check::once_per_name(&mut diags);
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
        let (mut unit, mut diags) = self.check(interp, names);
        if diags.iter().any(Diagnostic::is_error) {
            return (None, diags);
        }
        // A single program of a session is not made anew because of a type it does not use.
        if names.is_none() {
            unit.exports = self.exports(interp);
        }
        let (compiled, more) = self.assemble(&unit, sources, opt, vec![("checking", start.elapsed())]);
        diags.extend(more);
        (compiled, diags)
    }

    fn assemble(
        &self,
        unit: &Unit,
        sources: &SourceMap,
        opt: OptLevel,
        mut times: Vec<(&'static str, Duration)>,
    ) -> (Option<Compiled>, Vec<Diagnostic>) {
        match crate::assemble::assemble_with_times(unit, sources, &self.target, opt, &mut times) {
            Ok(object) => {
                let functions = object
                    .programs
                    .iter()
                    .map(|p| &p.function)
                    .chain(&object.subprograms)
                    .map(|f| (f.name.clone(), f.insns.len()))
                    .collect();
                (Some(Compiled { object, functions, times }), Vec::new())
            }
            Err(diags) => (None, diags),
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
        let failed = !self.refused.is_empty() || diags.iter().any(Diagnostic::is_error);
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

    /// The file that the text last read wants its object in: `(compile-to-elf "x.bpf.o")`.
    pub fn wanted_elf(&self) -> Option<String> {
        self.elf.borrow().clone()
    }

    /// The kernel's types.
    pub fn types(&self) -> &Rc<dyn TypeSource> {
        &self.types
    }
}

/// What programs return and what helpers take, for host code by the kernel's own names.
fn kernel_constants(interp: &mut Interp) {
    const NAMES: &[&str] = &["XDP_", "TC_ACT_", "SK_", "BPF_ANY", "BPF_NOEXIST", "BPF_EXIST", "BPF_F_"];
    for (name, number) in whistler_isa::constants::CONSTANTS {
        if NAMES.iter().any(|n| name.starts_with(n)) {
            interp.define_constant(name, Value::Int(*number));
        }
    }
}

/// `(sizeof TYPE)` and `(offsetof STRUCT field)` in the host.
fn host_sizes(interp: &mut Interp, known: &Rc<RefCell<Env>>) {
    let types = known.clone();
    interp.define_special(
        "sizeof",
        Rc::new(move |interp: &mut Interp, form: &Form| match form.as_list() {
            Some([_, ty]) => {
                let mut env = types.borrow().clone();
                let ty = crate::types::parse(&mut env, interp, ty).map_err(|d| LispError::from_diagnostic(*d))?;
                Ok(Value::Int(i64::from(ty.size())))
            }
            _ => Err(LispError::malformed(form.span, "it is written (sizeof TYPE)")),
        }),
    );
    let types = known.clone();
    interp.define_special(
        "offsetof",
        Rc::new(move |interp: &mut Interp, form: &Form| {
            let [_, of, field] = form.as_list().unwrap_or(&[]) else {
                return Err(LispError::malformed(form.span, "it is written (offsetof STRUCT field)"));
            };
            let mut env = types.borrow().clone();
            let ty = crate::types::parse(&mut env, interp, of).map_err(|d| LispError::from_diagnostic(*d))?;
            let Ty::Struct(def) = &ty else {
                return Err(LispError::malformed(of.span, format!("`{of}` is no struct")));
            };
            match field.as_symbol().and_then(|f| def.field(f.name())) {
                Some(f) => Ok(Value::Int(i64::from(f.offset))),
                None => Err(LispError::malformed(field.span, format!("`{of}` has no field `{field}`"))),
            }
        }),
    );
}

/// In the order of the text, errors and warnings alike.
fn sort(diags: &mut [Diagnostic]) {
    diags.sort_by_key(|d| (d.severity == Severity::Note, d.primary.span.file, d.primary.span.lo));
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

/// Only a test run runs tests; whether one is well written shows without.
fn look_at_test(interp: &mut Interp, form: &Form, diags: &mut Vec<Diagnostic>) {
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

/// Functions that host code calls and nothing defines.
fn unknown_calls(interp: &mut Interp, env: &Env) -> Vec<Diagnostic> {
    // A running session reads what was decoded as a struct by the names that programs use.
    let reader =
        |e: &LispError| e.about.is_some_and(|s| s.name().starts_with("(setf ") || env.accessors.contains_key(&norm(s)));
    let mut errors = interp.unknown_calls();
    errors.retain(|e| !reader(e));
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
