//! Warnings on what network programs do that the kernel takes, and means otherwise: numbers in the wrong byte order for
//! a helper, one CPU's buffer, checksums without their pseudo-header, verdicts that refuse everything. Invariant: only
//! what the user wrote is warned of, and only constants are judged.

use whistler_isa::{AttachType, ProgType, helpers, places, verdicts};
use whistler_lisp::Form;

use super::{Call, Checker, Val};
use crate::diagnostics as diag;
use crate::env::ProgDecl;
use crate::hir::{At, Expr, ExprKind, Space};

/// `BPF_F_PSEUDO_HDR`: the checksum covers the addresses, too.
const PSEUDO_HDR: i64 = 16;
/// The low half of the flags, of which the helpers take the index (`BPF_F_INDEX_MASK`).
const INDEX_MASK: i64 = 0xffff_ffff;

/// A call that puts a changed number into a checksum.
#[derive(Clone, Debug)]
pub struct Summed {
    /// Of which header.
    of: Layer,
    /// The number before and after, as they are written.
    change: [String; 2],
    /// Where the flags stand.
    flags: At,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Layer {
    /// The IP header's own.
    Network,
    /// TCP's or UDP's, by flags that say nothing of a pseudo-header.
    TransportWithout,
}

impl Checker<'_> {
    /// Looks at a call of a helper.
    pub(super) fn network_call(&mut self, call: &Call<'_>, v: &Val) {
        let e = last(&v.e);
        let ExprKind::Helper { id, args } = &e.kind else { return };
        // What encloses the call ends in it, too.
        if call.form.origin.is_some() || e.at.span != call.at().span {
            return;
        }
        let Some(h) = helpers::by_id(*id) else { return };
        self.network_argument(call, h.name, args);
        self.one_cpu(call, h.name, args);
        self.summed(call, h.name, args);
    }

    /// An argument that the kernel takes in the network's order.
    fn network_argument(&mut self, call: &Call<'_>, name: &str, args: &[Expr]) {
        let Some(row) = places::NETWORK_ARGUMENTS.iter().find(|a| a.helper == name) else { return };
        let Some(given) = args.get(row.argument).map(last) else { return };
        let ExprKind::Const(n) = given.kind else { return };
        let n = n as u16;
        if n == 0 || row.takes.iter().any(|(t, _)| t.swap_bytes() == n) {
            return;
        }
        let form = call.args.iter().find(|f| f.span == given.at.span);
        let shown = form.map_or_else(|| format!("{n:#x}"), Form::to_string);
        let mut ways: Vec<String> = row.takes.iter().map(|(_, name)| format!("(htons {name})")).collect();
        if row.takes.iter().any(|(t, _)| *t == n) {
            ways = vec![format!("(htons {shown})")];
        }
        let text = format!("`{}` takes this number in the network's order: {}", call.name, row.otherwise);
        let d = diag::warning(&diag::NETWORK_ARGUMENT, &given.at, text);
        self.report(d.help(format!("write {}", ways.join(" or "))));
    }

    /// The event of CPU 0 where that of each CPU is meant.
    fn one_cpu(&mut self, call: &Call<'_>, name: &str, args: &[Expr]) {
        let Some((_, flags)) = places::EVENT_INDEX.iter().find(|(n, _)| *n == name) else { return };
        let Some(given) = args.get(*flags).map(last) else { return };
        let ExprKind::Const(n) = given.kind else { return };
        let left_out = given.at.span == call.at().span;
        // Under a name of the program's own, a 0 is meant.
        let written = call.args.iter().any(|f| f.span == given.at.span && f.as_int() == Some(0));
        let map = args.iter().find_map(|a| match a.kind {
            ExprKind::Map(m) => self.unit.maps.get(m.0 as usize),
            _ => None,
        });
        if n & INDEX_MASK != 0 || !(left_out || written) || map.is_none_or(|m| m.max_entries == 1) {
            return;
        }
        let (what, fails) = match name {
            "perf_event_read" | "perf_event_read_value" => ("reads the event of CPU 0", "fails on every other CPU"),
            _ => ("writes into the buffer of CPU 0", "fails on every other CPU (EOPNOTSUPP)"),
        };
        let with = if left_out { "without flags" } else { "with the flags 0" };
        let text = format!("{with}, `{}` {what}, and {fails}", call.name);
        let d = diag::warning(&diag::ONE_CPU, &given.at, text);
        let here = if left_out { "give BPF_F_CURRENT_CPU" } else { "write BPF_F_CURRENT_CPU" };
        self.report(d.help(format!("{here}: the one of the CPU that runs; if CPU 0 is meant, give its 0 a name")));
    }

    /// Remembers what changes checksums.
    fn summed(&mut self, call: &Call<'_>, name: &str, args: &[Expr]) {
        let (of, flags) = match (name, args.last().map(last)) {
            ("l3_csum_replace", Some(flags)) => (Layer::Network, flags),
            ("l4_csum_replace", Some(flags)) if matches!(flags.kind, ExprKind::Const(n) if n & PSEUDO_HDR == 0) => {
                (Layer::TransportWithout, flags)
            }
            _ => return,
        };
        // The context may be written or not.
        let [.., from, to, _] = call.args else { return };
        self.f.sums.push(Summed { of, change: [from.to_string(), to.to_string()], flags: flags.at.clone() });
    }

    /// Warns of an address that is changed in the IP header's checksum, and in the transport's as if it lay there.
    pub(super) fn pseudo_headers(&mut self) {
        let sums = std::mem::take(&mut self.f.sums);
        for s in sums.iter().filter(|s| s.of == Layer::TransportWithout) {
            if !sums.iter().any(|o| o.of == Layer::Network && o.change == s.change) {
                continue;
            }
            let text = "this change is one of the IP header, and the checksum covers it by the pseudo-header alone";
            let d = diag::warning(&diag::PSEUDO_HEADER, &s.flags, text);
            let d = d.note(
                "without BPF_F_PSEUDO_HDR the kernel leaves sums that the card is to complete, or has made, wrong",
            );
            self.report(d.help("write (logior BPF_F_PSEUDO_HDR 4)"));
        }
    }

    /// Warns of a program that decides something, or rewrites what it sees, and refuses it all the same; `zeros` are the
    /// places of what it returns, each of them 0.
    pub(super) fn refuses_all(&mut self, decl: &ProgDecl, body: &Expr, zeros: &[&At]) {
        let Some(first) = zeros.first().filter(|_| verdicts::ALLOW_OR_REFUSE.contains(&decl.prog_type)) else { return };
        // What the kernel does not look at refuses nothing.
        if decl.attach_type == Some(AttachType::CgroupInetSockRelease) {
            return;
        }
        let named = zeros.iter().any(|z| self.f.verdicts.iter().any(|(span, _)| *span == z.span));
        let rewrites = writes_context(body);
        if named || first.origin.is_some() || !(rewrites || decides(&decl.body[decl.skip..])) {
            return;
        }
        let what = match decl.prog_type {
            ProgType::CgroupSkb => "every packet is dropped",
            _ => "every call fails with EPERM",
        };
        let text = match rewrites {
            true => format!("this program rewrites what it sees, and returns 0 wherever it ends: {what}"),
            false => format!("this program returns 0 wherever it ends: {what}"),
        };
        let d = diag::warning(&diag::REFUSES_ALL, first, text);
        self.report(d.help("1 lets it go on; if all is to be refused, write it as SK_DROP"));
    }
}

fn writes_context(e: &Expr) -> bool {
    let mut found = false;
    if let ExprKind::Store { ptr, .. } = &e.kind {
        found = ptr.ty.as_ptr().is_some_and(|p| p.space == Space::Ctx);
    }
    e.each_child(&mut |c| found |= writes_context(c));
    found
}

/// Whether what is written asks something.
fn decides(forms: &[Form]) -> bool {
    const ASK: &[&str] = &["if", "when", "unless", "cond", "case"];
    forms.iter().any(|f| {
        let asks = f.head().is_some_and(|h| ASK.contains(&crate::names::norm(h).name()));
        asks || f.as_list().is_some_and(decides)
    })
}

fn last(e: &Expr) -> &Expr {
    match &e.kind {
        ExprKind::Seq(es) => es.last().map_or(e, last),
        ExprKind::Cast(inner) => last(inner),
        _ => e,
    }
}
