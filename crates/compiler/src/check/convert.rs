//! Conversions: what fits into a place, how operands mix, what branches yield. Invariant: a value
//! changes only where a written type, a cast or the user's map says so.

use whistler_diag::Diagnostic;

use super::val::type_range;
use super::{Checker, Val};
use crate::diagnostics as diag;
use crate::hir::{At, CmpOp, Expr, ExprKind, IntTy, PtrTy, Space, Ty};

/// What the two halves of a number are, where a helper packs two into one.
fn halves(e: &Expr, to: &Ty) -> Option<String> {
    let id = match &e.kind {
        ExprKind::Helper { id, .. } => *id,
        ExprKind::Cast(inner) => return halves(inner, to),
        _ => return None,
    };
    let (high, low) = match whistler_isa::helpers::by_id(id)?.name {
        "get_current_pid_tgid" => ("the process's id", "the thread's"),
        "get_current_uid_gid" => ("the group's id", "the user's"),
        _ => return None,
    };
    let name = whistler_isa::helpers::by_id(id)?.name.replace('_', "-");
    Some(format!("it is two numbers: (ash ({name}) -32) is {high}, (cast {to} ({name})) {low}"))
}

/// Whether a number soon has more than 32 bits: a time in nanoseconds.
fn always_wide(e: &Expr) -> bool {
    match &e.kind {
        ExprKind::Helper { id, .. } => {
            whistler_isa::helpers::by_id(*id).is_some_and(|h| h.name.starts_with("ktime_get"))
        }
        ExprKind::Cast(inner) => always_wide(inner),
        _ => false,
    }
}

/// How an address that is given as text is written as a number.
pub(super) fn address_literal(e: &Expr) -> Option<String> {
    let ExprKind::Bytes(bytes) = &e.kind else { return None };
    let text = std::str::from_utf8(bytes).ok()?.trim_end_matches('\0');
    text.parse::<std::net::Ipv4Addr>().ok()?;
    Some(format!("an address as a number is (ip4 \"{text}\")"))
}

/// What kind of place takes the value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fit {
    /// A variable, field or memory: cuts; a constant that is cut is warned about.
    Place,
    /// A key or value of a typed map: may not be cut.
    Exact(&'static str),
    /// Low bytes, without a word.
    Bits,
}

/// How two operands mix.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mix {
    /// Both unsigned.
    Unsigned,
    /// At least one signed, and every value fits in `i64`.
    Signed,
    /// `u64` with signed.
    Mixed,
}

impl Checker<'_> {
    /// A value made to fit a scalar place of type `to`.
    pub fn fit(&mut self, v: Val, to: &Ty, how: Fit) -> Expr {
        if v.never() {
            return v.e;
        }
        let here = v.e.at.clone();
        match to {
            Ty::Int(_) | Ty::Char | Ty::Enum(_) => self.fit_int(v, to, how),
            Ty::Bool => match v.ty() {
                Ty::Bool => v.e,
                _ => self.truth(v),
            },
            Ty::Ptr(p) => self.fit_pointer(v, p, to),
            Ty::Void | Ty::Never => v.e,
            Ty::Struct(_) | Ty::Array(..) | Ty::Kernel(_) | Ty::Map(_) => {
                self.report(diag::error(
                    &diag::ARGUMENT_TYPE,
                    &here,
                    format!("a whole {to} can't be held in a register; use a pointer to it"),
                ));
                Val::error(here).e
            }
        }
    }

    fn fit_int(&mut self, v: Val, to: &Ty, how: Fit) -> Expr {
        let here = v.e.at.clone();
        let target = to.as_int().unwrap_or(IntTy::U64);
        if v.ty() == to {
            return v.e;
        }
        if let (Ty::Enum(a), Ty::Enum(b)) = (to, v.ty()) {
            let text = format!("this is a {}, where a {} is needed", b.name, a.name);
            self.report(
                diag::error(&diag::ARGUMENT_TYPE, &here, text).help(format!("if it is meant: (cast {} …)", a.name)),
            );
            return Val::error(here).e;
        }
        if let Some(n) = v.as_lit() {
            let (lo, hi) = type_range(target);
            let bits = u32::from(target.size) * 8;
            let kept = (-(1i128 << (bits - 1))..(1i128 << bits)).contains(&n);
            if !kept || (matches!(how, Fit::Exact(_)) && !(lo..=hi).contains(&n) && bits < 64) {
                let canonical = target.canonical(n as i64);
                let shown = if target.signed { i128::from(canonical) } else { i128::from(canonical as u64) };
                self.report(match how {
                    Fit::Exact(what) => diag::error(
                        &diag::KEY_VALUE,
                        &here,
                        format!("{n} does not fit the map's {what}, which is {to}"),
                    ),
                    Fit::Place => {
                        diag::warning(&diag::CONSTANT_CUT, &here, format!("{n} does not fit {to}: it becomes {shown}"))
                            .help(format!("write {shown} if that is meant, or take a wider type"))
                    }
                    Fit::Bits => return Expr::new(ExprKind::Const(canonical), to.clone(), here),
                });
            }
            return Expr::new(ExprKind::Const(target.canonical(n as i64)), to.clone(), here);
        }
        if how != Fit::Bits && self.not_its_number(&v, &format!("{} is needed here", describe(to))) {
            return Val::error(here).e;
        }
        match v.ty() {
            Ty::Void => Expr::new(
                ExprKind::Seq(vec![v.e, Expr::new(ExprKind::Const(0), to.clone(), here.clone())]),
                to.clone(),
                here,
            ),
            Ty::Int(_) | Ty::Bool | Ty::Char | Ty::Enum(_) => {
                let (lo, hi) = type_range(target);
                let fits = v.lo >= lo && v.hi <= hi;
                if how == Fit::Place && target.size < 8 {
                    let bits = u32::from(target.size) * 8;
                    let why = format!("and {to} keeps {bits} bits");
                    crate::forms::arith::nothing_left(self, &v.e, (1 << bits) - 1, &why, &here);
                }
                if let (Fit::Exact(what), false) = (how, fits)
                    && v.int().is_some_and(|i| i.size > target.size)
                {
                    let text = format!("the map's {what} is {to}, and this is {}: it may not fit", v.ty());
                    let help = halves(&v.e, to)
                        .unwrap_or_else(|| format!("if it does, or if cutting it is meant: (cast {to} …)"));
                    let d = diag::error(&diag::KEY_VALUE, &here, text);
                    let wide = always_wide(&v.e).then(|| {
                        format!("declare the map's {what} as {}: the number is wider than {to} from early on", v.ty())
                    });
                    self.report(wide.into_iter().fold(d, Diagnostic::help).help(help));
                }
                Expr::new(ExprKind::Cast(Box::new(v.e)), to.clone(), here)
            }
            Ty::Ptr(p) if how != Fit::Bits && target.size == 8 && super::address::mistaken(v.ty()).is_some() => {
                let needed = match how {
                    Fit::Exact(what) => format!("the map's {what} is {to}"),
                    Fit::Place if p.space == Space::Map => "a number is needed here".to_string(),
                    Fit::Place | Fit::Bits => format!("it goes where {} is held", describe(to)),
                };
                self.not_its_content(&v, &needed);
                Val::error(here).e
            }
            Ty::Ptr(_) if target.size == 8 => Expr::new(ExprKind::Cast(Box::new(v.e)), to.clone(), here),
            other => {
                if super::address::mistaken(other).is_some() && address_literal(&v.e).is_none() {
                    self.not_its_content(&v, &format!("{} is needed here", describe(to)));
                    return Val::error(here).e;
                }
                let text = format!("this is {}, where a number of type {to} is needed", describe(other));
                let d = diag::error(&diag::ARGUMENT_TYPE, &here, text);
                self.report(match address_literal(&v.e) {
                    Some(help) => d.help(help),
                    None => d,
                });
                Val::error(here).e
            }
        }
    }

    fn fit_pointer(&mut self, v: Val, p: &PtrTy, to: &Ty) -> Expr {
        let here = v.e.at.clone();
        if v.is_zero() {
            let zero = Expr::new(ExprKind::Const(0), to.clone(), here.clone());
            return if v.e.ty == Ty::Void { Expr::new(ExprKind::Seq(vec![v.e, zero]), to.clone(), here) } else { zero };
        }
        match v.ty() {
            t if t == to => v.e,
            Ty::Ptr(q) => {
                if let (Some(a), Some(b)) = (&p.pointee, &q.pointee)
                    && let (Ty::Struct(x), Ty::Struct(y)) = (&**a, &**b)
                    && x.name != y.name
                {
                    let text = format!("a pointer to {} stands where one to {} is needed", y.name, x.name);
                    self.report(
                        diag::error(&diag::ARGUMENT_TYPE, &here, text).help(format!("if it is one: (as-{} …)", x.name)),
                    );
                }
                Expr::new(ExprKind::Cast(Box::new(v.e)), to.clone(), here)
            }
            Ty::Int(_) | Ty::Enum(_) => Expr::new(ExprKind::Cast(Box::new(v.e)), to.clone(), here),
            other => {
                let other = other.clone();
                self.report(diag::error(
                    &diag::ARGUMENT_TYPE,
                    &here,
                    format!("this is {}, where a pointer is needed", describe(&other)),
                ));
                Val::error(here).e
            }
        }
    }

    /// 0 or 1, by whether the value is true.
    pub fn truth(&mut self, v: Val) -> Expr {
        let here = v.e.at.clone();
        if v.e.ty == Ty::Bool || v.never() {
            return v.e;
        }
        if let Some(n) = v.as_lit() {
            return Expr::new(ExprKind::Const(i64::from(n != 0)), Ty::Bool, here);
        }
        if v.e.ty == Ty::Void {
            let zero = Expr::new(ExprKind::Const(0), Ty::Bool, here.clone());
            return Expr::new(ExprKind::Seq(vec![v.e, zero]), Ty::Bool, here);
        }
        let zero = Expr::new(ExprKind::Const(0), v.e.ty.clone(), here.clone());
        Expr::new(ExprKind::Cmp(CmpOp::Ne, Box::new(v.e), Box::new(zero)), Ty::Bool, here)
    }

    /// An operand of arithmetic: a number; `nil` and nothing are 0.
    pub fn number(&mut self, v: Val, what: &str) -> Val {
        match v.ty() {
            Ty::Int(_) | Ty::Never | Ty::Bool | Ty::Char | Ty::Enum(_) => v,
            Ty::Void => {
                let here = v.e.at.clone();
                let zero = Expr::new(ExprKind::Const(0), Ty::U64, here.clone());
                let mut n = Val::of(Expr::new(ExprKind::Seq(vec![v.e, zero]), Ty::U64, here));
                (n.lo, n.hi) = (0, 0);
                n
            }
            other => {
                let what = if what.contains(' ') { what.to_string() } else { format!("`{what}`") };
                let text = format!("{what} takes numbers, and this is {}", describe(other));
                let here = v.e.at.clone();
                let mut d = diag::error(&diag::ARGUMENT_TYPE, &here, text);
                if let Some(help) = self.number_inside(other) {
                    d = d.help(help);
                } else if let Ty::Ptr(p) = other {
                    d = if super::address::mistaken(other).is_some_and(super::address::to_number) {
                        d.help(self.content_of(&v.e, p))
                    } else if p.space.is_number() {
                        d.help("an address as a number: (cast u64 …)")
                    } else {
                        d.note("the verifier lets programs move, compare, subtract and keep this address, no more")
                    };
                }
                self.fail(d)
            }
        }
    }

    /// How two numbers mix; literals fit themselves to the other side.
    pub fn mix(&self, a: &Val, b: &Val) -> Mix {
        let (ia, ib) = (a.int().unwrap_or(IntTy::U64), b.int().unwrap_or(IntTy::U64));
        match (a.lit, b.lit) {
            (true, true) => {
                if a.lo < 0 || b.lo < 0 {
                    Mix::Signed
                } else {
                    Mix::Unsigned
                }
            }
            (true, false) => lit_mix(a, ib),
            (false, true) => lit_mix(b, ia),
            (false, false) => match (ia.signed, ib.signed) {
                (false, false) => Mix::Unsigned,
                (true, true) => Mix::Signed,
                (true, false) if ib.size < 8 => Mix::Signed,
                (false, true) if ia.size < 8 => Mix::Signed,
                _ => Mix::Mixed,
            },
        }
    }

    /// Reports operands that don't mix, naming the cast.
    pub fn mixed(&mut self, op: &str, here: &At, a: &Val, b: &Val) {
        let (u, s) = if a.int().is_some_and(|i| i.signed) { (b, a) } else { (a, b) };
        if let Some(n) = s.as_lit() {
            let text = format!("`{op}` of an unsigned number and {n}");
            let d = diag::error(&diag::NEGATIVE_UNSIGNED, here, text).also(u.at().span, "this is never negative");
            let narrow = self.origin(&u.e) == Some(super::origins::Origin::NarrowWord);
            self.report(match narrow {
                true => {
                    d.help("the record holds it in a word of 8 bytes without a sign; the number is (cast i32 …) of it")
                }
                false => d.help(format!("if it is a signed number: (cast i64 …), or the signed form of `{op}`")),
            });
            return;
        }
        let text = format!("`{op}` of a {} and an {}: the result depends on which sign is meant", u.ty(), s.ty());
        self.report(
            diag::error(&diag::MIXED_SIGNS, here, text)
                .also(u.at().span, format!("this is {}", u.ty()))
                .also(s.at().span, format!("this is {}", s.ty()))
                .help("cast the one that is meant otherwise: (cast i64 …) or (cast u64 …)"),
        );
    }

    /// The type that two branches yield together.
    pub fn meet(&mut self, a: &Val, b: &Val) -> Ty {
        match (a.ty(), b.ty()) {
            (Ty::Never, t) | (t, Ty::Never) => return t.clone(),
            (x, y) if x == y && !(a.lit ^ b.lit) => return x.clone(),
            _ => {}
        }
        if a.is_zero() && b.is_zero() {
            return if a.ty() == &Ty::Void && b.ty() == &Ty::Void { Ty::Void } else { Ty::U64 };
        }
        for (z, o) in [(a, b), (b, a)] {
            if z.is_zero() {
                return match o.ty() {
                    Ty::Ptr(p) => Ty::Ptr(PtrTy { nullable: true, ..p.clone() }),
                    t => t.clone(),
                };
            }
        }
        if let (Ty::Ptr(p), Ty::Ptr(q)) = (a.ty(), b.ty()) {
            return Ty::Ptr(meet_pointers(p, q));
        }
        for (p, n) in [(a, b), (b, a)] {
            if let (Ty::Ptr(to), Ty::Int(_) | Ty::Bool | Ty::Char | Ty::Enum(_)) = (p.ty(), n.ty())
                && !to.space.is_number()
            {
                let text = format!("this branch yields {}, and the other {}", describe(p.ty()), describe(n.ty()));
                self.report(
                    diag::error(&diag::ARGUMENT_TYPE, p.at(), text)
                        .also(n.at().span, "a number comes from here")
                        .help("let both yield a number, or both a pointer (or 0, which is null)"),
                );
                return Ty::Never;
            }
        }
        let (Some(x), Some(y)) = (a.int(), b.int()) else { return Ty::U64 };
        match (a.lit, b.lit) {
            (true, true) => {
                if a.lo < 0 || b.lo < 0 {
                    Ty::I64
                } else {
                    Ty::U64
                }
            }
            (true, false) => self.meet_literal(a, b, y),
            (false, true) => self.meet_literal(b, a, x),
            (false, false) => match (x.signed, y.signed) {
                (p, q) if p == q => Ty::Int(if x.size >= y.size { x } else { y }),
                (true, _) if y.size < 8 => Ty::I64,
                (_, true) if x.size < 8 => Ty::I64,
                _ => Ty::U64,
            },
        }
    }

    fn meet_literal(&mut self, lit: &Val, other: &Val, typed: IntTy) -> Ty {
        let (lo, hi) = type_range(typed);
        if (lo..=hi).contains(&lit.lo) {
            return other.ty().clone();
        }
        if typed.signed {
            return if lit.lo > i128::from(i64::MAX) { Ty::U64 } else { Ty::I64 };
        }
        if lit.lo < 0 {
            let text = format!("{} meets an unsigned number here and keeps its bits", lit.lo);
            self.report(
                diag::warning(&diag::NEGATIVE_MEETS, lit.at(), text)
                    .also(other.at().span, format!("this is {}", other.ty()))
                    .help("cast the other one if the number is meant: (cast i64 …)"),
            );
        }
        Ty::U64
    }

    /// A branch's value as the type that the branches yield together.
    pub fn join_arm(&mut self, v: Val, ty: &Ty) -> Expr {
        if v.never() || v.ty() == ty {
            return v.e;
        }
        match ty {
            Ty::Void => {
                let here = v.e.at.clone();
                Expr::new(
                    ExprKind::Seq(vec![v.e, Expr::new(ExprKind::Seq(Vec::new()), Ty::Void, here.clone())]),
                    Ty::Void,
                    here,
                )
            }
            Ty::Bool | Ty::Char if v.lit => Expr::new(v.e.kind, ty.clone(), v.e.at),
            _ => self.fit(v, ty, Fit::Bits),
        }
    }
}

fn lit_mix(lit: &Val, other: IntTy) -> Mix {
    match (other.signed, lit.lo < 0) {
        (false, false) => Mix::Unsigned,
        (true, _) => {
            if lit.lo > i128::from(i64::MAX) {
                Mix::Mixed
            } else {
                Mix::Signed
            }
        }
        (false, true) => Mix::Mixed,
    }
}

fn meet_pointers(p: &PtrTy, q: &PtrTy) -> PtrTy {
    let pointee = match (&p.pointee, &q.pointee) {
        (Some(a), Some(b)) if a == b => Some(a.clone()),
        _ => None,
    };
    let space = if p.space == q.space { p.space } else { Space::Unknown };
    PtrTy { pointee, space, nullable: p.nullable || q.nullable, number: p.number && q.number }
}

/// What a value is, in words.
pub fn describe(ty: &Ty) -> String {
    match ty {
        Ty::Void => "nothing".to_string(),
        Ty::Ptr(p) if p.space == Space::Map => "a map".to_string(),
        Ty::Ptr(PtrTy { pointee: Some(t), .. }) => format!("a pointer to {t}"),
        Ty::Ptr(_) => "a pointer".to_string(),
        Ty::Int(i) if i.signed => format!("an {ty}"),
        t => format!("a {t}"),
    }
}
