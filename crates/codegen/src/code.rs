//! What comes out: bytes, symbolic relocations, opaque CO-RE ids, variable locations.

use std::rc::Rc;

use whistler_isa::{Insn, Reg};

use crate::ir::{CoreId, SrcLoc, Sym};

/// Machine code of one function. Invariant: `locs` has an entry per slot of `insns`, and every
/// index below counts slots.
#[derive(Clone, Debug, Default)]
pub struct Code {
    /// The function's name.
    pub name: String,
    /// Instruction slots.
    pub insns: Vec<Insn>,
    /// Slots (the first of two) that name a symbol: `ld_imm64` of an address, or a call.
    pub syms: Vec<SymUse>,
    /// Slots to be patched to the running kernel's types.
    pub core: Vec<(u32, CoreId)>,
    /// Source location of every slot.
    pub locs: Vec<SrcLoc>,
    /// Where source variables live.
    pub vars: Vec<VarLoc>,
    /// Bytes of stack the function uses.
    pub stack_size: u32,
}

/// A slot that names a symbol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SymUse {
    /// The slot.
    pub insn: u32,
    /// The symbol.
    pub sym: Sym,
    /// Byte offset into it (globals).
    pub offset: i32,
}

/// A source variable's stay in one place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VarLoc {
    /// Its name.
    pub name: Rc<str>,
    /// First slot.
    pub start: u32,
    /// One past the last slot.
    pub end: u32,
    /// Where.
    pub place: VarPlace,
}

/// A register, or a place on the stack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum VarPlace {
    /// In that register.
    Reg(Reg),
    /// At that offset from r10.
    Stack(i32),
}

/// How much to optimise.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum OptLevel {
    /// Only what correctness needs (unreachable code out, legal forms).
    None,
    /// Every pass.
    #[default]
    Full,
}

/// Why no code could be made. All of these are for the user: the compiler turns them into diagnostics.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CodegenError {
    /// More than 512 bytes of stack: the function, what it needs, its slots by size.
    #[error("`{function}` needs {needed} bytes of stack; there are {limit}")]
    StackOverflow {
        /// The function.
        function: String,
        /// Bytes needed.
        needed: u32,
        /// Bytes there are.
        limit: u32,
        /// The biggest users: name and bytes.
        users: Vec<(String, u32)>,
    },
    /// Too much stack around a function that goes on in another program.
    #[error("the functions around the tail call in `{function}` need {needed} bytes of stack; there are {limit}")]
    TailCallStack {
        /// The function with the tail call.
        function: String,
        /// Bytes that those around it need.
        needed: u32,
        /// Bytes there are.
        limit: u32,
        /// Its callers: name and bytes.
        users: Vec<(String, u32)>,
    },
    /// More functions that call each other than the kernel has frames for.
    #[error("`{}` begins a chain of {} calls", chain[0], chain.len())]
    CallDepth {
        /// The functions, each called by the one before.
        chain: Vec<String>,
        /// Frames there are.
        limit: usize,
    },
    /// A jump or an offset that does not fit its field, or too many instructions.
    #[error("`{function}` is too large: {what}")]
    TooLarge {
        /// The function.
        function: String,
        /// What does not fit.
        what: String,
    },
    /// Something the target's instruction set cannot do.
    #[error("{what} needs {needs}")]
    NeedsTarget {
        /// The operation.
        what: String,
        /// The level or kernel it needs.
        needs: String,
        /// Where.
        loc: SrcLoc,
    },
    /// The IR breaks a rule of the validator: our bug.
    #[error("internal: invalid IR in `{function}` after {stage}: {what}")]
    Invalid {
        /// The function.
        function: String,
        /// The pass.
        stage: String,
        /// The rule broken.
        what: String,
    },
}
