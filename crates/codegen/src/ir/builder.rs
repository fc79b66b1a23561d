//! Building SSA from variables that are assigned, after Braun et al., "Simple and Efficient
//! Construction of Static Single Assignment Form" (CC 2013). Invariant: a block is sealed once
//! all jumps to it are made; reads in an unsealed block make a parameter that is filled then.

use std::collections::VecDeque;
use std::rc::Rc;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::{
    AtomicOp, BinOp, Block, Callee, Cc, CoreId, Function, Op, Size, Slot, SrcLoc, Sym, Target, Terminator, Ty, UnOp,
    Value, ValueDef, Width,
};

/// A source variable: assigned any number of times while building, gone in the result.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Variable(pub u32);

/// Builds one function.
#[derive(Debug)]
pub struct FunctionBuilder {
    func: Function,
    current: Option<Block>,
    loc: SrcLoc,
    vars: Vec<(Ty, Option<Rc<str>>)>,
    defs: FxHashMap<(Variable, Block), Value>,
    sealed: Vec<bool>,
    preds: Vec<Vec<Block>>,
    incomplete: Vec<Vec<(Variable, Value)>>,
    /// Parameters of sealed blocks that wait for their arguments, in the order they were made. A
    /// list instead of recursion: a function may have thousands of joins in a row.
    pending: VecDeque<(Variable, Block, Value)>,
}

impl FunctionBuilder {
    /// A function with the given parameters; building begins in its (sealed) entry block.
    pub fn new(name: impl Into<String>, params: &[Ty]) -> (FunctionBuilder, Vec<Value>) {
        let mut b = FunctionBuilder {
            func: Function::new(name),
            current: None,
            loc: SrcLoc::NONE,
            vars: Vec::new(),
            defs: FxHashMap::default(),
            sealed: Vec::new(),
            preds: Vec::new(),
            incomplete: Vec::new(),
            pending: VecDeque::new(),
        };
        let entry = b.create_block();
        let values = params.iter().map(|ty| b.func.add_param(entry, *ty)).collect();
        b.sealed[entry.index()] = true;
        b.current = Some(entry);
        (b, values)
    }

    /// The source location of what is built from here on.
    pub fn set_loc(&mut self, loc: SrcLoc) -> SrcLoc {
        std::mem::replace(&mut self.loc, loc)
    }

    /// A new block, not sealed.
    pub fn create_block(&mut self) -> Block {
        let b = self.func.add_block();
        self.sealed.push(false);
        self.preds.push(Vec::new());
        self.incomplete.push(Vec::new());
        b
    }

    /// Adds a parameter of its own to a block (a meeting value); jumps to it pass the argument.
    /// Must come before any jump to the block and before variables are read in it.
    pub fn block_param(&mut self, block: Block, ty: Ty) -> Value {
        self.func.add_param(block, ty)
    }

    /// Goes on in `block`. The current block must have been ended.
    pub fn switch_to(&mut self, block: Block) {
        self.current = Some(block);
    }

    /// The block being built; `None` after a jump, branch or return until [`switch_to`](Self::switch_to):
    /// what is built then is unreachable and is dropped.
    pub fn current(&self) -> Option<Block> {
        self.current
    }

    /// Says that all jumps to `block` have been made.
    pub fn seal(&mut self, block: Block) {
        if std::mem::replace(&mut self.sealed[block.index()], true) {
            return;
        }
        for (var, param) in std::mem::take(&mut self.incomplete[block.index()]) {
            self.fill_param(var, block, param);
        }
        self.fill_pending();
    }

    fn fill_pending(&mut self) {
        while let Some((var, block, param)) = self.pending.pop_front() {
            self.fill_param(var, block, param);
        }
    }

    /// A new source variable. `name` shows up in the verifier's messages as ours.
    pub fn declare_var(&mut self, ty: Ty, name: Option<Rc<str>>) -> Variable {
        self.vars.push((ty, name));
        Variable(self.vars.len() as u32 - 1)
    }

    /// Assigns a variable.
    pub fn def_var(&mut self, var: Variable, value: Value) {
        let Some(block) = self.current else { return };
        if self.func.values[value.index()].name.is_none() {
            self.func.values[value.index()].name = self.vars[var.0 as usize].1.clone();
        }
        self.defs.insert((var, block), value);
    }

    /// Reads a variable; one that was never assigned on some path is 0 there.
    pub fn use_var(&mut self, var: Variable) -> Value {
        match self.current {
            Some(block) => {
                let v = self.read(var, block);
                self.fill_pending();
                v
            }
            None => self.dead(self.vars[var.0 as usize].0),
        }
    }

    fn read(&mut self, var: Variable, block: Block) -> Value {
        if let Some(&v) = self.defs.get(&(var, block)) {
            return v;
        }
        let (ty, name) = self.vars[var.0 as usize].clone();
        let value = if !self.sealed[block.index()] {
            let p = self.func.add_param(block, ty);
            self.func.values[p.index()].name = name;
            self.incomplete[block.index()].push((var, p));
            p
        } else if self.preds[block.index()].is_empty() {
            // Never assigned before: 0, at the head of the block (the entry, or an unreachable one).
            let inst = self.func.add_inst(Op::Const(0), Some(ty), SrcLoc::NONE);
            self.func.blocks[block.index()].insts.insert(0, inst);
            self.func.insts[inst.index()].result.expect("a constant has a result")
        } else if let [pred] = self.preds[block.index()][..] {
            // Up to where something is known or several ways meet. A loop that nothing enters (it
            // stands after a return) is such a chain without a top.
            let (mut chain, mut at) = (vec![block], pred);
            while !self.defs.contains_key(&(var, at)) && self.sealed[at.index()] && chain.len() < self.sealed.len() {
                let [pred] = self.preds[at.index()][..] else { break };
                chain.push(at);
                at = pred;
            }
            let value = if chain.len() < self.sealed.len() { self.read(var, at) } else { self.dead(ty) };
            for b in chain {
                self.defs.insert((var, b), value);
            }
            value
        } else {
            let p = self.func.add_param(block, ty);
            self.func.values[p.index()].name = name;
            self.defs.insert((var, block), p);
            self.pending.push_back((var, block, p));
            p
        };
        self.defs.insert((var, block), value);
        value
    }

    /// Gives every jump to `block` its argument for `param`. Parameters that always get the same are
    /// left to the passes.
    fn fill_param(&mut self, var: Variable, block: Block, param: Value) {
        let preds = self.preds[block.index()].clone();
        let args: Vec<Value> = preds.iter().map(|p| self.read(var, *p)).collect();
        let ValueDef::Param(_, index) = self.func.values[param.index()].def else { return };
        // A predecessor may jump here by both arms of its branch: each arm is one entry of `preds`.
        let mut seen: FxHashMap<Block, usize> = FxHashMap::default();
        for (pred, arg) in preds.iter().zip(&args) {
            let nth = seen.entry(*pred).or_insert(0);
            let term = &mut self.func.blocks[pred.index()].term;
            if let Some(t) = term.targets_mut().filter(|t| t.block == block).nth(*nth) {
                debug_assert_eq!(t.args.len(), index as usize);
                t.args.push(*arg);
            }
            *nth += 1;
        }
    }

    fn dead(&mut self, ty: Ty) -> Value {
        // Unreachable code still needs operands; they belong to no block and are dropped with it.
        self.func.add_value(ty, ValueDef::Gone)
    }

    /// Appends an instruction with a result.
    pub fn ins(&mut self, op: Op, ty: Ty) -> Value {
        let Some(block) = self.current else { return self.dead(ty) };
        let inst = self.func.add_inst(op, Some(ty), self.loc);
        self.func.blocks[block.index()].insts.push(inst);
        self.func.insts[inst.index()].result.expect("made with a type")
    }

    /// Appends an instruction without a result.
    pub fn ins_void(&mut self, op: Op) {
        if let Some(block) = self.current {
            let inst = self.func.add_inst(op, None, self.loc);
            self.func.blocks[block.index()].insts.push(inst);
        }
    }

    fn end(&mut self, term: Terminator) {
        let Some(block) = self.current.take() else { return };
        for t in term.targets() {
            self.preds[t.block.index()].push(block);
        }
        let data = &mut self.func.blocks[block.index()];
        data.term = term;
        data.term_loc = self.loc;
    }

    /// Ends the block: goes on at `block` with the arguments for the parameters made by
    /// [`block_param`](Self::block_param).
    pub fn jump(&mut self, block: Block, args: &[Value]) {
        self.end(Terminator::Jump(Target { block, args: SmallVec::from_slice(args) }));
    }

    /// Ends the block: `then` when `cond` is not zero, else `els`.
    pub fn branch(&mut self, cond: Value, then: Block, els: Block) {
        let to = |block| Target { block, args: SmallVec::new() };
        self.end(Terminator::Branch { cond, then: to(then), els: to(els) });
    }

    /// Ends the block: leaves the function.
    pub fn ret(&mut self, value: Value) {
        self.end(Terminator::Return(value));
    }

    /// A number.
    pub fn iconst(&mut self, n: i64) -> Value {
        self.ins(Op::Const(n), Ty::Int)
    }

    /// Arithmetic; the result is a pointer when a pointer is moved by a number.
    pub fn bin(&mut self, op: BinOp, width: Width, a: Value, b: Value) -> Value {
        let ty = match (op, self.func.ty(a), self.func.ty(b)) {
            (BinOp::Add | BinOp::Sub, Ty::Ptr(s), Ty::Int) | (BinOp::Add, Ty::Int, Ty::Ptr(s)) => Ty::Ptr(s),
            _ => Ty::Int,
        };
        self.ins(Op::Bin(op, width, a, b), ty)
    }

    /// Arithmetic on one operand.
    pub fn un(&mut self, op: UnOp, a: Value) -> Value {
        self.ins(Op::Un(op, a), Ty::Int)
    }

    /// Comparison of 64 bits.
    pub fn cmp(&mut self, cc: Cc, a: Value, b: Value) -> Value {
        self.ins(Op::Cmp(cc, Width::W64, a, b), Ty::Int)
    }

    /// Memory read of a number.
    pub fn load(&mut self, size: Size, signed: bool, base: Value, off: i32) -> Value {
        self.load_as(Ty::Int, size, signed, base, off)
    }

    /// Memory read of a value of type `ty`.
    pub fn load_as(&mut self, ty: Ty, size: Size, signed: bool, base: Value, off: i32) -> Value {
        self.ins(Op::Load { size, signed, base, off }, ty)
    }

    /// Memory write.
    pub fn store(&mut self, size: Size, base: Value, off: i32, value: Value) {
        self.ins_void(Op::Store { size, base, off, value });
    }

    /// Atomic read-modify-write; the old content when `fetch`.
    pub fn atomic(
        &mut self,
        op: AtomicOp,
        size: Size,
        fetch: bool,
        base: Value,
        off: i32,
        value: Value,
    ) -> Option<Value> {
        let op = Op::Atomic { op, size, fetch, base, off, value };
        if fetch {
            Some(self.ins(op, Ty::Int))
        } else {
            self.ins_void(op);
            None
        }
    }

    /// A load relocated by CO-RE.
    pub fn core_load(&mut self, ty: Ty, core: CoreId, size: Size, base: Value, off: i32) -> Value {
        self.ins(Op::CoreLoad { core, size, base, off }, ty)
    }

    /// A store relocated by CO-RE.
    pub fn core_store(&mut self, core: CoreId, size: Size, base: Value, off: i32, value: Value) {
        self.ins_void(Op::CoreStore { core, size, base, off, value });
    }

    /// Stack memory.
    pub fn slot(&mut self, size: u32, name: Option<Rc<str>>) -> Slot {
        self.func.add_slot(size, name)
    }

    /// Address in stack memory.
    pub fn stack_addr(&mut self, slot: Slot, off: i32) -> Value {
        self.ins(Op::StackAddr(slot, off), Ty::Ptr(super::Space::Stack))
    }

    /// Address of a symbol.
    pub fn sym_addr(&mut self, sym: Sym, off: i32, ty: Ty) -> Value {
        self.ins(Op::SymAddr(sym, off), ty)
    }

    /// A call.
    pub fn call(&mut self, callee: Callee, args: &[Value], ty: Ty) -> Value {
        self.ins(Op::Call { callee, args: SmallVec::from_slice(args) }, ty)
    }

    /// A value's type.
    pub fn ty(&self, v: Value) -> Ty {
        self.func.ty(v)
    }

    /// Where in its stack slot a value points, if it is such an address.
    pub fn stack_offset(&self, v: Value) -> Option<i32> {
        match self.func.def_op(v) {
            Some(Op::StackAddr(_, off)) => Some(*off),
            _ => None,
        }
    }

    /// The finished function. Unreachable blocks are left in it with [`Terminator::Open`] if nothing
    /// ended them; the first pass removes them.
    pub fn finish(mut self) -> Function {
        for i in 0..self.sealed.len() {
            self.seal(Block(i as u32));
        }
        self.func
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_joins_take_no_stack() {
        let (mut b, params) = FunctionBuilder::new("long", &[Ty::Int]);
        let x = b.declare_var(Ty::Int, None);
        b.def_var(x, params[0]);
        for _ in 0..20_000 {
            let (then, join) = (b.create_block(), b.create_block());
            b.branch(params[0], then, join);
            b.seal(then);
            b.switch_to(then);
            b.jump(join, &[]);
            b.seal(join);
            b.switch_to(join);
        }
        let v = b.use_var(x);
        b.ret(v);
        let f = b.finish();
        assert!(f.blocks.iter().skip(1).all(|b| b.params.len() <= 1));
        assert!(crate::ir::validate_with(&f, &[], &|_| None).is_ok());
    }

    #[test]
    fn a_loop_that_nothing_enters_ends_the_search() {
        let (mut b, params) = FunctionBuilder::new("dead", &[Ty::Int]);
        let x = b.declare_var(Ty::Int, None);
        b.def_var(x, params[0]);
        b.ret(params[0]);
        let (head, body) = (b.create_block(), b.create_block());
        b.jump(head, &[]);
        b.switch_to(head);
        b.jump(body, &[]);
        b.seal(body);
        b.switch_to(body);
        b.jump(head, &[]);
        b.seal(head);
        b.switch_to(body);
        let v = b.use_var(x);
        assert_eq!(b.ty(v), Ty::Int);
    }

    #[test]
    fn a_loop_variable_becomes_a_block_parameter() {
        let (mut b, params) = FunctionBuilder::new("sum", &[Ty::Int]);
        let i = b.declare_var(Ty::Int, Some("i".into()));
        let zero = b.iconst(0);
        b.def_var(i, zero);
        let (head, body, exit) = (b.create_block(), b.create_block(), b.create_block());
        b.jump(head, &[]);
        b.switch_to(head);
        let now = b.use_var(i);
        let more = b.cmp(Cc::Ult, now, params[0]);
        b.branch(more, body, exit);
        b.seal(body);
        b.seal(exit);
        b.switch_to(body);
        let now = b.use_var(i);
        let one = b.iconst(1);
        let next = b.bin(BinOp::Add, Width::W64, now, one);
        b.def_var(i, next);
        b.jump(head, &[]);
        b.seal(head);
        b.switch_to(exit);
        let r = b.use_var(i);
        b.ret(r);
        let f = b.finish();
        assert_eq!(f.blocks[head.index()].params.len(), 1);
        let Terminator::Jump(t) = &f.blocks[body.index()].term else { panic!("the body ends in a jump") };
        assert_eq!(t.args[..], [next]);
        let Terminator::Jump(t) = &f.blocks[0].term else { panic!("the entry ends in a jump") };
        assert_eq!(t.args[..], [zero]);
    }
}
