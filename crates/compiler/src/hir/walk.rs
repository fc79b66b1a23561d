//! Walking expressions. Invariant: children come in the order they are evaluated.

use super::{Expr, ExprKind};

impl Expr {
    /// Calls `f` with every direct part, in the order of evaluation.
    pub fn each_child<'a>(&'a self, f: &mut dyn FnMut(&'a Expr)) {
        match &self.kind {
            ExprKind::Const(_)
            | ExprKind::Local(_)
            | ExprKind::AddrOf(_)
            | ExprKind::Ctx
            | ExprKind::Map(_)
            | ExprKind::Global(_)
            | ExprKind::Bytes(_)
            | ExprKind::CoreValue { .. } => {}
            ExprKind::Set(_, e)
            | ExprKind::Un(_, e)
            | ExprKind::Cast(e)
            | ExprKind::Bswap(_, e)
            | ExprKind::Break(_, e)
            | ExprKind::Return(e) => f(e),
            ExprKind::Seq(es)
            | ExprKind::MapOp { args: es, .. }
            | ExprKind::Helper { args: es, .. }
            | ExprKind::Kfunc { args: es, .. }
            | ExprKind::Call { args: es, .. } => es.iter().for_each(f),
            ExprKind::If(a, b, c) => [a, b, c].into_iter().for_each(|e| f(e)),
            ExprKind::Bin(_, a, b) | ExprKind::Cmp(_, a, b) => {
                f(a);
                f(b);
            }
            ExprKind::Load { ptr, .. } | ExprKind::CoreLoad { ptr, .. } => f(ptr),
            ExprKind::Store { ptr, value, .. } | ExprKind::Atomic { ptr, value, .. } => {
                f(ptr);
                f(value);
            }
            ExprKind::Copy { dst, src, .. } => {
                f(dst);
                f(src);
            }
            ExprKind::Fill { dst, value, .. } => {
                f(dst);
                f(value);
            }
            ExprKind::Differ { a, b, .. } => {
                f(a);
                f(b);
            }
            ExprKind::CmpXchg { ptr, expected, new, .. } => [ptr, expected, new].into_iter().for_each(|e| f(e)),
            ExprKind::InBounds { ptr, end, .. } => {
                f(ptr);
                f(end);
            }
            ExprKind::While { test, body, .. } => {
                f(test);
                f(body);
            }
            ExprKind::For { count, body, .. } => {
                f(count);
                f(body);
            }
            ExprKind::Block { body, .. } => f(body),
        }
    }
}
