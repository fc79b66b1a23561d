//! One program, everywhere: the reference, the machine and the kernel must agree on the result, the packet, the
//! context and every map. Invariant: what one of them can't do is a [`Problem`], never a silent pass.

mod after;
mod places;

use std::cell::RefCell;
use std::rc::Rc;

use whistler_codegen::OptLevel;
use whistler_compiler::Session;
use whistler_compiler::hir::Unit;
use whistler_diag::{Diagnostic, SourceMap, Style, render_all};
use whistler_isa::{LoopWay, Target};
use whistler_kernel::Kernel;
use whistler_lisp::{Interp, NoIo};
use whistler_object::{ObjectError, elf};

pub use after::After;
pub use places::{Buffer, Input};

/// What went wrong with a program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Problem {
    /// The compiler refused it.
    Rejected(String),
    /// The verifier refused it.
    Verifier(String),
    /// A run ended in a fault.
    Fault(String),
    /// Two disagreed.
    Mismatch(String),
}

/// What the verifier says at its limits, and the reference at its own.
const TOO_MUCH: [&str; 3] = ["jumps is too complex", "BPF program is too large", "too many steps"];

impl Problem {
    /// Whether the program was too much for the verifier or the reference, rather than wrong.
    pub fn is_limit(&self) -> bool {
        match self {
            Problem::Verifier(why) | Problem::Fault(why) => TOO_MUCH.iter().any(|limit| why.contains(limit)),
            Problem::Rejected(_) | Problem::Mismatch(_) => false,
        }
    }

    /// Whether another one is of the same sort: the same kind and, where the compiler refused, the same error.
    pub fn is_like(&self, other: &Problem) -> bool {
        let code = |p: &Problem| match p {
            Problem::Rejected(why) => why.split_once(']').map(|(code, _)| code.to_string()),
            _ => None,
        };
        self.kind() == other.kind() && code(self) == code(other)
    }

    /// The kind, so that a smaller program is only taken when it fails in the same way.
    pub fn kind(&self) -> &'static str {
        match self {
            Problem::Rejected(_) => "rejected by the compiler",
            Problem::Verifier(_) => "rejected by the verifier",
            Problem::Fault(_) => "fault",
            Problem::Mismatch(_) => "mismatch",
        }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Problem::Rejected(s) | Problem::Verifier(s) | Problem::Fault(s) | Problem::Mismatch(s)) = self;
        write!(f, "{}: {s}", self.kind())
    }
}

/// The places where programs are run besides the reference.
pub struct Bench<'k> {
    /// The kernel, when it is to be asked.
    pub kernel: Option<&'k Kernel>,
    /// What is compiled for.
    pub target: Target,
    /// How well.
    pub opt: OptLevel,
}

/// A program that the compiler has checked, for a target.
pub struct Checked {
    unit: Unit,
    sources: Rc<RefCell<SourceMap>>,
    target: Target,
}

/// Checks a source with the one program `p`.
///
/// # Errors
/// [`Problem::Rejected`].
pub fn check(text: &str, target: Target) -> Result<Checked, Problem> {
    let sources = Rc::new(RefCell::new(SourceMap::new()));
    let file = sources.borrow_mut().add("random.lisp", text);
    let types = Rc::new(whistler_btf::NoTypes::new("random programs use no kernel types"));
    let mut interp = Interp::new(Box::new(NoIo));
    let mut session = Session::new(target, types);
    let mut ds = session.load_source(&mut interp, &sources.borrow(), file);
    let (unit, more) = session.check(&mut interp, None);
    ds.extend(more);
    let checked = Checked { unit, sources, target };
    if ds.iter().any(Diagnostic::is_error) { Err(checked.rejected(&ds)) } else { Ok(checked) }
}

impl Checked {
    fn rejected(&self, ds: &[Diagnostic]) -> Problem {
        let errors: Vec<Diagnostic> = ds.iter().filter(|d| d.is_error()).cloned().collect();
        Problem::Rejected(render_all(&errors, &self.sources.borrow(), Style::Plain))
    }

    /// What the reference says of runs on these packets.
    ///
    /// # Errors
    /// [`Problem::Fault`].
    pub fn reference(&self, inputs: &[Input]) -> Result<After, Problem> {
        places::reference(&self.unit, inputs)
    }
}

impl Bench<'_> {
    /// Whether this is not what a user gets by default: without optimisation, or with loops made in a way that was asked
    /// for.
    pub fn is_plain(&self) -> bool {
        self.opt == OptLevel::None || self.target.loops != LoopWay::Auto
    }

    /// Runs a checked program in every place; `wanted` is what the reference said.
    ///
    /// # Errors
    /// What went wrong.
    pub fn run(&self, checked: &Checked, wanted: &After, inputs: &[Input]) -> Result<(), Problem> {
        let object =
            whistler_compiler::assemble::assemble(&checked.unit, &checked.sources.borrow(), &checked.target, self.opt);
        let object = object.map_err(|ds| checked.rejected(&ds))?;
        let vm = places::in_vm(&object, inputs)?;
        if let Some(d) = wanted.difference(&vm) {
            return Err(Problem::Mismatch(format!("reference / VM on {inputs:02x?}: {d}")));
        }
        let Some(kernel) = self.kernel else { return Ok(()) };
        // The kernel gets what loaders do: the object as it is in a file.
        let fault = |e: ObjectError| Problem::Fault(format!("as a file: {e}"));
        let object = elf::read(&elf::write(&object).map_err(fault)?).map_err(fault)?;
        // Per-CPU maps remember on which processor a run was, and the scheduler may move us between two runs.
        let tries = if places::has_per_cpu(&object) { 3 } else { 1 };
        let mut found = Ok(());
        for _ in 0..tries {
            let real = places::in_kernel(kernel, &object, inputs)?;
            found = match wanted.difference(&real) {
                None => return Ok(()),
                Some(d) => Err(Problem::Mismatch(format!("reference / kernel on {inputs:02x?}: {d}"))),
            };
        }
        found
    }

    /// Compiles and runs.
    ///
    /// # Errors
    /// What went wrong.
    pub fn judge(&self, text: &str, inputs: &[Input]) -> Result<(), Problem> {
        let checked = check(text, self.target)?;
        self.run(&checked, &checked.reference(inputs)?, inputs)
    }
}
