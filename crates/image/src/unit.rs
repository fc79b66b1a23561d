//! Objects that are open beside the image's own definitions: what `with-bpf-session` and `load-bpf-object` make.
//! Invariant: a unit's maps and programs are only its own; closing it detaches its programs.

use std::cell::{Ref, RefCell};
use std::os::fd::{AsFd, AsRawFd};
use std::rc::Rc;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use whistler_compiler::hir::Ty;
use whistler_isa::ProgType;
use whistler_lisp::{Foreign, Interp, LispError, Value};
use whistler_loader::{LoadOptions, Loaded, Loader, Map, Program, StructOps};
use whistler_object::{Object, emit};

use crate::failure::{as_bpf_error, load_error};
use crate::handles::program_name;
use crate::image::Mode;
use crate::live::{Shared, symbol_name};
use crate::recorded::VmState;

/// The declared types of a map's key and value.
#[derive(Clone, Default)]
pub(crate) struct MapTypes {
    pub key: Option<Ty>,
    pub value: Option<Ty>,
}

/// An object and what became of it.
pub(crate) struct BpfUnit {
    pub id: u32,
    /// How it shows: a path, or what made it.
    pub name: String,
    pub object: Rc<Object>,
    /// By the maps' symbol names.
    pub types: FxHashMap<String, MapTypes>,
    state: RefCell<State>,
}

enum State {
    /// Read, not loaded.
    Open,
    Kernel(Loaded),
    Vm(Box<VmState>),
    Closed,
}

impl Foreign for BpfUnit {
    fn type_name(&self) -> &str {
        "bpf-object"
    }
    fn print(&self) -> String {
        format!("#<bpf-object {}>", self.name)
    }
}

/// A unit's map as a value.
pub(crate) struct UnitMap {
    pub unit: Rc<BpfUnit>,
    /// Its symbol name.
    pub name: String,
}

impl Foreign for UnitMap {
    fn type_name(&self) -> &str {
        "map"
    }
    fn print(&self) -> String {
        format!("#<map {} of {}>", self.name, self.unit.name)
    }
}

/// A unit's struct of operations as a value.
pub(crate) struct UnitStructOps {
    pub unit: Rc<BpfUnit>,
    /// Its symbol name.
    pub name: String,
}

impl Foreign for UnitStructOps {
    fn type_name(&self) -> &str {
        "struct-ops"
    }
    fn print(&self) -> String {
        format!("#<struct-ops {} of {}>", self.name, self.unit.name)
    }
}

/// A unit's program as a value.
pub(crate) struct UnitProgram {
    pub unit: Rc<BpfUnit>,
    /// Its symbol name.
    pub name: String,
}

impl Foreign for UnitProgram {
    fn type_name(&self) -> &str {
        "program"
    }
    fn print(&self) -> String {
        format!("#<program {} of {}>", self.name, self.unit.name)
    }
}

impl BpfUnit {
    /// Loads it. `own` are the maps that it does not share with the image.
    pub fn load(&self, shared: &Shared, own: Option<&[String]>) -> Result<(), LispError> {
        match &*self.state.borrow() {
            State::Open => {}
            State::Kernel(_) | State::Vm(_) => {
                return Err(LispError::simple(format!("`{}` is loaded already", self.name)));
            }
            State::Closed => return Err(self.closed()),
        }
        let state = match shared.options.mode {
            Mode::Vm => State::Vm(Box::new(shared.vm_of(self.object.clone())?)),
            Mode::Kernel => {
                let mut options = LoadOptions::default();
                if let Some(own) = own {
                    for m in self.object.maps.iter().filter(|m| !own.contains(&m.name)) {
                        // The ring of what programs emit is declared by nobody.
                        let known = shared.live()?.maps.get(&m.name).cloned();
                        let shared_map = match known {
                            None if shared.map_def(&m.name)?.is_some() => Some(shared.live_map(&m.name)?),
                            known => known,
                        };
                        options.reuse.extend(shared_map.map(|map| (m.name.clone(), map)));
                    }
                }
                let loader = Loader::with(&shared.options.kernel, options);
                let loaded =
                    loader.load(&self.object).map_err(|e| load_error(&self.object, &e, shared.options.refusal))?;
                let mut live = shared.live()?;
                live.emits.learn(&self.object);
                if let Some(ring) = loaded.map(emit::RING) {
                    live.maps.entry(emit::RING.to_string()).or_insert_with(|| ring.clone());
                }
                drop(live);
                State::Kernel(loaded)
            }
        };
        *self.state.borrow_mut() = state;
        Ok(())
    }

    /// Unloads it; whether there was something to unload. Its links must be gone.
    pub fn close(&self) -> bool {
        let before = std::mem::replace(&mut *self.state.borrow_mut(), State::Closed);
        !matches!(before, State::Closed)
    }

    fn closed(&self) -> LispError {
        as_bpf_error(LispError::simple(format!("`{}` is closed", self.name)), None)
    }

    fn loaded(&self) -> Result<Ref<'_, Loaded>, LispError> {
        let state = self.state.borrow();
        let problem = match &*state {
            State::Kernel(_) => None,
            State::Open => Some(
                as_bpf_error(LispError::simple(format!("`{}` is not loaded yet", self.name)), None)
                    .help("call load-bpf-object first"),
            ),
            State::Closed => Some(self.closed()),
            State::Vm(_) => {
                Some(LispError::simple("this needs the kernel, and the session runs in the virtual machine"))
            }
        };
        match problem {
            Some(e) => Err(e),
            None => Ref::filter_map(state, |s| match s {
                State::Kernel(loaded) => Some(loaded),
                State::Open | State::Vm(_) | State::Closed => None,
            })
            .map_err(|_| self.closed()),
        }
    }

    /// Its map in the kernel.
    pub fn map(&self, name: &str) -> Result<Arc<Map>, LispError> {
        self.loaded()?.map(name).cloned().ok_or_else(|| self.no(name, "map"))
    }

    /// Its program in the kernel.
    pub fn program(&self, name: &str) -> Result<Arc<Program>, LispError> {
        self.loaded()?.program(name).cloned().ok_or_else(|| self.no(name, "program"))
    }

    /// Its struct of operations in the kernel.
    pub fn struct_ops(&self, name: &str) -> Result<Arc<StructOps>, LispError> {
        self.loaded()?.struct_ops.get(name).cloned().ok_or_else(|| self.no(name, "struct of operations"))
    }

    /// The program with that descriptor.
    fn program_of_fd(&self, fd: i64) -> Option<String> {
        let loaded = self.loaded().ok()?;
        loaded.programs.iter().find(|(_, p)| i64::from(p.as_fd().as_raw_fd()) == fd).map(|(n, _)| n.clone())
    }

    fn no(&self, name: &str, what: &str) -> LispError {
        LispError::simple(format!("`{}` has no {what} `{name}`", self.name))
    }

    /// Does something with its virtual machine.
    pub fn with_vm<T>(&self, f: impl FnOnce(&mut VmState) -> Result<T, LispError>) -> Result<T, LispError> {
        match &mut *self.state.borrow_mut() {
            State::Vm(vm) => f(vm),
            State::Closed => Err(self.closed()),
            State::Open | State::Kernel(_) => Err(LispError::simple(format!("`{}` is not loaded yet", self.name))),
        }
    }

    /// Plays the next recorded event to its attached programs. `false` when there is none left.
    pub fn play_next(&self, shared: &Shared) -> Result<bool, LispError> {
        let attached: Vec<(String, String)> = {
            let live = shared.live()?;
            let own = live.links.iter().filter(|l| l.unit == Some(self.id));
            own.filter_map(|l| Some((l.program.clone(), self.object.program(&l.program)?.section.clone()))).collect()
        };
        self.with_vm(|vm| vm.play_next(&attached))
    }
}

/// A program that a value means: the image's, or a unit's.
pub(crate) struct ProgramRef {
    /// Its symbol name.
    pub name: String,
    pub unit: Option<Rc<BpfUnit>>,
}

impl ProgramRef {
    /// Its section and type.
    pub fn section(&self, shared: &Shared) -> Result<(String, ProgType), LispError> {
        let of = |object: &Object| object.program(&self.name).map(|p| (p.section.clone(), p.prog_type));
        let found = match &self.unit {
            Some(unit) => of(&unit.object),
            None => shared.live()?.programs.get(&self.name).and_then(|p| of(&p.compiled.object)),
        };
        found.ok_or_else(|| {
            LispError::simple(format!("there is no program `{}`", self.name)).help("define it with `defprog` first")
        })
    }

    /// The program in the kernel.
    pub fn loaded(&self, shared: &Shared) -> Result<Arc<Program>, LispError> {
        match &self.unit {
            Some(unit) => unit.program(&self.name),
            None => {
                let found = shared.live()?.programs.get(&self.name).and_then(|p| p.program.clone());
                found.ok_or_else(|| LispError::simple(format!("`{}` is not loaded", self.name)))
            }
        }
    }
}

impl Shared {
    /// Opens an object.
    pub fn open_unit(
        &self,
        name: String,
        object: Rc<Object>,
        types: FxHashMap<String, MapTypes>,
    ) -> Result<Rc<BpfUnit>, LispError> {
        let mut live = self.live()?;
        live.last_unit += 1;
        let unit = Rc::new(BpfUnit { id: live.last_unit, name, object, types, state: RefCell::new(State::Open) });
        live.units.retain(|u| u.strong_count() > 0);
        live.units.push(Rc::downgrade(&unit));
        Ok(unit)
    }

    /// Detaches a unit's programs and closes it.
    pub fn close_unit(&self, unit: &BpfUnit) -> Result<bool, LispError> {
        let gone: Vec<_> = {
            let mut live = self.live()?;
            let (gone, kept) = std::mem::take(&mut live.links).into_iter().partition(|l| l.unit == Some(unit.id));
            live.links = kept;
            gone
        };
        let mut failed = None;
        for link in gone.into_iter().filter_map(|l| l.link) {
            failed = link.detach().err().or(failed);
        }
        let closed = unit.close();
        match failed {
            Some(e) => Err(crate::failure::refused(format!("detaching the programs of `{}`", unit.name), &e)),
            None => Ok(closed),
        }
    }

    /// The program that a value means: a handle, a name, or the number of its descriptor.
    pub fn program_ref(&self, interp: &Interp, value: Value) -> Result<ProgramRef, LispError> {
        if let Some(p) = interp.heap.downcast::<UnitProgram>(value) {
            return Ok(ProgramRef { name: p.name.clone(), unit: Some(p.unit.clone()) });
        }
        if let Some(fd) = value.as_i64() {
            return self.program_of_fd(fd);
        }
        Ok(ProgramRef { name: program_name(interp, value)?, unit: None })
    }

    fn program_of_fd(&self, fd: i64) -> Result<ProgramRef, LispError> {
        let live = self.live()?;
        for unit in live.units.iter().filter_map(|u| u.upgrade()) {
            if let Some(name) = unit.program_of_fd(fd) {
                return Ok(ProgramRef { name, unit: Some(unit) });
            }
        }
        let own = live
            .programs
            .iter()
            .find(|(_, p)| p.program.as_ref().is_some_and(|p| i64::from(p.as_fd().as_raw_fd()) == fd));
        match own {
            Some((name, _)) => Ok(ProgramRef { name: name.clone(), unit: None }),
            None => Err(as_bpf_error(LispError::simple(format!("{fd} is no program that is loaded here")), None)
                .help("take the number from (prog-info-fd program), or give the program itself")),
        }
    }
}

/// The name of something of a unit as the object spells it, from a symbol or string.
pub(crate) fn name_in_object(interp: &Interp, value: Value, form: &str) -> Result<String, LispError> {
    Ok(symbol_name(&crate::args::text(interp, value, form)?))
}
