//! A session: declarations, and the unit that is checked and compiled from them. Invariant: declaring
//! has no effect outside of the session, and checking none at all.

mod bpf;
mod deftest;
mod host;
mod live;
mod top_level;
mod usage;
mod whole;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use whistler_btf::TypeSource;
use whistler_codegen::OptLevel;
use whistler_diag::{Diagnostic, FileId, Severity, SourceMap};
use whistler_isa::Target;
use whistler_lisp::{Form, Symbol, Value};
use whistler_object::Object;

use crate::check::{Checker, at};
use crate::decl::{self, Declared, Mode};
use crate::diagnostics as diag;
use crate::env::{DeclKind, Env};
use crate::follow::Refused;
use crate::hir::{Exports, Unit};
use crate::host::Interp;
use crate::names::norm;

pub use bpf::BpfSession;
pub use deftest::{TestNames, check_form, dropped_check, dropped_checks, no_checks, no_link_header, no_text};
pub use live::{LIVE_FORMS, LIVE_MACROS};
pub use usage::DECLARATION_USES;

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
    "defstruct-ops",
    "deftracepoint",
    "import-kernel-struct",
    "import-kernel-enum",
    "defheader",
];

/// How much is checked at once.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// All that there will be: what is not there is missing.
    Whole,
    /// Some of it.
    Part,
}

/// What is checked, by name.
#[derive(Default)]
struct Wanted {
    programs: Vec<Symbol>,
    maps: Vec<Symbol>,
    subprograms: Vec<Symbol>,
    ops: Vec<Symbol>,
}

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
    /// The tests of the file under check.
    tests: TestNames,
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
            tests: TestNames::default(),
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
        host::host_sizes(interp, &self.host_types);
        host::kernel_constants(interp);
        interp.set_instead(Rc::new(crate::host::instead));
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
            "defstruct-ops" => decl::struct_ops::declare(env, interp, (&self.target, types), diags, form, mode),
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
            if let (false, Some(value)) = (known, crate::host::constant(interp, *name)) {
                out.constants.push((plain, value));
            }
        }
        out
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
        let ops: Vec<Symbol> = match names {
            Some(names) => names.iter().filter_map(|n| self.env.struct_ops.spelled(*n)).collect(),
            None => self.env.order.iter().filter(|d| d.1 == DeclKind::StructOps).map(|d| d.0).collect(),
        };
        let extent = if names.is_some() { Extent::Part } else { Extent::Whole };
        self.check_all(interp, extent, Wanted { programs, maps, subprograms, ops })
    }

    fn check_all(
        &mut self,
        interp: &mut Interp,
        extent: Extent,
        Wanted { programs, maps, subprograms, ops }: Wanted,
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
        for name in ops {
            if let Some(def) = c.env.struct_ops.get(name).cloned() {
                c.struct_ops(&def);
            }
        }
        if extent == Extent::Whole {
            c.contents();
            c.carried_per_cpu();
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
            // A program that asks for the wrong task is told of the event's field there.
            let told = |d: &Diagnostic| diags.iter().any(|o| o.code == diag::OTHER_TASK.code && o.about == d.about);
            self.unused.retain(|d| d.code != diag::UNREAD_FIELD.code || !told(d));
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

/// In the order of the text, errors and warnings alike.
fn sort(diags: &mut [Diagnostic]) {
    diags.sort_by_key(|d| (d.severity == Severity::Note, d.primary.span.file, d.primary.span.lo));
}
