//! Walking expressions. Invariant: children come in the order they are evaluated.

use super::{Expr, ExprKind};

/// The one list of parts, for reading and for replacing.
macro_rules! children {
    ($kind:expr, $f:expr $(, $mutable:tt)?) => {{
        let f = $f;
        match $kind {
            ExprKind::Const(_)
            | ExprKind::Local(_)
            | ExprKind::AddrOf(_)
            | ExprKind::Ctx
            | ExprKind::Map(_)
            | ExprKind::Global(_)
            | ExprKind::FnAddr(_)
            | ExprKind::Bytes(_)
            | ExprKind::CoreValue { .. } => {}
            ExprKind::Set(_, e)
            | ExprKind::Un(_, e)
            | ExprKind::Cast(e)
            | ExprKind::Bswap(_, e)
            | ExprKind::Break(_, e)
            | ExprKind::Return(e) => f(e),
            ExprKind::OnLeaving { release, .. } => f(release),
            ExprKind::Seq(es)
            | ExprKind::MapOp { args: es, .. }
            | ExprKind::Helper { args: es, .. }
            | ExprKind::Kfunc { args: es, .. }
            | ExprKind::Call { args: es, .. } => {
                for e in es {
                    f(e);
                }
            }
            ExprKind::If(a, b, c) => {
                f(a);
                f(b);
                f(c);
            }
            ExprKind::Bin(_, a, b) | ExprKind::Cmp(_, a, b) => {
                f(a);
                f(b);
            }
            ExprKind::Load { ptr, .. } | ExprKind::CoreLoad { ptr, .. } => f(ptr),
            ExprKind::Store { ptr, value, .. }
            | ExprKind::CoreStore { ptr, value, .. }
            | ExprKind::Atomic { ptr, value, .. } => {
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
            ExprKind::CmpXchg { ptr, expected, new, .. } => {
                f(ptr);
                f(expected);
                f(new);
            }
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
            ExprKind::WithCallback { before, callback, after, .. } => {
                for e in before {
                    f(e);
                }
                for e in after {
                    f(e);
                }
                f(&$($mutable)? callback.body);
            }
        }
    }};
}

impl Expr {
    /// Calls `f` with every direct part, in the order of evaluation.
    pub fn each_child<'a>(&'a self, f: &mut dyn FnMut(&'a Expr)) {
        children!(&self.kind, f);
    }

    /// Calls `f` with every direct part, to be replaced.
    pub fn each_child_mut(&mut self, f: &mut dyn FnMut(&mut Expr)) {
        children!(&mut self.kind, f, mut);
    }
}
