//! The interpreter: its state and what embedding programs call. Invariant: no
//! input makes it panic or overflow the Rust stack; between outermost calls the
//! value stack, frames, exit points and bindings are as they were before.

mod api;
mod conditions;
mod expand;
mod library;

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustc_hash::FxHashMap;
use whistler_diag::{Diagnostic, Span};

pub use api::DocKind;
pub use expand::Macro;
pub use library::LibraryItem;

use crate::code::Code;
use crate::compile::{CoreOperator, Visible};
use crate::error::{INTERRUPTED, LispError, LispResult, STACK_EXHAUSTED, UNDEFINED_FUNCTION};
use crate::heap::{Heap, RecordLayout, Root};
use crate::io::HostIo;
use crate::natives::NativeFn;
use crate::{Form, Symbol, Value};

/// How many Lisp calls may be active at once.
pub const CALL_DEPTH_LIMIT: usize = 40_000;

/// Numbers that names stand for outside of the language.
pub type OuterConstants = Rc<dyn Fn(&str) -> Option<i64>>;

/// How many values the stack may hold.
pub const STACK_LIMIT: usize = 4_000_000;

/// How much of the Rust stack evaluation may use, unless set otherwise: fits a thread of 2 MiB.
pub const DEFAULT_STACK_BUDGET: usize = 1_200_000;

/// Safepoints between two looks at the interrupt flag.
const TICKS: u32 = 1024;

pub(crate) struct Frame {
    pub(crate) code: Rc<Code>,
    pub(crate) pc: usize,
    pub(crate) base: usize,
    pub(crate) closure: Value,
    pub(crate) specials: usize,
    pub(crate) catches: usize,
}

pub(crate) enum CatchKind {
    /// A `block`: closed by landing on it.
    Block,
    /// A `tagbody`: open until left.
    Tags,
    /// A `catch` with its tag.
    Throw(Value),
    /// Waited for by native code.
    Native,
}

pub(crate) struct Catch {
    pub(crate) id: u64,
    pub(crate) kind: CatchKind,
    /// The number of frames when it was opened.
    pub(crate) frames: usize,
    pub(crate) height: usize,
    pub(crate) target: u32,
    pub(crate) specials: usize,
}

#[derive(Clone)]
pub(crate) enum Handler {
    /// `handler-bind`: a type and the function to call.
    Bind(Value, Value),
    /// `handler-case`: types by clause, and the exit point to leave to.
    Case(Rc<[Value]>, u64),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum VarKind {
    Plain,
    Special,
    Constant,
}

#[derive(Clone, Copy)]
pub(crate) struct Global {
    pub(crate) value: Value,
    pub(crate) kind: VarKind,
}

/// A function that takes the form unevaluated.
pub type SpecialFn = Rc<dyn Fn(&mut Interp, &Form) -> LispResult>;
/// What is told of a function that doesn't exist, by its name.
pub type InsteadFn = Rc<dyn Fn(&str) -> Option<String>>;
/// What an assignment to a variable that holds a [`crate::Foreign`] does instead: the variable and the new value.
/// Whether it did anything.
pub type AssignFn = Rc<dyn Fn(&mut Interp, Symbol, Value) -> Result<bool, LispError>>;
/// A function written in Rust.
pub type NativeClosure = Rc<dyn Fn(&mut Interp, &[Value]) -> LispResult>;
/// A macro written in Rust.
pub type HostMacroFn = Rc<dyn Fn(&mut Interp, &Form) -> Result<Form, LispError>>;

#[derive(Clone)]
pub(crate) enum Operator {
    None,
    Core(CoreOperator),
    Macro(crate::macros::MacroFn),
    HostMacro(HostMacroFn),
    Special(u32),
}

pub(crate) struct NativeDef {
    pub(crate) name: &'static str,
    pub(crate) lambda: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) f: NativeFn,
}

/// The lexical variables that a registered special form can see.
#[derive(Clone, Default)]
pub(crate) struct Environment {
    pub(crate) visible: Vec<Visible>,
    pub(crate) values: Vec<Root>,
}

/// The part of the language that is written in itself.
const COMMON: &str = include_str!("../lib/common.lisp");

/// The host Lisp.
pub struct Interp {
    /// Its values.
    pub heap: Heap,
    /// Its outside.
    pub io: Box<dyn HostIo>,
    pub(crate) stack: Vec<Value>,
    pub(crate) frames: Vec<Frame>,
    pub(crate) catches: Vec<Catch>,
    pub(crate) specials: Vec<(Symbol, Value)>,
    pub(crate) handlers: Vec<Handler>,
    pub(crate) mv: Vec<Value>,
    pub(crate) mv_set: bool,
    pub(crate) globals: Vec<Global>,
    pub(crate) fns: Vec<Value>,
    pub(crate) operators: Vec<Operator>,
    pub(crate) natives: Vec<NativeDef>,
    pub(crate) special_forms: Vec<(Symbol, SpecialFn)>,
    pub(crate) user_macros: FxHashMap<Symbol, Rc<Macro>>,
    pub(crate) setf_functions: FxHashMap<Symbol, Symbol>,
    pub(crate) setf_expanders: FxHashMap<Symbol, (Symbol, bool)>,
    pub(crate) outer_constants: Option<OuterConstants>,
    pub(crate) library: FxHashMap<Symbol, LibraryItem>,
    /// The names of the items that were taken out of it and evaluated.
    pub(crate) of_library: Vec<Symbol>,
    pub(crate) layouts: FxHashMap<Symbol, Rc<RecordLayout>>,
    pub(crate) reports: FxHashMap<Symbol, Value>,
    pub(crate) slot_defaults: FxHashMap<Symbol, Vec<(Symbol, Value)>>,
    pub(crate) types: FxHashMap<Symbol, Value>,
    pub(crate) docs: FxHashMap<(Symbol, DocKind), Rc<str>>,
    pub(crate) definitions: FxHashMap<(Symbol, DocKind), Span>,
    /// What was defined since the embedding program last asked, and may change what other code means.
    pub(crate) redefined: Vec<Symbol>,
    pub(crate) warnings: Vec<Diagnostic>,
    /// What the embedding program says of functions that don't exist.
    pub(crate) instead: Option<InsteadFn>,
    /// What assignments to variables of the embedding program's own values do.
    pub(crate) assign: Option<AssignFn>,
    /// Calls of functions that did not exist when the call was compiled, where someone asks for them.
    pub(crate) open_calls: Option<Vec<(Symbol, Form)>>,
    pub(crate) environments: Vec<Environment>,
    pub(crate) modules: Vec<String>,
    pub(crate) column: usize,
    pub(crate) random: u64,
    interrupt: Arc<AtomicBool>,
    ticks: u32,
    steps: Option<u64>,
    next_catch: u64,
    entered: usize,
    stack_base: usize,
    stack_budget: usize,
    pub(crate) expansions: u32,
}

impl Interp {
    /// An interpreter whose effects go to `io`.
    pub fn new(io: Box<dyn HostIo>) -> Interp {
        let mut interp = Interp {
            heap: Heap::new(),
            io,
            stack: Vec::with_capacity(1024),
            frames: Vec::with_capacity(64),
            catches: Vec::new(),
            specials: Vec::new(),
            handlers: Vec::new(),
            mv: Vec::new(),
            mv_set: false,
            globals: Vec::new(),
            fns: Vec::new(),
            operators: Vec::new(),
            natives: Vec::with_capacity(1024),
            special_forms: Vec::new(),
            user_macros: FxHashMap::default(),
            setf_functions: FxHashMap::default(),
            setf_expanders: FxHashMap::default(),
            outer_constants: None,
            library: FxHashMap::default(),
            of_library: Vec::new(),
            layouts: FxHashMap::default(),
            reports: FxHashMap::default(),
            slot_defaults: FxHashMap::default(),
            types: FxHashMap::default(),
            docs: FxHashMap::default(),
            definitions: FxHashMap::default(),
            redefined: Vec::new(),
            warnings: Vec::new(),
            instead: None,
            assign: None,
            open_calls: None,
            environments: Vec::new(),
            modules: Vec::new(),
            column: 0,
            random: 0x9E37_79B9_7F4A_7C15,
            interrupt: Arc::new(AtomicBool::new(false)),
            ticks: TICKS,
            steps: None,
            next_catch: 0,
            entered: 0,
            stack_base: 0,
            stack_budget: DEFAULT_STACK_BUDGET,
            expansions: 0,
        };
        crate::natives::install(&mut interp);
        // Its spans point to no source of anybody's.
        interp.define_library_source(whistler_diag::FileId(u32::MAX - 200), COMMON);
        interp
    }

    /// Setting this flag (from a signal handler or another thread) makes running code signal `interactive-interrupt`.
    pub fn interrupt_flag(&self) -> Arc<AtomicBool> {
        self.interrupt.clone()
    }

    /// Uses another flag, so that several interpreters can share one.
    pub fn set_interrupt_flag(&mut self, flag: Arc<AtomicBool>) {
        self.interrupt = flag;
    }

    /// After about so many calls and loop rounds, running code ends with an error. `None`: never.
    pub fn set_step_limit(&mut self, steps: Option<u64>) {
        self.steps = steps;
    }

    /// How many bytes of the Rust stack evaluation may use, from where it is entered.
    pub fn set_stack_budget(&mut self, bytes: usize) {
        self.stack_budget = bytes;
    }

    /// An error if the Rust stack's budget is used up. Every recursion over user data calls this.
    pub fn check_stack(&self) -> Result<(), LispError> {
        let here = stack_address();
        if self.stack_base.abs_diff(here) > self.stack_budget && self.stack_base != 0 {
            return Err(exhausted());
        }
        Ok(())
    }

    /// Runs `f` as an outermost entry, or inside of one.
    pub(crate) fn enter<T>(&mut self, f: impl FnOnce(&mut Interp) -> Result<T, LispError>) -> Result<T, LispError> {
        let saved_base = self.stack_base;
        if self.entered == 0 {
            self.stack_base = stack_address();
        }
        self.check_stack()?;
        self.entered += 1;
        let result = f(self);
        self.entered -= 1;
        if self.entered == 0 {
            self.stack_base = saved_base;
            if result.is_err() {
                self.handlers.clear();
            }
        }
        result
    }

    pub(crate) fn is_outermost(&self) -> bool {
        self.entered == 0
    }

    /// A place where the collector may run and an interrupt is noticed.
    #[inline]
    pub(crate) fn safepoint(&mut self) -> Result<(), LispError> {
        if self.heap.wants_collection() {
            self.collect();
        }
        self.ticks -= 1;
        if self.ticks == 0 {
            return self.slow_safepoint();
        }
        Ok(())
    }

    #[cold]
    fn slow_safepoint(&mut self) -> Result<(), LispError> {
        self.ticks = TICKS;
        if self.interrupt.swap(false, Ordering::Relaxed) {
            return Err(LispError::new("interactive-interrupt", INTERRUPTED, "interrupted"));
        }
        if let Some(steps) = self.steps {
            let left = steps.saturating_sub(u64::from(TICKS));
            self.steps = Some(left);
            if left == 0 {
                let e = LispError::new("step-limit-reached", INTERRUPTED, "this form ran for too many steps");
                return Err(e.help("does a loop never end?"));
            }
        }
        Ok(())
    }

    /// Looks at the interrupt flag now; for native code that takes long.
    pub fn check_interrupt(&mut self) -> Result<(), LispError> {
        self.slow_safepoint()
    }

    /// Collects garbage now.
    pub fn collect(&mut self) {
        let Interp {
            heap,
            stack,
            frames,
            catches,
            specials,
            handlers,
            mv,
            globals,
            fns,
            reports,
            slot_defaults,
            types,
            ..
        } = self;
        heap.collect(|visit| {
            stack.iter().for_each(|v| visit(*v));
            frames.iter().for_each(|f| visit(f.closure));
            specials.iter().for_each(|(_, v)| visit(*v));
            mv.iter().for_each(|v| visit(*v));
            globals.iter().for_each(|g| visit(g.value));
            fns.iter().for_each(|v| visit(*v));
            reports.values().for_each(|v| visit(*v));
            types.values().for_each(|v| visit(*v));
            slot_defaults.values().flatten().for_each(|(_, v)| visit(*v));
            for catch in catches {
                if let CatchKind::Throw(tag) = &catch.kind {
                    visit(*tag);
                }
            }
            for handler in handlers {
                match handler {
                    Handler::Bind(t, f) => {
                        visit(*t);
                        visit(*f);
                    }
                    Handler::Case(types, _) => types.iter().for_each(|v| visit(*v)),
                }
            }
        });
    }

    pub(crate) fn new_catch_id(&mut self) -> u64 {
        self.next_catch += 1;
        self.next_catch
    }

    // ---- tables by symbol ----

    pub(crate) fn global(&self, s: Symbol) -> Global {
        self.globals.get(s.index()).copied().unwrap_or(Global { value: Value::Unbound, kind: VarKind::Plain })
    }

    pub(crate) fn set_global(&mut self, s: Symbol, g: Global) {
        let i = s.index();
        if i >= self.globals.len() {
            self.globals.resize(i + 64, Global { value: Value::Unbound, kind: VarKind::Plain });
        }
        self.globals[i] = g;
    }

    pub(crate) fn global_value_mut(&mut self, s: Symbol) -> &mut Value {
        let i = s.index();
        if i >= self.globals.len() {
            self.globals.resize(i + 64, Global { value: Value::Unbound, kind: VarKind::Plain });
        }
        &mut self.globals[i].value
    }

    pub(crate) fn function_cell(&self, s: Symbol) -> Value {
        self.fns.get(s.index()).copied().unwrap_or(Value::Unbound)
    }

    pub(crate) fn set_function(&mut self, s: Symbol, f: Value) {
        let i = s.index();
        if i >= self.fns.len() {
            self.fns.resize(i + 64, Value::Unbound);
        }
        self.fns[i] = f;
    }

    pub(crate) fn operator(&self, s: Symbol) -> &Operator {
        self.operators.get(s.index()).unwrap_or(&Operator::None)
    }

    pub(crate) fn set_operator(&mut self, s: Symbol, op: Operator) {
        let i = s.index();
        if i >= self.operators.len() {
            self.operators.resize(i + 64, Operator::None);
        }
        self.operators[i] = op;
    }

    /// The symbol under which a function is defined: this one, or the only one that differs in case.
    pub(crate) fn resolve_function(&self, s: Symbol) -> Option<Symbol> {
        s.resolve(|s| self.function_cell(s) != Value::Unbound)
    }

    /// The symbol under which a variable is defined.
    pub(crate) fn resolve_variable(&self, s: Symbol) -> Option<Symbol> {
        s.resolve(|s| {
            let g = self.global(s);
            g.value != Value::Unbound || g.kind != VarKind::Plain
        })
    }

    /// The function a symbol names, defining it from the library if it is there.
    pub(crate) fn find_function(&mut self, s: Symbol) -> Option<Value> {
        if let Some(found) = self.resolve_function(s) {
            return Some(self.function_cell(found));
        }
        if s.package().is_some() {
            return self.find_function(s.unqualified());
        }
        self.load_library_item(s);
        self.resolve_function(s).map(|s| self.function_cell(s))
    }

    /// Whether a symbol names a function, of the library's, too, which is not read for that.
    pub(crate) fn knows_function(&self, s: Symbol) -> bool {
        self.resolve_function(s).is_some()
            || self.is_in_library(s, "defun")
            || s.package().is_some() && self.knows_function(s.unqualified())
    }

    /// The error for an operator that doesn't exist.
    pub fn undefined_function(&self, s: Symbol) -> LispError {
        let e =
            LispError::new("undefined-function", UNDEFINED_FUNCTION, format!("there is no function or operator `{s}`"))
                .about(s);
        if let Some(mend) = self.instead.as_ref().and_then(|f| f(s.name())) {
            return e.help(mend);
        }
        match self.nearest_operator(s.name()) {
            Some(near) => e.help(format!("the nearest name is `{near}`")),
            None => e,
        }
    }
}

pub(crate) fn exhausted() -> LispError {
    LispError::new("control-stack-exhausted", STACK_EXHAUSTED, "calls are nested too deeply (control stack exhausted)")
        .help("is there a recursion without an end?")
}

/// About where the Rust stack is now.
#[inline(never)]
fn stack_address() -> usize {
    let here = 0u8;
    std::ptr::addr_of!(here) as usize
}
