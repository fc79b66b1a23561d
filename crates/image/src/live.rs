//! What of the definitions is live, and what all forms share. Invariant: maps, programs and globals are
//! keyed by their symbol names (lower case, `_`), as in the object.

use std::cell::{RefCell, RefMut};
use std::rc::{Rc, Weak};
use std::sync::Arc;

use indexmap::IndexMap;
use rustc_hash::FxHashMap;
use whistler_compiler::hir::{GlobalDef, MapDef, Ty};
use whistler_compiler::{Compiled, Session};
use whistler_diag::Diagnostic;
use whistler_lisp::{Form, LispError, Symbol};
use whistler_loader::{AttachSpec, DispatchSlot, GlobalHandle, Leftover, Link, Map, Program};
use whistler_object::Object;

use crate::forms::Slot;
use crate::image::Options;
use crate::recorded::VmState;
use crate::tests::{Running, TestDef};
use crate::unit::BpfUnit;

/// What the image and all its forms share.
pub(crate) struct Shared {
    pub session: RefCell<Session>,
    pub live: RefCell<Live>,
    pub options: Options,
}

/// What is in the kernel (or the virtual machine) now.
#[derive(Default)]
pub(crate) struct Live {
    pub maps: FxHashMap<String, Arc<Map>>,
    pub globals: FxHashMap<String, GlobalHandle>,
    pub programs: FxHashMap<String, LiveProgram>,
    pub links: Vec<LiveLink>,
    pub last_link: u32,
    /// Objects that were opened beside the image's own definitions, as long as something holds them.
    pub units: Vec<Weak<BpfUnit>>,
    pub last_unit: u32,
    /// The text of every declaration but programs' (those are kept by the session), by kind and name.
    pub declarations: IndexMap<(&'static str, Symbol), Form>,
    /// Filters of earlier processes, as they were last listed.
    pub leftovers: Vec<Leftover>,
    pub vm: Option<VmState>,
    /// Programs and maps that the host put into maps.
    pub slots: Vec<Slot>,
    /// What the test that runs gave parameters, by symbol name.
    pub parameters: FxHashMap<String, Vec<u8>>,
    /// The per-CPU map that was read last, to be named where its vector is taken for a number.
    pub per_cpu_read: Option<String>,
    /// The call of `map-ref` that found no entry last, to be named where its `nil` is taken for a number.
    pub missed: Option<String>,
    /// Why the last key that `map-ref` was given can't be in its map, if it can't.
    pub beyond: Option<String>,
    /// The contexts that `context` made, and for which types of programs: given to others they are a mistake.
    pub made_contexts: FxHashMap<Vec<u8>, Vec<whistler_isa::ProgType>>,
    /// Whether it was looked whether the trace buffer is on.
    pub told_of_trace_buffer: bool,
    /// Whether something was done with programs beside attaching them: run, written to a file.
    pub used: bool,
    pub emits: crate::emits::Emits,
    /// The tests that were defined, in order.
    pub tests: Vec<TestDef>,
    /// What the test that runs has come to.
    pub running: Option<Running>,
    /// Reports of the form that is running, beyond the error it may end in.
    pub reports: Vec<Diagnostic>,
    /// What to show instead of the form's value.
    pub said: Option<String>,
}

/// A program that is defined and, in the kernel, loaded.
pub(crate) struct LiveProgram {
    pub compiled: Rc<Compiled>,
    /// `None` in the virtual machine.
    pub program: Option<Arc<Program>>,
    /// Whether it could not be made again when something it is made from changed.
    pub stale: bool,
}

/// An attached program.
pub(crate) struct LiveLink {
    pub id: u32,
    /// The program's symbol name.
    pub program: String,
    /// The number of the [`BpfUnit`] whose program it is; `None` for the image's own.
    pub unit: Option<u32>,
    pub spec: AttachSpec,
    /// Whether the program's section said where to.
    pub by_section: bool,
    /// `None` in the virtual machine.
    pub link: Option<Link>,
    /// What a struct of operations was made from, where the link holds one.
    pub ops: Option<Rc<Object>>,
    /// The stub it goes through, where the kernel can't exchange programs itself.
    pub slot: Option<DispatchSlot>,
}

impl Shared {
    /// The live state. An error when a form asks for it while it is being changed (a macro that looks at maps
    /// while a program is compiled for one, say).
    pub fn live(&self) -> Result<RefMut<'_, Live>, LispError> {
        self.live.try_borrow_mut().map_err(|_| busy())
    }

    /// The compiler's session, with the same proviso.
    pub fn session(&self) -> Result<RefMut<'_, Session>, LispError> {
        self.session.try_borrow_mut().map_err(|_| busy())
    }

    /// The declaration of a map.
    pub fn map_def(&self, name: &str) -> Result<Option<Rc<MapDef>>, LispError> {
        Ok(self.session()?.env.maps.get(Symbol::intern(name)).cloned())
    }

    /// The declaration of a global or parameter.
    pub fn global_def(&self, name: &str) -> Result<Option<Rc<GlobalDef>>, LispError> {
        Ok(self.session()?.env.globals.get(Symbol::intern(name)).cloned())
    }

    /// A declared struct or union as a type.
    pub fn ty(&self, name: &str) -> Result<Option<Ty>, LispError> {
        Ok(self.session()?.env.structs.get(Symbol::intern(name)).cloned().map(Ty::Struct))
    }

    /// All names that were declared.
    pub fn declared_names(&self) -> Vec<String> {
        match self.session() {
            Ok(s) => s.env.order.iter().map(|d| d.0.name().to_string()).collect(),
            Err(_) => Vec::new(),
        }
    }

    /// Says of a value that was taken for a number what it is, where it is one of ours.
    pub fn explained(&self, e: LispError) -> LispError {
        if e.code != whistler_lisp::error::WRONG_TYPE
            || !e.message.ends_with("a number") && !e.message.ends_with("an integer")
        {
            return e;
        }
        if let Some(name) = e.message.strip_prefix("#<global ").and_then(|t| t.split('>').next()).map(str::to_string) {
            return e.help(format!("its value is (global-ref {name})"));
        }
        let beyond = self.live().ok().and_then(|mut live| live.beyond.take());
        if let Some(why) = beyond.filter(|_| e.message.starts_with("nil is ")) {
            return e.help(why);
        }
        if e.message.starts_with("nil is ") && e.help.is_empty() {
            let missed = self.live().ok().and_then(|mut live| live.missed.take());
            return match missed {
                Some(call) => e.help(format!("the last that gave nil: {}", crate::tests::nil_of(&call))),
                None => e,
            };
        }
        let per_cpu = self.live().ok().and_then(|mut live| live.per_cpu_read.take());
        match per_cpu.filter(|_| e.message.starts_with("#(")) {
            Some(map) => e
                .help(format!("`{map}` is a per-CPU map: its values are vectors, with one value for each CPU"))
                .help("that of the first CPU is (aref v 0), the sum of all (reduce #'+ v)"),
            None => e,
        }
    }

    /// Takes the reports and the text that the form that just ended left.
    pub fn take_reports(&self) -> (Vec<Diagnostic>, Option<String>) {
        match self.live.try_borrow_mut() {
            Ok(mut live) => (std::mem::take(&mut live.reports), live.said.take()),
            Err(_) => (Vec::new(), None),
        }
    }
}

fn busy() -> LispError {
    LispError::simple("eBPF forms can't be used while a program is being compiled")
}

pub(crate) use whistler_compiler::names::symbol_name;
