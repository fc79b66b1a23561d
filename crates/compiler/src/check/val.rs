//! What the checker knows of a checked expression. Invariant: `lo..=hi` holds the value whatever
//! happens at run time (as a signed or unsigned number, by its type).

use crate::hir::{At, Expr, ExprKind, IntTy, LocalId, Ty};

/// Something that a test tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fact {
    /// The pointer in this variable is not null.
    NonNull(LocalId),
    /// The pointer in this variable is null.
    Null(LocalId),
    /// So many bytes from the packet pointer in this variable lie in the packet.
    Covers(LocalId, u32),
    /// The number in this variable is at most this.
    AtMost(LocalId, u64),
}

/// What is known when a value is true, and when it is false.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Facts {
    /// When true.
    pub yes: Vec<Fact>,
    /// When false.
    pub no: Vec<Fact>,
}

/// A checked expression.
#[derive(Clone, Debug)]
pub struct Val {
    /// The expression.
    pub e: Expr,
    /// Whether it is a constant as the language means it.
    pub lit: bool,
    /// The least it can be.
    pub lo: i128,
    /// The most it can be.
    pub hi: i128,
    /// What it tells as a test.
    pub facts: Option<Box<Facts>>,
    /// For packet pointers: the variable it is counted from, and the distance.
    pub base: Option<(LocalId, i64)>,
}

/// The least and most of an integer type.
pub fn type_range(i: IntTy) -> (i128, i128) {
    let bits = u32::from(i.size) * 8;
    if i.signed { (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1) } else { (0, (1i128 << bits) - 1) }
}

impl Val {
    /// A value of which only the type is known.
    pub fn new(kind: ExprKind, ty: Ty, at: At) -> Val {
        Val::of(Expr::new(kind, ty, at))
    }

    /// A checked expression of which only the type is known.
    pub fn of(e: Expr) -> Val {
        let (lo, hi) = match (&e.kind, &e.ty) {
            (_, Ty::Void | Ty::Never) | (ExprKind::Const(0), Ty::Ptr(_)) => (0, 0),
            (ExprKind::Const(n), Ty::Int(IntTy { signed: false, .. })) => {
                (i128::from(*n as u64), i128::from(*n as u64))
            }
            (ExprKind::Const(n), _) => (i128::from(*n), i128::from(*n)),
            (_, Ty::Bool) => (0, 1),
            (_, ty) => type_range(ty.as_int().unwrap_or(IntTy::U64)),
        };
        Val { e, lit: false, lo, hi, facts: None, base: None }
    }

    /// A constant of the language.
    pub fn literal(n: i128, at: At) -> Val {
        let signed = n < 0;
        let bits = n as i64;
        let ty = if signed { Ty::I64 } else { Ty::U64 };
        Val { e: Expr::new(ExprKind::Const(bits), ty, at), lit: true, lo: n, hi: n, facts: None, base: None }
    }

    /// A constant that is no literal of the user's.
    pub fn constant(n: i64, ty: Ty, at: At) -> Val {
        Val::of(Expr::new(ExprKind::Const(n), ty, at))
    }

    /// What stands where an error was reported: it fits everywhere and is not reported again.
    pub fn error(at: At) -> Val {
        Val::of(Expr::new(ExprKind::Const(0), Ty::Never, at))
    }

    /// Nothing.
    pub fn void(at: At) -> Val {
        Val::of(Expr::new(ExprKind::Seq(Vec::new()), Ty::Void, at))
    }

    /// With a narrower range.
    pub fn within(mut self, lo: i128, hi: i128) -> Val {
        if lo <= hi {
            (self.lo, self.hi) = (self.lo.max(lo), self.hi.min(hi));
        }
        self
    }

    /// With what it tells as a test.
    pub fn telling(mut self, yes: Vec<Fact>, no: Vec<Fact>) -> Val {
        if !yes.is_empty() || !no.is_empty() {
            self.facts = Some(Box::new(Facts { yes, no }));
        }
        self
    }

    /// Its type.
    pub fn ty(&self) -> &Ty {
        &self.e.ty
    }

    /// Where it stands.
    pub fn at(&self) -> &At {
        &self.e.at
    }

    /// Whether control never gets past it (or an error was reported).
    pub fn never(&self) -> bool {
        self.e.ty == Ty::Never
    }

    /// Whether it is the constant 0, `nil` or nothing at all.
    pub fn is_zero(&self) -> bool {
        (self.lit && self.lo == 0) || self.e.ty == Ty::Void
    }

    /// The literal it is.
    pub fn as_lit(&self) -> Option<i128> {
        self.lit.then_some(self.lo)
    }

    /// The integer type it computes as.
    pub fn int(&self) -> Option<IntTy> {
        match self.e.ty {
            Ty::Void => Some(IntTy::U64),
            _ => self.e.ty.as_int(),
        }
    }
}
