//! The typed program: what the checker makes and what lowering, and the
//! reference evaluator of the tests, read.
//!
//! Invariants:
//! - Every expression of an integer type yields a *canonical* 64-bit number:
//!   zero- or sign-extended from the type's size. `Bool` yields 0 or 1.
//! - All conversions are explicit ([`ExprKind::Cast`]); operators say their own
//!   signedness and work on 64 bits.
//! - Evaluation is left to right, once each.
//! - Accesses are checked: what can be null has been tested, as far as the checker sees.

mod dump;
mod expr;
mod types;
mod unit;
mod walk;

pub use dump::dump;
pub use expr::{AtomicOp, BinOp, Callback, CmpOp, Expr, ExprKind, LabelId, LocalId, LoopPlan, MapOp, UnOp};
pub use types::{BitPlace, EnumDef, Field, IntTy, PtrTy, Space, StructDef, Ty};
pub use unit::{
    At, CoreId, Exports, Function, FunctionId, GlobalDef, GlobalId, Local, LocalKind, MapDef, MapId, OpsDef, OpsField,
    OpsMember, OpsValue, ProgramInfo, Unit,
};
