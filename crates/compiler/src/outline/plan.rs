//! How each loop is made. A loop that the verifier can follow round by round is a jump back, the cheapest for the
//! program; a longer one takes a way in which the round is verified once. Invariant: the way never changes what the
//! loop does, so a way that can't do it (see [`Planner::possible`]) is not taken, whoever asked for it.

use std::cell::RefCell;

use rustc_hash::{FxHashMap, FxHashSet};
use whistler_isa::{HelperFlags, LoopWay, ProgType, Target, helpers};

use super::carried::Carried;
use crate::hir::{At, BinOp, Callback, CmpOp, Expr, ExprKind, LabelId, Local, LocalId, LocalKind, Space, Ty, Unit};

/// Instructions that the verifier may spend on one loop. It gives up after 1,000,000 (`BPF_COMPLEXITY_LIMIT_INSNS`)
/// for all that a program does.
const VERIFIER_BUDGET: u64 = 60_000;
/// The same for a loop whose rounds go different ways: each round is then followed once for every round before it.
const VERIFIER_BUDGET_OF_FORKS: u64 = 300_000;
/// Ways to go on that a loop may leave behind for the verifier to come back to. It remembers 8,192 at once
/// (`BPF_COMPLEXITY_LIMIT_JMP_SEQ`), of all that stands before the place it is at.
const PENDING: u64 = 1500;
/// Rounds that `bpf_loop`, the numbers iterator and `may_goto` make at most (`BPF_MAX_LOOPS`).
pub(crate) const MAX_LOOPS: u64 = 1 << 23;
/// Rounds up to which a `may_goto` is used: it ends loops after [`MAX_LOOPS`] rounds or a quarter of a second.
const MAY_GOTO_ROUNDS: u64 = 1 << 14;
/// How often the verifier goes through a round that it has to verify only once: until nothing new is learnt.
const VERIFIED_ONCE: u64 = 4;
/// Instructions that unrolling may make.
const UNROLLED: u64 = 4096;

const TAIL_CALL: u32 = 12;
const SPIN_LOCK: u32 = 93;
const SPIN_UNLOCK: u32 = 94;
const LOOP: u32 = 181;

/// Chooses for every loop of the unit.
pub(super) fn choose(unit: &mut Unit, target: &Target) {
    let weights = weights(unit);
    for n in 0..unit.functions.len() {
        let f = &mut unit.functions[n];
        let prog = f.program.as_ref().map(|p| p.prog_type).or(f.ctx_type);
        let mut body = std::mem::replace(&mut f.body, nothing(&At::default()));
        let mut labels = 0;
        next_label(&body, &mut labels);
        let locals = std::mem::take(&mut f.locals);
        let (gpl, nested) = (unit.functions[n].gpl, unit.functions[n].program.is_none());
        let mut mentions = FxHashMap::default();
        super::closure::count(&body, &mut mentions);
        // The caller gives these their first value.
        unit.functions[n].params.iter().for_each(|p| *mentions.entry(*p).or_insert(0) += 1);
        let decides = super::deciding::deciding(&body);
        let mut p =
            Planner { target, prog, gpl, mentions, decides, weights: &weights, locals, labels, locked: false, nested };
        p.visit(&mut body);
        let locals = p.locals;
        let f = &mut unit.functions[n];
        (f.body, f.locals) = (body, locals);
    }
}

fn nothing(at: &At) -> Expr {
    Expr::new(ExprKind::Seq(Vec::new()), Ty::Void, at.clone())
}

/// An expression with others before it.
pub(super) fn preceded(e: &mut Expr, mut parts: Vec<Expr>) {
    if !parts.is_empty() {
        let (ty, at) = (e.ty.clone(), e.at.clone());
        parts.push(std::mem::replace(e, nothing(&at)));
        *e = Expr::new(ExprKind::Seq(parts), ty, at);
    }
}

pub(super) fn number(n: i64, at: &At) -> Expr {
    Expr::new(ExprKind::Const(n), Ty::U64, at.clone())
}

fn next_label(e: &Expr, next: &mut u32) {
    let mut see = |l: LabelId| *next = (*next).max(l.0 + 1);
    match &e.kind {
        ExprKind::Block { label, .. } => see(*label),
        ExprKind::While { label, next: n, .. } | ExprKind::For { label, next: n, .. } => {
            see(*label);
            see(*n);
        }
        ExprKind::WithCallback { callback, .. } => see(callback.label),
        _ => {}
    }
    e.each_child(&mut |c| next_label(c, next));
}

/// About how many instructions the verifier follows through an expression, loops round by round; `callee` says what a
/// subprogram costs.
pub(super) fn weight(e: &Expr, callee: &dyn Fn(usize) -> u64) -> u64 {
    let mut inside = 0u64;
    e.each_child(&mut |c| inside = inside.saturating_add(weight(c, callee)));
    match &e.kind {
        ExprKind::Const(_) | ExprKind::Local(_) | ExprKind::Seq(_) | ExprKind::Cast(_) | ExprKind::Block { .. } => {
            inside
        }
        ExprKind::Copy { len, .. } | ExprKind::Fill { len, .. } | ExprKind::Differ { len, .. } => {
            inside.saturating_add(2 + u64::from(*len) / 4)
        }
        // What is acquired has an identity of its own in every round: no two states are the same to the verifier.
        ExprKind::Helper { id, .. } if acquires(*id) => inside.saturating_add(600),
        ExprKind::Kfunc { kfunc, .. } if kfunc.acquires() => inside.saturating_add(600),
        ExprKind::MapOp { .. } | ExprKind::Helper { .. } | ExprKind::Kfunc { .. } => inside.saturating_add(6),
        // Both arms, and some of what comes behind once for each.
        ExprKind::If(..) => (inside.saturating_mul(3) / 2).saturating_add(2),
        ExprKind::Call { function, .. } => inside.saturating_add(callee(function.0 as usize)).saturating_add(6),
        ExprKind::While { plan, .. } | ExprKind::For { plan, .. } => match plan.way {
            LoopWay::Helper | LoopWay::Iterator | LoopWay::MayGoto => inside.saturating_mul(VERIFIED_ONCE),
            LoopWay::Auto | LoopWay::Unroll | LoopWay::Jump => {
                inside.saturating_add(3).saturating_mul(plan.bound.max(1))
            }
        },
        ExprKind::WithCallback { .. } => inside.saturating_mul(VERIFIED_ONCE),
        _ => inside.saturating_add(1),
    }
}

/// About how many ways to go on an expression leaves behind; `callee` says what a subprogram costs.
fn branches(e: &Expr, callee: &dyn Fn(usize) -> u64) -> u64 {
    let mut inside = 0u64;
    e.each_child(&mut |c| inside = inside.saturating_add(branches(c, callee)));
    match &e.kind {
        ExprKind::If(..) | ExprKind::Break(..) | ExprKind::MapOp { .. } => inside.saturating_add(1),
        ExprKind::Bin(BinOp::MinU | BinOp::MinS | BinOp::MaxU | BinOp::MaxS, ..) => inside.saturating_add(1),
        ExprKind::Bin(BinOp::DivS | BinOp::RemS | BinOp::ModS, ..) => inside.saturating_add(2),
        // One instruction in eight is a jump.
        ExprKind::Call { function, .. } => inside.saturating_add(callee(function.0 as usize) / 8),
        ExprKind::While { plan, .. } | ExprKind::For { plan, .. } => match plan.way {
            LoopWay::Helper | LoopWay::Iterator | LoopWay::MayGoto => inside.saturating_add(1),
            LoopWay::Auto | LoopWay::Unroll | LoopWay::Jump => {
                inside.saturating_add(1).saturating_mul(plan.bound.max(1))
            }
        },
        _ => inside,
    }
}

/// What every function of the unit costs, with what it calls.
fn weights(unit: &Unit) -> Vec<u64> {
    fn of(unit: &Unit, n: usize, depth: u32, done: &RefCell<Vec<Option<u64>>>) -> u64 {
        let Some(f) = unit.functions.get(n).filter(|_| depth < 10) else { return 0 };
        if let Some(known) = done.borrow()[n] {
            return known;
        }
        let cost = weight(&f.body, &|callee| of(unit, callee, depth + 1, done));
        done.borrow_mut()[n] = Some(cost);
        cost
    }
    let done = RefCell::new(vec![None; unit.functions.len()]);
    (0..unit.functions.len()).map(|n| of(unit, n, 0, &done)).collect()
}

/// What is known of a loop's rounds.
struct Known {
    /// The most there can be.
    rounds: u64,
    /// How many there are, unless the loop is left before.
    constant: Option<u64>,
    /// Whether the loop counts by itself.
    counted: bool,
    /// Whether rounds go different ways that leave different numbers, by which something is decided.
    forks: bool,
}

pub(super) struct Planner<'p> {
    target: &'p Target,
    pub(super) prog: Option<ProgType>,
    gpl: bool,
    /// Of every function of the unit.
    pub(super) weights: &'p [u64],
    /// How often the function mentions each variable.
    pub(super) mentions: FxHashMap<LocalId, u32>,
    /// The variables that the function decides by.
    pub(super) decides: FxHashSet<LocalId>,
    locals: Vec<Local>,
    labels: u32,
    /// Whether a spin lock is held: nothing may be called then.
    locked: bool,
    /// Whether what is looked at stands in a loop or callback, or may be called from one. When the round of that is
    /// verified once, states in it are the same to the verifier only when all their numbers are.
    pub(super) nested: bool,
}

impl Planner<'_> {
    fn label(&mut self) -> LabelId {
        self.labels += 1;
        LabelId(self.labels - 1)
    }

    fn visit(&mut self, e: &mut Expr) {
        if let ExprKind::Helper { id, .. } = &e.kind {
            match *id {
                SPIN_LOCK => self.locked = true,
                SPIN_UNLOCK => self.locked = false,
                _ => {}
            }
        }
        if let ExprKind::Kfunc { kfunc, .. } = &e.kind {
            if kfunc.name.starts_with("bpf_res_spin_lock") {
                self.locked = true;
            } else if kfunc.name.starts_with("bpf_res_spin_unlock") {
                self.locked = false;
            }
        }
        let nested = self.nested;
        self.nested |= matches!(e.kind, ExprKind::While { .. } | ExprKind::For { .. } | ExprKind::WithCallback { .. });
        e.each_child_mut(&mut |c| self.visit(c));
        self.nested = nested;
        let forks = self.forks(e);
        let way = match &e.kind {
            // A loop over what the kernel gives (`do-kernel`), which ends by itself.
            ExprKind::While { plan, .. } | ExprKind::For { plan, .. } if plan.way != LoopWay::Auto => {
                let before = self.blur(e, plan.way, Carried::All);
                return preceded(e, before);
            }
            ExprKind::WithCallback { .. } => {
                let before = self.blur(e, LoopWay::Helper, Carried::All);
                self.unless_none(e);
                return preceded(e, before);
            }
            ExprKind::While { test, body, plan, max, .. } => {
                let known = Known { rounds: plan.bound, constant: None, counted: max.is_some(), forks };
                self.way(&known, &[test, body])
            }
            ExprKind::For { count, body, plan, .. } => {
                let constant = count.as_const().map(|n| n as u64);
                let rounds = constant.unwrap_or(plan.bound).min(plan.bound);
                self.way(&Known { rounds, constant, counted: true, forks }, &[body])
            }
            _ => return,
        };
        let before = match way {
            LoopWay::Auto | LoopWay::Jump | LoopWay::Unroll => Vec::new(),
            LoopWay::Helper | LoopWay::Iterator | LoopWay::MayGoto => self.blur(e, way, Carried::All),
        };
        match way {
            LoopWay::Helper => self.with_helper(e),
            LoopWay::Unroll => self.unroll(e),
            LoopWay::Auto | LoopWay::Jump | LoopWay::Iterator | LoopWay::MayGoto => {
                if let ExprKind::While { plan, .. } | ExprKind::For { plan, .. } = &mut e.kind {
                    plan.way = way;
                }
            }
        }
        preceded(e, before);
    }

    /// The way of a loop of which this is known, and whose parts are these.
    fn way(&self, known: &Known, parts: &[&Expr]) -> LoopWay {
        let callee = |f: usize| self.weights.get(f).copied().unwrap_or(0);
        let round = parts.iter().fold(3u64, |n, e| n.saturating_add(weight(e, &callee)));
        let left = parts.iter().fold(0u64, |n, e| n.saturating_add(branches(e, &callee)));
        let possible = |way: &LoopWay| self.possible(*way, known, round, parts);
        if self.target.loops != LoopWay::Auto && possible(&self.target.loops) {
            return self.target.loops;
        }
        if !self.target.has(LoopWay::Jump.since()) && possible(&LoopWay::Unroll) {
            return LoopWay::Unroll;
        }
        let all = round.saturating_mul(known.rounds);
        let few = left.saturating_mul(known.rounds) <= PENDING;
        // A loop inside that may end after any of its rounds multiplies the ways on in each round of this one.
        let ends = parts.iter().fold(1u64, |n, e| n.saturating_mul(self.ends(e)));
        let ways = round.saturating_mul(ends.saturating_pow(u32::try_from(known.rounds).unwrap_or(u32::MAX)));
        let forked = (all.saturating_mul(known.rounds) / 2).max(if ends > 1 { ways } else { 0 });
        let forks_little = !known.forks || forked <= VERIFIER_BUDGET_OF_FORKS;
        // At each step of one of the kernel's iterators the verifier forgets numbers, and so the bound of a loop around.
        let forgotten = known.constant.is_none() && parts.iter().any(|e| super::any(e, &mut |e| has_iterator(e)));
        if all <= VERIFIER_BUDGET && few && forks_little && !forgotten {
            return LoopWay::Jump;
        }
        let cheapest_first = [LoopWay::MayGoto, LoopWay::Iterator, LoopWay::Helper];
        cheapest_first.into_iter().find(possible).unwrap_or(LoopWay::Jump)
    }

    /// In how many ways the loops inside may end that the verifier follows round by round, as far as it tells them apart.
    fn ends(&self, e: &Expr) -> u64 {
        let mut inside = 1u64;
        e.each_child(&mut |c| inside = inside.saturating_mul(self.ends(c)));
        match &e.kind {
            ExprKind::While { plan, .. } | ExprKind::For { plan, .. }
                if matches!(plan.way, LoopWay::Jump | LoopWay::Unroll) && self.forks(e) =>
            {
                inside.saturating_mul(plan.bound.saturating_add(1))
            }
            _ => inside,
        }
    }

    /// Whether a loop can be made in a way, without changing what it does.
    fn possible(&self, way: LoopWay, loop_: &Known, round: u64, parts: &[&Expr]) -> bool {
        let Known { rounds, constant, counted, .. } = *loop_;
        let calls_tail =
            || parts.iter().any(|e| super::any(e, &mut |e| matches!(e.kind, ExprKind::Helper { id: TAIL_CALL, .. })));
        let simple = || {
            !parts.iter().any(|e| {
                super::any(e, &mut |e| {
                    matches!(
                        e.kind,
                        ExprKind::While { .. }
                            | ExprKind::For { .. }
                            | ExprKind::WithCallback { .. }
                            | ExprKind::Call { .. }
                    )
                })
            })
        };
        if matches!(way, LoopWay::Helper | LoopWay::Iterator | LoopWay::MayGoto) && parts.iter().any(|e| walks(e)) {
            return false;
        }
        if way != LoopWay::Unroll && !self.target.has(way.since()) {
            return false;
        }
        match way {
            LoopWay::Auto | LoopWay::Jump => true,
            LoopWay::Unroll => {
                // What callbacks keep for themselves would be shared by those of all rounds.
                let calls_back = |e: &Expr| matches!(e.kind, ExprKind::WithCallback { .. });
                let callbacks = parts.iter().any(|e| super::any(e, &mut |e| calls_back(e)));
                constant.is_some() && round.saturating_mul(rounds) <= UNROLLED && !callbacks
            }
            LoopWay::Helper => {
                let helper = helpers::by_id(LOOP);
                let offered = helper.is_some_and(|h| self.prog.is_none_or(|p| h.progs.contains(p)));
                offered && rounds <= MAX_LOOPS && !self.locked && !calls_tail() && !parts.iter().any(|e| gives_up(e))
            }
            LoopWay::Iterator => {
                // A step that stands in no loop, in a callback, is a bug of its own to the verifier of 6.17 and later.
                let comes_around = rounds > 1 && !parts.iter().any(|e| e.ty == Ty::Never || e.as_const() == Some(0));
                comes_around && self.gpl && rounds <= MAX_LOOPS && !self.locked && !calls_tail()
            }
            LoopWay::MayGoto => self.opaque_zero() && counted && rounds <= MAY_GOTO_ROUNDS && !self.locked && simple(),
        }
    }

    /// The round as a callback of `bpf_loop`.
    fn with_helper(&mut self, e: &mut Expr) {
        let here = e.at.clone();
        let kind = std::mem::replace(&mut e.kind, ExprKind::Seq(Vec::new()));
        let label = self.label();
        let stop = |at: &At| Expr::new(ExprKind::Break(label, Box::new(number(1, at))), Ty::Never, at.clone());
        let go_on = |round: Expr| {
            let at = round.at.clone();
            Expr::new(ExprKind::Seq(vec![round, number(0, &at)]), Ty::U64, at)
        };
        let (count, params, body) = match kind {
            ExprKind::While { label: leave, next, test, mut body, max, plan } => {
                leaves(&mut body, leave, label);
                let mut test = test;
                leaves(&mut test, leave, label);
                let ty = if body.ty == Ty::Never { Ty::Void } else { body.ty.clone() };
                let round = Expr::new(ExprKind::Block { label: next, body }, ty, here.clone());
                let kind = ExprKind::If(test, Box::new(go_on(round)), Box::new(number(1, &here)));
                let body = Expr::new(kind, Ty::U64, here.clone());
                let unused = self.local(Ty::U64);
                (number(max.unwrap_or(plan.bound).min(MAX_LOOPS) as i64, &here), vec![unused], body)
            }
            ExprKind::For { label: leave, next, var, count, max, mut body, plan } => {
                leaves(&mut body, leave, label);
                let ty = if body.ty == Ty::Never { Ty::Void } else { body.ty.clone() };
                let round = Expr::new(ExprKind::Block { label: next, body }, ty, here.clone());
                // Tells the verifier, which knows nothing of the number it hands to the callback.
                let i = Expr::new(ExprKind::Local(var), Ty::U64, here.clone());
                let bound = number(plan.bound as i64, &here);
                let past = Expr::new(ExprKind::Cmp(CmpOp::GeU, Box::new(i), Box::new(bound)), Ty::Bool, here.clone());
                let guard = ExprKind::If(Box::new(past), Box::new(stop(&here)), Box::new(nothing(&here)));
                let guard = Expr::new(guard, Ty::Void, here.clone());
                let body = Expr::new(ExprKind::Seq(vec![guard, go_on(round)]), Ty::U64, here.clone());
                let count = match max {
                    Some(max) if count.as_const().is_none_or(|c| c as u64 > max) => {
                        let max = Box::new(number(max as i64, &here));
                        Expr::new(ExprKind::Bin(BinOp::MinU, count, max), Ty::U64, here.clone())
                    }
                    _ => *count,
                };
                (count, vec![var], body)
            }
            other => {
                e.kind = other;
                return;
            }
        };
        let callback = Box::new(Callback { params, label, body });
        let kind =
            ExprKind::WithCallback { helper: LOOP, before: vec![count], callback, after: vec![number(0, &here)] };
        let mut call = Expr::new(kind, Ty::I64, here.clone());
        self.unless_none(&mut call);
        e.kind = ExprKind::Seq(vec![call, nothing(&here)]);
    }

    /// `bpf_loop` only for a round at least. Of a count that the verifier knows to be 0, it never sees the callback, takes
    /// it away, and then (6.18) reports as a bug of its own that the call has nothing to point to.
    fn unless_none(&mut self, e: &mut Expr) {
        let (at, ty) = (e.at.clone(), e.ty.clone());
        let ExprKind::WithCallback { helper: LOOP, before, .. } = &mut e.kind else { return };
        let Some(count) = before.first_mut().filter(|c| c.as_const().is_none_or(|n| n == 0)) else { return };
        let n = self.local(Ty::U64);
        let known = Expr::new(ExprKind::Local(n), Ty::U64, at.clone());
        let count = std::mem::replace(count, known.clone());
        let set = Expr::new(ExprKind::Set(n, Box::new(count)), Ty::U64, at.clone());
        let some = ExprKind::Cmp(CmpOp::Ne, Box::new(known), Box::new(number(0, &at)));
        let some = Expr::new(some, Ty::Bool, at.clone());
        let call = std::mem::replace(e, nothing(&at));
        let zero = Expr::new(ExprKind::Const(0), ty.clone(), at.clone());
        let kind = ExprKind::If(Box::new(some), Box::new(call), Box::new(zero));
        let choice = Expr::new(kind, ty.clone(), at.clone());
        *e = Expr::new(ExprKind::Seq(vec![set, choice]), ty, at);
    }

    pub(super) fn local_of(&self, l: LocalId) -> &Local {
        &self.locals[l.0 as usize]
    }

    pub(super) fn local(&mut self, ty: Ty) -> LocalId {
        let span = whistler_diag::Span::NONE;
        self.locals.push(Local { name: "".into(), ty, kind: LocalKind::Value, span });
        LocalId(self.locals.len() as u32 - 1)
    }

    /// The rounds in a row, each with labels of its own.
    fn unroll(&mut self, e: &mut Expr) {
        let here = e.at.clone();
        let ExprKind::For { label, next, var, count, max, body, plan } = &e.kind else { return };
        let n = count.as_const().map_or(plan.bound, |n| n as u64).min(max.unwrap_or(u64::MAX));
        let (label, next, var, body) = (*label, *next, *var, (**body).clone());
        let mut rounds = Vec::new();
        for i in 0..n {
            let set = ExprKind::Set(var, Box::new(number(i as i64, &here)));
            rounds.push(Expr::new(set, Ty::U64, here.clone()));
            let mut round =
                Expr::new(ExprKind::Block { label: next, body: Box::new(body.clone()) }, Ty::Void, here.clone());
            let mut own = FxHashSet::default();
            inner_labels(&round, &mut own);
            let mut own: Vec<LabelId> = own.into_iter().collect();
            own.sort_unstable();
            for old in own {
                let new = self.label();
                relabel(&mut round, old, new);
            }
            rounds.push(round);
        }
        rounds.push(nothing(&here));
        let body = Box::new(Expr::new(ExprKind::Seq(rounds), Ty::Void, here));
        e.kind = ExprKind::Block { label, body };
    }
}

/// Whether it releases something that it has not made itself (a record reserved around it): what a callback releases
/// is not released for the verifier when the next call comes.
fn gives_up(e: &Expr) -> bool {
    let mut made = FxHashSet::default();
    super::any(e, &mut |e| {
        if let ExprKind::Set(l, _) = &e.kind {
            made.insert(*l);
        }
        false
    });
    releases_other(e, &made)
}

fn releases_other(e: &Expr, made: &FxHashSet<LocalId>) -> bool {
    // What leaving releases is put off until the calls have ended.
    if matches!(e.kind, ExprKind::OnLeaving { .. }) {
        return false;
    }
    let mut inside = false;
    e.each_child(&mut |c| inside = inside || releases_other(c, made));
    inside || {
        let (params, args) = match &e.kind {
            ExprKind::Helper { id, args } => (helpers::by_id(*id).map_or(&[][..], |h| h.args), args),
            ExprKind::Kfunc { kfunc, args } => (kfunc.args, args),
            _ => return false,
        };
        let released = params.iter().zip(args).filter(|(a, _)| a.released);
        released
            .into_iter()
            .any(|(_, arg)| super::any(arg, &mut |e| matches!(&e.kind, ExprKind::Local(l) if !made.contains(l))))
    }
}

/// Whether a loop steps one of the kernel's iterators, as far as its way is chosen.
fn has_iterator(e: &Expr) -> bool {
    match &e.kind {
        ExprKind::While { plan, .. } | ExprKind::For { plan, .. } => plan.way == LoopWay::Iterator,
        ExprKind::Kfunc { kfunc, .. } => kfunc.name.starts_with("bpf_iter_"),
        _ => false,
    }
}

fn acquires(id: u32) -> bool {
    helpers::by_id(id).is_some_and(|h| h.flags.contains(HelperFlags::ACQUIRES))
}

/// Whether it moves a packet pointer by a number and relies on a test around it: the verifier must know the number.
fn walks(e: &Expr) -> bool {
    let packet = |e: &Expr| e.ty.as_ptr().is_some_and(|p| p.space == Space::Packet);
    let moves = super::any(e, &mut |e| match &e.kind {
        ExprKind::Bin(_, p, n) => packet(e) && packet(p) && n.as_const().is_none(),
        _ => false,
    });
    moves && !super::any(e, &mut |e| matches!(e.kind, ExprKind::InBounds { .. }))
}

/// Turns breaks out of a loop into the end of the calls.
fn leaves(e: &mut Expr, from: LabelId, to: LabelId) {
    e.each_child_mut(&mut |c| leaves(c, from, to));
    if let ExprKind::Break(l, value) = &mut e.kind
        && *l == from
    {
        *l = to;
        let (at, mut parts) = (value.at.clone(), super::releases(value));
        parts.push(number(1, &at));
        **value = match parts.len() {
            1 => number(1, &at),
            _ => Expr::new(ExprKind::Seq(parts), Ty::U64, at),
        };
    }
}

fn inner_labels(e: &Expr, out: &mut FxHashSet<LabelId>) {
    match &e.kind {
        ExprKind::Block { label, .. } => {
            out.insert(*label);
        }
        ExprKind::While { label, next, .. } | ExprKind::For { label, next, .. } => out.extend([*label, *next]),
        ExprKind::WithCallback { callback, .. } => {
            out.insert(callback.label);
        }
        _ => {}
    }
    e.each_child(&mut |c| inner_labels(c, out));
}

fn relabel(e: &mut Expr, old: LabelId, new: LabelId) {
    let one = |l: &mut LabelId| {
        if *l == old {
            *l = new;
        }
    };
    match &mut e.kind {
        ExprKind::Block { label, .. } | ExprKind::Break(label, _) => one(label),
        ExprKind::While { label, next, .. } | ExprKind::For { label, next, .. } => {
            one(label);
            one(next);
        }
        ExprKind::WithCallback { callback, .. } => one(&mut callback.label),
        _ => {}
    }
    e.each_child_mut(&mut |c| relabel(c, old, new));
}
