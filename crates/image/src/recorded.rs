//! The virtual machine as a place where programs run: on recorded events, without the kernel.

use std::rc::Rc;

use whistler_kernel::Kernel;
use whistler_lisp::{Interp, LispError};
use whistler_object::Object;
use whistler_vm::replay::Replay;
use whistler_vm::{Machine, MachineOptions};

use crate::forms::Slot;
use crate::image::Mode;
use crate::live::Shared;

/// The machine and how far the recording was played.
pub(crate) struct VmState {
    pub machine: Machine,
    object: Rc<Object>,
    replay: Replay,
    next: usize,
}

impl VmState {
    /// Plays the next recorded event to those of these programs (name and section) that it is for. `false` when
    /// there is none left.
    pub fn play_next(&mut self, attached: &[(String, String)]) -> Result<bool, LispError> {
        let Some(event) = self.replay.events.get(self.next).cloned() else { return Ok(false) };
        self.next += 1;
        for (program, section) in attached {
            if event.is_for(section) {
                self.machine
                    .play(program, &event)
                    .map_err(|e| LispError::simple(format!("`{program}` on a recorded event: {e}")))?;
            }
        }
        Ok(true)
    }
}

impl Shared {
    /// Does something with the machine, made now from all programs if there is none.
    pub fn with_vm<T>(
        &self,
        interp: &mut Interp,
        f: impl FnOnce(&mut VmState) -> Result<T, LispError>,
    ) -> Result<T, LispError> {
        if self.live()?.vm.is_none() {
            let state = self.make_vm(interp)?;
            self.live()?.vm = Some(state);
        }
        match &mut self.live()?.vm {
            Some(vm) => f(vm),
            None => Err(LispError::simple("the virtual machine could not be made")),
        }
    }

    fn make_vm(&self, interp: &mut Interp) -> Result<VmState, LispError> {
        let (compiled, diagnostics) = {
            let sources = self.options.sources.clone();
            let sources = sources.borrow();
            self.session()?.compile(interp, &sources, None, Default::default())
        };
        if let Some(d) = diagnostics.into_iter().find(|d| d.is_error()) {
            return Err(LispError::from_diagnostic(d));
        }
        let compiled = compiled.ok_or_else(|| LispError::simple("there is no program to run"))?;
        let slots = self.live()?.slots.clone();
        self.machine_with(Rc::new(compiled.object), &slots)
    }

    /// A machine that runs an object's programs, at the start of the recording.
    pub fn vm_of(&self, object: Rc<Object>) -> Result<VmState, LispError> {
        self.machine_with(object, &[])
    }

    fn machine_with(&self, object: Rc<Object>, slots: &[Slot]) -> Result<VmState, LispError> {
        let machine = machine(&object, &self.options.kernel, slots)?;
        let replay = match &self.options.recorded {
            None => Replay::default(),
            Some((name, text)) => Replay::parse(text).map_err(|e| LispError::simple(format!("{name}: {e}")))?,
        };
        Ok(VmState { machine, object, replay, next: 0 })
    }

    /// Gives everything its first state: maps without entries, globals with their first values.
    pub fn renew(&self) -> Result<(), LispError> {
        if self.options.mode == Mode::Kernel {
            return self.renew_in_kernel();
        }
        self.forget_slots_of_test()?;
        let live = &mut *self.live()?;
        live.parameters.clear();
        if let Some(vm) = &mut live.vm {
            vm.machine = machine(&vm.object, &self.options.kernel, &live.slots)?;
            vm.next = 0;
        }
        Ok(())
    }

    /// Plays the next recorded event to every attached program that it is for. `false` when there is none left.
    pub fn play_next(&self, interp: &mut Interp) -> Result<bool, LispError> {
        let attached: Vec<(String, String)> = {
            let live = self.live()?;
            let section =
                |name: &str| live.programs.get(name)?.compiled.object.program(name).map(|p| p.section.clone());
            let own = live.links.iter().filter(|l| l.unit.is_none());
            own.filter_map(|l| Some((l.program.clone(), section(&l.program)?))).collect()
        };
        self.with_vm(interp, |vm| vm.play_next(&attached))
    }

    /// Whether Ctrl-C was pressed; asking resets it.
    pub fn interrupted(&self) -> bool {
        self.options.interrupt.swap(false, std::sync::atomic::Ordering::Relaxed)
    }
}

fn machine(object: &Object, kernel: &Kernel, slots: &[Slot]) -> Result<Machine, LispError> {
    let wrong = |e: &dyn std::fmt::Display| LispError::simple(format!("the virtual machine: {e}"));
    let mut machine = Machine::with_types(object, MachineOptions::default(), kernel).map_err(|e| wrong(&e))?;
    crate::forms::fill(&mut machine, slots).map_err(|e| wrong(&e))?;
    Ok(machine)
}
