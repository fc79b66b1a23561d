//! The rules of the IR, checked. Of reachable blocks:
//!
//! 1. there is an entry block, with at most five parameters, and nothing jumps to it;
//! 2. every block has an end, and jumps to blocks that exist;
//! 3. a jump passes one argument per parameter, of the same type (a number may stand for a pointer
//!    only as a constant: null);
//! 4. every value is defined once, by what it says it is defined by;
//! 5. every definition dominates its uses;
//! 6. an instruction stands in one block, once; it has a result exactly when its operation has one;
//! 7. pointers are operands only of 64-bit addition and subtraction, comparisons of 64 bits, memory
//!    accesses, calls, jumps, branches (on null) and returns; never both operands of an addition;
//! 8. a pointer into the context is moved only by constants;
//! 9. the address of a memory access is a pointer, or a number that is used as one; `inbounds`
//!    compares a packet pointer with the packet's end;
//! 10. atomic operations are on 4 or 8 bytes, an exchange always fetches;
//! 11. slots and symbols exist and are of the kind the operation wants; constant addresses lie in
//!     their slot or global (or one past its end), constant accesses inside;
//! 12. a CO-RE offset fits its field, a CO-RE number that is not wide fits 32 bits;
//! 13. calls pass at most five arguments, and to functions of the module as many as they take;
//! 14. the result of `maygoto` is only the condition of the branch that ends its block.

use std::fmt;

use super::cfg::{Cfg, Dominators};
use super::{
    AtomicOp, BinOp, Block, Callee, Function, Inst, Module, Op, Size, Space, SymData, SymKind, Target, Terminator, Ty,
    UnOp, Value, ValueDef, Width,
};

const NO_CONDITION: &str = "a `maygoto` that is not the condition of its block's branch";

/// A broken rule, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// The block.
    pub block: Block,
    /// The instruction; `None` for the block's parameters or end.
    pub inst: Option<Inst>,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.block, self.what)
    }
}

/// Checks a function against the rules above. Never panics, whatever the function.
///
/// # Errors
/// Every broken rule found.
pub fn validate(f: &Function, module: &Module) -> Result<(), Vec<Violation>> {
    validate_with(f, &module.syms, &|name| {
        let callee = module.functions.iter().find(|f| f.name == name)?;
        Some(callee.blocks.first()?.params.len())
    })
}

/// The same with the symbols alone; `arity` says how many arguments a function takes, if known.
pub fn validate_with(
    f: &Function,
    syms: &[SymData],
    arity: &dyn Fn(&str) -> Option<usize>,
) -> Result<(), Vec<Violation>> {
    let mut v = Validator { f, syms, arity, found: Vec::new(), block: Block(0), inst: None };
    if v.shape() {
        v.definitions();
        v.rules();
    }
    if v.found.is_empty() { Ok(()) } else { Err(v.found) }
}

struct Validator<'a> {
    f: &'a Function,
    syms: &'a [SymData],
    arity: &'a dyn Fn(&str) -> Option<usize>,
    found: Vec<Violation>,
    block: Block,
    inst: Option<Inst>,
}

impl Validator<'_> {
    fn report(&mut self, what: impl Into<String>) {
        self.found.push(Violation { block: self.block, inst: self.inst, what: what.into() });
    }

    /// Rules 1 and 2, and that every index is in range, so that the rest may look things up.
    fn shape(&mut self) -> bool {
        let f = self.f;
        let Some(entry) = f.blocks.first() else {
            self.report("there is no entry block");
            return false;
        };
        if entry.params.len() > 5 {
            self.report(format!("a function takes at most five arguments, not {}", entry.params.len()));
        }
        let known = |v: Value| v.index() < f.values.len();
        for b in Cfg::of(f).order {
            self.block = b;
            let data = &f.blocks[b.index()];
            if let Some(v) = data.params.iter().find(|v| !known(**v)) {
                self.report(format!("parameter {v} does not exist"));
            }
            for &i in &data.insts {
                self.inst = Some(i);
                let Some(inst) = f.insts.get(i.index()) else {
                    self.report(format!("{i} does not exist"));
                    continue;
                };
                if let Some(v) = inst.result.filter(|v| !known(*v)) {
                    self.report(format!("result {v} does not exist"));
                }
                let mut missing = None;
                inst.op.for_each_operand(|v| {
                    if !known(v) {
                        missing = Some(v)
                    }
                });
                if let Some(v) = missing {
                    self.report(format!("operand {v} does not exist"));
                }
            }
            self.inst = None;
            let mut missing = None;
            data.term.for_each_operand(|v| {
                if !known(v) {
                    missing = Some(v)
                }
            });
            if let Some(v) = missing {
                self.report(format!("operand {v} does not exist"));
            }
            if data.term == Terminator::Open {
                self.report("the block has no end");
            }
            for t in data.term.targets() {
                if t.block == Block(0) {
                    self.report("jumps to the entry block");
                } else if t.block.index() >= f.blocks.len() {
                    self.report(format!("jumps to {}, which does not exist", t.block));
                }
            }
        }
        self.found.is_empty()
    }

    /// Rules 4, 5 and 6.
    fn definitions(&mut self) {
        let f = self.f;
        let cfg = Cfg::of(f);
        let dom = Dominators::of(&cfg);
        // Where each value becomes known: block, and place in it (0: parameter).
        let mut at: Vec<Option<(Block, u32)>> = vec![None; f.values.len()];
        let mut listed = vec![false; f.insts.len()];
        for &b in &cfg.order {
            self.block = b;
            let data = &f.blocks[b.index()];
            self.inst = None;
            for (n, p) in data.params.iter().enumerate() {
                if f.values[p.index()].def != ValueDef::Param(b, n as u32) {
                    self.report(format!("{p} is not defined as parameter {n}"));
                }
                if at[p.index()].replace((b, 0)).is_some() {
                    self.report(format!("{p} is defined twice"));
                }
            }
            for (n, &i) in data.insts.iter().enumerate() {
                self.inst = Some(i);
                if std::mem::replace(&mut listed[i.index()], true) {
                    self.report(format!("{i} stands in more than one place"));
                }
                if let Some(r) = f.insts[i.index()].result {
                    if f.values[r.index()].def != ValueDef::Inst(i) {
                        self.report(format!("{r} is not defined by its instruction"));
                    }
                    if at[r.index()].replace((b, n as u32 + 1)).is_some() {
                        self.report(format!("{r} is defined twice"));
                    }
                }
            }
        }
        for &b in &cfg.order {
            self.block = b;
            let data = &f.blocks[b.index()];
            let reaches = |v: Value, here: u32| match at[v.index()] {
                None => false,
                Some((def, place)) if def == b => place < here,
                Some((def, _)) => dom.dominates(def, b),
            };
            for (n, &i) in data.insts.iter().enumerate() {
                self.inst = Some(i);
                let mut bad = None;
                f.insts[i.index()].op.for_each_operand(|v| {
                    if !reaches(v, n as u32 + 1) {
                        bad = Some(v)
                    }
                });
                if let Some(v) = bad {
                    self.report(format!("{v} is used where it is not defined"));
                }
            }
            self.inst = None;
            let mut bad = None;
            data.term.for_each_operand(|v| {
                if !reaches(v, u32::MAX) {
                    bad = Some(v)
                }
            });
            if let Some(v) = bad {
                self.report(format!("{v} is used where it is not defined"));
            }
        }
    }

    /// The other rules, instruction by instruction.
    fn rules(&mut self) {
        let f = self.f;
        for b in Cfg::of(f).order {
            self.block = b;
            for &i in &f.blocks[b.index()].insts {
                self.inst = Some(i);
                let inst = &f.insts[i.index()];
                self.result(&inst.op, inst.result.is_some());
                self.may_goto(&inst.op);
                self.op(&inst.op, inst.result.map(|r| f.ty(r)));
            }
            self.inst = None;
            let term = &f.blocks[b.index()].term;
            let condition = match term {
                Terminator::Branch { cond, .. } => Some(*cond),
                Terminator::Open | Terminator::Jump(_) | Terminator::Return(_) => None,
            };
            let own = |v: Value| f.blocks[b.index()].insts.iter().any(|i| f.insts[i.index()].result == Some(v));
            let mut wrong = false;
            term.for_each_operand(|v| {
                wrong |= matches!(f.def_op(v), Some(Op::MayGoto)) && (Some(v) != condition || !own(v));
            });
            if wrong {
                self.report(NO_CONDITION);
            }
            for t in term.targets() {
                self.target(t);
            }
        }
    }

    /// Rule 14.
    fn may_goto(&mut self, op: &Op) {
        let f = self.f;
        let is = |v: Value| matches!(f.def_op(v), Some(Op::MayGoto));
        let mut elsewhere = false;
        op.for_each_operand(|v| elsewhere |= is(v));
        if elsewhere {
            self.report(NO_CONDITION);
        }
    }

    fn target(&mut self, t: &Target) {
        let f = self.f;
        let params = &f.blocks[t.block.index()].params;
        if params.len() != t.args.len() {
            return self.report(format!("{} takes {} arguments, not {}", t.block, params.len(), t.args.len()));
        }
        for (p, a) in params.iter().zip(&t.args) {
            if f.ty(*p) != f.ty(*a) && f.as_const(*a).is_none() {
                self.report(format!("{a} is no {} as {p} of {} must be", f.ty(*p), t.block));
            }
        }
    }

    fn result(&mut self, op: &Op, has: bool) {
        let wanted = match op {
            Op::Store { .. } | Op::CoreStore { .. } => Some(false),
            Op::Atomic { fetch, .. } => Some(*fetch),
            Op::Call { .. } | Op::CmpXchg { .. } | Op::MapLookup { .. } => None,
            _ => Some(true),
        };
        if wanted.is_some_and(|w| w != has) {
            self.report(if has { "has a result it can't have" } else { "has no result" });
        }
    }

    fn number(&mut self, v: Value) {
        if self.f.ty(v) != Ty::Int {
            self.report(format!("{v} is a pointer, where only numbers can be"));
        }
    }

    /// Rule 11 for an access of `size` bytes through a base that is known now.
    fn access(&mut self, base: Value, off: i32, size: Size) {
        let (start, len) = match self.f.def_op(base) {
            Some(Op::StackAddr(slot, at)) => match self.f.slots.get(slot.index()) {
                Some(s) => (i64::from(*at), i64::from(s.size)),
                None => return,
            },
            Some(Op::SymAddr(sym, at)) => match self.syms.get(sym.index()).map(|s| &s.kind) {
                Some(SymKind::Global { size, .. }) => (i64::from(*at), i64::from(*size)),
                _ => return self.report("accesses what is no global"),
            },
            _ => return,
        };
        let from = start + i64::from(off);
        if from < 0 || from + i64::from(size.bytes()) > len {
            self.report(format!("accesses bytes {from}..{} of {len}", from + i64::from(size.bytes())));
        }
    }

    fn address(&mut self, base: Value, off: i32, size: Size) {
        if matches!(self.f.ty(base), Ty::Ptr(Space::PacketEnd | Space::Map)) {
            self.report(format!("{base} points to nothing that can be accessed"));
        }
        self.access(base, off, size);
    }

    fn op(&mut self, op: &Op, result: Option<Ty>) {
        let f = self.f;
        match op {
            Op::Const(_) | Op::MayGoto => {}
            Op::Bin(bin, w, a, b) => self.bin(*bin, *w, *a, *b, result),
            Op::Un(un, a) => {
                self.number(*a);
                if matches!(un, UnOp::Bswap(Size::B1)) {
                    self.report("one byte has no order");
                }
            }
            Op::Cmp(_, w, a, b) => {
                if *w == Width::W32 {
                    self.number(*a);
                    self.number(*b);
                }
            }
            Op::InBounds { ptr, len, end } => {
                if f.ty(*ptr) != Ty::Ptr(Space::Packet) || f.ty(*end) != Ty::Ptr(Space::PacketEnd) {
                    self.report("compares what are no packet pointer and packet end");
                }
                if *len < 0 {
                    self.report("checks a negative number of bytes");
                }
            }
            Op::StackAddr(slot, off) => match f.slots.get(slot.index()) {
                Some(s) if (0..=i64::from(s.size)).contains(&i64::from(*off)) => {}
                Some(s) => self.report(format!("byte {off} of a slot of {}", s.size)),
                None => self.report(format!("{slot} does not exist")),
            },
            Op::SymAddr(sym, off) => match self.syms.get(sym.index()).map(|s| &s.kind) {
                Some(SymKind::Global { size, .. }) if (0..=i64::from(*size)).contains(&i64::from(*off)) => {}
                Some(SymKind::Global { size, .. }) => self.report(format!("byte {off} of a global of {size}")),
                Some(SymKind::Map(_) | SymKind::Function) if *off == 0 => {}
                Some(SymKind::Map(_) | SymKind::Function) => self.report("an offset from what has none"),
                Some(SymKind::Kfunc) => self.report("a kernel function has no address"),
                None => self.report(format!("{sym} does not exist")),
            },
            Op::Load { size, base, off, .. } | Op::Store { size, base, off, .. } => self.address(*base, *off, *size),
            Op::Atomic { op, size, fetch, base, off, value } => {
                self.address(*base, *off, *size);
                self.number(*value);
                let plain = matches!(op, AtomicOp::LoadAcquire | AtomicOp::StoreRelease);
                if !plain && !matches!(size, Size::B4 | Size::B8) {
                    self.report("an atomic operation on less than 4 bytes");
                }
                match op {
                    AtomicOp::Xchg if !fetch => self.report("an exchange that does not fetch"),
                    AtomicOp::LoadAcquire if !fetch => self.report("a load that does not fetch"),
                    AtomicOp::StoreRelease if *fetch => self.report("a store that fetches"),
                    _ => {}
                }
            }
            Op::CmpXchg { size, base, off, .. } => {
                self.address(*base, *off, *size);
                if !matches!(size, Size::B4 | Size::B8) {
                    self.report("an atomic operation on less than 4 bytes");
                }
            }
            Op::CoreLoad { off, .. } | Op::CoreStore { off, .. } => {
                if i16::try_from(*off).is_err() {
                    self.report(format!("the offset {off} does not fit its field"));
                }
            }
            Op::CoreValue { local, wide, .. } => {
                if !wide && i32::try_from(*local).is_err() && u32::try_from(*local).is_err() {
                    self.report(format!("the number {local} does not fit its field"));
                }
            }
            Op::MapLookup { map, key } => {
                if !matches!(self.syms.get(map.index()).map(|s| &s.kind), Some(SymKind::Map(_))) {
                    self.report(format!("{map} is no map"));
                }
                if f.ty(*key) == Ty::Ptr(Space::PacketEnd) {
                    self.report(format!("{key} points to no key"));
                }
            }
            Op::Call { callee, args } => self.call(*callee, args),
        }
    }

    fn call(&mut self, callee: Callee, args: &[Value]) {
        if args.len() > 5 {
            self.report(format!("a call with {} arguments", args.len()));
        }
        let kind = |s: &Self, sym: super::Sym| s.syms.get(sym.index()).map(|s| s.kind.clone());
        match callee {
            Callee::Helper(_) => {}
            Callee::Kfunc(sym) => {
                if kind(self, sym) != Some(SymKind::Kfunc) {
                    self.report(format!("{sym} is no kernel function"));
                }
            }
            Callee::Function(sym) => {
                if kind(self, sym) != Some(SymKind::Function) {
                    return self.report(format!("{sym} is no function"));
                }
                let takes = self.syms.get(sym.index()).and_then(|s| (self.arity)(&s.name));
                if let Some(n) = takes.filter(|n| *n != args.len()) {
                    self.report(format!("{sym} takes {n} arguments, not {}", args.len()));
                }
            }
        }
    }

    /// Rules 7 and 8.
    fn bin(&mut self, bin: BinOp, w: Width, a: Value, b: Value, result: Option<Ty>) {
        let f = self.f;
        let (x, y) = (f.ty(a), f.ty(b));
        let (Ty::Int, Ty::Int) = (x, y) else {
            if w != Width::W64 || !matches!(bin, BinOp::Add | BinOp::Sub) {
                return self.report(format!("`{bin}` of a pointer"));
            }
            let both = x != Ty::Int && y != Ty::Int;
            match (bin, both) {
                (BinOp::Add, true) => return self.report("adds two pointers"),
                (BinOp::Sub, false) if y != Ty::Int => return self.report("subtracts a pointer from a number"),
                _ => {}
            }
            let ptr = if x == Ty::Int { y } else { x };
            let wanted = if both { Ty::Int } else { ptr };
            if result != Some(wanted) {
                self.report(format!("the result is no {wanted}"));
            }
            return;
        };
        if result != Some(Ty::Int) {
            self.report("a pointer made of numbers");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    /// What is wrong with a body; block0 has v0:ptr(ctx), v1, v2:ptr(packet), v3:ptr(packet_end).
    fn wrong(body: &str) -> Vec<String> {
        let text = format!(
            "sym0 = map m type 1 key 4 value 8 entries 1\nsym1 = global g size 8 rw\nsym2 = func f\nsym3 = kfunc k\n\
             func f {{\n    slot0 = 16\nblock0(v0:ptr(ctx), v1, v2:ptr(packet), v3:ptr(packet_end)):\n{body}\n}}"
        );
        let m = parse(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
        match validate(&m.functions[0], &m) {
            Ok(()) => Vec::new(),
            Err(all) => all.into_iter().map(|v| v.what).collect(),
        }
    }

    #[test]
    fn each_rule_is_checked() {
        let cases = [
            ("jump block0(v0, v1, v2, v3)", "jumps to the entry block"),
            ("open", "the block has no end"),
            ("jump block7", "jumps to block7, which does not exist"),
            ("jump block1(v1)\nblock1:\nret v1", "block1 takes 0 arguments, not 1"),
            ("jump block1(v1)\nblock1(v9:ptr(packet)):\nret v1", "v1 is no ptr(packet) as v9 of block1 must be"),
            ("v9 = neg v8\nv8 = const 1\nret v9", "v8 is used where it is not defined"),
            (
                "br v1, block1, block2\nblock1:\nv9 = const 1\njump block2\nblock2:\nret v9",
                "v9 is used where it is not defined",
            ),
            ("ret v8", "v8 is used where it is not defined"),
            ("v9 = and.64 v2, v1\nret v9", "`and` of a pointer"),
            ("v9 = add.32 v2, v1\nret v1", "`add` of a pointer"),
            ("v9:ptr(packet) = add.64 v2, v2\nret v1", "adds two pointers"),
            ("v9 = add.64 v2, v1\nret v1", "the result is no ptr(packet)"),
            ("v9 = sub.64 v1, v2\nret v1", "subtracts a pointer from a number"),
            ("v9 = cmp.eq.32 v2, v1\nret v1", "v2 is a pointer, where only numbers can be"),
            ("v9 = zext.8 v2\nret v1", "v2 is a pointer, where only numbers can be"),
            ("v9 = inbounds v3+1, v2\nret v1", "compares what are no packet pointer and packet end"),
            ("v9 = load.u8 v3+0\nret v1", "v3 points to nothing that can be accessed"),
            ("v9:ptr(stack) = stackaddr slot0+17\nret v1", "byte 17 of a slot of 16"),
            ("v9:ptr(stack) = stackaddr slot0+12\nv8 = load.u32 v9+2\nret v1", "accesses bytes 14..18 of 16"),
            ("v9:ptr(global) = symaddr sym1+9\nret v1", "byte 9 of a global of 8"),
            ("v9:ptr(global) = symaddr sym1\nstore.u64 v9+4, v1\nret v1", "accesses bytes 4..12 of 8"),
            ("atomic.add.16 v2+0, v1\nret v1", "an atomic operation on less than 4 bytes"),
            ("atomic.xchg.32 v2+0, v1\nret v1", "an exchange that does not fetch"),
            ("v9 = lookup sym1, v2\nret v1", "sym1 is no map"),
            ("v9 = call sym0(v1)\nret v1", "sym0 is no function"),
            ("v9 = call kfunc sym2(v1)\nret v1", "sym2 is no kernel function"),
            ("v9 = call sym2(v1)\nret v1", "sym2 takes 4 arguments, not 1"),
            ("v9 = call helper1(v1, v1, v1, v1, v1, v1)\nret v1", "a call with 6 arguments"),
            ("v9 = coreload.u32 core0 v2+40000\nret v1", "the offset 40000 does not fit its field"),
            ("v9 = corevalue.32 core0 99999999999\nret v1", "the number 99999999999 does not fit its field"),
            ("v9 = store.u8 v2+0, v1\nret v1", "has a result it can't have"),
            ("const 1\nret v1", "has no result"),
            ("v9 = maygoto\nret v9", "a `maygoto` that is not the condition of its block's branch"),
            ("v9 = atomic.release.8.fetch v2+0, v1\nret v9", "a store that fetches"),
        ];
        for (body, what) in cases {
            assert_eq!(wrong(body), [what], "{body}");
        }
    }

    #[test]
    fn a_whole_function_passes() {
        let body = "v4:ptr(packet) = add.64 v2, v1\nv5 = sub.64 v3, v2\nv6 = inbounds v4+8, v3\n\
                    br v6, block1(v5), block2\nblock1(v7):\nv8 = add.64 v7, v5\nbr v8, block1(v8), block2\n\
                    block2:\nret v1\nblock3:\nv9 = neg v20\nopen";
        assert_eq!(wrong(body), [""; 0]);
    }
}
