//! Records of ring buffers that are sent with fields never written, or with nothing in them. Invariant: a field counts as written when any byte of
//! it may be, on any path; what the checks can't follow counts as writing everything.

use std::rc::Rc;

use super::{Checker, at};
use crate::diagnostics as diag;
use crate::hir::{At, BinOp, Expr, ExprKind, LocalId, StructDef, Ty};
use whistler_isa::helpers;
use whistler_lisp::Form;

/// What is known to be written of a record.
struct Written<'d> {
    record: LocalId,
    def: &'d StructDef,
    /// By field.
    fields: Vec<bool>,
    /// Whether the record went somewhere with its address.
    anything: bool,
}

impl Checker<'_> {
    /// Warns of fields of the record `record` that `body`, which sends it, never writes; `var` is its name in the source.
    pub(crate) fn record_written(&mut self, record: LocalId, body: &Expr, var: &Form) {
        let pointee = self.f.locals[record.0 as usize].ty.as_ptr().and_then(|p| p.pointee.clone());
        let Some(Ty::Struct(def)) = pointee.as_deref() else { return };
        if def.union || body.ty == Ty::Never || var.origin.is_some() {
            return;
        }
        let def: Rc<StructDef> = def.clone();
        let mut seen = Written { record, def: &def, fields: vec![false; def.fields.len()], anything: false };
        seen.expr(body);
        // Of a record that nothing is written to, its name is said to be unused.
        if seen.anything || !seen.fields.contains(&true) {
            return;
        }
        let unwritten = def.fields.iter().zip(&seen.fields).filter(|(_, written)| !**written);
        let names: Vec<String> = unwritten.map(|(f, _)| format!("`{}`", f.name)).collect();
        let (Some(first), false) = (names.first(), names.is_empty()) else { return };
        let (what, is) = if names.len() == 1 { (first.clone(), "is") } else { (names.join(", "), "are") };
        let text = format!("{what} of this record {is} never written: what an older record left there is sent");
        let help = format!("set them, or clear the record first: (memset {var} 0 0 (sizeof {}))", def.name);
        self.report(
            diag::warning(&diag::RECORD_UNWRITTEN, &at(var), text)
                .also(def.span, "declared here")
                .help(if names.len() == 1 { help.replacen("set them", "set it", 1) } else { help }),
        );
    }

    /// Warns where leaving sends a record that nothing was written to by then.
    pub(crate) fn sent_empty(&mut self, record: LocalId, body: &Expr, var: &Form) {
        let mut path = Path { record, sent: Vec::new() };
        let some = path.writes(body, false);
        if var.origin.is_some() || (!some && !path.touches(body)) {
            return;
        }
        for here in path.sent.into_iter().filter(|a| a.origin.is_none()) {
            let text = format!("leaving here sends the record `{var}`, and nothing was written to it yet");
            self.report(
                diag::warning(&diag::SENT_EMPTY, &here, text)
                    .also(var.span, "every way out of `with-ringbuf` sends its record")
                    .help(format!("test before `with-ringbuf`, or drop the record first: (ringbuf-discard {var})")),
            );
        }
    }
}

/// The ways through a body, as far as the writes to a record matter.
struct Path {
    record: LocalId,
    /// Where the record is sent with nothing in it.
    sent: Vec<At>,
}

impl Path {
    fn is_record(&self, e: &Expr) -> bool {
        match &e.kind {
            ExprKind::Local(l) => *l == self.record,
            ExprKind::Cast(p) | ExprKind::Bin(BinOp::Add, p, _) => self.is_record(p),
            _ => false,
        }
    }

    /// Whether anything is written to the record anywhere.
    fn touches(&self, e: &Expr) -> bool {
        let own = match &e.kind {
            ExprKind::Store { ptr, .. } => self.is_record(ptr),
            ExprKind::Copy { dst, .. } | ExprKind::Fill { dst, .. } => self.is_record(dst),
            ExprKind::Helper { id, args } => {
                !helpers::by_id(*id).is_some_and(|h| h.args.iter().any(|a| a.released))
                    && args.iter().any(|a| self.is_record(a))
            }
            ExprKind::Call { args, .. } | ExprKind::Kfunc { args, .. } => args.iter().any(|a| self.is_record(a)),
            _ => false,
        };
        let mut found = own;
        e.each_child(&mut |c| found |= self.touches(c));
        found
    }

    /// Goes through an expression; yields whether something may be written behind it, on any way that goes on.
    fn writes(&mut self, e: &Expr, before: bool) -> bool {
        match &e.kind {
            ExprKind::If(test, a, b) => {
                let tested = self.writes(test, before);
                let (x, y) = (self.writes(a, tested), self.writes(b, tested));
                match (a.never(), b.never()) {
                    (true, false) => y,
                    (false, true) => x,
                    _ => x || y,
                }
            }
            ExprKind::Helper { id, args } if args.first().is_some_and(|a| self.is_record(a)) => {
                let h = helpers::by_id(*id);
                if !h.is_some_and(|h| h.args.iter().any(|a| a.released)) {
                    return true;
                }
                if !before && h.is_some_and(|h| h.name == "ringbuf_submit") {
                    self.sent.push(e.at.clone());
                }
                before
            }
            ExprKind::Seq(es) => es.iter().fold(before, |w, e| self.writes(e, w)),
            _ => {
                let mut parts = Vec::new();
                e.each_child(&mut |c| parts.push(c.clone()));
                let inside = parts.iter().fold(before, |w, c| self.writes(c, w));
                // A load only reads; all else that has the record's address may write.
                let reads =
                    matches!(e.kind, ExprKind::Load { .. } | ExprKind::Cmp(..) | ExprKind::Cast(_) | ExprKind::Bin(..));
                inside || (!reads && parts.iter().any(|c| self.is_record(c)))
            }
        }
    }
}

impl Written<'_> {
    /// How far behind the record's beginning an address is: `Some(None)` when that is not known.
    fn offset(&self, e: &Expr) -> Option<Option<i64>> {
        match &e.kind {
            ExprKind::Local(l) if *l == self.record => Some(Some(0)),
            ExprKind::Cast(p) => self.offset(p),
            ExprKind::Bin(BinOp::Add, p, n) => Some(self.offset(p)?.and_then(|off| n.as_const().map(|n| off + n))),
            _ => None,
        }
    }

    fn bytes(&mut self, from: Option<i64>, len: i64) {
        let Some(from) = from else {
            self.anything = true;
            return;
        };
        for (f, written) in self.def.fields.iter().zip(&mut self.fields) {
            let (start, size) = (i64::from(f.offset), i64::from(f.ty.size()));
            *written |= start < from + len && from < start + size;
        }
    }

    /// An address of the record that goes somewhere: to the field that begins there, or the record as a whole.
    fn given(&mut self, off: Option<i64>) {
        match off {
            Some(off) if off > 0 => self.bytes(Some(off), 1),
            _ => self.anything = true,
        }
    }

    fn expr(&mut self, e: &Expr) {
        if let Some(off) = self.offset(e) {
            return self.given(off);
        }
        match &e.kind {
            ExprKind::Load { ptr, .. } if self.offset(ptr).is_some() => {}
            ExprKind::Store { mem, ptr, off, value } => {
                match self.offset(ptr) {
                    Some(at) => self.bytes(at.map(|at| at + i64::from(*off)), i64::from(mem.size())),
                    None => self.expr(ptr),
                }
                self.expr(value);
            }
            ExprKind::Copy { dst, src: from, len } | ExprKind::Fill { dst, value: from, len } => {
                match self.offset(dst) {
                    Some(at) => self.bytes(at, i64::from(*len)),
                    None => self.expr(dst),
                }
                self.expr(from);
            }
            ExprKind::Cmp(_, a, b) if self.offset(a).is_some() => self.expr(b),
            ExprKind::If(test, a, b) if self.offset(test).is_some() => {
                self.expr(a);
                self.expr(b);
            }
            // It is sent or dropped.
            ExprKind::Helper { id, args } if helpers::by_id(*id).is_some_and(|h| h.args.iter().any(|a| a.released)) => {
                args.iter().skip(1).for_each(|a| self.expr(a));
            }
            _ => e.each_child(&mut |c| self.expr(c)),
        }
    }
}
