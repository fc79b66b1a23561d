//! Branches, loops, blocks.

use whistler_codegen::ir::{BinOp, Block, Cc, Value, Width::W64};

use super::function::{Frame, Lower, ir_ty};
use crate::hir::{CmpOp, Expr, ExprKind, LabelId, LocalId, Ty};

/// Whether a value of this type is worth a block parameter.
fn yields(ty: &Ty) -> bool {
    !matches!(ty, Ty::Void | Ty::Never)
}

impl Lower<'_> {
    pub(super) fn if_value(&mut self, c: &Expr, t: &Expr, e: &Expr, ty: &Ty) -> Value {
        let (then, els, meet) = (self.b.create_block(), self.b.create_block(), self.b.create_block());
        let result = yields(ty).then(|| self.b.block_param(meet, ir_ty(ty)));
        self.branch(c, then, els);
        self.b.seal(then);
        self.b.seal(els);
        for (block, arm) in [(then, t), (els, e)] {
            self.b.switch_to(block);
            let v = self.typed(arm, ty);
            if result.is_some() {
                self.b.jump(meet, &[v]);
            } else {
                self.b.jump(meet, &[]);
            }
        }
        self.b.seal(meet);
        if matches!(ty, Ty::Never) {
            // Neither arm comes here; what follows is unreachable.
            return self.b.iconst(0);
        }
        self.b.switch_to(meet);
        result.unwrap_or_else(|| self.b.iconst(0))
    }

    /// Goes to `then` when `c` is not zero, else to `els`; a condition made of conditions becomes jumps.
    fn branch(&mut self, c: &Expr, then: Block, els: Block) {
        let loc = self.shared.loc(&c.at);
        let outer = self.b.set_loc(loc);
        match &c.kind {
            ExprKind::Const(n) => self.b.jump(if *n != 0 { then } else { els }, &[]),
            ExprKind::Cmp(CmpOp::Eq, x, y) if y.as_const() == Some(0) && is_condition(x) => self.branch(x, els, then),
            ExprKind::Cmp(CmpOp::Ne, x, y) if y.as_const() == Some(0) && is_condition(x) => self.branch(x, then, els),
            ExprKind::Seq(es) if !es.is_empty() => {
                for e in &es[..es.len() - 1] {
                    self.expr(e);
                }
                self.branch(&es[es.len() - 1], then, els);
            }
            ExprKind::If(c, t, e) => {
                let (tb, eb) = (self.b.create_block(), self.b.create_block());
                self.branch(c, tb, eb);
                self.b.seal(tb);
                self.b.seal(eb);
                self.b.switch_to(tb);
                self.branch(t, then, els);
                self.b.switch_to(eb);
                self.branch(e, then, els);
            }
            _ => {
                let v = self.expr(c);
                self.b.branch(v, then, els);
            }
        }
        self.b.set_loc(outer);
    }

    pub(super) fn while_loop(
        &mut self,
        label: LabelId,
        next: LabelId,
        test: &Expr,
        body: &Expr,
        max: Option<u64>,
    ) -> Value {
        let (head, round, step, exit) =
            (self.b.create_block(), self.b.create_block(), self.b.create_block(), self.b.create_block());
        let rounds = max.map(|max| {
            let var = self.b.declare_var(whistler_codegen::ir::Ty::Int, None);
            let zero = self.b.iconst(0);
            self.b.def_var(var, zero);
            (var, max)
        });
        self.b.jump(head, &[]);
        self.b.switch_to(head);
        if let Some((var, max)) = rounds {
            let test_block = self.b.create_block();
            let done = self.b.use_var(var);
            let max = self.b.iconst(max as i64);
            let more = self.b.cmp(Cc::Ult, done, max);
            self.b.branch(more, test_block, exit);
            self.b.seal(test_block);
            self.b.switch_to(test_block);
        }
        self.branch(test, round, exit);
        self.b.seal(round);
        self.b.switch_to(round);
        self.loop_body(label, next, step, exit, body);
        if let Some((var, _)) = rounds {
            self.count(var);
        }
        self.b.jump(head, &[]);
        self.finish_loop(head, exit)
    }

    pub(super) fn for_loop(
        &mut self,
        label: LabelId,
        next: LabelId,
        var: LocalId,
        count: &Expr,
        max: Option<u64>,
        body: &Expr,
    ) -> Value {
        let n = self.expr(count);
        let n = match max {
            Some(max) if count.as_const().is_none_or(|c| c as u64 > max) => {
                let max = self.b.iconst(max as i64);
                let small = self.b.cmp(Cc::Ule, n, max);
                self.select(small, |_| n, |_| max)
            }
            _ => n,
        };
        let (head, round, step, exit) =
            (self.b.create_block(), self.b.create_block(), self.b.create_block(), self.b.create_block());
        let zero = self.b.iconst(0);
        self.assign(var, zero);
        self.b.jump(head, &[]);
        self.b.switch_to(head);
        let i = self.read(var);
        let more = self.b.cmp(Cc::Ult, i, n);
        self.b.branch(more, round, exit);
        self.b.seal(round);
        self.b.switch_to(round);
        self.loop_body(label, next, step, exit, body);
        let i = self.read(var);
        let one = self.b.iconst(1);
        let i = self.b.bin(BinOp::Add, W64, i, one);
        self.assign(var, i);
        self.b.jump(head, &[]);
        self.finish_loop(head, exit)
    }

    /// The round; leaves the builder in the step block, which every way out of the round reaches.
    fn loop_body(&mut self, label: LabelId, next: LabelId, step: Block, exit: Block, body: &Expr) {
        self.frames.insert(label, Frame { block: exit, takes_value: false });
        self.frames.insert(next, Frame { block: step, takes_value: false });
        self.expr(body);
        self.b.jump(step, &[]);
        self.b.seal(step);
        self.b.switch_to(step);
    }

    fn finish_loop(&mut self, head: Block, exit: Block) -> Value {
        self.b.seal(head);
        self.b.seal(exit);
        self.b.switch_to(exit);
        self.b.iconst(0)
    }

    fn count(&mut self, var: whistler_codegen::ir::Variable) {
        let n = self.b.use_var(var);
        let one = self.b.iconst(1);
        let n = self.b.bin(BinOp::Add, W64, n, one);
        self.b.def_var(var, n);
    }

    pub(super) fn block(&mut self, label: LabelId, body: &Expr, ty: &Ty) -> Value {
        let exit = self.b.create_block();
        let result = yields(ty).then(|| self.b.block_param(exit, ir_ty(ty)));
        self.frames.insert(label, Frame { block: exit, takes_value: result.is_some() });
        let v = self.typed(body, ty);
        if result.is_some() {
            self.b.jump(exit, &[v]);
        } else {
            self.b.jump(exit, &[]);
        }
        self.b.seal(exit);
        self.b.switch_to(exit);
        result.unwrap_or_else(|| self.b.iconst(0))
    }

    pub(super) fn break_to(&mut self, label: LabelId, value: &Expr) -> Value {
        let v = self.expr(value);
        if let Some(frame) = self.frames.get(&label) {
            if frame.takes_value {
                self.b.jump(frame.block, &[v]);
            } else {
                self.b.jump(frame.block, &[]);
            }
        }
        self.b.iconst(0)
    }
}

/// Whether `branch` makes jumps of it rather than a value.
fn is_condition(e: &Expr) -> bool {
    matches!(e.kind, ExprKind::Cmp(..) | ExprKind::If(..) | ExprKind::Seq(_))
}
