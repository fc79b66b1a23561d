//! What can go wrong in loading.

use whistler_diag::Span;
use whistler_sys::SysError;

/// Why an object was not loaded.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LoadError {
    /// A map could not be made.
    #[error("map `{map}` can't be made: {why}")]
    Map {
        /// Its name.
        map: String,
        /// Why, with what is missing.
        why: String,
        /// The call that failed.
        cause: SysError,
    },
    /// A map that is to be kept has another shape than the object's.
    #[error("map `{map}` is there with another shape: {what}")]
    MapShape {
        /// Its name.
        map: String,
        /// What differs.
        what: String,
    },
    /// The memory of globals could not be made or filled.
    #[error("the globals in {section} can't be set up: {cause}")]
    Globals {
        /// `.rodata`, `.data` or `.bss`.
        section: String,
        /// The call that failed.
        cause: SysError,
    },
    /// An instruction names something that is nowhere.
    #[error("`{function}` uses {what} `{name}`, which {problem}")]
    Name {
        /// The function.
        function: String,
        /// `the map`, `the kernel function`, …
        what: &'static str,
        /// The name.
        name: String,
        /// `the object does not have`, …
        problem: String,
        /// Where.
        span: Span,
    },
    /// An instruction's record does not fit it.
    #[error("`{function}`, instruction {insn}: {why}")]
    Relocation {
        /// The function.
        function: String,
        /// Its slot.
        insn: u32,
        /// What does not fit.
        why: String,
        /// Where.
        span: Span,
    },
    /// An access to the kernel's types that this kernel can't answer.
    #[error("`{function}` asks for {what}, but {why}")]
    Core {
        /// The function.
        function: String,
        /// The access.
        what: String,
        /// Why there is no answer.
        why: String,
        /// Where.
        span: Span,
    },
    /// What a program attaches to is not in the kernel.
    #[error("`{program}`: {why}")]
    Target {
        /// The program.
        program: String,
        /// What is missing.
        why: String,
    },
    /// A struct of operations could not be made.
    #[error("the struct of operations `{name}` can't be made: {why}")]
    StructOps {
        /// Its name.
        name: String,
        /// Why.
        why: String,
        /// What would mend it.
        mend: Option<String>,
        /// The call that failed.
        cause: Option<SysError>,
    },
    /// The kernel refused the program for want of rights.
    #[error("`{program}` can't be loaded: {why}")]
    Denied {
        /// The program.
        program: String,
        /// What is missing.
        why: String,
        /// What would mend it.
        mend: Option<String>,
        /// The call that failed.
        cause: SysError,
    },
    /// The verifier refused the program.
    #[error(transparent)]
    Verifier(#[from] Box<VerifierError>),
    /// Another call failed.
    #[error(transparent)]
    Sys(#[from] SysError),
}

/// A program that the verifier refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the kernel does not accept `{program}`: {message}")]
pub struct VerifierError {
    /// The program.
    pub program: String,
    /// The call's error.
    pub cause: SysError,
    /// The slot of the whole program at which it stopped.
    pub insn: Option<usize>,
    /// The function and its own slot.
    pub place: Option<(String, usize)>,
    /// The source of that slot.
    pub span: Span,
    /// What the verifier says, in one line.
    pub message: String,
    /// All it says.
    pub log: String,
}
