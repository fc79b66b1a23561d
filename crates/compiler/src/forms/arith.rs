//! Arithmetic and bits, by the rules of LANGUAGE §3: 64 bits, the sign is the operands'.

use super::{FormDef, MANY, form};
use crate::check::val::type_range;
use crate::check::{Call, Checker, Mix, Val, at};
use crate::diagnostics as diag;
use crate::hir::{At, BinOp, Expr, ExprKind, IntTy, PtrTy, Space, Ty, UnOp};
use whistler_lisp::Form;

pub(super) static FORMS: &[FormDef] = &[
    form("+", (0, MANY), |c, k| fold(c, k, Op::Add, 0), "(+ x…)", "The sum, in 64 bits; pointers count bytes."),
    form("-", (1, MANY), minus, "(- x…)", "The difference; of one operand, its negation."),
    form("*", (0, MANY), |c, k| fold(c, k, Op::Mul, 1), "(* x…)", "The product, in 64 bits."),
    form("/", (2, MANY), |c, k| fold(c, k, Op::Div, 1), "(/ x y…)", "The quotient, truncated; 0 when y is 0."),
    form("mod", (2, 2), |c, k| two(c, k, Op::Mod), "(mod x y)", "The floored remainder; x when y is 0."),
    form("rem", (2, 2), |c, k| two(c, k, Op::Rem), "(rem x y)", "The truncated remainder; x when y is 0."),
    form("1+", (1, 1), |c, k| by_one(c, k, Op::Add), "(1+ x)", "One more."),
    form("1-", (1, 1), |c, k| by_one(c, k, Op::Sub), "(1- x)", "One less."),
    form("min", (1, MANY), |c, k| fold(c, k, Op::Min, 0), "(min x…)", "The least."),
    form("max", (1, MANY), |c, k| fold(c, k, Op::Max, 0), "(max x…)", "The greatest."),
    form("abs", (1, 1), abs, "(abs x)", "Without its sign."),
    form("log2", (1, 1), log2, "(log2 x)", "Position of the highest one bit; 0 for 0."),
    form("logand", (0, MANY), |c, k| fold(c, k, Op::And, -1), "(logand x…)", "Bits set in all."),
    form("logior", (0, MANY), |c, k| fold(c, k, Op::Or, 0), "(logior x…)", "Bits set in any."),
    form("logxor", (0, MANY), |c, k| fold(c, k, Op::Xor, 0), "(logxor x…)", "Bits set in an odd number."),
    form("lognot", (1, 1), lognot, "(lognot x)", "All bits flipped."),
    form("ash", (2, 2), ash, "(ash x n)", "Shifted left by n, or right when n is negative."),
    form("<<", (2, 2), |c, k| shift(c, k, BinOp::Shl), "(<< x n)", "Shifted left."),
    form(">>", (2, 2), |c, k| shift(c, k, BinOp::ShrU), "(>> x n)", "Shifted right, zeros from the left."),
    form(">>>", (2, 2), |c, k| shift(c, k, BinOp::ShrS), "(>>> x n)", "Shifted right, the sign from the left."),
    form("ldb", (2, 2), ldb, "(ldb (byte size pos) x)", "Bits of x."),
    form("dpb", (3, 3), dpb, "(dpb new (byte size pos) x)", "x with bits replaced."),
];

/// An operator of two operands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Op {
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`
    Div,
    /// `mod`
    Mod,
    /// `rem`
    Rem,
    /// `min`
    Min,
    /// `max`
    Max,
    /// `logand`
    And,
    /// `logior`
    Or,
    /// `logxor`
    Xor,
}

impl Op {
    fn name(self) -> &'static str {
        match self {
            Op::Add => "+",
            Op::Sub => "-",
            Op::Mul => "*",
            Op::Div => "/",
            Op::Mod => "mod",
            Op::Rem => "rem",
            Op::Min => "min",
            Op::Max => "max",
            Op::And => "logand",
            Op::Or => "logior",
            Op::Xor => "logxor",
        }
    }

    /// Whether the sign changes the resulting bits.
    fn sign_matters(self) -> bool {
        matches!(self, Op::Div | Op::Mod | Op::Rem | Op::Min | Op::Max)
    }

    fn machine(self, signed: bool) -> BinOp {
        match (self, signed) {
            (Op::Add, _) => BinOp::Add,
            (Op::Sub, _) => BinOp::Sub,
            (Op::Mul, _) => BinOp::Mul,
            (Op::Div, false) => BinOp::DivU,
            (Op::Div, true) => BinOp::DivS,
            (Op::Mod | Op::Rem, false) => BinOp::RemU,
            (Op::Mod, true) => BinOp::ModS,
            (Op::Rem, true) => BinOp::RemS,
            (Op::Min, false) => BinOp::MinU,
            (Op::Min, true) => BinOp::MinS,
            (Op::Max, false) => BinOp::MaxU,
            (Op::Max, true) => BinOp::MaxS,
            (Op::And, _) => BinOp::And,
            (Op::Or, _) => BinOp::Or,
            (Op::Xor, _) => BinOp::Xor,
        }
    }
}

fn here_of(c: &Call<'_>, i: usize) -> At {
    if i + 1 == c.args.len() {
        c.at()
    } else {
        At { span: c.args[0].span.to(c.args[i].span), origin: c.form.origin.clone() }
    }
}

fn fold(c: &mut Checker<'_>, call: &Call<'_>, op: Op, unit: i128) -> Val {
    let Some(first) = call.args.first() else { return Val::literal(unit, call.at()) };
    let mut acc = c.value(first);
    if call.args.len() == 1 {
        if !matches!(acc.ty(), Ty::Ptr(_)) {
            acc = c.number(acc, op.name());
        }
        return acc;
    }
    for (i, f) in call.args.iter().enumerate().skip(1) {
        let v = c.value(f);
        acc = arith(c, op, acc, v, here_of(call, i));
    }
    acc
}

fn minus(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    if call.args.len() > 1 {
        return fold(c, call, Op::Sub, 0);
    }
    let v = c.value(&call.args[0]);
    let v = c.number(v, "-");
    if v.never() {
        return v;
    }
    if let Some(n) = v.as_lit() {
        return constant(-n, call.at());
    }
    let (ty, lo, hi) = match v.int() {
        Some(i) if i.signed => (Ty::I64, -v.hi, -v.lo),
        _ => (Ty::U64, 0, i128::from(u64::MAX)),
    };
    let (lo, hi) =
        if hi > i128::from(i64::MAX) { type_range(IntTy { size: 8, signed: ty == Ty::I64 }) } else { (lo, hi) };
    Val::new(ExprKind::Un(UnOp::Neg, Box::new(v.e)), ty, call.at()).within(lo, hi)
}

fn two(c: &mut Checker<'_>, call: &Call<'_>, op: Op) -> Val {
    let a = c.value(&call.args[0]);
    let b = c.value(&call.args[1]);
    arith(c, op, a, b, call.at())
}

fn by_one(c: &mut Checker<'_>, call: &Call<'_>, op: Op) -> Val {
    let a = c.value(&call.args[0]);
    arith(c, op, a, Val::literal(1, call.at()), call.at())
}

/// A constant that came out of constants: exact where 64 bits hold it.
fn constant(n: i128, at: At) -> Val {
    if (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&n) {
        Val::literal(n, at)
    } else {
        Val::literal(i128::from(n as u64), at)
    }
}

/// An operator on two values.
pub fn arith(c: &mut Checker<'_>, op: Op, a: Val, b: Val, here: At) -> Val {
    if (matches!(a.ty(), Ty::Ptr(_)) || matches!(b.ty(), Ty::Ptr(_)))
        && let Some(v) = pointers(c, op, &a, &b, &here)
    {
        return v;
    }
    let a = c.number(a, op.name());
    let b = c.number(b, op.name());
    if a.never() || b.never() {
        return either_never(c, a, b, here);
    }
    if op == Op::And && here.origin.is_none() {
        for (shifted, mask) in [(&a, &b), (&b, &a)] {
            if let Some(n) = mask.as_lit() {
                nothing_left(c, &shifted.e, n as u64, &format!("and {n} has none of them"), &here);
            }
        }
    }
    let mix = c.mix(&a, &b);
    if mix == Mix::Mixed && op.sign_matters() {
        c.mixed(op.name(), &here, &a, &b);
        return Val::error(here);
    }
    if matches!(op, Op::Div | Op::Mod | Op::Rem) && b.e.as_const() == Some(0) {
        return c.fail(
            diag::error(&diag::ZERO_DIVISOR, b.at(), format!("`{}` by the constant 0", op.name()))
                .help("at run time a zero divisor gives 0 (for `/`) or the dividend; write that if it is meant"),
        );
    }
    if let (Some(x), Some(y)) = (a.as_lit(), b.as_lit()) {
        return constant(exact(op, x, y), here);
    }
    let signed = mix == Mix::Signed;
    let ty = if signed { Ty::I64 } else { Ty::U64 };
    let range = range(op, &a, &b, signed);
    let kind = ExprKind::Bin(op.machine(signed), Box::new(a.e), Box::new(b.e));
    Val::new(kind, ty, here).within(range.0, range.1)
}

/// Operands of which one never yields: both stay, for what they do.
pub(super) fn either_never(c: &mut Checker<'_>, a: Val, b: Val, here: At) -> Val {
    let error = Val::error(here);
    c.seq(vec![a.e, b.e], error)
}

fn exact(op: Op, x: i128, y: i128) -> i128 {
    match op {
        Op::Add => x + y,
        Op::Sub => x - y,
        Op::Mul => x.wrapping_mul(y),
        Op::Div => x / y,
        Op::Rem => x % y,
        Op::Mod => x.rem_euclid(y) + if y < 0 && x.rem_euclid(y) != 0 { y } else { 0 },
        Op::Min => x.min(y),
        Op::Max => x.max(y),
        Op::And => x & y,
        Op::Or => x | y,
        Op::Xor => x ^ y,
    }
}

/// What the result can be.
fn range(op: Op, a: &Val, b: &Val, signed: bool) -> (i128, i128) {
    let full = type_range(IntTy { size: 8, signed });
    let (lo, hi) = match op {
        Op::Add => (a.lo + b.lo, a.hi + b.hi),
        Op::Sub => (a.lo - b.hi, a.hi - b.lo),
        Op::Mul => {
            let ends = [(a.lo, b.lo), (a.lo, b.hi), (a.hi, b.lo), (a.hi, b.hi)].map(|(x, y)| x.saturating_mul(y));
            (ends.into_iter().min().unwrap_or(full.0), ends.into_iter().max().unwrap_or(full.1))
        }
        Op::Div if b.lo > 0 && a.lo >= 0 => (a.lo / b.hi, a.hi / b.lo),
        Op::Div if a.lo >= 0 && b.lo >= 0 => (0, a.hi),
        Op::Mod | Op::Rem if b.lo > 0 && a.lo >= 0 => (0, a.hi.min(b.hi - 1)),
        Op::Mod | Op::Rem if b.lo >= 0 && a.lo >= 0 => (0, a.hi),
        Op::Min => (a.lo.min(b.lo), a.hi.min(b.hi)),
        Op::Max => (a.lo.max(b.lo), a.hi.max(b.hi)),
        Op::And if a.lo >= 0 && b.lo >= 0 => (0, a.hi.min(b.hi)),
        Op::And if a.lo >= 0 => (0, a.hi),
        Op::And if b.lo >= 0 => (0, b.hi),
        Op::Or | Op::Xor if a.lo >= 0 && b.lo >= 0 => {
            let bits = 128 - a.hi.max(b.hi).leading_zeros();
            (0, (1i128 << bits) - 1)
        }
        _ => full,
    };
    // What may wrap may be anything.
    if lo < full.0 || hi > full.1 { full } else { (lo, hi) }
}

/// `+` and `-` with pointers; `None` when it isn't that.
fn pointers(c: &mut Checker<'_>, op: Op, a: &Val, b: &Val, here: &At) -> Option<Val> {
    match (op, a.ty(), b.ty()) {
        (Op::Sub, Ty::Ptr(_), Ty::Ptr(_)) => {
            let kind = ExprKind::Bin(BinOp::Sub, Box::new(a.e.clone()), Box::new(b.e.clone()));
            Some(Val::new(kind, Ty::I64, here.clone()))
        }
        (Op::Add, Ty::Ptr(p), _) if b.int().is_some() => Some(moved(c, p, a, b, BinOp::Add, here)),
        (Op::Sub, Ty::Ptr(p), _) if b.int().is_some() => Some(moved(c, p, a, b, BinOp::Sub, here)),
        (Op::Add, _, Ty::Ptr(p)) if a.int().is_some() => Some(moved(c, p, b, a, BinOp::Add, here)),
        (_, Ty::Ptr(p), _) | (_, _, Ty::Ptr(p)) if matches!(p.space, Space::Kernel | Space::User | Space::Unknown) => {
            // An address of the kernel is a number in everything but name.
            let number = |c: &mut Checker<'_>, v: &Val| match v.ty() {
                Ty::Ptr(_) => Val::of(c.fit(v.clone(), &Ty::U64, crate::check::Fit::Bits)),
                _ => v.clone(),
            };
            let (x, y) = (number(c, a), number(c, b));
            Some(arith(c, op, x, y, here.clone()))
        }
        _ => None,
    }
}

fn moved(c: &mut Checker<'_>, p: &PtrTy, ptr: &Val, n: &Val, op: BinOp, here: &At) -> Val {
    if p.nullable && !matches!(p.space, Space::Kernel | Space::User | Space::Unknown) && n.as_lit() != Some(0) {
        return c.fail(
            diag::error(&diag::MAYBE_NULL, here, "this pointer may be null here")
                .label("arithmetic on it")
                .also(ptr.at().span, "it may be null")
                .help("test it first, with `when-let`, `if-let`, `when` …"),
        );
    }
    if c.lies_in_an_object(ptr.ty()) && c.not_its_number(ptr, "a number is added to it or taken from it") {
        return Val::error(here.clone());
    }
    let mut ty = p.clone();
    if n.as_lit() != Some(0) {
        ty.pointee = None;
    }
    let base = c.packet_base(&ptr.e).or(ptr.base);
    let n = c.number(n.clone(), "+");
    let step = match (op, n.as_lit()) {
        (BinOp::Add, Some(k)) => i64::try_from(k).ok(),
        (_, Some(k)) => i64::try_from(-k).ok(),
        _ => None,
    };
    let kind = match step {
        Some(k) => {
            let k = Expr::new(ExprKind::Const(k), Ty::I64, n.e.at.clone());
            ExprKind::Bin(BinOp::Add, Box::new(ptr.e.clone()), Box::new(k))
        }
        None => ExprKind::Bin(op, Box::new(ptr.e.clone()), Box::new(n.e.clone())),
    };
    let mut v = Val::new(kind, Ty::Ptr(ty), here.clone());
    v.base = base.and_then(|(l, off)| Some((l, off.checked_add(step?)?)));
    v
}

fn abs(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let v = c.value(&call.args[0]);
    let v = c.number(v, "abs");
    if let Some(n) = v.as_lit() {
        return constant(n.abs(), call.at());
    }
    if v.never() || v.int().is_some_and(|i| !i.signed) {
        return v;
    }
    Val::new(ExprKind::Un(UnOp::Abs, Box::new(v.e)), Ty::I64, call.at())
}

fn log2(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let v = c.value(&call.args[0]);
    let v = match v.ty() {
        Ty::Ptr(p) if p.space.is_number() => v,
        _ => c.number(v, "log2"),
    };
    if let Some(n) = v.as_lit() {
        return Val::literal(i128::from((n as u64).checked_ilog2().unwrap_or(0)), call.at());
    }
    if v.never() {
        return v;
    }
    let most = if v.lo >= 0 && v.hi > 0 { i128::from((v.hi as u64).ilog2()) } else { 63 };
    let v = Val::of(c.fit(v, &Ty::U64, crate::check::Fit::Bits));
    Val::new(ExprKind::Un(UnOp::Log2, Box::new(v.e)), Ty::U64, call.at()).within(0, most)
}

fn lognot(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let v = c.value(&call.args[0]);
    let v = c.number(v, "lognot");
    if let Some(n) = v.as_lit() {
        return Val::literal(!n, call.at());
    }
    if v.never() {
        return v;
    }
    let ty = if v.int().is_some_and(|i| i.signed) { Ty::I64 } else { Ty::U64 };
    Val::new(ExprKind::Un(UnOp::Not, Box::new(v.e)), ty, call.at())
}

/// A constant count, checked; `None` when the count is known only at run time.
fn count(c: &mut Checker<'_>, n: &Val, lo: i128) -> Result<Option<i64>, ()> {
    match n.e.as_const().map(i128::from) {
        Some(k) if (lo..64).contains(&k) => Ok(Some(k as i64)),
        Some(k) => {
            let d = diag::error(&diag::SHIFT_COUNT, n.at(), format!("a shift by {k} of 64 bits"));
            c.report(if k < 0 {
                d.help("shift the other way, by a count from 0 to 63; `ash` takes counts of either sign")
            } else {
                d.help("a count is from 0 to 63; all bits shifted out is 0")
            });
            Err(())
        }
        None => Ok(None),
    }
}

fn operands(c: &mut Checker<'_>, call: &Call<'_>) -> Option<(Val, Val)> {
    let a = c.value(&call.args[0]);
    let b = c.value(&call.args[1]);
    let name = call.name.name();
    let (a, b) = (c.number(a, name), c.number(b, name));
    (!a.never() && !b.never()).then_some((a, b))
}

fn shift(c: &mut Checker<'_>, call: &Call<'_>, op: BinOp) -> Val {
    let Some((a, n)) = operands(c, call) else { return Val::error(call.at()) };
    let Ok(k) = count(c, &n, 0) else { return Val::error(call.at()) };
    if let (BinOp::ShrU, Some(k)) = (op, k) {
        all_gone(c, &a, k, call);
    }
    shifted(op, a, n, k, call.at())
}

/// How far a value was certainly moved up: so many of its lowest bits are 0.
fn moved_up(e: &Expr) -> i64 {
    match &e.kind {
        ExprKind::Cast(e) => moved_up(e),
        ExprKind::Bin(BinOp::Shl, e, n) => n.as_const().unwrap_or(0) + moved_up(e),
        _ => 0,
    }
}

/// Warns when none of the bits `kept` of a value that was shifted left can be set.
pub(crate) fn nothing_left(c: &mut Checker<'_>, e: &Expr, kept: u64, why: &str, here: &At) {
    let n = moved_up(e);
    if here.origin.is_some() || e.at.origin.is_some() || kept == 0 || n == 0 || i64::from(kept.ilog2()) >= n {
        return;
    }
    let text = format!("this is always 0: the shift left by {n} moves all bits to {n} and above, {why}");
    let d = diag::warning(&diag::NOTHING_LEFT, here, text).also(e.at.span, "shifted left here");
    c.report(d.help(format!("shift right: (>> x {n}), or (ash x -{n}); `ash` shifts left by a count above 0")));
}

/// Warns when a shift right by `k` takes all bits of a type away.
fn all_gone(c: &mut Checker<'_>, a: &Val, k: i64, call: &Call<'_>) {
    let Some(i) = a.int().filter(|i| !a.lit && !i.signed && i.size < 8) else { return };
    let bits = i64::from(i.size) * 8;
    // The type of a Boolean is not what was shifted.
    if k < bits || call.form.origin.is_some() || a.ty() == &Ty::Bool {
        return;
    }
    let text = format!("this is always 0: the number has {bits} bits, and all of them are shifted out");
    let d = diag::warning(&diag::NOTHING_LEFT, &call.at(), text).also(a.at().span, format!("a {}", a.ty()));
    c.report(d.help("shift before the number is cut, or by less"));
}

/// A shift in one direction.
fn shifted(op: BinOp, a: Val, n: Val, k: Option<i64>, here: At) -> Val {
    let signed = match op {
        BinOp::Shl => a.int().is_some_and(|i| i.signed) && !(a.lit && a.lo >= 0),
        BinOp::ShrS => true,
        _ => false,
    };
    if let (Some(x), Some(k)) = (a.as_lit(), k) {
        let n = match op {
            BinOp::Shl if signed => i128::from((x as i64).wrapping_shl(k as u32)),
            BinOp::Shl => i128::from((x as u64).wrapping_shl(k as u32)),
            BinOp::ShrU => i128::from((x as u64) >> k),
            _ => i128::from((x as i64) >> k),
        };
        let mut v = Val::literal(n, here);
        if signed {
            v.e.ty = Ty::I64;
        }
        return v;
    }
    let ty = if signed { Ty::I64 } else { Ty::U64 };
    let range = match (op, k) {
        (BinOp::ShrU, Some(k)) if a.lo >= 0 => (a.lo >> k, a.hi >> k),
        (BinOp::ShrU, Some(k)) => (0, i128::from(u64::MAX >> k)),
        (BinOp::ShrS, Some(k)) if a.hi <= i128::from(i64::MAX) => (a.lo >> k, a.hi >> k),
        (BinOp::Shl, Some(k)) if a.lo >= 0 && a.hi << k <= i128::from(i64::MAX) => (a.lo << k, a.hi << k),
        _ => type_range(IntTy { size: 8, signed }),
    };
    let n = match k {
        Some(k) => Expr::new(ExprKind::Const(k), Ty::U64, n.e.at),
        None => n.e,
    };
    Val::new(ExprKind::Bin(op, Box::new(a.e), Box::new(n)), ty, here).within(range.0, range.1)
}

fn ash(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let Some((a, n)) = operands(c, call) else { return Val::error(call.at()) };
    let signed = a.int().is_some_and(|i| i.signed);
    let Ok(k) = count(c, &n, -63) else { return Val::error(call.at()) };
    match k {
        Some(k) if k < 0 && !signed => {
            all_gone(c, &a, -k, call);
            shifted(BinOp::ShrU, a, n, Some(-k), call.at())
        }
        Some(k) if k >= 0 => shifted(BinOp::Shl, a, n, Some(k), call.at()),
        Some(k) => shifted(BinOp::ShrS, a, n, Some(-k), call.at()),
        None if n.int().is_some_and(|i| i.signed) => {
            let op = if signed { BinOp::AshS } else { BinOp::AshU };
            Val::new(ExprKind::Bin(op, Box::new(a.e), Box::new(n.e)), if signed { Ty::I64 } else { Ty::U64 }, call.at())
        }
        // An unsigned count only ever shifts left; 64 and more leave nothing.
        None => {
            let op = if n.hi < 64 {
                BinOp::Shl
            } else if signed {
                BinOp::AshS
            } else {
                BinOp::AshU
            };
            let ty = if signed { Ty::I64 } else { Ty::U64 };
            let n = if op == BinOp::Shl || n.hi <= i128::from(i64::MAX) {
                n.e
            } else {
                let most = Expr::new(ExprKind::Const(64), Ty::U64, call.at());
                Expr::new(ExprKind::Bin(BinOp::MinU, Box::new(n.e), Box::new(most)), Ty::U64, call.at())
            };
            Val::new(ExprKind::Bin(op, Box::new(a.e), Box::new(n)), ty, call.at())
        }
    }
}

/// `(byte size pos)` with constants.
fn byte_spec(c: &mut Checker<'_>, form: &Form) -> Option<(u32, u32)> {
    let items = form.as_list().unwrap_or(&[]);
    let ([_, size, pos], true) = (items, form.is_call("byte")) else {
        c.malformed(form, "bits are named by (byte size position)");
        return None;
    };
    let size_n = c.const_value(size, "the number of bits")?;
    let pos_n = c.const_value(pos, "the position of bits")?;
    if !(1..=64).contains(&size_n) || !(0..64).contains(&pos_n) || size_n + pos_n > 64 {
        c.report(diag::error(
            &diag::SHIFT_COUNT,
            &at(form),
            format!("{size_n} bits from bit {pos_n} on are not within 64"),
        ));
        return None;
    }
    Some((size_n as u32, pos_n as u32))
}

fn mask(size: u32) -> i64 {
    if size >= 64 { -1 } else { (1i64 << size) - 1 }
}

fn ldb(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let spec = byte_spec(c, &call.args[0]);
    let x = c.value(&call.args[1]);
    let x = c.number(x, "ldb");
    let (Some((size, pos)), false) = (spec, x.never()) else { return Val::error(call.at()) };
    if let Some(n) = x.as_lit() {
        return Val::literal(i128::from(((n as u64) >> pos) & mask(size) as u64), call.at());
    }
    let here = call.at();
    let down = if pos == 0 { x.e } else { crate::check::bin(BinOp::ShrU, x.e, pos.into(), &here) };
    if size == 64 {
        return Val::of(Expr { ty: Ty::U64, ..down });
    }
    Val::of(crate::check::bin(BinOp::And, down, mask(size), &here)).within(0, i128::from(mask(size)))
}

fn dpb(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let new = c.value(&call.args[0]);
    let new = c.number(new, "dpb");
    let spec = byte_spec(c, &call.args[1]);
    let x = c.value(&call.args[2]);
    let x = c.number(x, "dpb");
    let (Some((size, pos)), false) = (spec, new.never() || x.never()) else { return Val::error(call.at()) };
    let here = call.at();
    let bits = crate::check::bin(BinOp::And, new.e, mask(size), &here);
    let placed = if pos == 0 { bits } else { crate::check::bin(BinOp::Shl, bits, pos.into(), &here) };
    let cleared = crate::check::bin(BinOp::And, x.e, !(mask(size).wrapping_shl(pos)), &here);
    Val::new(ExprKind::Bin(BinOp::Or, Box::new(placed), Box::new(cleared)), Ty::U64, here)
}
