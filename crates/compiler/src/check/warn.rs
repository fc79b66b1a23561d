//! Warnings on forms: what is never reached, results that should not be ignored. Invariant: only what the user
//! wrote is warned of, never what a macro made.

use whistler_diag::Diagnostic;
use whistler_isa::{MapType, helpers};
use whistler_lisp::Form;

use super::{Call, Checker, Val, Want, at};
use crate::diagnostics as diag;
use crate::hir::{Expr, ExprKind, MapOp, Ty};

/// Helpers whose result says something that nothing else does: a verdict to be returned, or that a packet is not
/// what the next lines take it for. (Failed reads leave zeros, and are not here.)
const RESULT_MATTERS: &[&str] = &[
    "redirect",
    "redirect_map",
    "redirect_peer",
    "redirect_neigh",
    "sk_redirect_map",
    "sk_redirect_hash",
    "msg_redirect_map",
    "msg_redirect_hash",
    "xdp_adjust_head",
    "xdp_adjust_tail",
    "xdp_adjust_meta",
    "xdp_store_bytes",
    "skb_store_bytes",
    "l3_csum_replace",
    "l4_csum_replace",
    "skb_change_proto",
    "skb_change_tail",
    "skb_change_head",
    "skb_adjust_room",
    "skb_pull_data",
    "skb_vlan_push",
    "skb_vlan_pop",
    "sk_assign",
    "fib_lookup",
];

/// Helpers that refuse flags they don't know: which argument the flags are, the bits they take, and which those are.
const FLAGS: &[(&str, usize, u64, &str)] = &[
    ("ringbuf_output", 3, 3, "BPF_RB_NO_WAKEUP and BPF_RB_FORCE_WAKEUP"),
    ("ringbuf_reserve", 2, 0, "none"),
    ("ringbuf_reserve_dynptr", 2, 0, "none"),
    ("dynptr_from_mem", 2, 0, "none"),
    ("for_each_map_elem", 3, 0, "none"),
    ("loop", 3, 0, "none"),
    ("user_ringbuf_drain", 3, 3, "BPF_RB_NO_WAKEUP and BPF_RB_FORCE_WAKEUP"),
    ("timer_start", 2, 3, "BPF_F_TIMER_ABS and BPF_F_TIMER_CPU_PIN"),
    ("task_storage_get", 3, 1, "BPF_LOCAL_STORAGE_GET_F_CREATE"),
    ("sk_storage_get", 3, 1, "BPF_LOCAL_STORAGE_GET_F_CREATE"),
    ("inode_storage_get", 3, 1, "BPF_LOCAL_STORAGE_GET_F_CREATE"),
    ("cgrp_storage_get", 3, 1, "BPF_LOCAL_STORAGE_GET_F_CREATE"),
];

/// Helpers whose result is the program's verdict.
fn is_verdict(name: &str) -> bool {
    name.contains("redirect")
}

impl Checker<'_> {
    /// Warns of a form that control never gets to, because of the one before it.
    pub(crate) fn unreachable(&mut self, next: &Form, before: &Form) {
        if next.origin.is_some() {
            return;
        }
        self.report(
            diag::warning(&diag::UNREACHABLE, &at(next), "this is never reached")
                .also(before.span, "control does not go on behind this")
                .help("take it out, or put what leaves under a condition"),
        );
    }

    /// Warns of a verdict that nobody wrote: the 0 of a `when` that didn't hold, or of a loop that ended.
    pub(super) fn verdict_written(&mut self, forms: &[Form], body: &Expr, decl: &crate::env::ProgDecl) {
        if decl.prog_type != whistler_isa::ProgType::Xdp || body.ty == Ty::Never {
            return;
        }
        let Some(form) = falls_off(forms).filter(|f| f.origin.is_none()) else { return };
        let text = "where this yields nothing, the program returns 0: XDP_ABORTED";
        self.report(
            diag::warning(&diag::VERDICT_UNWRITTEN, &at(form), text)
                .label("its value is the program's result")
                .help("write the verdict as the last form: XDP_PASS, XDP_DROP …"),
        );
    }

    /// Warns of a verdict that stands where nobody uses what a form yields.
    pub(super) fn verdict_used(&mut self, s: whistler_lisp::Symbol, form: &Form) {
        if form.origin.is_some() || whistler_isa::verdicts::by_name(s.name()).is_none() {
            return;
        }
        let text = format!("nobody uses this `{s}`: the program goes on");
        let help = format!("to end the program with it: (return {s})");
        self.report(diag::warning(&diag::VERDICT_UNUSED, &at(form), text).help(help));
    }

    /// Warns of a call whose result matters and isn't used.
    pub(super) fn result_used(&mut self, call: &Call<'_>, v: &Val) {
        if call.want != Want::Effect || call.form.origin.is_some() {
            return;
        }
        let (what, help) = match &last(&v.e).kind {
            ExprKind::MapOp { op: MapOp::Update, map, .. } => {
                let def = &self.unit.maps[map.0 as usize];
                // Others have room for every key, or make some.
                if !matches!(
                    def.map_type,
                    MapType::Hash | MapType::PercpuHash | MapType::LpmTrie | MapType::HashOfMaps | MapType::DevmapHash
                ) {
                    return;
                }
                let text = format!("`{}` fails when `{}` is full, and nobody looks at its result", call.name, def.name);
                (
                    text,
                    "test it: (when (/= (map-update …) 0) …); if it doesn't matter: (setf (getmap m key) value), or (let ((_ (map-update …))) …)",
                )
            }
            ExprKind::Helper { id, .. } => {
                let Some(h) = helpers::by_id(*id).filter(|h| RESULT_MATTERS.contains(&h.name)) else { return };
                if is_verdict(h.name) {
                    let text = format!("`{}` only prepares: its result must be the program's", call.name);
                    (text, "write (return (…)), or let it be the last form")
                } else {
                    let text = format!("`{}` can fail, and nobody looks at its result", call.name);
                    (text, "test it: (when (/= (…) 0) (return …)); if it doesn't matter: (let ((_ (…))) …)")
                }
            }
            _ => return,
        };
        self.report(diag::warning(&diag::RESULT_IGNORED, &call.at(), what).help(help));
    }

    /// Warns of constant flags with which a helper always fails.
    pub(super) fn flags_taken(&mut self, call: &Call<'_>, v: &Val) {
        let e = last(&v.e);
        let (id, args) = match &e.kind {
            ExprKind::Helper { id, args } => (id, args),
            // Behind the callback and its context are the flags alone.
            ExprKind::WithCallback { helper, after, .. } => (helper, after),
            _ => return,
        };
        // What encloses the call ends in it, too.
        if e.at.span != call.at().span {
            return;
        }
        let name = helpers::by_id(*id).map_or("", |h| h.name);
        let Some((_, at, taken, which)) = FLAGS.iter().find(|(n, ..)| *n == name) else { return };
        let calls_back = matches!(e.kind, ExprKind::WithCallback { .. });
        let Some(flags) = args.get(if calls_back { 0 } else { *at }).map(last) else { return };
        let ExprKind::Const(n) = flags.kind else { return };
        if n as u64 & !taken != 0 {
            let text = format!("with these flags, {n}, `{}` always fails", call.name);
            let d = diag::warning(&diag::FLAGS_REFUSED, &flags.at, text);
            self.report(d.help(format!("the flags that it takes: {which}")));
        }
    }

    /// Whether an expression calls a subprogram that moves the packet.
    pub(super) fn calls_a_mover(&self, e: &Expr) -> bool {
        matches!(&last(e).kind, ExprKind::Call { function, .. } if self.moves_packet(function.0 as usize, 0))
    }

    fn moves_packet(&self, function: usize, depth: usize) -> bool {
        // The kernel allows eight frames; recursion is reported elsewhere.
        let Some(f) = self.unit.functions.get(function).filter(|_| depth < 8) else { return false };
        let mut found = false;
        let mut look = vec![&f.body];
        while let Some(e) = look.pop() {
            match &e.kind {
                ExprKind::Helper { id, .. } => found |= helpers::by_id(*id).is_some_and(|h| h.moves_packet()),
                ExprKind::Call { function, .. } => found |= self.moves_packet(function.0 as usize, depth + 1),
                _ => {}
            }
            e.each_child(&mut |c| look.push(c));
        }
        found
    }
}

/// The form at the end of a program that may yield its 0 without anyone having written it.
fn falls_off(forms: &[Form]) -> Option<&Form> {
    let form = forms.last()?;
    let items = form.as_list()?;
    let name = items.first()?.as_symbol()?;
    let always =
        |test: &Form| test.as_symbol().is_some_and(|s| s.is("t") || s.is("otherwise")) || test.as_int() == Some(1);
    match crate::names::norm(name).name() {
        "when" | "unless" | "when-let" | "when-let*" | "dotimes" | "while" => Some(form),
        "if" | "if-let" => match items.get(2..)? {
            [_] => Some(form),
            [a, b] => falls_off(std::slice::from_ref(a)).or_else(|| falls_off(std::slice::from_ref(b))),
            _ => None,
        },
        head @ ("cond" | "case") => {
            let clauses = items.get(if head == "cond" { 1.. } else { 2.. })?;
            match clauses.last().and_then(Form::as_list) {
                Some([test, ..]) if always(test) => clauses.iter().find_map(|c| falls_off(c.as_list()?.get(1..)?)),
                _ => Some(form),
            }
        }
        "progn" => falls_off(items.get(1..)?),
        // What such a macro yields for other packets is the type's own pass value.
        head if matches!(head, "let" | "let*" | "block") || head.starts_with("with-") => falls_off(items.get(2..)?),
        _ => None,
    }
}

/// Says once of a name what is the same of each of its calls.
pub(crate) fn once_per_name(diags: &mut Vec<Diagnostic>) {
    let mut times: Vec<(String, usize)> = Vec::new();
    diags.retain(|d| {
        if d.code != diag::RESULT_IGNORED.code {
            return true;
        }
        match times.iter_mut().find(|(text, _)| *text == d.message) {
            Some((_, n)) => {
                *n += 1;
                false
            }
            None => {
                times.push((d.message.clone(), 1));
                true
            }
        }
    });
    for d in diags.iter_mut().filter(|d| d.code == diag::RESULT_IGNORED.code) {
        if let Some((_, n)) = times.iter().find(|(text, n)| *text == d.message && *n > 1) {
            let more = n - 1;
            d.notes.push(format!("the same is so of {more} more call{}", if more == 1 { "" } else { "s" }));
        }
    }
}

fn last(e: &Expr) -> &Expr {
    match &e.kind {
        ExprKind::Seq(es) => es.last().map_or(e, last),
        ExprKind::Cast(inner) => last(inner),
        _ => e,
    }
}
