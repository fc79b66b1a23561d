//! Branches, loops, blocks.

use whistler_codegen::ir::{BinOp, Block, Callee, Cc, Op, Size, Slot, Space, Ty, Value, Width::W64};
use whistler_isa::{LoopWay, kfuncs};

use super::function::{Frame, Lower, ir_ty};
use crate::hir::{self, CmpOp, Expr, ExprKind, LabelId, LocalId, LoopPlan};

/// Bytes of `struct bpf_iter_num` (linux/bpf.h of the UAPI).
const ITERATOR_SIZE: u32 = 8;

/// Whether a value of this type is worth a block parameter.
fn yields(ty: &hir::Ty) -> bool {
    !matches!(ty, hir::Ty::Void | hir::Ty::Never)
}

impl Lower<'_> {
    pub(super) fn if_value(&mut self, c: &Expr, t: &Expr, e: &Expr, ty: &hir::Ty) -> Value {
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
        if matches!(ty, hir::Ty::Never) {
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

    #[allow(clippy::too_many_arguments)]
    pub(super) fn while_loop(
        &mut self,
        label: LabelId,
        next: LabelId,
        test: &Expr,
        body: &Expr,
        max: Option<u64>,
        plan: LoopPlan,
    ) -> Value {
        if plan.way == LoopWay::Iterator {
            let n = self.b.iconst(max.unwrap_or(plan.bound) as i64);
            return self.iterate(label, next, n, |l, _, exit| {
                let round = l.b.create_block();
                l.branch(test, round, exit);
                l.b.seal(round);
                l.b.switch_to(round);
                l.expr(body);
            });
        }
        let (head, round, step, exit) =
            (self.b.create_block(), self.b.create_block(), self.b.create_block(), self.b.create_block());
        let rounds = max.map(|max| {
            let var = self.b.declare_var(Ty::Int, None);
            let zero = self.start(plan);
            self.b.def_var(var, zero);
            (var, max)
        });
        self.b.jump(head, &[]);
        self.b.switch_to(head);
        self.may_goto(plan, exit);
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

    #[allow(clippy::too_many_arguments)]
    pub(super) fn for_loop(
        &mut self,
        label: LabelId,
        next: LabelId,
        var: LocalId,
        count: &Expr,
        max: Option<u64>,
        body: &Expr,
        plan: LoopPlan,
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
        if plan.way == LoopWay::Iterator {
            return self.iterate(label, next, n, |l, number, exit| {
                let i = l.b.load(Size::B4, false, number, 0);
                // The verifier knows nothing of the number that the iterator gives.
                let (round, bound) = (l.b.create_block(), l.b.iconst(plan.bound as i64));
                let inside = l.b.cmp(Cc::Ult, i, bound);
                l.b.branch(inside, round, exit);
                l.b.seal(round);
                l.b.switch_to(round);
                l.assign(var, i);
                l.expr(body);
            });
        }
        let (head, round, step, exit) =
            (self.b.create_block(), self.b.create_block(), self.b.create_block(), self.b.create_block());
        let (zero, one) = (self.start(plan), self.b.iconst(1));
        // A number that the verifier does not know stays so only when it is counted by another one: after a test that it
        // equals something it would be known, and followed round by round.
        let step_by = match plan.more {
            Some(more) => {
                let more = self.read(more);
                self.b.bin(BinOp::Add, W64, more, one)
            }
            None => one,
        };
        self.assign(var, zero);
        self.b.jump(head, &[]);
        self.b.switch_to(head);
        self.may_goto(plan, exit);
        let i = self.read(var);
        let more = self.b.cmp(Cc::Ult, i, n);
        self.b.branch(more, round, exit);
        self.b.seal(round);
        self.b.switch_to(round);
        self.loop_body(label, next, step, exit, body);
        let i = self.read(var);
        let i = self.b.bin(BinOp::Add, W64, i, step_by);
        self.assign(var, i);
        self.b.jump(head, &[]);
        self.finish_loop(head, exit)
    }

    /// What a loop counts from.
    fn start(&mut self, plan: LoopPlan) -> Value {
        match plan.zero {
            Some(l) => self.read(l),
            None => self.b.iconst(0),
        }
    }

    /// At the head of a loop that is made so: lets the verifier see that it ends.
    fn may_goto(&mut self, plan: LoopPlan, exit: Block) {
        if plan.way != LoopWay::MayGoto {
            return;
        }
        let on = self.b.create_block();
        let more = self.b.ins(Op::MayGoto, Ty::Int);
        self.b.branch(more, on, exit);
        self.b.seal(on);
        self.b.switch_to(on);
    }

    /// `n` rounds by the kernel's iterator over numbers; `round` gets the address of the number and the way out. The
    /// iterator lives on the stack and must be destroyed on every way out of the loop.
    fn iterate(
        &mut self,
        label: LabelId,
        next: LabelId,
        n: Value,
        round: impl FnOnce(&mut Self, Value, Block),
    ) -> Value {
        let slot = self.b.slot(ITERATOR_SIZE, Some("(iterator)".into()));
        let (head, first, exit) = (self.b.create_block(), self.b.create_block(), self.b.create_block());
        let (iterator, zero) = (self.b.stack_addr(slot, 0), self.b.iconst(0));
        self.kfunc("bpf_iter_num_new", &[iterator, zero, n], Ty::Int);
        self.iterators.push(slot);
        let iterators = self.iterators.len();
        self.frames.insert(label, Frame { block: exit, takes_value: false, iterators });
        self.frames.insert(next, Frame { block: head, takes_value: false, iterators });
        self.b.jump(head, &[]);
        self.b.switch_to(head);
        let iterator = self.b.stack_addr(slot, 0);
        let number = self.kfunc("bpf_iter_num_next", &[iterator], Ty::Ptr(Space::Mem));
        self.b.branch(number, first, exit);
        self.b.seal(first);
        self.b.switch_to(first);
        round(self, number, exit);
        self.b.jump(head, &[]);
        self.b.seal(head);
        self.b.seal(exit);
        self.b.switch_to(exit);
        self.iterators.pop();
        self.destroy(slot);
        self.b.iconst(0)
    }

    fn kfunc(&mut self, name: &str, args: &[Value], ty: Ty) -> Value {
        let kfunc = kfuncs::by_name(name).expect("the table has the functions of iterators");
        let sym = self.shared.kfunc(kfunc);
        self.b.call(Callee::Kfunc(sym), args, ty)
    }

    fn destroy(&mut self, slot: Slot) {
        let iterator = self.b.stack_addr(slot, 0);
        self.kfunc("bpf_iter_num_destroy", &[iterator], Ty::Int);
    }

    /// Destroys the iterators that are open beyond the first `keep`.
    pub(super) fn destroy_down_to(&mut self, keep: usize) {
        for n in (keep..self.iterators.len()).rev() {
            self.destroy(self.iterators[n]);
        }
    }

    /// The round; leaves the builder in the step block, which every way out of the round reaches.
    fn loop_body(&mut self, label: LabelId, next: LabelId, step: Block, exit: Block, body: &Expr) {
        let iterators = self.iterators.len();
        self.frames.insert(label, Frame { block: exit, takes_value: false, iterators });
        self.frames.insert(next, Frame { block: step, takes_value: false, iterators });
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

    pub(super) fn block(&mut self, label: LabelId, body: &Expr, ty: &hir::Ty) -> Value {
        let exit = self.b.create_block();
        let result = yields(ty).then(|| self.b.block_param(exit, ir_ty(ty)));
        let iterators = self.iterators.len();
        self.frames.insert(label, Frame { block: exit, takes_value: result.is_some(), iterators });
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
        if let Some(&frame) = self.frames.get(&label) {
            self.destroy_down_to(frame.iterators);
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
