//! Programs in the kernel.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use whistler_isa::{AttachType, ProgType};
use whistler_sys::SysError;
use whistler_sys::bpf::{self, ProgInfo};

pub use whistler_sys::bpf::TestRunOut;

/// A loaded program.
#[derive(Debug)]
pub struct Program {
    pub(crate) name: String,
    pub(crate) fd: OwnedFd,
    pub(crate) prog_type: ProgType,
    pub(crate) attach_type: Option<AttachType>,
    pub(crate) section: String,
    pub(crate) insn_count: usize,
    pub(crate) log: String,
    pub(crate) sleepable: bool,
    /// The kernel type it was loaded for, in a module's BTF or the kernel's own.
    pub(crate) attach_btf: Option<(Option<OwnedFd>, u32)>,
}

impl AsFd for Program {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// What to run a program on once.
#[derive(Clone, Debug, Default)]
pub struct TestRun<'a> {
    /// The packet (network programs).
    pub data_in: &'a [u8],
    /// The context (raw tracepoint and syscall programs; others may take one).
    pub ctx_in: &'a [u8],
    /// Runs; 0 is 1. Only for packets: with raw tracepoint and syscall programs more is EINVAL.
    pub repeat: u32,
}

/// Room that a packet may grow by in a test run.
const GROWTH: u32 = 4096;

/// Runs and the time they took, while statistics were on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RunStats {
    /// Runs.
    pub runs: u64,
    /// Nanoseconds in all of them.
    pub nanoseconds: u64,
    /// Runs left out because the program was running already.
    pub missed: u64,
}

impl Program {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its type.
    pub fn prog_type(&self) -> ProgType {
        self.prog_type
    }

    /// The attach type it was loaded with.
    pub fn attach_type(&self) -> Option<AttachType> {
        self.attach_type
    }

    /// Its section, which names its usual target.
    pub fn section(&self) -> &str {
        &self.section
    }

    /// Slots, with the subprograms it brought along.
    pub fn insn_count(&self) -> usize {
        self.insn_count
    }

    /// Whether it may sleep.
    pub fn is_sleepable(&self) -> bool {
        self.sleepable
    }

    /// The verifier's log, where one was asked for.
    pub fn log(&self) -> &str {
        &self.log
    }

    /// What the kernel says about it.
    pub fn info(&self) -> Result<ProgInfo, SysError> {
        bpf::prog_info(self.as_fd())
    }

    /// The kernel's number of it.
    pub fn id(&self) -> Result<u32, SysError> {
        self.info().map(|i| i.id)
    }

    /// Runs so far; only counted while a [`RunStatistics`] is held by somebody.
    pub fn stats(&self) -> Result<RunStats, SysError> {
        let i = self.info()?;
        Ok(RunStats { runs: i.run_cnt, nanoseconds: i.run_time_ns, missed: i.recursion_misses })
    }

    /// Runs it once in the kernel, on data given.
    pub fn test_run(&self, run: &TestRun<'_>) -> Result<TestRunOut, SysError> {
        // The kernel refuses room for what a kind does not give back.
        let packet = !run.data_in.is_empty();
        let gives_context = packet && matches!(self.prog_type, ProgType::Xdp | ProgType::SchedCls | ProgType::SchedAct);
        let len = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let out = bpf::TestRun {
            prog: self.as_fd(),
            data_in: run.data_in,
            data_out_len: if packet { len(run.data_in).saturating_add(GROWTH) } else { 0 },
            ctx_in: run.ctx_in,
            ctx_out_len: if gives_context && !run.ctx_in.is_empty() { len(run.ctx_in) } else { 0 },
            repeat: run.repeat,
            flags: 0,
            cpu: 0,
        };
        out.run()
    }

    /// Pins the program to a path of a bpf file system.
    pub fn pin(&self, path: &std::path::Path) -> Result<(), SysError> {
        bpf::obj_pin(self.as_fd(), &crate::c_path(path)?)
    }
}

/// While this is held, the kernel counts runs of all programs (needs CAP_SYS_ADMIN).
#[derive(Debug)]
pub struct RunStatistics(#[allow(dead_code)] OwnedFd);

impl RunStatistics {
    /// Starts counting.
    pub fn enable() -> Result<RunStatistics, SysError> {
        bpf::enable_run_stats().map(RunStatistics)
    }
}
