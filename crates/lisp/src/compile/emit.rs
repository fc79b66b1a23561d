//! The resolved tree into instructions. Invariant: a node leaves exactly one
//! more value on the stack than it found.

use std::rc::Rc;

use super::node::{Binding, Exit, Lambda, Node, NodeKind, TagItem, Var};
use super::scope::Cx;
use crate::code::{Code, Op, Place, SpecialSite};
use crate::{Symbol, Value};

/// Whether a node's further values matter.
#[derive(Clone, Copy, PartialEq)]
enum Want {
    One,
    All,
}

#[derive(Clone, Copy, PartialEq)]
enum Dynamic {
    Special,
    Catch,
}

struct Emit {
    code: Code,
    level: u32,
    captures: Vec<Rc<Var>>,
    next_slot: u32,
    height: u32,
    dynamic: Vec<Dynamic>,
}

/// Compiles a function; also the variables of outer functions it needs, in the order its closure holds them.
pub(super) fn emit_lambda(cx: &mut Cx<'_>, lambda: &Lambda) -> (Rc<Code>, Vec<Rc<Var>>) {
    let mut e = Emit {
        code: Code {
            name: lambda.name.clone(),
            params: lambda.params.clone(),
            span: lambda.span,
            lambda_list: lambda.lambda_list.clone(),
            ..Code::default()
        },
        level: lambda.level,
        captures: Vec::new(),
        next_slot: 0,
        height: 0,
        dynamic: Vec::new(),
    };
    for var in &lambda.vars {
        e.new_slot(var);
    }
    for var in &lambda.vars {
        if var.boxed() && !lambda.defaults.iter().any(|d| Rc::ptr_eq(&d.var, var)) {
            e.op(Op::MakeBox(var.slot.get()));
        }
    }
    for d in &lambda.defaults {
        let slot = d.var.slot.get();
        if let Some(s) = &d.supplied {
            e.new_slot(s);
            e.push(Op::IsBound(slot));
            e.store_new(s);
        }
        let jump = e.op(Op::JumpIfBound(slot as u16, 0));
        e.node(cx, &d.value, Want::One);
        e.pop(Op::PopLocal(slot));
        e.aim(jump);
        if d.var.boxed() {
            e.op(Op::MakeBox(slot));
        }
    }
    for (var, symbol) in &lambda.specials {
        e.load(var);
        let s = e.symbol(*symbol);
        e.pop(Op::BindSpecial(s));
    }
    e.node(cx, &lambda.body, Want::All);
    e.op(Op::Return);
    let slots = e.code.slots;
    for op in &mut e.code.ops {
        if let Op::Slide(h) = op {
            *h += slots;
        }
    }
    (Rc::new(e.code), e.captures)
}

impl Emit {
    fn op(&mut self, op: Op) -> usize {
        self.code.ops.push(op);
        self.code.ops.len() - 1
    }

    fn push(&mut self, op: Op) -> usize {
        self.height += 1;
        self.op(op)
    }

    fn pop(&mut self, op: Op) -> usize {
        self.height -= 1;
        self.op(op)
    }

    fn here(&self) -> u32 {
        self.code.ops.len() as u32
    }

    /// Makes a jump go to what comes next.
    fn aim(&mut self, jump: usize) {
        let here = self.here();
        self.aim_at(jump, here);
    }

    fn aim_at(&mut self, jump: usize, target: u32) {
        match &mut self.code.ops[jump] {
            Op::Jump(t)
            | Op::LoopJump(t)
            | Op::JumpIfNil(t)
            | Op::JumpIfNilKeep(t)
            | Op::JumpIfTrueKeep(t)
            | Op::JumpIfBound(_, t)
            | Op::Dispatch(_, t)
            | Op::PushCatch(_, t)
            | Op::PushTagCatch(_, t)
            | Op::PushThrowCatch(t) => *t = target,
            _ => {}
        }
    }

    fn symbol(&mut self, s: Symbol) -> u32 {
        match self.code.symbols.iter().position(|x| *x == s) {
            Some(i) => i as u32,
            None => {
                self.code.symbols.push(s);
                self.code.symbols.len() as u32 - 1
            }
        }
    }

    fn new_slot(&mut self, var: &Var) {
        var.slot.set(self.next_slot);
        self.next_slot += 1;
        self.code.slots = self.code.slots.max(self.next_slot);
    }

    fn place(&mut self, node: &Node) {
        let from = self.here();
        if self.code.places.last().is_some_and(|p| p.span == node.span && p.origin.is_none() == node.origin.is_none()) {
            return;
        }
        self.code.places.push(Place { from, span: node.span, origin: node.origin.clone() });
    }

    /// The index of an outer function's variable in the closure.
    fn capture(&mut self, var: &Rc<Var>) -> u32 {
        match self.captures.iter().position(|v| Rc::ptr_eq(v, var)) {
            Some(i) => i as u32,
            None => {
                self.captures.push(var.clone());
                self.captures.len() as u32 - 1
            }
        }
    }

    fn load(&mut self, var: &Rc<Var>) {
        let op = match (var.level == self.level, var.boxed()) {
            (true, false) => Op::Local(var.slot.get()),
            (true, true) => Op::LocalBox(var.slot.get()),
            (false, false) => Op::Captured(self.capture(var)),
            (false, true) => Op::CapturedBox(self.capture(var)),
        };
        self.push(op);
    }

    /// The value, or the variable object where there is one.
    fn load_raw(&mut self, var: &Rc<Var>) {
        let op = if var.level == self.level { Op::Local(var.slot.get()) } else { Op::Captured(self.capture(var)) };
        self.push(op);
    }

    fn store(&mut self, var: &Rc<Var>) {
        let op = match (var.level == self.level, var.boxed()) {
            (true, false) => Op::SetLocal(var.slot.get()),
            (true, true) => Op::SetLocalBox(var.slot.get()),
            (false, _) => Op::SetCapturedBox(self.capture(var)),
        };
        self.op(op);
    }

    /// Takes the top as a new variable's first value.
    fn store_new(&mut self, var: &Rc<Var>) {
        self.pop(Op::PopLocal(var.slot.get()));
        if var.boxed() {
            self.op(Op::MakeBox(var.slot.get()));
        }
    }

    fn constant(&mut self, v: Value, cx: &mut Cx<'_>) {
        let op = match v {
            Value::NIL => Op::Nil,
            Value::T => Op::True,
            Value::Int(i) => match i32::try_from(i) {
                Ok(i) => Op::Int(i),
                Err(_) => self.root(cx.i.heap.root(v)),
            },
            v => self.root(cx.i.heap.root(v)),
        };
        self.push(op);
    }

    fn root(&mut self, root: crate::heap::Root) -> Op {
        self.code.consts.push(root);
        Op::Const(self.code.consts.len() as u32 - 1)
    }

    /// A node whose value isn't wanted.
    fn effect(&mut self, cx: &mut Cx<'_>, node: &Node) {
        match &node.kind {
            NodeKind::Const(_) | NodeKind::Root(_) | NodeKind::Var(_) | NodeKind::Lambda(_) => {}
            NodeKind::Progn(nodes) => nodes.iter().for_each(|n| self.effect(cx, n)),
            NodeKind::If(parts) => {
                self.node(cx, &parts[0], Want::One);
                let other = self.pop(Op::JumpIfNil(0));
                self.effect(cx, &parts[1]);
                if matches!(parts[2].kind, NodeKind::Const(_)) {
                    self.aim(other);
                } else {
                    let end = self.op(Op::Jump(0));
                    self.aim(other);
                    self.effect(cx, &parts[2]);
                    self.aim(end);
                }
            }
            _ => {
                self.node(cx, node, Want::One);
                self.pop(Op::Pop);
            }
        }
    }

    fn one_value(&mut self, want: Want) {
        if want == Want::All {
            self.op(Op::OneValue);
        }
    }

    fn all(&mut self, cx: &mut Cx<'_>, nodes: &[Node]) {
        nodes.iter().for_each(|n| self.node(cx, n, Want::One));
    }

    fn closure(&mut self, cx: &mut Cx<'_>, lambda: &Lambda) {
        let (child, captures) = emit_lambda(cx, lambda);
        for var in &captures {
            self.load_raw(var);
        }
        self.code.children.push(child);
        let index = self.code.children.len() as u32 - 1;
        self.height -= captures.len() as u32;
        self.push(Op::Closure(captures.len() as u16, index));
    }

    #[allow(clippy::too_many_lines)]
    fn node(&mut self, cx: &mut Cx<'_>, node: &Node, want: Want) {
        match &node.kind {
            NodeKind::Const(v) => {
                self.constant(*v, cx);
                self.one_value(want);
            }
            NodeKind::Root(r) => {
                let op = self.root(r.clone());
                self.push(op);
                self.one_value(want);
            }
            NodeKind::Var(v) => {
                self.load(v);
                self.one_value(want);
            }
            NodeKind::SetVar(v, value) => {
                self.node(cx, value, Want::One);
                self.store(v);
                self.one_value(want);
            }
            NodeKind::Global(s) => {
                let s = self.symbol(*s);
                self.place(node);
                self.push(Op::Global(s));
                self.one_value(want);
            }
            NodeKind::SetGlobal(s, value) => {
                self.node(cx, value, Want::One);
                let s = self.symbol(*s);
                self.place(node);
                self.op(Op::SetGlobal(s));
                self.one_value(want);
            }
            NodeKind::Function(s) => {
                let s = self.symbol(*s);
                self.place(node);
                self.push(Op::Function(s));
                self.one_value(want);
            }
            NodeKind::Lambda(l) => {
                self.closure(cx, l);
                self.one_value(want);
            }
            NodeKind::If(parts) => {
                self.node(cx, &parts[0], Want::One);
                let other = self.pop(Op::JumpIfNil(0));
                self.node(cx, &parts[1], want);
                let end = self.op(Op::Jump(0));
                self.height -= 1;
                self.aim(other);
                self.node(cx, &parts[2], want);
                self.aim(end);
            }
            NodeKind::And(nodes) | NodeKind::Or(nodes) => {
                let is_and = matches!(node.kind, NodeKind::And(_));
                let mut ends = Vec::new();
                let Some((last, first)) = nodes.split_last() else { return self.constant(is_and.into(), cx) };
                for n in first {
                    self.node(cx, n, Want::One);
                    self.one_value(want);
                    ends.push(self.pop(if is_and { Op::JumpIfNilKeep(0) } else { Op::JumpIfTrueKeep(0) }));
                }
                self.node(cx, last, want);
                ends.into_iter().for_each(|j| self.aim(j));
            }
            NodeKind::Progn(nodes) => match nodes.split_last() {
                Some((last, first)) => {
                    first.iter().for_each(|n| self.effect(cx, n));
                    self.node(cx, last, want);
                }
                None => self.constant(Value::NIL, cx),
            },
            NodeKind::Let(bindings, body) => {
                let slot = self.next_slot;
                for (_, init) in bindings {
                    self.node(cx, init, Want::One);
                }
                let mut specials = 0;
                for (b, _) in bindings.iter().rev() {
                    specials += self.binding(b);
                }
                self.finish_let(cx, body, want, slot, specials);
            }
            NodeKind::LetStar(bindings, body) => {
                let slot = self.next_slot;
                let mut specials = 0;
                for (b, init) in bindings {
                    self.node(cx, init, Want::One);
                    specials += self.binding(b);
                }
                self.finish_let(cx, body, want, slot, specials);
            }
            NodeKind::Call(s, args) => {
                self.all(cx, args);
                let s = self.symbol(*s);
                self.place(node);
                self.op(Op::Call(args.len() as u16, s));
                self.height = self.height + 1 - args.len() as u32;
            }
            NodeKind::CallValue(f, args) => {
                self.node(cx, f, Want::One);
                self.all(cx, args);
                self.place(node);
                self.op(Op::CallValue(args.len() as u32));
                self.height -= args.len() as u32;
            }
            NodeKind::Inline(op, args) => {
                self.all(cx, args);
                self.place(node);
                self.op(*op);
                self.height = self.height + 1 - args.len() as u32;
                self.one_value(want);
            }
            NodeKind::Block(exit, body) => self.block(cx, exit, body, want),
            NodeKind::ReturnFrom(exit, value) => {
                self.place(node);
                if exit.level == self.level {
                    let multiple = if exit.multiple.get() { Want::All } else { Want::One };
                    let height = self.height;
                    self.node(cx, value, multiple);
                    self.leave_dynamic(exit.dynamic.get());
                    if height != exit.height.get() {
                        self.op(Op::Slide(exit.height.get()));
                    }
                    let jump = self.op(Op::Jump(0));
                    exit.jumps.borrow_mut().push((jump, 0));
                } else {
                    self.load_raw(&exit.var);
                    self.node(cx, value, Want::All);
                    self.place(node);
                    self.pop(Op::Unwind);
                }
            }
            NodeKind::Tagbody(exit, count, items) => self.tagbody(cx, exit, *count, items, want),
            NodeKind::Go(exit, tag) => {
                if exit.level == self.level {
                    self.leave_dynamic(exit.dynamic.get());
                    if self.height != exit.height.get() {
                        self.op(Op::Nil);
                        self.op(Op::Slide(exit.height.get()));
                        self.op(Op::Pop);
                    }
                    let jump = self.op(Op::LoopJump(0));
                    exit.jumps.borrow_mut().push((jump, *tag));
                    self.height += 1;
                } else {
                    self.load_raw(&exit.var);
                    self.constant(Value::Int(i64::from(*tag)), cx);
                    self.place(node);
                    self.pop(Op::Unwind);
                }
            }
            NodeKind::Catch(tag, body) => {
                self.node(cx, tag, Want::One);
                let catch = self.pop(Op::PushThrowCatch(0));
                self.dynamic.push(Dynamic::Catch);
                self.node(cx, body, want);
                self.op(Op::PopCatch(1));
                self.dynamic.pop();
                self.aim(catch);
            }
            NodeKind::ValuesList(x) => {
                self.node(cx, x, Want::All);
                self.op(Op::ValuesList);
                self.one_value(want);
            }
            NodeKind::ValuesBind(vars, values, body) => {
                self.node(cx, values, Want::All);
                let slot = self.next_slot;
                vars.iter().for_each(|v| self.new_slot(v));
                self.pop(Op::ValuesTo(slot as u16, vars.len() as u32));
                for v in vars.iter().filter(|v| v.boxed()) {
                    self.op(Op::MakeBox(v.slot.get()));
                }
                self.node(cx, body, want);
                self.next_slot = slot;
            }
            NodeKind::Special(index, form, values, rest) => {
                for (_, v) in values {
                    self.load_raw(v);
                }
                let visible = values.iter().map(|(v, _)| v.clone()).chain(rest.iter().cloned()).collect();
                let site = SpecialSite { index: *index, form: form.clone(), visible, count: values.len() as u32 };
                self.code.sites.push(Rc::new(site));
                self.place(node);
                self.op(Op::Special(self.code.sites.len() as u32 - 1));
                self.height = self.height + 1 - values.len() as u32;
            }
        }
    }

    fn binding(&mut self, b: &Binding) -> u32 {
        match b {
            Binding::Lexical(v) => {
                self.new_slot(v);
                self.store_new(v);
                0
            }
            Binding::Special(s) => {
                let s = self.symbol(*s);
                self.pop(Op::BindSpecial(s));
                self.dynamic.push(Dynamic::Special);
                1
            }
        }
    }

    fn finish_let(&mut self, cx: &mut Cx<'_>, body: &Node, want: Want, slot: u32, specials: u32) {
        self.node(cx, body, want);
        if specials > 0 {
            self.op(Op::UnbindSpecials(specials));
            self.dynamic.truncate(self.dynamic.len() - specials as usize);
        }
        self.next_slot = slot;
    }

    /// Closes what was opened since `depth`, for a jump out of it.
    fn leave_dynamic(&mut self, depth: usize) {
        for d in self.dynamic[depth.min(self.dynamic.len())..].iter().copied().rev().collect::<Vec<_>>() {
            self.op(match d {
                Dynamic::Special => Op::UnbindSpecials(1),
                Dynamic::Catch => Op::PopCatch(1),
            });
        }
    }

    fn block(&mut self, cx: &mut Cx<'_>, exit: &Rc<Exit>, body: &Node, want: Want) {
        exit.height.set(self.height);
        exit.dynamic.set(self.dynamic.len());
        exit.multiple.set(want == Want::All);
        let slot = self.next_slot;
        let mut catch = None;
        if exit.captured.get() {
            self.new_slot(&exit.var);
            catch = Some(self.op(Op::PushCatch(exit.var.slot.get() as u16, 0)));
            self.dynamic.push(Dynamic::Catch);
        }
        self.node(cx, body, want);
        if let Some(catch) = catch {
            self.op(Op::PopCatch(1));
            self.dynamic.pop();
            self.aim(catch);
        }
        let jumps = std::mem::take(&mut *exit.jumps.borrow_mut());
        jumps.into_iter().for_each(|(j, _)| self.aim(j));
        self.next_slot = slot;
    }

    fn tagbody(&mut self, cx: &mut Cx<'_>, exit: &Rc<Exit>, count: u32, items: &[TagItem], want: Want) {
        let slot = self.next_slot;
        exit.height.set(self.height);
        let mut catch = None;
        if exit.captured.get() {
            self.new_slot(&exit.var);
            let start = self.op(Op::PushTagCatch(exit.var.slot.get() as u16, 0));
            self.dynamic.push(Dynamic::Catch);
            catch = Some(start);
        }
        exit.dynamic.set(self.dynamic.len());
        let mut tags = vec![0; count as usize];
        for item in items {
            match item {
                TagItem::Tag(t) => tags[*t as usize] = self.here(),
                TagItem::Form(n) => self.effect(cx, n),
            }
        }
        if let Some(catch) = catch {
            self.op(Op::PopCatch(1));
            self.dynamic.pop();
            let over = self.op(Op::Jump(0));
            self.aim(catch);
            for (i, target) in tags.iter().enumerate() {
                self.op(Op::Dispatch(i as u16, *target));
            }
            self.op(Op::Pop);
            self.aim(over);
        }
        let jumps = std::mem::take(&mut *exit.jumps.borrow_mut());
        for (jump, tag) in jumps {
            self.aim_at(jump, tags[tag as usize]);
        }
        self.push(Op::Nil);
        self.one_value(want);
        self.next_slot = slot;
    }
}
