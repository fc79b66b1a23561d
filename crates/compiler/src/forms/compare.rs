//! Comparisons, by type: signed where a side is signed.

use whistler_lisp::Form;

use super::{FormDef, MANY, form};
use crate::check::origins::Origin;
use crate::check::val::type_range;
use crate::check::{Call, Checker, Fact, Mix, PacketStart, Val};
use crate::diagnostics as diag;
use crate::hir::{At, BinOp, CmpOp, Expr, ExprKind, LocalId, Space, Ty};

pub(super) static FORMS: &[FormDef] = &[
    form("=", (1, MANY), |c, k| chain(c, k, Order::Eq), "(= x y…)", "1 if all are equal."),
    form("/=", (1, 2), not_equal, "(/= x y)", "1 if they differ."),
    form("eql", (2, 2), |c, k| chain(c, k, Order::Eq), "(eql x y)", "1 if they are equal."),
    form("eq", (2, 2), |c, k| chain(c, k, Order::Eq), "(eq x y)", "1 if they are equal."),
    form("<", (1, MANY), |c, k| chain(c, k, Order::Lt), "(< x y…)", "1 if they rise."),
    form("<=", (1, MANY), |c, k| chain(c, k, Order::Le), "(<= x y…)", "1 if they don't fall."),
    form(">", (1, MANY), |c, k| chain(c, k, Order::Gt), "(> x y…)", "1 if they fall."),
    form(">=", (1, MANY), |c, k| chain(c, k, Order::Ge), "(>= x y…)", "1 if they don't rise."),
    form("s<", (2, 2), |c, k| forced(c, k, CmpOp::LtS), "(s< x y)", "Less, as signed numbers."),
    form("s<=", (2, 2), |c, k| forced(c, k, CmpOp::LeS), "(s<= x y)", "Not greater, as signed numbers."),
    form("s>", (2, 2), |c, k| forced(c, k, CmpOp::GtS), "(s> x y)", "Greater, as signed numbers."),
    form("s>=", (2, 2), |c, k| forced(c, k, CmpOp::GeS), "(s>= x y)", "Not less, as signed numbers."),
    form("zerop", (1, 1), |c, k| zero(c, k, Order::Eq), "(zerop x)", "1 if x is 0."),
    form("plusp", (1, 1), |c, k| zero(c, k, Order::Gt), "(plusp x)", "1 if x is above 0."),
    form("minusp", (1, 1), |c, k| zero(c, k, Order::Lt), "(minusp x)", "1 if x is below 0."),
    form("logtest", (2, 2), logtest, "(logtest x y)", "1 if a bit is set in both."),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

impl Order {
    fn name(self) -> &'static str {
        match self {
            Order::Eq => "=",
            Order::Ne => "/=",
            Order::Lt => "<",
            Order::Le => "<=",
            Order::Gt => ">",
            Order::Ge => ">=",
        }
    }

    fn machine(self, signed: bool) -> CmpOp {
        match (self, signed) {
            (Order::Eq, _) => CmpOp::Eq,
            (Order::Ne, _) => CmpOp::Ne,
            (Order::Lt, false) => CmpOp::LtU,
            (Order::Le, false) => CmpOp::LeU,
            (Order::Gt, false) => CmpOp::GtU,
            (Order::Ge, false) => CmpOp::GeU,
            (Order::Lt, true) => CmpOp::LtS,
            (Order::Le, true) => CmpOp::LeS,
            (Order::Gt, true) => CmpOp::GtS,
            (Order::Ge, true) => CmpOp::GeS,
        }
    }

    fn holds(self, x: i128, y: i128) -> bool {
        match self {
            Order::Eq => x == y,
            Order::Ne => x != y,
            Order::Lt => x < y,
            Order::Le => x <= y,
            Order::Gt => x > y,
            Order::Ge => x >= y,
        }
    }

    /// The same with the sides swapped.
    fn flipped(self) -> Order {
        match self {
            Order::Lt => Order::Gt,
            Order::Le => Order::Ge,
            Order::Gt => Order::Lt,
            Order::Ge => Order::Le,
            o => o,
        }
    }
}

fn chain(c: &mut Checker<'_>, call: &Call<'_>, order: Order) -> Val {
    match call.args {
        [x] => {
            let v = c.value(x);
            let one = Val::literal(1, call.at());
            c.seq(vec![v.e], one)
        }
        [x, y] => {
            let (a, b) = operands(c, x, y);
            compared(c, call, order, [x, y], [&a, &b]);
            one_way(c, order, &a, &b, call);
            compare(c, order, a, b, call.at())
        }
        many => {
            // Every operand is evaluated once, in order.
            let mut parts = Vec::new();
            let mut values = Vec::new();
            let mut before: Option<Val> = None;
            for (i, f) in many.iter().enumerate() {
                let v = c.value(f);
                if let (Some(a), Some(x)) = (&before, i.checked_sub(1).and_then(|i| many.get(i))) {
                    compared(c, call, order, [x, f], [a, &v]);
                }
                before = Some(v.clone());
                let (setup, v) = c.once(v);
                parts.extend(setup);
                values.push(v);
            }
            let mut all: Option<Expr> = None;
            for w in values.windows(2) {
                one_way(c, order, &w[0], &w[1], call);
                let test = compare(c, order, w[0].clone(), w[1].clone(), call.at());
                all = Some(match all {
                    None => test.e,
                    Some(e) => {
                        let none = Expr::new(ExprKind::Const(0), Ty::Bool, call.at());
                        Expr::new(ExprKind::If(Box::new(e), Box::new(test.e), Box::new(none)), Ty::Bool, call.at())
                    }
                });
            }
            let v = all.map_or_else(|| Val::literal(1, call.at()), Val::of);
            c.seq(parts, v)
        }
    }
}

/// What is to be said of a comparison by what stands on both of its sides.
fn compared(c: &mut Checker<'_>, call: &Call<'_>, order: Order, forms: [&Form; 2], values: [&Val; 2]) {
    use super::bytes::Ordering;
    let ordering = match order {
        Order::Eq | Order::Ne => Ordering::ByBits,
        Order::Lt | Order::Le | Order::Gt | Order::Ge => Ordering::ByOrder,
    };
    if ordering == Ordering::ByOrder {
        let read = forms.iter().filter(|f| f.as_int().is_none()).map(|f| f.to_string());
        c.f.ordered.extend(read);
    }
    super::bytes::compared_orders(c, call, ordering, forms, values);
}

/// Two operands; a keyword is a member of the other one's enum.
fn operands(c: &mut Checker<'_>, x: &Form, y: &Form) -> (Val, Val) {
    if x.as_keyword().is_some() {
        let b = c.value_for(y, None);
        return (c.value_for(x, Some(&b.ty().clone())), b);
    }
    let a = c.value_for(x, None);
    let b = c.value_for(y, Some(&a.ty().clone()));
    (a, b)
}

fn not_equal(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    chain(c, call, Order::Ne)
}

/// Equality of two values, by their bits.
pub(super) fn equal(c: &mut Checker<'_>, a: Val, b: Val, here: At) -> Val {
    compare(c, Order::Eq, a, b, here)
}

fn compare(c: &mut Checker<'_>, order: Order, a: Val, b: Val, here: At) -> Val {
    if a.never() || b.never() {
        return super::arith::either_never(c, a, b, here);
    }
    if matches!(a.ty(), Ty::Ptr(_)) || matches!(b.ty(), Ty::Ptr(_)) {
        return pointers(c, order, a, b, here);
    }
    let a = c.number(a, order.name());
    let b = c.number(b, order.name());
    if a.never() || b.never() {
        return Val::error(here);
    }
    c.compared(&a.e);
    c.compared(&b.e);
    let mix = c.mix(&a, &b);
    if mix == Mix::Mixed && !matches!(order, Order::Eq | Order::Ne) {
        c.mixed(order.name(), &here, &a, &b);
        return Val::error(here);
    }
    if let (Some(x), Some(y)) = (a.as_lit(), b.as_lit()) {
        return Val::literal(i128::from(order.holds(x, y)), here);
    }
    let (yes, no) = bounds(c, order, &a, &b);
    let kind = ExprKind::Cmp(order.machine(mix == Mix::Signed), Box::new(a.e), Box::new(b.e));
    Val::new(kind, Ty::Bool, here).telling(yes, no)
}

/// Warns of a comparison with a constant that goes the same way for every number of the other side's type. Only what
/// the user wrote: a macro is written for operands of all types.
fn one_way(c: &mut Checker<'_>, order: Order, a: &Val, b: &Val, call: &Call<'_>) {
    let (v, n, order) = match (a.as_lit(), b.as_lit()) {
        (None, Some(n)) => (a, n, order),
        (Some(n), None) => (b, n, order.flipped()),
        _ => return,
    };
    let (Some(int), true) = (v.int(), call.form.origin.is_none()) else { return };
    if v.ty() == &Ty::Void || v.at().origin.is_some() || (n == 0 && matches!(order, Order::Eq | Order::Ne)) {
        return;
    }
    let (lo, hi) = type_range(int);
    // Equality is of the bits: a constant of the other sign is what its 64 bits are.
    let n = match order {
        Order::Eq | Order::Ne if !int.signed && n < 0 => i128::from(n as u64),
        Order::Eq | Order::Ne if int.signed && n > i128::from(i64::MAX) => i128::from(n as u64 as i64),
        _ => n,
    };
    if n < 0 && !int.signed {
        // That is an error of its own.
        return;
    }
    let always = match order {
        Order::Eq | Order::Ne if !(lo..=hi).contains(&n) => order == Order::Ne,
        Order::Eq | Order::Ne => return,
        _ if order.holds(lo, n) == order.holds(hi, n) => order.holds(lo, n),
        _ => return,
    };
    let answer = if always { "always" } else { "never" };
    let text = format!("this is {answer} true: {} is from {lo} to {hi}", crate::check::describe(v.ty()));
    let mut d = diag::warning(&diag::ONE_WAY, &call.at(), text);
    if v.at().span != call.form.span {
        d = d.also(v.at().span, format!("this is {}", v.ty()));
    }
    let difference = matches!(v.e.kind, ExprKind::Bin(BinOp::Sub, ..)) || matches!(v.e.kind, ExprKind::Local(_));
    if c.origin(&v.e) == Some(Origin::NarrowWord) {
        c.report(d.help("the record holds it in a word of 8 bytes without a sign; the number is (cast i32 …) of it"));
        return;
    }
    c.report(if !int.signed && n == 0 && difference {
        d.help("differences of unsigned numbers wrap around; if a signed number is meant: (cast i64 …)")
    } else {
        d.help("compare with a number of that range, or take a wider type")
    });
}

/// Upper bounds of variables that a comparison of unsigned numbers tells.
fn bounds(c: &Checker<'_>, order: Order, a: &Val, b: &Val) -> (Vec<Fact>, Vec<Fact>) {
    let (v, n, order) = match (variable(c, a), variable(c, b)) {
        (Some(v), _) if b.hi == b.lo || b.lit => (v, b.hi, order),
        (_, Some(v)) if a.lit => (v, a.hi, order.flipped()),
        (Some(v), _) => (v, b.hi, order),
        _ => return Default::default(),
    };
    // A negative number's bits would be a huge unsigned one.
    let other = if variable(c, a) == Some(v) { b } else { a };
    if other.lo < 0 {
        return Default::default();
    }
    let at_most = |n: i128| u64::try_from(n).ok().map(|n| vec![Fact::AtMost(v, n)]).unwrap_or_default();
    match order {
        Order::Eq => (at_most(n), Vec::new()),
        Order::Ne => (Vec::new(), at_most(n)),
        Order::Lt => (at_most(n - 1), Vec::new()),
        Order::Le => (at_most(n), Vec::new()),
        Order::Gt => (Vec::new(), at_most(n)),
        Order::Ge => (Vec::new(), at_most(n - 1)),
    }
}

fn variable(c: &Checker<'_>, v: &Val) -> Option<LocalId> {
    match v.e.kind {
        ExprKind::Local(l) if v.int().is_some_and(|i| !i.signed) && !c.f.vars[l.0 as usize].addressed => Some(l),
        _ => None,
    }
}

fn pointers(c: &mut Checker<'_>, order: Order, a: Val, b: Val, here: At) -> Val {
    let space = |v: &Val| v.ty().as_ptr().map(|p| p.space);
    if let (Some(sa), Some(sb)) = (space(&a), space(&b)) {
        if sa == Space::Packet && sb == Space::PacketEnd {
            if let Some(v) = packet_end(c, order, &a, &b, &here) {
                return v;
            }
        } else if sa == Space::Packet && sb == Space::Packet && meta(c, &a) && whole(c, &b) {
            // What lies before the packet ends where it begins.
            if let Some(v) = packet_end(c, order, &a, &b, &here) {
                return v;
            }
        } else if sa == Space::Packet
            && sb == Space::Packet
            && meta(c, &b)
            && whole(c, &a)
            && let Some(v) = packet_end(c, order.flipped(), &b, &a, &here)
        {
            return v;
        } else if sa == Space::PacketEnd
            && sb == Space::Packet
            && let Some(v) = packet_end(c, order.flipped(), &b, &a, &here)
        {
            return v;
        }
    }
    if c.compares_text(&a, &b, &here) {
        return Val::error(here);
    }
    for (p, n) in [(&a, &b), (&b, &a)] {
        // A pointer that was read may be null; the address of what lies in an object is not.
        if n.int().is_some()
            && (!n.is_zero() || c.lies_in_an_object(p.ty()))
            && c.not_its_number(p, "it is compared with a number")
        {
            return Val::error(here);
        }
    }
    // Comparing with zero is a null test.
    for (p, z) in [(&a, &b), (&b, &a)] {
        if z.is_zero() && matches!(order, Order::Eq | Order::Ne) {
            let zero = Expr::new(ExprKind::Const(0), p.ty().clone(), z.at().clone());
            let facts = p.facts.clone().unwrap_or_default();
            let v =
                Val::new(ExprKind::Cmp(order.machine(false), Box::new(p.e.clone()), Box::new(zero)), Ty::Bool, here);
            return if order == Order::Ne { v.telling(facts.yes, facts.no) } else { v.telling(facts.no, facts.yes) };
        }
    }
    for v in [&a, &b] {
        if !matches!(v.ty(), Ty::Ptr(_)) && v.int().is_none() {
            let v = v.clone();
            return c.number(v, order.name());
        }
    }
    for (p, n) in [(&a, &b), (&b, &a)] {
        if n.int().is_some() {
            let needed = if n.is_zero() {
                "only `=` and `/=` test it for null".to_string()
            } else {
                "it is compared with a number".to_string()
            };
            if c.not_its_content(p, &needed) {
                return Val::error(here);
            }
        }
    }
    Val::new(ExprKind::Cmp(order.machine(false), Box::new(a.e), Box::new(b.e)), Ty::Bool, here)
}

/// Whether a pointer is counted from the metadata before the packet.
fn meta(c: &Checker<'_>, v: &Val) -> bool {
    let root = v.base.or_else(|| c.packet_base(&v.e)).map(|(root, _)| root);
    root.is_some_and(|l| {
        let var = &c.f.vars[l.0 as usize];
        !var.assigned && var.start == Some(PacketStart::Meta)
    })
}

/// Whether a pointer is the packet's first byte.
fn whole(c: &Checker<'_>, v: &Val) -> bool {
    match v.base.or_else(|| c.packet_base(&v.e)) {
        Some((l, 0)) => {
            let var = &c.f.vars[l.0 as usize];
            !var.assigned && var.start == Some(PacketStart::Data)
        }
        Some(_) => false,
        None => c.packet_start(&v.e) == Some(PacketStart::Data),
    }
}

/// A comparison of a packet pointer with the packet's end: how many bytes it covers.
fn packet_end(c: &mut Checker<'_>, order: Order, p: &Val, end: &Val, here: &At) -> Option<Val> {
    if c.stale(&p.e, here) || c.stale(&end.e, here) {
        return Some(Val::error(here.clone()));
    }
    let mut setup = None;
    let mut sum = None;
    let (root, off) = match p.base.or_else(|| c.packet_base(&p.e)) {
        Some(base) => base,
        None => {
            // The verifier takes the moved pointer that is tested for another one than the same sum made again.
            let (set, moved, off) = c.moved_pointer(&p.e)?;
            if let ExprKind::Set(_, e) = &set.kind {
                sum = Some((**e).clone());
            }
            setup = Some(set);
            (moved, off)
        }
    };
    let len = u32::try_from(off).ok()?;
    // p + len <= end, or p + len < end, which covers a byte more than it must.
    let (covered_when_true, len) = match order {
        Order::Le => (true, len),
        Order::Gt => (false, len),
        Order::Lt => (true, len + 1),
        Order::Ge => (false, len + 1),
        Order::Eq | Order::Ne => return None,
    };
    let fact = if c.goes_too_far(root, sum.as_ref(), len) { Vec::new() } else { vec![Fact::Covers(root, len)] };
    if end.ty().as_ptr().is_some_and(|p| p.space == Space::Packet) {
        // The metadata's end is a packet pointer like others.
        let kind = ExprKind::Cmp(order.machine(false), Box::new(p.e.clone()), Box::new(end.e.clone()));
        let test = Val::new(kind, Ty::Bool, here.clone());
        let test = if covered_when_true { test.telling(fact, Vec::new()) } else { test.telling(Vec::new(), fact) };
        return Some(c.seq(setup.into_iter().collect(), test));
    }
    let ptr = Expr::new(ExprKind::Local(root), c.f.locals[root.0 as usize].ty.clone(), here.clone());
    let test = ExprKind::InBounds { ptr: Box::new(ptr), len, end: Box::new(end.e.clone()) };
    let inside = Expr::new(test, Ty::Bool, here.clone());
    let v = if covered_when_true {
        Val::of(inside).telling(fact, Vec::new())
    } else {
        let zero = Expr::new(ExprKind::Const(0), Ty::Bool, here.clone());
        Val::new(ExprKind::Cmp(CmpOp::Eq, Box::new(inside), Box::new(zero)), Ty::Bool, here.clone())
            .telling(Vec::new(), fact)
    };
    Some(c.seq(setup.into_iter().collect(), v))
}

fn forced(c: &mut Checker<'_>, call: &Call<'_>, op: CmpOp) -> Val {
    let (a, b) = (c.value(&call.args[0]), c.value(&call.args[1]));
    let name = call.name.name();
    let (a, b) = (c.number(a, name), c.number(b, name));
    if a.never() || b.never() {
        return Val::error(call.at());
    }
    Val::new(ExprKind::Cmp(op, Box::new(a.e), Box::new(b.e)), Ty::Bool, call.at())
}

fn zero(c: &mut Checker<'_>, call: &Call<'_>, order: Order) -> Val {
    let v = c.value(&call.args[0]);
    let zero = Val::literal(0, call.at());
    one_way(c, order, &v, &zero, call);
    compare(c, order, v, zero, call.at())
}

fn logtest(c: &mut Checker<'_>, call: &Call<'_>) -> Val {
    let (a, b) = (c.value(&call.args[0]), c.value(&call.args[1]));
    let (a, b) = (c.number(a, "logtest"), c.number(b, "logtest"));
    if a.never() || b.never() {
        return Val::error(call.at());
    }
    if let (Some(x), Some(y)) = (a.as_lit(), b.as_lit()) {
        return Val::literal(i128::from(x & y != 0), call.at());
    }
    let both = Expr::new(ExprKind::Bin(BinOp::And, Box::new(a.e), Box::new(b.e)), Ty::U64, call.at());
    let zero = Expr::new(ExprKind::Const(0), Ty::U64, call.at());
    Val::new(ExprKind::Cmp(CmpOp::Ne, Box::new(both), Box::new(zero)), Ty::Bool, call.at())
}

/// `a <= b`.
pub(super) fn not_above(c: &mut Checker<'_>, a: Val, b: Val, here: At) -> Val {
    compare(c, Order::Le, a, b, here)
}
