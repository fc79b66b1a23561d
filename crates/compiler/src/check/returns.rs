//! What a program returns, against what its type may. Invariant: a value of which too little is known is not
//! reported; the kernel follows every path, and this only what can be said without that.

use rustc_hash::{FxHashMap, FxHashSet};
use whistler_isa::ReturnRule;

use super::val::type_range;
use super::{Checker, convert::describe};
use crate::diagnostics as diag;
use crate::env::ProgDecl;
use crate::hir::{At, BinOp, CmpOp, Expr, ExprKind, Function, FunctionId, IntTy, LocalId, Ty};

/// More constants than this in one variable are not told apart.
const MOST_CONSTANTS: usize = 8;

/// What is known of a value.
#[derive(Clone, Debug)]
enum Known {
    /// One of these, and where each was written.
    Constants(Vec<(i64, At)>),
    /// Anything from … to, as the kernel sees it.
    Range(i128, i128),
    /// An address, in words.
    Address(String),
    /// Not enough to say something.
    Nothing,
    /// Control never gets here.
    Never,
}

type State = FxHashMap<LocalId, Known>;

/// A value that leaves the program.
struct Returned {
    value: Known,
    at: At,
    ty: Ty,
}

impl Checker<'_> {
    /// Checks what a program returns.
    pub(super) fn check_returns(&mut self, body: &Expr, decl: &ProgDecl) {
        let rule = decl.prog_type.return_rule(decl.attach_type);
        let limits = match rule {
            ReturnRule::Hook => self.hook_rule(decl),
            rule => rule,
        };
        if matches!(limits, ReturnRule::Any | ReturnRule::Hook) && self.f.verdicts.is_empty() {
            return;
        }
        let mut walk = Walk::new(&self.unit.functions, 0);
        walk.note_addressed(body);
        walk.result(body);
        let returned = walk.returned;
        let constants = returned.iter().flat_map(|r| match &r.value {
            Known::Constants(list) => list.iter().map(|(n, at)| (Some(*n), at)).collect(),
            Known::Never => Vec::new(),
            _ => vec![(None, &r.at)],
        });
        let all: Vec<(Option<i64>, &At)> = constants.collect();
        if all.iter().all(|(n, _)| *n == Some(0)) {
            let zeros: Vec<&At> = all.iter().map(|(_, at)| *at).collect();
            self.refuses_all(decl, body, &zeros);
        }
        for r in &returned {
            if let Known::Constants(list) = &r.value {
                for (n, at) in list {
                    self.verdict_of_another(decl, *n, at);
                }
            }
            match limits {
                ReturnRule::Any | ReturnRule::Hook => {}
                // Of what the kernel's own functions yield, it knows more than their types say.
                _ if rule == ReturnRule::Hook && !matches!(r.value, Known::Constants(_)) => {}
                ReturnRule::Usual(lo, hi) => self.check_returned(r, limits, (lo, hi), decl),
                ReturnRule::Enforced(lo, hi) => self.check_returned(r, limits, (lo, hi), decl),
            }
        }
    }

    fn check_returned(&mut self, r: &Returned, rule: ReturnRule, (lo, hi): (i32, i32), decl: &ProgDecl) {
        let enforced = matches!(rule, ReturnRule::Enforced(..));
        let kind = decl.prog_type.shown(decl.attach_type);
        let range = if lo == hi { format!("{lo}") } else { format!("{lo} to {hi}") };
        let bad = |text: String, origin: Option<&At>| {
            let mut d = if enforced {
                let text = format!("a program of type :{kind} may return {range}, {text}");
                diag::error(&diag::RETURN_RANGE, &r.at, text)
            } else {
                let text = format!("a program of type :{kind} usually returns {range}, {text}");
                diag::warning(&diag::RETURN_ODD, &r.at, text)
            };
            if let Some(o) = origin.filter(|o| o.span != r.at.span) {
                d = d.also(o.span, "the value comes from here");
            }
            d
        };
        let errors = lo < 0 && decl.prog_type == whistler_isa::ProgType::Lsm;
        match &r.value {
            Known::Constants(list) => {
                for (n, at) in list.iter().filter(|(n, _)| !rule.allows(*n)) {
                    let d = bad(format!("not {n}"), Some(at));
                    self.report(match meaning(decl, lo, hi).filter(|_| enforced || errors) {
                        Some(help) => d.help(help),
                        None => d,
                    });
                }
            }
            Known::Range(a, b) if enforced && !within(*a, *b, lo, hi) => {
                let (least, most) = type_range(r.ty.as_int().unwrap_or(IntTy::U64));
                let what = if (*a, *b) == (least, most) { format!("any {}", r.ty) } else { format!("{a} to {b}") };
                let help = "make it one of these: (if … 1 0), or bound it with logand or min";
                let d = bad(format!("and this may be {what}"), None).help(help);
                self.report(d);
            }
            Known::Address(what) if enforced => {
                let help = "make it one of these: (if … 1 0), or bound it with logand or min";
                let d = bad(format!("and this may be {what}"), None).help(help);
                self.report(d);
            }
            Known::Range(..) | Known::Address(_) | Known::Nothing | Known::Never => {}
        }
    }
}

/// What the values in range mean to the hook.
fn meaning(decl: &ProgDecl, lo: i32, hi: i32) -> Option<String> {
    if lo == hi {
        return Some(format!("it must be {lo}"));
    }
    let kind = decl.prog_type.keyword();
    let text = match (kind, hi) {
        ("sk-lookup", _) => "SK_PASS (1) lets the lookup go on, SK_DROP (0) ends it",
        ("netfilter", _) => "NF_ACCEPT (1) lets the packet pass, NF_DROP (0) drops it",
        ("tracing", _) => "0 goes on, 1 asks for the same element again",
        ("lsm", 0) => "0 allows it, an error refuses, as a negative number: (- EPERM)",
        ("lsm", 1) if decl.attach_type != Some(whistler_isa::AttachType::LsmCgroup) => {
            "the hook is asked yes (1) or no (0)"
        }
        (k, 1) if k.starts_with("cgroup") || k == "lsm" => "1 allows it, 0 refuses (the caller gets EPERM)",
        (k, 3) if k.starts_with("cgroup") => "1 allows it, 0 refuses; 2 and 3 are the same and notify or skip a check",
        _ => return None,
    };
    Some(text.to_string())
}

fn within(a: i128, b: i128, lo: i32, hi: i32) -> bool {
    i128::from(lo) <= a && b <= i128::from(hi)
}

/// How deep calls are followed: as deep as the kernel lets them go.
const CALLS: u32 = 8;

const WIDTHS: [IntTy; 8] =
    [IntTy::U8, IntTy::U16, IntTy::U32, IntTy::U64, IntTy::I8, IntTy::I16, IntTy::I32, IntTy::I64];

struct Walk<'u> {
    functions: &'u [Function],
    /// Calls around this.
    depth: u32,
    /// Variables in memory whose address is taken: what they hold isn't followed.
    addressed: FxHashSet<LocalId>,
    state: State,
    returned: Vec<Returned>,
}

impl<'u> Walk<'u> {
    fn new(functions: &'u [Function], depth: u32) -> Walk<'u> {
        Walk { functions, depth, addressed: FxHashSet::default(), state: State::default(), returned: Vec::new() }
    }

    /// What a subprogram yields. The kernel follows a call with what it knows of the arguments, so of one with arguments of
    /// which more is known than their type only that is told which holds for all of them.
    fn called(&self, function: FunctionId, told: bool) -> Known {
        let Some(f) = self.functions.get(function.0 as usize).filter(|f| self.depth < CALLS && !f.global) else {
            return Known::Nothing;
        };
        let mut inner = Walk::new(self.functions, self.depth + 1);
        inner.note_addressed(&f.body);
        inner.result(&f.body);
        let all = inner.returned.into_iter().map(|r| cast(r.value, &f.ret)).reduce(|a, b| meet(&a, &b));
        match all {
            Some(Known::Constants(list)) if !told || list.iter().all(|(n, _)| *n == list[0].0) => {
                Known::Constants(list)
            }
            Some(Known::Range(a, b)) if !told => Known::Range(a, b),
            _ => Known::Nothing,
        }
    }

    fn note_addressed(&mut self, e: &Expr) {
        if let ExprKind::AddrOf(l) = &e.kind {
            self.addressed.insert(*l);
        }
        e.each_child(&mut |c| self.note_addressed(c));
    }

    /// Follows an expression whose value leaves the program: each branch for itself.
    fn result(&mut self, e: &Expr) {
        match &e.kind {
            ExprKind::Seq(es) => {
                let Some((last, before)) = es.split_last() else { return };
                for b in before {
                    self.value(b);
                }
                self.result(last);
            }
            ExprKind::If(test, a, b) => {
                self.value(test);
                let before = self.state.clone();
                self.learn(test, true);
                self.result(a);
                self.state = before;
                self.learn(test, false);
                self.result(b);
            }
            ExprKind::Cast(inner)
                if matches!(inner.kind, ExprKind::Seq(_) | ExprKind::If(..)) && same_width(e, inner) =>
            {
                self.result(inner);
            }
            _ => {
                let value = self.value(e);
                if e.ty != Ty::Never {
                    self.returned.push(Returned { value, at: e.at.clone(), ty: inner_type(e).clone() });
                }
            }
        }
    }

    /// Follows an expression; yields what is known of its value.
    fn value(&mut self, e: &Expr) -> Known {
        match &e.kind {
            ExprKind::Const(_) if e.ty == Ty::Never => Known::Never,
            ExprKind::Const(n) => Known::Constants(vec![(*n, e.at.clone())]),
            ExprKind::Local(l) => match self.state.get(l) {
                Some(k) => k.clone(),
                None if e.ty.as_ptr().is_some() => Known::Address(describe(&e.ty)),
                None => Known::Nothing,
            },
            ExprKind::Set(l, inner) => {
                let k = self.value(inner);
                if !self.addressed.contains(l) {
                    self.state.insert(*l, k.clone());
                }
                k
            }
            ExprKind::Seq(es) => {
                let mut k = Known::Constants(vec![(0, e.at.clone())]);
                for inner in es {
                    k = self.value(inner);
                }
                k
            }
            ExprKind::If(test, a, b) => {
                self.value(test);
                let before = self.state.clone();
                self.learn(test, true);
                let x = self.value(a);
                let after_a = std::mem::replace(&mut self.state, before);
                self.learn(test, false);
                let y = self.value(b);
                match (a.never(), b.never()) {
                    (true, _) => return y,
                    (false, true) => {
                        self.state = after_a;
                        return x;
                    }
                    (false, false) => {}
                }
                let after_b = std::mem::take(&mut self.state);
                for (l, k) in after_a {
                    if let Some(other) = after_b.get(&l) {
                        self.state.insert(l, meet(&k, other));
                    }
                }
                meet(&x, &y)
            }
            ExprKind::Return(inner) => {
                self.result(inner);
                Known::Never
            }
            ExprKind::While { test, body, .. } => {
                self.forget_assigned(body);
                self.forget_assigned(test);
                self.value(test);
                let before = self.state.clone();
                self.learn(test, true);
                self.value(body);
                self.state = before;
                self.forget_assigned(body);
                Known::Nothing
            }
            ExprKind::For { var, count, body, max, .. } => {
                self.value(count);
                self.forget_assigned(body);
                let most = count.as_const().map(|n| n as u64).or(*max);
                let k = most.map_or(Known::Nothing, |n| Known::Range(0, i128::from(n.saturating_sub(1))));
                self.state.insert(*var, k);
                let before = self.state.clone();
                self.value(body);
                self.state = before;
                self.forget_assigned(body);
                Known::Nothing
            }
            ExprKind::Block { body, .. } => {
                let k = self.value(body);
                self.forget_assigned(body);
                // It may have been left with another value.
                if breaks(body) { Known::Nothing } else { k }
            }
            ExprKind::Cast(inner) => {
                let k = self.value(inner);
                cast(k, &e.ty)
            }
            ExprKind::Bin(op, a, b) => {
                let (x, y) = (self.value(a), self.value(b));
                if e.ty.as_ptr().is_some() {
                    return Known::Address(describe(&e.ty));
                }
                bin(*op, &x, &y)
            }
            ExprKind::Call { function, args } => {
                let mut told = false;
                for a in args {
                    told |= match self.value(a) {
                        Known::Constants(_) => true,
                        // Widened, a number still is any one of what it was.
                        Known::Range(lo, hi) => !WIDTHS.iter().any(|i| (lo, hi) == type_range(*i)),
                        Known::Address(_) | Known::Nothing | Known::Never => false,
                    };
                }
                self.called(*function, told)
            }
            ExprKind::Cmp(..) | ExprKind::InBounds { .. } | ExprKind::Differ { .. } => {
                self.children(e);
                Known::Range(0, 1)
            }
            ExprKind::Load { .. } | ExprKind::CoreLoad { .. } | ExprKind::Helper { .. } => {
                self.children(e);
                match &e.ty {
                    Ty::Ptr(_) => Known::Address(describe(&e.ty)),
                    ty => match ty.as_int() {
                        Some(i) => {
                            let (lo, hi) = type_range(i);
                            Known::Range(lo, hi)
                        }
                        None => Known::Nothing,
                    },
                }
            }
            _ if e.ty.as_ptr().is_some() => {
                self.children(e);
                Known::Address(describe(&e.ty))
            }
            _ => {
                self.children(e);
                Known::Nothing
            }
        }
    }

    fn children(&mut self, e: &Expr) {
        let mut parts = Vec::new();
        e.each_child(&mut |c| parts.push(c));
        for c in parts {
            self.value(c);
        }
    }

    /// Takes in what a test tells of variables.
    fn learn(&mut self, test: &Expr, holds: bool) {
        match &test.kind {
            ExprKind::Local(l) if test.ty.as_ptr().is_none() => {
                self.narrow(*l, if holds { CmpOp::Ne } else { CmpOp::Eq }, 0)
            }
            ExprKind::Seq(es) => {
                if let Some(last) = es.last() {
                    self.learn(last, holds);
                }
            }
            ExprKind::Cast(e) => self.learn(e, holds),
            ExprKind::If(a, b, c) if holds && c.as_const() == Some(0) => {
                self.learn(a, true);
                self.learn(b, true);
            }
            ExprKind::If(a, b, c) if !holds && b.as_const().is_some_and(|n| n != 0) => {
                self.learn(a, false);
                self.learn(c, false);
            }
            ExprKind::Cmp(op, a, b) => {
                let op = if holds { *op } else { opposite(*op) };
                if let (Some(l), Some(n)) = (variable(a), b.as_const()) {
                    self.narrow(l, op, n);
                } else if let (Some(n), Some(l)) = (a.as_const(), variable(b)) {
                    self.narrow(l, mirrored(op), n);
                }
            }
            // What other tests tell isn't followed: a variable in them may be bounded by it.
            _ => {
                let mut seen = Vec::new();
                mentioned(test, &mut seen);
                for l in seen {
                    self.state.remove(&l);
                }
            }
        }
    }

    fn narrow(&mut self, l: LocalId, op: CmpOp, n: i64) {
        let Some(k) = self.state.get_mut(&l) else { return };
        let n128 = i128::from(n);
        match k {
            Known::Constants(list) => list.retain(|(v, _)| holds(op, *v, n)),
            Known::Range(lo, hi) => {
                match op {
                    CmpOp::Eq => (*lo, *hi) = ((*lo).max(n128), (*hi).min(n128)),
                    CmpOp::Ne if *lo == n128 => *lo += 1,
                    CmpOp::Ne if *hi == n128 => *hi -= 1,
                    CmpOp::LtU if n > 0 => (*lo, *hi) = ((*lo).max(0), (*hi).min(n128 - 1)),
                    CmpOp::LeU if n >= 0 => (*lo, *hi) = ((*lo).max(0), (*hi).min(n128)),
                    CmpOp::LtS if *hi <= i128::from(i64::MAX) => *hi = (*hi).min(n128 - 1),
                    CmpOp::LeS if *hi <= i128::from(i64::MAX) => *hi = (*hi).min(n128),
                    CmpOp::GtU if n >= 0 && *lo >= 0 => *lo = (*lo).max(n128 + 1),
                    CmpOp::GeU if n >= 0 && *lo >= 0 => *lo = (*lo).max(n128),
                    CmpOp::GtS if *lo < 0 || n >= 0 => *lo = (*lo).max(n128 + 1),
                    CmpOp::GeS if *lo < 0 || n >= 0 => *lo = (*lo).max(n128),
                    _ => {}
                }
                if lo > hi {
                    *k = Known::Never;
                }
            }
            Known::Address(_) | Known::Nothing | Known::Never => {}
        }
    }

    fn forget_assigned(&mut self, e: &Expr) {
        if let ExprKind::Set(l, _) = &e.kind {
            self.state.remove(l);
        }
        e.each_child(&mut |c| self.forget_assigned(c));
    }
}

fn same_width(a: &Expr, b: &Expr) -> bool {
    matches!((a.ty.as_int(), b.ty.as_int()), (Some(x), Some(y)) if x.size >= y.size)
}

/// The type a value had before it was made as wide as a result.
fn inner_type(e: &Expr) -> &Ty {
    match &e.kind {
        ExprKind::Cast(inner) if inner.ty.as_int().is_some() && inner.ty.size() <= e.ty.size() => inner_type(inner),
        _ => &e.ty,
    }
}

fn variable(e: &Expr) -> Option<LocalId> {
    match &e.kind {
        ExprKind::Local(l) => Some(*l),
        ExprKind::Cast(inner) if same_width(e, inner) => variable(inner),
        _ => None,
    }
}

fn mentioned(e: &Expr, out: &mut Vec<LocalId>) {
    if let ExprKind::Local(l) = &e.kind {
        out.push(*l);
    }
    e.each_child(&mut |c| mentioned(c, out));
}

fn breaks(e: &Expr) -> bool {
    let mut any = matches!(e.kind, ExprKind::Break(..));
    e.each_child(&mut |c| any |= breaks(c));
    any
}

fn meet(a: &Known, b: &Known) -> Known {
    match (a, b) {
        (Known::Never, k) | (k, Known::Never) => k.clone(),
        (Known::Constants(x), Known::Constants(y)) => {
            let mut all = x.clone();
            all.extend(y.iter().filter(|(n, _)| !x.iter().any(|(m, _)| m == n)).cloned());
            if all.len() > MOST_CONSTANTS { Known::Nothing } else { Known::Constants(all) }
        }
        (Known::Range(a, b), Known::Range(c, d)) => Known::Range(*a.min(c), *b.max(d)),
        (Known::Constants(list), Known::Range(lo, hi)) | (Known::Range(lo, hi), Known::Constants(list)) => {
            let least = list.iter().map(|(n, _)| i128::from(*n)).min().unwrap_or(*lo);
            let most = list.iter().map(|(n, _)| i128::from(*n)).max().unwrap_or(*hi);
            Known::Range(least.min(*lo), most.max(*hi))
        }
        (Known::Address(a), _) | (_, Known::Address(a)) => Known::Address(a.clone()),
        (Known::Nothing, _) | (_, Known::Nothing) => Known::Nothing,
    }
}

fn cast(k: Known, to: &Ty) -> Known {
    let Some(i) = to.as_int() else { return if to.as_ptr().is_some() { Known::Address(describe(to)) } else { k } };
    let (lo, hi) = type_range(i);
    match k {
        Known::Constants(list) => Known::Constants(list.into_iter().map(|(n, at)| (i.canonical(n), at)).collect()),
        Known::Range(a, b) if lo <= a && b <= hi => Known::Range(a, b),
        // What cutting leaves could be anything of the type; a wide number keeps its bits.
        Known::Range(..) => Known::Range(lo, hi),
        Known::Address(_) | Known::Nothing | Known::Never => k,
    }
}

fn bounds(k: &Known) -> Option<(i128, i128)> {
    match k {
        Known::Constants(list) => {
            let all = || list.iter().map(|(n, _)| i128::from(*n));
            Some((all().min()?, all().max()?))
        }
        Known::Range(a, b) => Some((*a, *b)),
        Known::Address(_) | Known::Nothing | Known::Never => None,
    }
}

fn bin(op: BinOp, x: &Known, y: &Known) -> Known {
    let (Some((a, b)), Some((c, d))) = (bounds(x), bounds(y)) else {
        // A mask and a minimum bound what they are applied to, whatever that is.
        return match (op, bounds(x).or(bounds(y))) {
            (BinOp::And, Some((lo, hi))) if lo >= 0 => Known::Range(0, hi),
            (BinOp::MinU, Some((lo, hi))) if lo >= 0 => Known::Range(0, hi),
            _ => Known::Nothing,
        };
    };
    // The kernel's own ranges hold only what does not wrap.
    let fits = |lo: i128, hi: i128| {
        if lo >= i128::from(i64::MIN) && hi <= i128::from(i64::MAX) { Known::Range(lo, hi) } else { Known::Nothing }
    };
    match op {
        BinOp::Add => fits(a + c, b + d),
        BinOp::Sub => fits(a - d, b - c),
        BinOp::And if a >= 0 && c >= 0 => Known::Range(0, b.min(d)),
        BinOp::And if a >= 0 => Known::Range(0, b),
        BinOp::And if c >= 0 => Known::Range(0, d),
        BinOp::MinU if a >= 0 && c >= 0 => Known::Range(a.min(c), b.min(d)),
        BinOp::MinS => Known::Range(a.min(c), b.min(d)),
        BinOp::MaxS => Known::Range(a.max(c), b.max(d)),
        BinOp::MaxU if a >= 0 && c >= 0 => Known::Range(a.max(c), b.max(d)),
        BinOp::ShrU if a >= 0 && c == d && (0..64).contains(&c) => Known::Range(a >> c, b >> c),
        _ => Known::Nothing,
    }
}

fn holds(op: CmpOp, a: i64, b: i64) -> bool {
    let (ua, ub) = (a as u64, b as u64);
    match op {
        CmpOp::Eq => a == b,
        CmpOp::Ne => a != b,
        CmpOp::LtU => ua < ub,
        CmpOp::LeU => ua <= ub,
        CmpOp::GtU => ua > ub,
        CmpOp::GeU => ua >= ub,
        CmpOp::LtS => a < b,
        CmpOp::LeS => a <= b,
        CmpOp::GtS => a > b,
        CmpOp::GeS => a >= b,
    }
}

fn opposite(op: CmpOp) -> CmpOp {
    match op {
        CmpOp::Eq => CmpOp::Ne,
        CmpOp::Ne => CmpOp::Eq,
        CmpOp::LtU => CmpOp::GeU,
        CmpOp::LeU => CmpOp::GtU,
        CmpOp::GtU => CmpOp::LeU,
        CmpOp::GeU => CmpOp::LtU,
        CmpOp::LtS => CmpOp::GeS,
        CmpOp::LeS => CmpOp::GtS,
        CmpOp::GtS => CmpOp::LeS,
        CmpOp::GeS => CmpOp::LtS,
    }
}

fn mirrored(op: CmpOp) -> CmpOp {
    match op {
        CmpOp::Eq | CmpOp::Ne => op,
        CmpOp::LtU => CmpOp::GtU,
        CmpOp::LeU => CmpOp::GeU,
        CmpOp::GtU => CmpOp::LtU,
        CmpOp::GeU => CmpOp::LeU,
        CmpOp::LtS => CmpOp::GtS,
        CmpOp::LeS => CmpOp::GeS,
        CmpOp::GtS => CmpOp::LtS,
        CmpOp::GeS => CmpOp::LeS,
    }
}
