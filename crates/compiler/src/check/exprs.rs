//! Small expressions that the compiler itself makes.

use crate::hir::{At, BinOp, CmpOp, Expr, ExprKind, Ty};

/// A constant.
pub fn konst(n: i64, at: &At) -> Expr {
    Expr::new(ExprKind::Const(n), Ty::U64, at.clone())
}

/// Arithmetic with a constant.
pub fn bin(op: BinOp, x: Expr, n: i64, at: &At) -> Expr {
    Expr::new(ExprKind::Bin(op, Box::new(x), Box::new(konst(n, at))), Ty::U64, at.clone())
}

/// A pointer moved by a constant.
pub fn offset(p: Expr, n: i64, ty: Ty, at: &At) -> Expr {
    if n == 0 {
        if p.ty == ty {
            return p;
        }
        return Expr::new(ExprKind::Cast(Box::new(p)), ty, at.clone());
    }
    Expr::new(ExprKind::Bin(BinOp::Add, Box::new(p), Box::new(konst(n, at))), ty, at.clone())
}

/// A comparison.
pub fn cmp(op: CmpOp, a: Expr, b: Expr, at: &At) -> Expr {
    Expr::new(ExprKind::Cmp(op, Box::new(a), Box::new(b)), Ty::Bool, at.clone())
}
