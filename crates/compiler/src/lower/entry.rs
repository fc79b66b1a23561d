//! What a global subprogram does with the numbers that it is given, before anything else.
//!
//! The verifier looks at such a function by itself. Where it has need of a parameter's exact value and stands at no
//! checkpoint of its own at the function's first instruction, it takes every number of every state for needed, also
//! in registers that nobody reads; and where states of a loop are compared (6.17 and later), it then looks for a
//! writer of those, finds a call, and gives up with "backtracking call unexpected regs". A parameter that went
//! through memory that the verifier keeps no number for is a number from there: the question ends at its load.

use whistler_codegen::ir::{AtomicOp, Size, Value};

use super::function::Lower;
use crate::hir::{Expr, ExprKind, Function, Ty, Unit};
use whistler_isa::LoopWay;

impl Lower<'_> {
    /// The parameter, the same number, that the verifier does not follow back to the caller.
    pub(super) fn entering(&mut self, value: Value, ty: &Ty) -> Value {
        if matches!(ty, Ty::Ptr(_)) {
            return value;
        }
        let slot = self.b.slot(8, None);
        let (base, zero) = (self.b.stack_addr(slot, 0), self.b.iconst(0));
        self.b.store(Size::B8, base, 0, zero);
        self.b.atomic(AtomicOp::Add, Size::B8, false, base, 0, value);
        self.b.load(Size::B8, false, base, 0)
    }
}

/// Whether the verifier compares states of a loop while it looks at this global function.
pub(super) fn compares_rounds(unit: &Unit, function: &Function) -> bool {
    let mut seen = vec![false; unit.functions.len()];
    function.global && loops(unit, &function.body, &mut seen)
}

fn loops(unit: &Unit, e: &Expr, seen: &mut [bool]) -> bool {
    let here = match &e.kind {
        ExprKind::While { plan, .. } | ExprKind::For { plan, .. } => {
            !matches!(plan.way, LoopWay::Jump | LoopWay::Unroll) || steps(e)
        }
        ExprKind::FnAddr(_) => true,
        ExprKind::Call { function, .. } => {
            let n = function.0 as usize;
            !std::mem::replace(&mut seen[n], true) && loops(unit, &unit.functions[n].body, seen)
        }
        _ => false,
    };
    let mut found = here;
    e.each_child(&mut |c| found = found || loops(unit, c, seen));
    found
}

/// Whether a loop steps an iterator of the kernel's.
fn steps(e: &Expr) -> bool {
    let mut found = matches!(&e.kind, ExprKind::Kfunc { .. });
    e.each_child(&mut |c| found = found || steps(c));
    found
}
