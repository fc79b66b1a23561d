//! Times of two clocks, and tasks that are not the ones that an event is about. Invariant: a clock is known only by the
//! table of the kernel's fields and helpers; what went through memory of the program's is of no known clock.

use rustc_hash::FxHashSet;
use whistler_isa::tracing::{self, Clock, EventOfOther};
use whistler_isa::{ProgType, helpers};

use super::Checker;
use super::seen::{Seen, each, has_word};
use crate::diagnostics as diag;
use crate::hir::{At, BinOp, CmpOp, Expr, ExprKind, ProgramInfo};

impl Checker<'_> {
    /// Warns of differences and comparisons of times by two clocks.
    pub(super) fn clocks(&mut self, seen: &Seen<'_>, body: &Expr) {
        let mut found: Vec<(At, [(At, Clock); 2])> = Vec::new();
        each(body, &mut |e| {
            let (a, b) = match &e.kind {
                ExprKind::Bin(BinOp::Sub, a, b) => (a, b),
                ExprKind::Cmp(op, a, b) if !matches!(op, CmpOp::Eq | CmpOp::Ne) => (a, b),
                _ => return,
            };
            if let (Some(x), Some(y)) = (self.clock(seen, a), self.clock(seen, b))
                && x != y
            {
                found.push((e.at.clone(), [(a.at.clone(), x), (b.at.clone(), y)]));
            }
        });
        for (here, [(a, x), (b, y)]) in found {
            if here.origin.is_some() {
                continue;
            }
            let d = diag::warning(
                &diag::TWO_CLOCKS,
                &here,
                "these are times of two clocks, and their difference means nothing",
            )
            .also(a.span, format!("by {}", x.shown()))
            .also(b.span, format!("by {}", y.shown()));
            // What the helper told is what can be asked otherwise.
            let kept = if x == Clock::Monotonic { y } else { x };
            self.report(match kept.helper() {
                Some(form) => d.help(format!("ask the same clock: {form}")),
                None => d.help("no helper tells that clock; keep both times yourself, by (ktime-get-ns)"),
            });
        }
    }

    fn clock<'e>(&self, seen: &Seen<'e>, e: &'e Expr) -> Option<Clock> {
        let e = seen.value(e);
        if e.at.origin.is_none()
            && let Some((_, clock)) = self.f.times.iter().find(|(span, _)| *span == e.at.span)
        {
            return Some(*clock);
        }
        match &e.kind {
            ExprKind::Helper { id, .. } => tracing::clock_of_helper(helpers::by_id(*id)?.name),
            ExprKind::Cast(inner) => self.clock(seen, inner),
            ExprKind::Bin(BinOp::DivU | BinOp::DivS | BinOp::Mul, a, n) if n.as_const().is_some() => {
                self.clock(seen, a)
            }
            _ => None,
        }
    }

    /// Warns of a program at an event of another task's that asks for the one that runs, and never for the event.
    pub(super) fn current_at_event(&mut self, body: &Expr) {
        let Some(event) = self.f.program.as_ref().and_then(event_of) else { return };
        let mut asked: Option<At> = None;
        let mut reads = false;
        let mut names: FxHashSet<String> = self.f.locals.iter().map(|l| l.name.to_string()).collect();
        each(body, &mut |e| match &e.kind {
            ExprKind::Helper { id, .. } => {
                let name = helpers::by_id(*id).map_or("", |h| h.name);
                let task = matches!(name, "get_current_pid_tgid" | "get_current_task" | "get_current_task_btf");
                if task && e.at.origin.is_none() {
                    asked.get_or_insert_with(|| e.at.clone());
                }
            }
            ExprKind::Ctx => reads = true,
            ExprKind::Store { ptr, off, .. } => {
                names.extend(super::seen::field_written(ptr, *off).map(|(_, f)| f.name.to_string()));
            }
            ExprKind::MapOp { map, .. } => drop(names.insert(self.unit.maps[map.0 as usize].name.to_string())),
            _ => {}
        });
        let Some(here) = asked.filter(|_| !reads && !names.iter().any(|n| has_word(n, event.words))) else { return };
        let text = format!(
            "at {} the running task is {}; the one that is {} is never asked for",
            event.event, event.current, event.done
        );
        let record = self.f.program.as_ref().is_some_and(|p| p.prog_type == ProgType::Tracepoint);
        let field = event.field;
        let declared = self.f.tracepoint.and_then(|t| self.env.tracepoints.get(t)).is_some();
        let help = match (record, declared) {
            (true, true) => format!("it is (cast u32 (tp-{field}))"),
            (true, false) => {
                format!("declare it, (deftracepoint sched/{} {field}), and read (cast u32 (tp-{field}))", event.event)
            }
            (false, _) => format!("it is the event's argument: (-> (arg p) {field})"),
        };
        let d = diag::warning(&diag::OTHER_TASK, &here, text).help(help).about(&format!("sched/{}", event.event));
        self.report(d.help(format!("if the running one is meant, let a name say so: `{}`", event.words[0])));
    }
}

/// The row of a program's event.
pub(crate) fn event_of(program: &ProgramInfo) -> Option<&'static EventOfOther> {
    let (head, target) = program.section.split_once('/')?;
    match (program.prog_type, head) {
        (ProgType::Tracepoint, _) => tracing::event_of_other(target.strip_prefix("sched/")?),
        (ProgType::RawTracepoint | ProgType::RawTracepointWritable, _) | (ProgType::Tracing, "tp_btf") => {
            tracing::event_of_other(target)
        }
        _ => None,
    }
}
