//! Perf events: what programs of the probe kinds hang on.

use std::ffi::CStr;
use std::os::fd::{BorrowedFd, OwnedFd};

use crate::call::{Call, expect_reply};
use crate::{Reply, SysError};

/// A perf event to open. `pid` -1 means every process, `cpu` -1 every processor (not both).
#[derive(Clone, Debug)]
pub struct PerfEvent<'a> {
    /// What to count.
    pub kind: PerfKind<'a>,
    /// One process, or -1.
    pub pid: i32,
    /// One processor, or -1.
    pub cpu: i32,
}

/// The kinds of perf events.
#[derive(Clone, Copy, Debug)]
pub enum PerfKind<'a> {
    /// A tracepoint, by its id in tracefs.
    Tracepoint {
        /// The id.
        id: u64,
    },
    /// A function of the kernel.
    Kprobe {
        /// The number in `/sys/bus/event_source/devices/kprobe/type`.
        pmu: u32,
        /// The configuration word: the bit that `format/retprobe` names for a return probe, else 0.
        config: u64,
        /// The function.
        symbol: &'a CStr,
        /// Bytes into it.
        offset: u64,
    },
    /// A place in a program or library.
    Uprobe {
        /// The number in `/sys/bus/event_source/devices/uprobe/type`.
        pmu: u32,
        /// As for kprobes; the upper half holds the offset of a USDT semaphore.
        config: u64,
        /// The file.
        path: &'a CStr,
        /// Offset in the file.
        offset: u64,
    },
    /// What `bpf_perf_event_output` writes to.
    Output,
    /// Samples of a counter: every `period` counts, or `period` times a second.
    Sample {
        /// PERF_TYPE_HARDWARE (0), PERF_TYPE_SOFTWARE (1), …
        kind: u32,
        /// PERF_COUNT_…
        config: u64,
        /// Counts or rate.
        period: Period,
    },
}

/// How often a sampling event fires.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Period {
    /// Once in so many counts.
    Every(u64),
    /// So many times a second.
    Frequency(u64),
}

impl PerfEvent<'_> {
    /// Opens the event.
    pub fn open(&self) -> Result<OwnedFd, SysError> {
        expect_reply!(Call::PerfEventOpen(self), Reply::Fd(fd) => fd)
    }
}

/// Runs `prog` whenever the event fires (the way before perf links; the event's end removes it).
pub fn perf_set_bpf(event: BorrowedFd<'_>, prog: BorrowedFd<'_>) -> Result<(), SysError> {
    expect_reply!(Call::PerfSetBpf { event, prog }, Reply::Done => ())
}

/// Starts an event.
pub fn perf_enable(event: BorrowedFd<'_>) -> Result<(), SysError> {
    expect_reply!(Call::PerfEnable { event }, Reply::Done => ())
}

/// Stops an event.
pub fn perf_disable(event: BorrowedFd<'_>) -> Result<(), SysError> {
    expect_reply!(Call::PerfDisable { event }, Reply::Done => ())
}

/// The ids of the programs attached to a tracepoint's event (at most 64).
pub fn perf_query(event: BorrowedFd<'_>) -> Result<Vec<u32>, SysError> {
    expect_reply!(Call::PerfQuery { event, max: 64 }, Reply::Numbers(v) => v.into_iter().map(|n| n as u32).collect())
}
