//! The intermediate representation: functions in SSA form, blocks with
//! parameters instead of phi nodes, and instructions at the level of meaning.
//!
//! Every value is 64 bits wide at run time. Arithmetic has the semantics of
//! the machine (RFC 9669) at the width it names; a 32-bit operation reads the
//! low halves and zero-extends its result. The entry block is `block0`; its
//! parameters are the function's, and nothing jumps to it.

mod builder;
pub mod cfg;
mod entity;
mod function;
pub mod interp;
mod op;
mod parse;
mod text;
mod validate;

pub use builder::{FunctionBuilder, Variable};
pub use entity::{Block, CoreId, Inst, Slot, SrcLoc, Sym, Value};
pub use function::{BlockData, Function, InstData, MapFacts, Module, SlotData, SymData, SymKind, ValueData, ValueDef};
pub use op::{AtomicOp, BinOp, Callee, Cc, Op, Size, Space, Target, Terminator, Ty, UnOp, Width};
pub use parse::{ParseError, parse};
pub use validate::{Violation, validate, validate_with};
