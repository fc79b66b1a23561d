//! Locks and regions over a whole function: what is held where. Follows the typed expressions, so a form needs to know
//! nothing of it. Invariant: a report is right on every run that reaches its place; what hangs on a condition kept in a
//! variable is not followed.

use rustc_hash::FxHashMap;
use whistler_isa::{KernelVersion, KfuncFlags, helpers};

use super::Checker;
use crate::diagnostics as diag;
use crate::forms::locks::misuse;
use crate::hir::{At, CmpOp, Expr, ExprKind, LabelId, Ty};

/// The first kernel that lets static functions be called with a lock held.
const CALLS_UNDER_LOCK: KernelVersion = KernelVersion::new(6, 9);
/// Numbers of the kernel's `enum bpf_func_id`.
const TAIL_CALL: u32 = 12;
const SPIN_LOCK: u32 = 93;
const SPIN_UNLOCK: u32 = 94;

/// What is held.
#[derive(Clone, PartialEq, Eq, Debug)]
enum What {
    /// A `bpf_spin_lock`, by the expression that points to it.
    Lock(String),
    /// A `bpf_res_spin_lock`.
    ResLock(String),
    Rcu,
    Preempt,
    Irq,
}

impl What {
    fn shown(&self) -> &'static str {
        match self {
            What::Lock(_) => "the lock",
            What::ResLock(_) => "the resilient lock",
            What::Rcu => "the RCU region",
            What::Preempt => "the region without preemption",
            What::Irq => "the region without interrupts",
        }
    }

    fn ended_by(&self) -> &'static str {
        match self {
            What::Lock(_) => "(spin-unlock …), or use (with-spin-lock (lock) …), which ends it on every path",
            What::ResLock(_) => "(res-spin-unlock …), or use (with-res-spin-lock (lock) …)",
            What::Rcu => "(rcu-read-unlock), or use (with-rcu …)",
            What::Preempt => "(preempt-enable), or use (with-preempt-disabled …)",
            What::Irq => "(local-irq-restore …), or use (with-irqs-disabled …)",
        }
    }
}

#[derive(Clone, Default)]
struct State {
    held: Vec<(What, At)>,
    /// Control does not come here.
    dead: bool,
}

impl State {
    fn holds(&self, f: impl Fn(&What) -> bool) -> Option<&(What, At)> {
        self.held.iter().find(|(w, _)| f(w))
    }
}

struct Walk<'c, 'a> {
    c: &'c mut Checker<'a>,
    labels: FxHashMap<LabelId, Vec<State>>,
    /// Where paths met that differ, each reported once.
    reported: bool,
    /// How many resilient locks are taken where no test follows at once: those are not followed.
    loose: u32,
    /// The form whose call was reported last.
    called: Option<whistler_diag::Span>,
}

/// Reports what is wrong with locks and regions in a function's body, and references that nothing keeps.
pub(super) fn check(c: &mut Checker<'_>, body: &Expr) {
    let mut seen = Uses::default();
    scan(c, body, &mut seen);
    for at in seen.leaks {
        let text = "what this returns must be released, and nothing keeps it";
        c.report(
            diag::error(&diag::NOT_RELEASED, &at, text)
                .help("bind it: (with-reference (v call) …), or (when-let ((v call)) … release it …)"),
        );
    }
    if !seen.regions {
        return;
    }
    let mut walk = Walk { c, labels: FxHashMap::default(), reported: false, loose: 0, called: None };
    let mut state = State::default();
    walk.expr(body, &mut state);
    walk.end(&state, &body.at);
}

#[derive(Default)]
struct Uses {
    /// Whether anything here begins or ends a region, or needs one.
    regions: bool,
    leaks: Vec<At>,
}

fn scan(c: &Checker<'_>, e: &Expr, seen: &mut Uses) {
    match &e.kind {
        ExprKind::Helper { id: SPIN_LOCK | SPIN_UNLOCK, .. } => seen.regions = true,
        ExprKind::Kfunc { kfunc, .. } => {
            seen.regions |= of_kfunc(kfunc.name, &[]).is_some() || kfunc.flags.contains(KfuncFlags::RCU_PROTECTED);
        }
        ExprKind::Set(_, v) => return kept(c, v, seen),
        ExprKind::Return(v) | ExprKind::Break(_, v) => return kept(c, v, seen),
        _ => {}
    }
    if crate::forms::refs::acquires(&c.unit, e) && !matches!(e.kind, ExprKind::Seq(_) | ExprKind::Cast(_)) {
        seen.leaks.push(e.at.clone());
    }
    e.each_child(&mut |x| scan(c, x, seen));
}

/// The value of a variable: what it acquires is kept.
fn kept(c: &Checker<'_>, e: &Expr, seen: &mut Uses) {
    match &e.kind {
        ExprKind::Seq(es) => {
            if let Some((last, before)) = es.split_last() {
                before.iter().for_each(|x| scan(c, x, seen));
                kept(c, last, seen);
            }
        }
        ExprKind::Cast(x) => kept(c, x, seen),
        ExprKind::If(t, a, b) => {
            scan(c, t, seen);
            kept(c, a, seen);
            kept(c, b, seen);
        }
        ExprKind::Helper { .. } | ExprKind::Kfunc { .. } | ExprKind::MapOp { .. } => {
            if let ExprKind::Kfunc { kfunc, .. } = &e.kind {
                seen.regions |= of_kfunc(kfunc.name, &[]).is_some() || kfunc.flags.contains(KfuncFlags::RCU_PROTECTED);
            }
            e.each_child(&mut |x| scan(c, x, seen));
        }
        _ => scan(c, e, seen),
    }
}

/// Begins or ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Edge {
    Begin,
    End,
}

/// What a kernel function begins or ends.
fn of_kfunc(name: &str, args: &[Expr]) -> Option<(What, Edge)> {
    let key = || args.first().map_or_else(String::new, pointer);
    Some(match name {
        "bpf_rcu_read_lock" => (What::Rcu, Edge::Begin),
        "bpf_rcu_read_unlock" => (What::Rcu, Edge::End),
        "bpf_preempt_disable" => (What::Preempt, Edge::Begin),
        "bpf_preempt_enable" => (What::Preempt, Edge::End),
        "bpf_local_irq_save" => (What::Irq, Edge::Begin),
        "bpf_local_irq_restore" => (What::Irq, Edge::End),
        "bpf_res_spin_lock" | "bpf_res_spin_lock_irqsave" => (What::ResLock(key()), Edge::Begin),
        "bpf_res_spin_unlock" | "bpf_res_spin_unlock_irqrestore" => (What::ResLock(key()), Edge::End),
        _ => return None,
    })
}

/// A pointer as text: the same text, the same pointer.
fn pointer(e: &Expr) -> String {
    match &e.kind {
        ExprKind::Local(l) | ExprKind::AddrOf(l) => format!("%{}", l.0),
        ExprKind::Global(g) => format!("@{}", g.0),
        ExprKind::Const(n) => n.to_string(),
        ExprKind::Cast(e) => pointer(e),
        ExprKind::Bin(op, a, b) => format!("({op:?} {} {})", pointer(a), pointer(b)),
        _ => "?".to_string(),
    }
}

impl Walk<'_, '_> {
    fn begin(&mut self, what: What, here: &At, state: &mut State) {
        let twice = match &what {
            What::Lock(_) => state.holds(|w| matches!(w, What::Lock(_))).cloned(),
            What::Rcu => state.holds(|w| *w == What::Rcu).cloned(),
            What::ResLock(k) => state.holds(|w| matches!(w, What::ResLock(o) if o == k && k != "?")).cloned(),
            What::Preempt | What::Irq => None,
        };
        if let Some((old, at)) = twice {
            let text = match old {
                What::Lock(_) => "a lock is held here already; a program may hold one at a time".to_string(),
                old => format!("{} has begun already", old.shown()),
            };
            misuse(self.c, text, here, Some(&at), "end the first one before");
        }
        state.held.push((what, here.clone()));
    }

    fn finish(&mut self, what: &What, here: &At, state: &mut State) {
        let same = |w: &What| match (w, what) {
            (What::Lock(a), What::Lock(b)) | (What::ResLock(a), What::ResLock(b)) => a == b || a == "?" || b == "?",
            (a, b) => a == b,
        };
        if let Some(i) = state.held.iter().rposition(|(w, _)| same(w)) {
            state.held.remove(i);
            return;
        }
        if self.loose > 0 && matches!(what, What::ResLock(_)) {
            return;
        }
        let other = state.held.iter().rposition(|(w, _)| std::mem::discriminant(w) == std::mem::discriminant(what));
        match other.map(|i| state.held.remove(i)) {
            Some((_, at)) => {
                misuse(
                    self.c,
                    "this is another lock than the one that is held".into(),
                    here,
                    Some(&at),
                    "give back the one that was taken",
                );
            }
            None => {
                let (open, mend) = match what {
                    What::Lock(_) | What::ResLock(_) => ("held", "take it first, or leave this out"),
                    What::Rcu | What::Preempt | What::Irq => ("open", "begin it first, or leave this out"),
                };
                misuse(self.c, format!("{} is not {open} here", what.shown()), here, None, mend);
            }
        }
    }

    /// The function ends.
    fn end(&mut self, state: &State, here: &At) {
        if state.dead {
            return;
        }
        if let Some((what, at)) = state.held.last().cloned() {
            let how = if matches!(what, What::Lock(_) | What::ResLock(_)) { "is still held" } else { "still goes on" };
            let text = format!("{} {how} where the function ends", what.shown());
            misuse(self.c, text, here, Some(&at), &format!("end it by {}", what.ended_by()));
        }
    }

    fn meet(&mut self, states: Vec<State>, here: &At) -> State {
        let mut live = states.into_iter().filter(|s| !s.dead);
        let Some(mut out) = live.next() else { return State { held: Vec::new(), dead: true } };
        for other in live {
            let only = out.held.iter().find(|(w, _)| !other.held.iter().any(|(o, _)| o == w));
            let only = only.or_else(|| other.held.iter().find(|(w, _)| !out.held.iter().any(|(o, _)| o == w))).cloned();
            if let Some((what, at)) = only {
                if !self.reported {
                    self.reported = true;
                    let held = if matches!(what, What::Lock(_) | What::ResLock(_)) { "held" } else { "open" };
                    let text = format!("{} is {held} on one path to here and not on another", what.shown());
                    misuse(self.c, text, here, Some(&at), &format!("end it by {}", what.ended_by()));
                }
                out.held.retain(|(w, _)| other.held.iter().any(|(o, _)| o == w));
            }
        }
        out
    }

    /// A call of something that may be wrong while something is held.
    fn calls(&mut self, shown: &str, sleeps: bool, under_lock: bool, here: &At, state: &State) {
        if let Some((_, at)) = state.holds(|w| matches!(w, What::Lock(_))).cloned()
            && !under_lock
        {
            // A form may be made of several calls.
            if self.called.replace(here.span) == Some(here.span) {
                return;
            }
            let text = format!("{shown} can't be called while a lock is held");
            misuse(self.c, text, here, Some(&at), "call it before the lock is taken, or after it is given back");
            return;
        }
        if sleeps && let Some((what, at)) = state.held.last().cloned() {
            let text = format!("{shown} may sleep, and {} is open here", what.shown());
            let d = diag::error(&diag::SLEEPS, here, text).also(at.span, "it began here");
            self.c.report(d.help("call it outside"));
        }
    }

    fn all(&mut self, e: &Expr, state: &mut State) {
        let mut parts = Vec::new();
        e.each_child(&mut |x| parts.push(x));
        for x in parts {
            self.expr(x, state);
        }
    }

    fn expr(&mut self, e: &Expr, state: &mut State) {
        if state.dead {
            return;
        }
        match &e.kind {
            ExprKind::Helper { id, args } => {
                args.iter().for_each(|x| self.expr(x, state));
                let key = args.first().map_or_else(String::new, pointer);
                match *id {
                    SPIN_LOCK => self.begin(What::Lock(key), &e.at, state),
                    SPIN_UNLOCK => self.finish(&What::Lock(key), &e.at, state),
                    TAIL_CALL => {
                        if let Some((what, at)) = state.held.last().cloned() {
                            let open = if matches!(what, What::Lock(_) | What::ResLock(_)) { "held" } else { "open" };
                            let text =
                                format!("a tail call leaves the program for good, and {} is {open}", what.shown());
                            misuse(self.c, text, &e.at, Some(&at), &format!("end it before by {}", what.ended_by()));
                        }
                    }
                    id => {
                        if let Some(h) = helpers::by_id(id) {
                            let shown = format!("`{}`", h.name.replace('_', "-"));
                            self.calls(&shown, h.may_sleep(), false, &e.at, state);
                        }
                    }
                }
            }
            ExprKind::MapOp { args, .. } => {
                args.iter().for_each(|x| self.expr(x, state));
                self.calls("a map operation", false, false, &e.at, state);
            }
            ExprKind::Kfunc { kfunc, args } => {
                args.iter().for_each(|x| self.expr(x, state));
                let shown = format!("`{}`", kfunc.spelled());
                match of_kfunc(kfunc.name, args) {
                    // Whether it is got shows only in the result; `If` follows that.
                    Some((What::ResLock(_), Edge::Begin)) => self.loose += 1,
                    Some((what, Edge::Begin)) => {
                        self.calls(&shown, false, false, &e.at, state);
                        self.begin(what, &e.at, state);
                    }
                    Some((what, Edge::End)) => self.finish(&what, &e.at, state),
                    None => {
                        let under = matches!(kfunc.name.split('_').nth(1), Some("list" | "rbtree" | "iter"));
                        self.calls(&shown, kfunc.may_sleep(), under, &e.at, state);
                        if kfunc.flags.contains(KfuncFlags::RCU_PROTECTED)
                            && self.c.f.sleepable
                            && state.holds(|w| *w == What::Rcu).is_none()
                        {
                            let text = format!("{shown} needs the RCU region in a program that may sleep");
                            misuse(self.c, text, &e.at, None, "put (with-rcu …) around it");
                        }
                    }
                }
            }
            ExprKind::Call { args, .. } => {
                args.iter().for_each(|x| self.expr(x, state));
                let fine = self.c.target.has(CALLS_UNDER_LOCK);
                self.calls("a subprogram", false, fine, &e.at, state);
            }
            ExprKind::If(t, a, b) => {
                self.expr(t, state);
                let (mut yes, mut no) = (state.clone(), state.clone());
                if let Some((what, at, when_true)) = conditional(t) {
                    self.loose -= 1;
                    self.begin(what, &at, if when_true { &mut yes } else { &mut no });
                }
                self.expr(a, &mut yes);
                self.expr(b, &mut no);
                let dead = |x: &Expr, s: &mut State| s.dead |= x.ty == Ty::Never;
                dead(a, &mut yes);
                dead(b, &mut no);
                *state = self.meet(vec![yes, no], &e.at);
            }
            ExprKind::While { label, next, test, body, .. } => {
                let entry = state.clone();
                self.expr(test, state);
                let exit = state.clone();
                self.round(*next, body, state, &entry);
                let mut ends = self.labels.remove(label).unwrap_or_default();
                if test.as_const() != Some(1) {
                    ends.push(exit);
                }
                *state = self.meet(ends, &e.at);
            }
            ExprKind::For { label, next, count, body, .. } => {
                self.expr(count, state);
                let entry = state.clone();
                self.round(*next, body, state, &entry);
                let mut ends = self.labels.remove(label).unwrap_or_default();
                ends.push(entry);
                *state = self.meet(ends, &e.at);
            }
            ExprKind::Block { label, body } => {
                self.expr(body, state);
                state.dead |= body.ty == Ty::Never;
                let mut ends = self.labels.remove(label).unwrap_or_default();
                ends.push(state.clone());
                *state = self.meet(ends, &e.at);
            }
            ExprKind::Break(label, v) => {
                self.expr(v, state);
                self.labels.entry(*label).or_default().push(state.clone());
                state.dead = true;
            }
            ExprKind::Return(v) => {
                self.expr(v, state);
                self.end(state, &e.at);
                state.dead = true;
            }
            _ => self.all(e, state),
        }
    }

    /// One round of a loop: what it leaves open was open before it.
    fn round(&mut self, next: LabelId, body: &Expr, state: &mut State, entry: &State) {
        self.expr(body, state);
        state.dead |= body.ty == Ty::Never;
        let mut ends = self.labels.remove(&next).unwrap_or_default();
        ends.push(state.clone());
        ends.push(entry.clone());
        *state = self.meet(ends, &body.at);
    }
}

/// A test that takes a resilient lock: which, and whether a true test means that it is got.
fn conditional(test: &Expr) -> Option<(What, At, bool)> {
    match &test.kind {
        ExprKind::Cmp(op @ (CmpOp::Eq | CmpOp::Ne), a, b) if b.as_const() == Some(0) => {
            let (what, at, when_true) = conditional(a)?;
            Some((what, at, if *op == CmpOp::Eq { !when_true } else { when_true }))
        }
        ExprKind::Cast(e) => conditional(e),
        ExprKind::Seq(es) => conditional(es.last()?),
        // The function yields 0 when the lock is got: as a test, true means that it is not.
        ExprKind::Kfunc { kfunc, args } => match of_kfunc(kfunc.name, args) {
            Some((what @ What::ResLock(_), Edge::Begin)) => Some((what, test.at.clone(), false)),
            _ => None,
        },
        _ => None,
    }
}
