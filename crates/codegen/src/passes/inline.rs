//! Calls of small functions, and of those called once, become their bodies. The functions stay:
//! whoever made the module may want their code.

use rustc_hash::FxHashMap;

use crate::ir::{Block, BlockData, Callee, Function, Inst, Module, Op, Slot, Sym, Target, Terminator, Value, ValueDef};
use whistler_isa::Target as Machine;

/// Instructions that are always worth copying: about what calling costs.
const SMALL: usize = 12;
/// For a function that is called once.
const LARGE: usize = 400;
/// What a function may grow to.
const MAX_SIZE: usize = 4000;
/// Bytes of stack a function may come to have by this: inlined slots don't share their place.
const MAX_STACK: u32 = 256;
/// `bpf_tail_call` leaves the function it stands in.
const TAIL_CALL: u32 = 12;

pub(super) fn run(m: &mut Module, _: &Machine) -> bool {
    let index: FxHashMap<&str, usize> = m.functions.iter().enumerate().map(|(n, f)| (f.name.as_str(), n)).collect();
    // Which function each symbol is.
    let of_sym: Vec<Option<usize>> = m.syms.iter().map(|s| index.get(s.name.as_str()).copied()).collect();
    let calls: Vec<Vec<usize>> = m
        .functions
        .iter()
        .map(|f| callees(f).filter_map(|(_, s)| of_sym.get(s.index()).copied().flatten()).collect())
        .collect();
    let mut times = vec![0; m.functions.len()];
    calls.iter().flatten().for_each(|c| times[*c] += 1);
    let mut changed = false;
    // Callees first, so that what is copied has its own copies in it.
    let (order, recursive) = callees_first(&calls);
    for n in order {
        let mut f = std::mem::take(&mut m.functions[n]);
        while size(&f) < MAX_SIZE {
            let wanted = callees(&f).find_map(|(i, s)| {
                let c = of_sym.get(s.index()).copied().flatten()?;
                (!recursive[c] && fits(&m.functions[c], times[c], &f, i)).then_some((i, c))
            });
            let Some((call, c)) = wanted else { break };
            expand(&mut f, call, &m.functions[c]);
            changed = true;
        }
        m.functions[n] = f;
    }
    changed
}

fn size(f: &Function) -> usize {
    f.blocks.iter().map(|b| b.insts.len() + 1).sum()
}

/// Calls of functions of the module.
fn callees(f: &Function) -> impl Iterator<Item = (Inst, Sym)> {
    f.blocks.iter().flat_map(|b| &b.insts).filter_map(|i| match f.insts[i.index()].op {
        Op::Call { callee: Callee::Function(s), .. } => Some((*i, s)),
        _ => None,
    })
}

/// Every function after those it calls, and whether it can come to call itself.
fn callees_first(calls: &[Vec<usize>]) -> (Vec<usize>, Vec<bool>) {
    let (mut order, mut seen) = (Vec::new(), vec![false; calls.len()]);
    for n in 0..calls.len() {
        if std::mem::replace(&mut seen[n], true) {
            continue;
        }
        let mut stack = vec![(n, 0)];
        while let Some((n, next)) = stack.last_mut() {
            let n = *n;
            match calls[n].get(*next) {
                Some(&c) => {
                    *next += 1;
                    if !std::mem::replace(&mut seen[c], true) {
                        stack.push((c, 0));
                    }
                }
                None => {
                    order.push(n);
                    stack.pop();
                }
            }
        }
    }
    let recursive = |n: usize| {
        let (mut reached, mut work) = (vec![false; calls.len()], calls[n].clone());
        while let Some(c) = work.pop() {
            if !std::mem::replace(&mut reached[c], true) {
                work.extend(&calls[c]);
            }
        }
        reached[n]
    };
    let recursive = (0..calls.len()).map(|n| !calls[n].is_empty() && recursive(n)).collect();
    (order, recursive)
}

fn fits(callee: &Function, times: usize, caller: &Function, call: Inst) -> bool {
    let Op::Call { args, .. } = &caller.insts[call.index()].op else { return false };
    let Some(entry) = callee.blocks.first() else { return false };
    let stack = |f: &Function| f.slots.iter().map(|s| s.size.next_multiple_of(8)).sum::<u32>();
    let types =
        args.len() == entry.params.len() && entry.params.iter().zip(args).all(|(p, a)| callee.ty(*p) == caller.ty(*a));
    let size = size(callee);
    types
        && !callee.keep
        && (size <= SMALL || (times == 1 && size <= LARGE))
        && (callee.slots.is_empty() || stack(callee) + stack(caller) <= MAX_STACK)
        && callee.blocks.iter().all(|b| b.term != Terminator::Open)
        && !callee
            .blocks
            .iter()
            .flat_map(|b| &b.insts)
            .any(|i| matches!(callee.insts[i.index()].op, Op::Call { callee: Callee::Helper(TAIL_CALL), .. }))
}

/// Replaces a call by a copy of the function's blocks.
fn expand(f: &mut Function, call: Inst, callee: &Function) {
    let place = f.blocks.iter().enumerate().find_map(|(n, b)| Some((n, b.insts.iter().position(|i| *i == call)?)));
    let Some((home, at)) = place else { return };
    let Op::Call { args, .. } = f.insts[call.index()].op.clone() else { return };
    let result = f.insts[call.index()].result;
    // What comes after the call.
    let after = Block(f.blocks.len() as u32);
    let data = &mut f.blocks[home];
    let rest = data.insts.split_off(at + 1);
    data.insts.pop();
    let term = std::mem::replace(&mut data.term, Terminator::Open);
    let term_loc = data.term_loc;
    f.blocks.push(BlockData { params: result.into_iter().collect(), insts: rest, term, term_loc });
    if let Some(r) = result {
        f.values[r.index()].def = ValueDef::Param(after, 0);
    }
    // The copy. Its entry joins the block of the call; the others come after everything.
    let slots = f.slots.len() as u32;
    f.slots.extend(callee.slots.iter().cloned());
    let first = f.blocks.len() as u32;
    let block = |b: Block| if b == Block(0) { Block(home as u32) } else { Block(first + b.0 - 1) };
    let mut values: Vec<Value> = Vec::with_capacity(callee.values.len());
    for v in &callee.values {
        let def = match v.def {
            ValueDef::Param(b, n) => ValueDef::Param(block(b), n),
            ValueDef::Inst(i) => ValueDef::Inst(Inst(f.insts.len() as u32 + i.0)),
            ValueDef::Gone => ValueDef::Gone,
        };
        f.values.push(crate::ir::ValueData { def, ..v.clone() });
        values.push(Value(f.values.len() as u32 - 1));
    }
    if let Some(entry) = callee.blocks.first() {
        for (p, a) in entry.params.iter().zip(&args) {
            f.values[values[p.index()].index()].def = ValueDef::Gone;
            values[p.index()] = *a;
        }
    }
    let insts = f.insts.len() as u32;
    for inst in &callee.insts {
        let mut inst = inst.clone();
        inst.op.for_each_operand_mut(|v| *v = values[v.index()]);
        if let Op::StackAddr(s, _) = &mut inst.op {
            *s = Slot(s.0 + slots);
        }
        inst.result = inst.result.map(|r| values[r.index()]);
        f.insts.push(inst);
    }
    for (n, b) in callee.blocks.iter().enumerate() {
        let mut term = b.term.clone();
        term.for_each_operand_mut(|v| *v = values[v.index()]);
        term.targets_mut().for_each(|t| t.block = block(t.block));
        if let Terminator::Return(v) = term {
            let args = result.map(|_| v).into_iter().collect();
            term = Terminator::Jump(Target { block: after, args });
        }
        let copied = b.insts.iter().map(|i| Inst(insts + i.0));
        if n == 0 {
            let data = &mut f.blocks[home];
            data.insts.extend(copied);
            (data.term, data.term_loc) = (term, b.term_loc);
        } else {
            let params = b.params.iter().map(|p| values[p.index()]).collect();
            f.blocks.push(BlockData { params, insts: copied.collect(), term, term_loc: b.term_loc });
        }
    }
}
