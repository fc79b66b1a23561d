//! Lines that programs emit, printed as they come. Invariant: a line is printed once, by whoever looks next: the form
//! that just ended, `follow`, or `follow-emitted`.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use whistler_lisp::{Interp, LispError};
use whistler_loader::RingConsumer;
use whistler_object::Object;
use whistler_object::emit::{self, Site};

use crate::image::Mode;
use crate::live::Shared;

/// How long one wait may take before an interrupt is noticed.
const SLICE: Duration = Duration::from_millis(100);

/// What is known of programs that emit.
#[derive(Default)]
pub(crate) struct Emits {
    sites: Vec<Site>,
    consumer: Option<RingConsumer>,
    /// Whether the program that drives the image follows something itself.
    pub watched: bool,
}

impl Emits {
    /// Takes in the sites of an object.
    pub fn learn(&mut self, object: &Object) {
        for site in emit::sites(object) {
            if !self.sites.contains(&site) {
                self.sites.push(site);
            }
        }
    }

    /// The ring that lines come through was made anew.
    pub fn forget_ring(&mut self) {
        self.consumer = None;
    }

    /// Whether any program emits.
    pub fn known(&self) -> bool {
        !self.sites.is_empty()
    }
}

/// What comes out of a kernel buffer must not drive the terminal; a line may have several.
fn shown(line: &str) -> String {
    line.chars().map(|c| if c.is_control() && c != '\n' && c != '\t' { '·' } else { c }).collect()
}

impl Shared {
    /// Takes out the lines that are there, waiting up to `wait` for one.
    pub fn take_emitted(&self, wait: Duration) -> Result<Vec<String>, LispError> {
        // While a form changes what is live there is nothing to look at.
        let Ok(mut live) = self.live.try_borrow_mut() else { return Ok(Vec::new()) };
        if !live.emits.known() {
            return Ok(Vec::new());
        }
        let failed = |e: &dyn std::fmt::Display| LispError::simple(format!("lines that programs emit: {e}"));
        let mut records = Vec::new();
        if self.options.mode == Mode::Vm {
            if let Some(vm) = &mut live.vm {
                records = vm.machine.drain_ring(emit::RING).map_err(|e| failed(&e))?;
            }
        } else {
            let Some(map) = live.maps.get(emit::RING).cloned() else { return Ok(Vec::new()) };
            if live.emits.consumer.is_none() {
                let mut consumer = RingConsumer::new().map_err(|e| failed(&e))?;
                consumer.add(map, None).map_err(|e| failed(&e))?;
                live.emits.consumer = Some(consumer);
            }
            if let Some(consumer) = &mut live.emits.consumer {
                let taken = consumer.poll(Some(wait), |_, record| {
                    records.push(record.to_vec());
                    ControlFlow::Continue(())
                });
                taken.map_err(|e| failed(&e))?;
            }
        }
        Ok(records.iter().map(|r| emit::render(&live.emits.sites, r)).collect())
    }

    /// Prints the lines that are there, waiting up to `wait` for one; how many.
    pub fn print_emitted(&self, interp: &mut Interp, wait: Duration) -> Result<usize, LispError> {
        self.print_at_most(interp, wait, usize::MAX)
    }

    fn print_at_most(&self, interp: &mut Interp, wait: Duration, most: usize) -> Result<usize, LispError> {
        let mut lines = self.take_emitted(wait)?;
        lines.truncate(most);
        for line in &lines {
            interp.io.write_out(&format!("{}\n", shown(line)));
        }
        if !lines.is_empty() {
            interp.io.flush();
        }
        Ok(lines.len())
    }

    /// Prints lines until Ctrl-C, so many, or that time is over; how many there were.
    pub fn follow_emitted(
        &self,
        interp: &mut Interp,
        count: Option<u64>,
        time: Option<Duration>,
    ) -> Result<u64, LispError> {
        let end = time.map(|t| Instant::now() + t);
        let mut seen = 0;
        loop {
            let left = end.map_or(SLICE, |e| e.saturating_duration_since(Instant::now()).min(SLICE));
            let more = self.options.mode == Mode::Kernel || self.play_next(interp)?;
            let most = count.map_or(usize::MAX, |c| usize::try_from(c.saturating_sub(seen)).unwrap_or(usize::MAX));
            seen += self.print_at_most(interp, left, most)? as u64;
            let over = end.is_some_and(|e| Instant::now() >= e);
            if !more || over || count.is_some_and(|c| seen >= c) || self.interrupted() {
                return Ok(seen);
            }
        }
    }
}
