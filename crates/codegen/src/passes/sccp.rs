//! Sparse conditional constants, after Wegman and Zadeck: what is a number on every way that can be
//! taken, where which ways can be taken depends on the numbers.

use super::PassContext;
use super::fold;
use super::rewrite::Aliases;
use crate::ir::{Block, Function, Inst, Op, Terminator, Ty, Value, ValueDef};

/// What is known of a value: nothing has reached it, one number, or anything.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cell {
    Unreached,
    Number(i64),
    Any,
}

impl Cell {
    fn meet(self, other: Cell) -> Cell {
        match (self, other) {
            (Cell::Unreached, x) | (x, Cell::Unreached) => x,
            (Cell::Number(a), Cell::Number(b)) if a == b => self,
            _ => Cell::Any,
        }
    }
}

#[derive(Clone, Copy)]
enum User {
    Inst(Block, Inst),
    Term(Block),
}

struct Sccp<'f> {
    f: &'f Function,
    cells: Vec<Cell>,
    users: Vec<Vec<User>>,
    reached: Vec<bool>,
    /// Edges taken, by block and arm.
    taken: Vec<[bool; 2]>,
    blocks: Vec<Block>,
    values: Vec<Value>,
}

pub(super) fn run(f: &mut Function, _: &PassContext<'_>) -> bool {
    let mut users = vec![Vec::new(); f.values.len()];
    for b in f.block_ids() {
        let data = &f.blocks[b.index()];
        for &i in &data.insts {
            f.insts[i.index()].op.for_each_operand(|v| users[v.index()].push(User::Inst(b, i)));
        }
        data.term.for_each_operand(|v| users[v.index()].push(User::Term(b)));
    }
    let mut s = Sccp {
        f,
        cells: vec![Cell::Unreached; f.values.len()],
        users,
        reached: vec![false; f.blocks.len()],
        taken: vec![[false; 2]; f.blocks.len()],
        blocks: vec![Block(0)],
        values: Vec::new(),
    };
    s.reached[0] = true;
    for p in &f.blocks[0].params {
        s.cells[p.index()] = Cell::Any;
    }
    s.solve();
    let Sccp { cells, reached, .. } = s;
    rewrite(f, &cells, &reached)
}

impl Sccp<'_> {
    fn solve(&mut self) {
        let f = self.f;
        loop {
            if let Some(b) = self.blocks.pop() {
                for &i in &f.blocks[b.index()].insts {
                    self.inst(i);
                }
                self.term(b);
            } else if let Some(v) = self.values.pop() {
                for user in self.users[v.index()].clone() {
                    match user {
                        User::Inst(b, i) if self.reached[b.index()] => self.inst(i),
                        User::Term(b) if self.reached[b.index()] => self.term(b),
                        _ => {}
                    }
                }
            } else {
                return;
            }
        }
    }

    fn lower(&mut self, v: Value, cell: Cell) {
        let new = self.cells[v.index()].meet(cell);
        if new != self.cells[v.index()] {
            self.cells[v.index()] = new;
            self.values.push(v);
        }
    }

    fn inst(&mut self, i: Inst) {
        let inst = &self.f.insts[i.index()];
        let Some(r) = inst.result else { return };
        let cell = |v: Value| self.cells[v.index()];
        let two = |a: Value, b: Value, make: &dyn Fn(i64, i64) -> i64| match (cell(a), cell(b)) {
            (Cell::Number(a), Cell::Number(b)) => Cell::Number(make(a, b)),
            (Cell::Any, _) | (_, Cell::Any) => Cell::Any,
            _ => Cell::Unreached,
        };
        let new = match inst.op {
            _ if self.f.ty(r) != Ty::Int => Cell::Any,
            Op::Const(n) => Cell::Number(n),
            Op::Bin(op, w, a, b) => two(a, b, &|a, b| fold::bin(op, w, a, b)),
            Op::Cmp(cc, w, a, b) => two(a, b, &|a, b| i64::from(fold::cmp(cc, w, a, b))),
            Op::Un(op, a) => match cell(a) {
                Cell::Number(n) => Cell::Number(fold::un(op, n)),
                other => other,
            },
            _ => Cell::Any,
        };
        self.lower(r, new);
    }

    fn term(&mut self, b: Block) {
        let f = self.f;
        let (first, second) = match &f.blocks[b.index()].term {
            Terminator::Open | Terminator::Return(_) => return,
            Terminator::Jump(t) => (Some(t), None),
            Terminator::Branch { cond, then, els } => match self.cells[cond.index()] {
                Cell::Unreached => return,
                Cell::Number(0) => (None, Some(els)),
                Cell::Number(_) => (Some(then), None),
                Cell::Any => (Some(then), Some(els)),
            },
        };
        for (arm, t) in [first, second].into_iter().enumerate() {
            let Some(t) = t else { continue };
            self.taken[b.index()][arm] = true;
            for (p, a) in f.blocks[t.block.index()].params.iter().zip(&t.args) {
                let cell = if f.ty(*p) == Ty::Int { self.cells[a.index()] } else { Cell::Any };
                self.lower(*p, cell);
            }
            if !std::mem::replace(&mut self.reached[t.block.index()], true) {
                self.blocks.push(t.block);
            }
        }
    }
}

/// Puts the numbers in. Blocks that are never reached are left to others: the branches to them are
/// on numbers now.
fn rewrite(f: &mut Function, cells: &[Cell], reached: &[bool]) -> bool {
    let mut aliases = Aliases::new(f);
    let mut changed = false;
    let mut dropped = false;
    for (n, cell) in cells.iter().enumerate() {
        let (v, Cell::Number(number)) = (Value(n as u32), *cell) else { continue };
        match f.values[n].def {
            ValueDef::Inst(i) if !matches!(f.insts[i.index()].op, Op::Const(_)) => {
                f.insts[i.index()].op = Op::Const(number);
                changed = true;
            }
            ValueDef::Param(b, _) if reached[b.index()] => {
                let inst = f.add_inst(Op::Const(number), Some(Ty::Int), f.blocks[b.index()].term_loc);
                f.blocks[b.index()].insts.insert(0, inst);
                let new = Value(f.values.len() as u32 - 1);
                aliases.replace(f, v, new);
                dropped = true;
            }
            _ => {}
        }
    }
    if !dropped {
        return changed;
    }
    // The parameters that became numbers, with their arguments.
    let drop: Vec<bool> = (0..f.values.len() as u32).map(|v| aliases.is_replaced(Value(v))).collect();
    for n in 0..f.blocks.len() {
        let mut term = std::mem::replace(&mut f.blocks[n].term, Terminator::Open);
        for t in term.targets_mut() {
            let mut keep = f.blocks[t.block.index()].params.iter().map(|p| !drop[p.index()]);
            t.args.retain(|_| keep.next().unwrap_or(true));
        }
        f.blocks[n].term = term;
    }
    for (n, b) in f.blocks.iter_mut().enumerate() {
        b.params.retain(|p| !drop[p.index()]);
        for (i, p) in b.params.iter().enumerate() {
            f.values[p.index()].def = ValueDef::Param(Block(n as u32), i as u32);
        }
    }
    aliases.apply(f);
    true
}
