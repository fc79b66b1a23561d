//! What ends a program before its `exit`. Invariant: a [`Fault`] always says
//! which instruction of which function it was, and where that stands in the
//! source when the object knows.

use std::fmt;

use whistler_object::Location;

/// What an instruction or helper wanted of memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// A load.
    Read,
    /// A store.
    Write,
}

/// Why a program was stopped.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FaultKind {
    /// Memory that is not the program's, or not for this use.
    #[error("{} {len} byte{} at {addr:#x}: {reason}", match access { Access::Read => "can't read", Access::Write => "can't write" }, if *len == 1 { "" } else { "s" })]
    BadAccess {
        /// The address used.
        addr: u64,
        /// How many bytes.
        len: usize,
        /// Load or store.
        access: Access,
        /// What the address is, and why it was refused.
        reason: String,
    },
    /// An operation code that RFC 9669 and the kernel do not define, or one with bad fields.
    #[error("instruction {0} is not defined")]
    BadInstruction(String),
    /// A jump, call or fall-through that leaves its function.
    #[error("control leaves the function: {0}")]
    BadJump(String),
    /// More instructions than the budget allows.
    #[error("still running after {0} instructions; is there a loop that does not end?")]
    Budget(u64),
    /// More nested calls than the kernel has frames.
    #[error("calls nest deeper than {0} frames")]
    CallDepth(usize),
    /// A helper that this machine does not simulate.
    #[error("helper {0} is not simulated in the VM")]
    Helper(String),
    /// A kernel function that this machine does not simulate.
    #[error("kernel function `{0}` is not simulated in the VM")]
    Kfunc(String),
    /// A reference to something the object does not define.
    #[error("{0}")]
    Unresolved(String),
    /// A helper called in a way the verifier never lets pass.
    #[error("{0}")]
    Misuse(String),
}

/// One call that was under way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TraceEntry {
    /// Function name.
    pub function: String,
    /// Index of the slot within the function.
    pub insn: usize,
    /// Its source location.
    pub location: Option<Box<Location>>,
}

/// A program was stopped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// Why.
    pub kind: FaultKind,
    /// Function the instruction belongs to.
    pub function: String,
    /// Index of the slot within the function.
    pub insn: usize,
    /// Its source location.
    pub location: Option<Box<Location>>,
    /// The calls that led there, innermost first, without the faulting function itself.
    pub callers: Vec<TraceEntry>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, at instruction {} of `{}`", self.kind, self.insn, self.function)?;
        if let Some(l) = &self.location {
            write!(f, " ({}:{}:{})", l.file, l.line, l.col)?;
        }
        Ok(())
    }
}

impl std::error::Error for Fault {}

/// A fault on its way up, before the pc is turned into a function and a line.
#[derive(Debug)]
pub(crate) struct Trap {
    pub kind: FaultKind,
    /// Index into the code of the machine, filled in by the innermost interpreter loop.
    pub pc: Option<usize>,
    /// Return addresses of the frames that were live at that moment.
    pub callers: Vec<usize>,
}

/// Boxed so that the good path of the interpreter stays narrow.
pub(crate) type Run<T> = Result<T, Box<Trap>>;

impl From<FaultKind> for Box<Trap> {
    #[cold]
    fn from(kind: FaultKind) -> Box<Trap> {
        Box::new(Trap { kind, pc: None, callers: Vec::new() })
    }
}

/// A [`FaultKind::Misuse`] as the error of a helper.
#[cold]
pub(crate) fn misuse(text: impl Into<String>) -> Box<Trap> {
    FaultKind::Misuse(text.into()).into()
}
