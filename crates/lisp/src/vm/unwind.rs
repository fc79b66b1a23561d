//! Errors and jumps on their way out of running code.

use crate::Value;
use crate::error::{Call, Exit, LispError};
use crate::interp::{CatchKind, Interp};

/// The heights of everything that an exit restores.
pub(crate) struct EntryState {
    pub(crate) frames: usize,
    pub(crate) stack: usize,
    pub(crate) catches: usize,
    pub(crate) specials: usize,
    pub(crate) handlers: usize,
    pub(crate) environments: usize,
}

impl Interp {
    pub(crate) fn entry_state(&self) -> EntryState {
        EntryState {
            frames: self.frames.len(),
            stack: self.stack.len(),
            catches: self.catches.len(),
            specials: self.specials.len(),
            handlers: self.handlers.len(),
            environments: self.environments.len(),
        }
    }

    pub(crate) fn restore(&mut self, s: &EntryState) {
        self.frames.truncate(s.frames);
        self.stack.truncate(s.stack);
        self.catches.truncate(s.catches);
        self.unbind_to(s.specials);
        self.handlers.truncate(s.handlers);
        self.environments.truncate(s.environments);
    }

    /// Lets the handlers see an error that none has seen yet. `Ok`: never at the moment; `Err`: the error, or the jump a handler made of it.
    pub(crate) fn signal_if_new(&mut self, mut e: LispError) -> Result<(), LispError> {
        if e.signalled || !matches!(e.exit, Exit::Condition) {
            return Err(e);
        }
        e.signalled = true;
        self.locate(&mut e);
        Err(self.signal_error(e))
    }

    /// Fills in where an error happened, from the frames that are active.
    pub(crate) fn locate(&mut self, e: &mut LispError) {
        const SHOWN: usize = 32;
        for frame in self.frames.iter().rev().take(SHOWN) {
            let place = frame.code.place(frame.pc);
            if e.span.is_none()
                && let Some(p) = place
            {
                e.span = p.span;
                e.origin = p.origin.clone();
            }
            let name = if frame.code.name.is_empty() { crate::error::NAMELESS } else { &frame.code.name };
            let span = place.map_or(frame.code.span, |p| p.span);
            e.backtrace.push(Call { name: name.to_string(), span });
        }
    }

    /// Takes a jump to its exit point, if that is among the frames above `depth`.
    pub(super) fn land(&mut self, e: LispError, depth: usize, first_catch: usize) -> Result<(), LispError> {
        let Exit::Unwind { target, value } = &e.exit else { return Err(e) };
        let Some(at) = self.catches.iter().rposition(|c| c.id == *target).filter(|at| *at >= first_catch) else {
            return Err(e);
        };
        let catch = &self.catches[at];
        if catch.frames <= depth || matches!(catch.kind, CatchKind::Native) {
            return Err(e);
        }
        let (frames, height, pc, specials) = (catch.frames, catch.height, catch.target as usize, catch.specials);
        let keep = matches!(catch.kind, CatchKind::Tags);
        let v: Value = value.get();
        self.catches.truncate(at + usize::from(keep));
        self.frames.truncate(frames);
        self.stack.truncate(height);
        self.unbind_to(specials);
        self.stack.push(v);
        if let Some(f) = self.frames.last_mut() {
            f.pc = pc;
        }
        Ok(())
    }
}
