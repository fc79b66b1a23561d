//! Exchanging the program of what is attached. Invariant: when an exchange fails, the old program goes on running.

use std::sync::Arc;

use whistler_lisp::LispError;
use whistler_loader::{AttachSpec, DispatchSlot, Link, Program, Swap, swap_of};

use crate::failure::as_bpf_error;
use crate::live::{LiveLink, Shared};

impl Shared {
    /// Puts a newly loaded program under every link of that name; says how, for each. An error when none took it,
    /// and none of them changed then.
    pub fn exchange(&self, name: &str, program: &Arc<Program>, section: &str) -> Result<Vec<String>, LispError> {
        let mut live = self.live()?;
        let (mut said, mut failures) = (Vec::new(), Vec::new());
        for link in live.links.iter_mut().filter(|l| l.program == name && l.unit.is_none() && l.ops.is_none()) {
            match self.exchange_one(link, program, section) {
                Ok(way) => said.push(format!("live on link {} ({way})", link.id)),
                Err(e) => failures.push(e),
            }
        }
        let (more, failed) = crate::forms::struct_ops::with_program(self, &mut live, name, program);
        said.extend(more);
        failures.extend(failed);
        match failures.pop() {
            Some(e) if said.is_empty() => Err(e.help("what was attached goes on as it was")),
            Some(e) => {
                failures.push(e);
                live.reports.extend(
                    failures
                        .iter()
                        .map(|e| e.to_diagnostic().note("this link goes on with the program that was there before")),
                );
                Ok(said)
            }
            None => Ok(said),
        }
    }

    fn exchange_one(&self, live: &mut LiveLink, program: &Arc<Program>, section: &str) -> Result<String, LispError> {
        if live.by_section
            && let Ok(spec) = whistler_loader::from_section(section)
            && spec != live.spec
        {
            let (link, slot) = self.make_link(program, &spec)?;
            let what = format!("moved to {spec}");
            (live.link, live.slot, live.spec) = (Some(link), slot, spec);
            return Ok(what);
        }
        if let Some(slot) = &live.slot {
            return match slot.set(program) {
                Ok(()) => Ok("dispatch: no event lost or seen twice".into()),
                // Loaded too differently for the stub (another attach type): a new stub.
                Err(_) => self.overlap(live, program),
            };
        }
        match &live.link {
            Some(link) if link.can_update() => {
                link.update(program).map_err(|e| LispError::simple(format!("link {}: {e}", live.id)))?;
                Ok("update: exchanged by the kernel at once".into())
            }
            _ => self.overlap(live, program),
        }
    }

    /// Attaches the new one before the old one goes.
    fn overlap(&self, live: &mut LiveLink, program: &Arc<Program>) -> Result<String, LispError> {
        let (link, slot) = self.make_link(program, &live.spec)?;
        live.link = Some(link);
        live.slot = slot;
        Ok("overlap: both may have seen one event".into())
    }

    /// A link for a program, through a stub where that makes it exchangeable.
    pub fn make_link(
        &self,
        program: &Arc<Program>,
        spec: &AttachSpec,
    ) -> Result<(Link, Option<DispatchSlot>), LispError> {
        if self.options.exchangeable && swap_of(spec, program.is_sleepable()) == Swap::Dispatch {
            let slot = DispatchSlot::new(program, None).map_err(|e| LispError::simple(e.to_string()))?;
            slot.set(program).map_err(|e| LispError::simple(e.to_string()))?;
            let link = self.plain_link(slot.stub(), spec)?;
            return Ok((link, Some(slot)));
        }
        Ok((self.plain_link(program, spec)?, None))
    }

    /// A link for a program itself.
    pub fn plain_link(&self, program: &Arc<Program>, spec: &AttachSpec) -> Result<Link, LispError> {
        whistler_loader::attach(&self.options.kernel, program, spec).map_err(|e| {
            let mut error = as_bpf_error(LispError::simple(e.to_string()), e.cause.as_ref());
            if let Some(mend) = &e.mend {
                error = error.help(mend.clone());
            }
            if let Some(near) = e.near.first() {
                error = error.help(format!("did you mean `{near}`?"));
            }
            error
        })
    }
}
