//! Timers in map values: simulated time fires them, and only when the host moves it on. Invariant: a timer belongs to
//! an entry, and goes with it; those that are due fire in the order of their times, and of their starts where equal.

use whistler_isa::ProgType;

use crate::code::Code;
use crate::exec::{Cpu, POISON, Registers};
use crate::fault::{Fault, FaultKind, Trap};
use crate::machine::{State, located};
use crate::memory::Memory;

/// How many may fire while time is moved on once: one that starts itself anew without a delay never ends.
const MAX_FIRINGS: usize = 1_000_000;

/// A timer that was initialised.
#[derive(Clone, Debug)]
pub(crate) struct Timer {
    /// Where the `bpf_timer` is.
    pub address: u64,
    pub map: usize,
    pub key: Vec<u8>,
    /// Where the value is that holds it.
    pub value: u64,
    /// The function to call.
    pub callback: Option<usize>,
    /// When it fires.
    pub due: Option<u64>,
    /// Its place among the starts of all.
    pub started: u64,
    /// The type of the program that set it up.
    pub prog: ProgType,
}

/// All of a machine's.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    all: Vec<Timer>,
    starts: u64,
    /// The timer whose function runs.
    pub firing: Option<u64>,
}

impl Timers {
    /// The timer at that address.
    pub fn at(&mut self, address: u64) -> Option<&mut Timer> {
        self.all.iter_mut().find(|t| t.address == address)
    }

    pub fn add(&mut self, timer: Timer) {
        self.all.push(timer);
    }

    /// Starts it; whether there is one.
    pub fn start(&mut self, address: u64, due: u64) -> bool {
        self.starts += 1;
        let started = self.starts;
        self.at(address).is_some_and(|t| {
            (t.due, t.started) = (Some(due), started);
            true
        })
    }

    /// An entry is gone, and its timers with it.
    pub fn forget(&mut self, map: usize, key: &[u8]) {
        self.all.retain(|t| t.map != map || t.key != key);
    }

    /// The next to fire, at `until` or before.
    fn next(&self, until: u64) -> Option<Timer> {
        let due = self.all.iter().filter(|t| t.due.is_some_and(|d| d <= until));
        due.min_by_key(|t| (t.due, t.started)).cloned()
    }
}

/// Moves time on, and fires what is due on the way; gives how many fired.
pub(crate) fn advance(code: &Code, state: &mut State, ns: u64) -> Result<usize, Fault> {
    let until = state.world.clock.monotonic_ns.saturating_add(ns);
    let mut fired = 0;
    while let Some(timer) = state.timers.next(until) {
        let clock = &mut state.world.clock;
        clock.monotonic_ns = clock.monotonic_ns.max(timer.due.unwrap_or(0));
        if let Some(t) = state.timers.at(timer.address) {
            t.due = None;
        }
        let Some(start) = timer.callback else { continue };
        fired += 1;
        state.begin(timer.prog);
        state.timers.firing = Some(timer.address);
        let key = state.key_cell(&timer.key);
        let mut r: Registers = [POISON; 16];
        if let Some(args) = r.get_mut(1..4) {
            args.copy_from_slice(&[Memory::map_handle(timer.map), key, timer.value]);
        }
        r[10] = Memory::frame_pointer(0);
        let mut cpu = Cpu { code, state };
        let result = cpu.run(start, &mut r);
        state.timers.firing = None;
        result.map_err(|trap| located(code, *trap, start))?;
        if fired >= MAX_FIRINGS {
            let text = format!("{fired} timers fired within {ns} ns of simulated time");
            return Err(located(code, *Box::<Trap>::from(FaultKind::Misuse(text)), start));
        }
    }
    state.world.clock.monotonic_ns = until;
    Ok(fired)
}
