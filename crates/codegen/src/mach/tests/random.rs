//! Random functions: many variables live at once over calls, branches, loops; every width; divisions;
//! stack memory and atomics. A function takes a pointer to its context: 8 numbers in, variables out.

use crate::ir::{
    AtomicOp, BinOp, Callee, Cc, FunctionBuilder, Module, Size, Slot, Space, SymKind, Ty, UnOp, Value, Variable, Width,
};

/// xorshift64*.
pub(crate) struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() >> 33) as usize % n
    }
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
    pub fn interesting(&mut self) -> i64 {
        match self.below(4) {
            0 => self.below(70) as i64 - 3,
            1 => self.next() as i64,
            _ => self.pick(&[
                0,
                1,
                -1,
                2,
                7,
                31,
                32,
                33,
                63,
                64,
                255,
                256,
                65535,
                0x7fff_ffff,
                0x8000_0000,
                -0x8000_0000,
                0xffff_ffff,
                0xffff_fffe,
                0x1_0000_0000,
                i64::MIN,
                i64::MAX,
                -2,
                -128,
                0xffff_0000,
            ]),
        }
    }
}

pub(crate) const INPUTS: usize = 8;
pub(crate) const MAX_VARS: usize = 14;
/// Bytes of the context: the inputs, then the outputs.
pub(crate) const CTX: usize = (INPUTS + MAX_VARS + 4) * 8;
const SLOT_WORDS: i32 = 4;

struct Gen<'r> {
    rng: &'r mut Rng,
    b: FunctionBuilder,
    vars: Vec<Variable>,
    slot: Slot,
    other: Slot,
    atomics: bool,
    callee: Option<crate::ir::Sym>,
    budget: usize,
}

/// A module whose last function, `main`, is the one to run.
pub(crate) fn module(rng: &mut Rng, atomics: bool) -> Module {
    let mut m = Module::default();
    let callee = rng.chance(40).then(|| {
        let sym = m.add_sym("sub", SymKind::Function);
        let f = sub(rng);
        m.functions.push(f);
        sym
    });
    let (mut b, params) = FunctionBuilder::new("main", &[Ty::Ptr(Space::Ctx)]);
    let ctx = params[0];
    let slot = b.slot(SLOT_WORDS as u32 * 8, None);
    let other = b.slot(8, None);
    let count = 2 + rng.below(MAX_VARS - 1);
    let mut vars = Vec::new();
    for n in 0..count {
        let v = b.declare_var(Ty::Int, Some(format!("x{n}").into()));
        let value = if rng.chance(80) {
            let size = rng.pick(&[Size::B8, Size::B8, Size::B4, Size::B2, Size::B1]);
            // Syscall contexts are read in any size, but aligned.
            b.load(size, rng.chance(30), ctx, 8 * rng.below(INPUTS) as i32)
        } else {
            b.iconst(rng.interesting())
        };
        b.def_var(v, value);
        vars.push(v);
    }
    for w in 0..SLOT_WORDS {
        let base = b.stack_addr(slot, 0);
        let v = b.load(Size::B8, false, ctx, 8 * rng.below(INPUTS) as i32);
        b.store(Size::B8, base, 8 * w, v);
    }
    let budget = 5 + rng.below(40);
    let mut g = Gen { rng, b, vars, slot, other, atomics, callee, budget };
    while g.budget > 0 {
        g.statement(0);
    }
    let Gen { mut b, vars, .. } = g;
    for (n, v) in vars.iter().enumerate() {
        let v = b.use_var(*v);
        b.store(Size::B8, ctx, 8 * (INPUTS + n) as i32, v);
    }
    for w in 0..SLOT_WORDS {
        let base = b.stack_addr(slot, 8 * w);
        let v = b.load(Size::B8, false, base, 0);
        b.store(Size::B8, ctx, 8 * (INPUTS as i32 + MAX_VARS as i32 + w), v);
    }
    let r = b.use_var(vars[0]);
    b.ret(r);
    m.functions.push(b.finish());
    m
}

/// A function of three numbers.
fn sub(rng: &mut Rng) -> crate::ir::Function {
    let (mut b, p) = FunctionBuilder::new("sub", &[Ty::Int, Ty::Int, Ty::Int]);
    let slot = b.slot(8, None);
    let other = b.slot(8, None);
    let base = b.stack_addr(slot, 0);
    b.store(Size::B8, base, 0, p[0]);
    let vars: Vec<Variable> = p
        .iter()
        .map(|v| {
            let var = b.declare_var(Ty::Int, None);
            b.def_var(var, *v);
            var
        })
        .collect();
    let mut g = Gen { rng, b, vars, slot, other, atomics: false, callee: None, budget: 6 };
    while g.budget > 0 {
        g.compute();
        g.budget -= 1;
    }
    let Gen { mut b, vars, .. } = g;
    let (x, y) = (b.use_var(vars[0]), b.use_var(vars[1]));
    let r = b.bin(BinOp::Xor, Width::W64, x, y);
    b.ret(r);
    b.finish()
}

impl Gen<'_> {
    fn operand(&mut self) -> Value {
        if self.rng.chance(30) {
            let n = self.rng.interesting();
            self.b.iconst(n)
        } else {
            let v = self.rng.pick(&self.vars);
            self.b.use_var(v)
        }
    }

    fn width(&mut self) -> Width {
        self.rng.pick(&[Width::W32, Width::W64])
    }

    fn comparison(&mut self) -> Value {
        let cc = self.rng.pick(&[
            Cc::Eq,
            Cc::Ne,
            Cc::Ult,
            Cc::Ule,
            Cc::Ugt,
            Cc::Uge,
            Cc::Slt,
            Cc::Sle,
            Cc::Sgt,
            Cc::Sge,
            Cc::Test,
        ]);
        let (w, x, y) = (self.width(), self.operand(), self.operand());
        self.b.ins(crate::ir::Op::Cmp(cc, w, x, y), Ty::Int)
    }

    fn expression(&mut self) -> Value {
        match self.rng.below(10) {
            0..=5 => {
                let op = self.rng.pick(&[
                    BinOp::Add,
                    BinOp::Sub,
                    BinOp::Mul,
                    BinOp::UDiv,
                    BinOp::SDiv,
                    BinOp::UMod,
                    BinOp::SMod,
                    BinOp::And,
                    BinOp::Or,
                    BinOp::Xor,
                    BinOp::Shl,
                    BinOp::LShr,
                    BinOp::AShr,
                ]);
                let (w, x, y) = (self.width(), self.operand(), self.operand());
                self.b.bin(op, w, x, y)
            }
            6 | 7 => {
                let sizes = [Size::B1, Size::B2, Size::B4];
                let op = match self.rng.below(4) {
                    0 => UnOp::Neg,
                    1 => UnOp::Zext(self.rng.pick(&sizes)),
                    2 => UnOp::Sext(self.rng.pick(&sizes)),
                    _ => UnOp::Bswap(self.rng.pick(&[Size::B2, Size::B4, Size::B8])),
                };
                let x = self.operand();
                self.b.un(op, x)
            }
            8 => self.comparison(),
            _ => self.operand(),
        }
    }

    fn compute(&mut self) {
        let v = self.expression();
        let var = self.rng.pick(&self.vars);
        self.b.def_var(var, v);
    }

    fn memory(&mut self) {
        let size = self.rng.pick(&[Size::B1, Size::B2, Size::B4, Size::B8]);
        let words = SLOT_WORDS;
        let off = size.bytes() as i32 * self.rng.below(8 * words as usize / size.bytes() as usize) as i32;
        let base = self.b.stack_addr(self.slot, 0);
        if self.rng.chance(50) {
            let v = self.operand();
            self.b.store(size, base, off, v);
        } else {
            let signed = self.rng.chance(50);
            let v = self.b.load(size, signed, base, off);
            let var = self.rng.pick(&self.vars);
            self.b.def_var(var, v);
        }
    }

    fn atomic(&mut self) {
        let size = self.rng.pick(&[Size::B4, Size::B8]);
        let off = 8 * self.rng.below(SLOT_WORDS as usize) as i32;
        let base = self.b.stack_addr(self.slot, 0);
        let value = self.operand();
        if !self.atomics {
            self.b.atomic(AtomicOp::Add, size, false, base, off, value);
            return;
        }
        let var = self.rng.pick(&self.vars);
        if self.rng.chance(30) {
            let expected = if self.rng.chance(50) { self.b.load(size, false, base, off) } else { self.operand() };
            let old = self.b.ins(crate::ir::Op::CmpXchg { size, base, off, expected, new: value }, Ty::Int);
            self.b.def_var(var, old);
            return;
        }
        let op = self.rng.pick(&[AtomicOp::Add, AtomicOp::And, AtomicOp::Or, AtomicOp::Xor, AtomicOp::Xchg]);
        let fetch = op == AtomicOp::Xchg || self.rng.chance(50);
        if let Some(old) = self.b.atomic(op, size, fetch, base, off, value)
            && self.rng.chance(70)
        {
            self.b.def_var(var, old);
        }
    }

    fn call(&mut self) {
        if let (Some(f), true) = (self.callee, self.rng.chance(50)) {
            let args = [self.operand(), self.operand(), self.operand()];
            let r = self.b.call(Callee::Function(f), &args, Ty::Int);
            let var = self.rng.pick(&self.vars);
            self.b.def_var(var, r);
            return;
        }
        // bpf_probe_read_kernel(to, 8, from): a copy through the kernel.
        let from = self.b.stack_addr(self.other, 0);
        let v = self.operand();
        self.b.store(Size::B8, from, 0, v);
        let to = self.b.stack_addr(self.slot, 8);
        let n = self.b.iconst(8);
        self.b.call(Callee::Helper(113), &[to, n, from], Ty::Int);
    }

    fn statement(&mut self, depth: usize) {
        self.budget = self.budget.saturating_sub(1);
        match self.rng.below(20) {
            0..=9 => self.compute(),
            10 | 11 => self.memory(),
            12 => self.atomic(),
            13 | 14 => self.call(),
            15..=17 if depth < 3 => {
                let cond = if self.rng.chance(80) { self.comparison() } else { self.operand() };
                let (then, els, join) = (self.b.create_block(), self.b.create_block(), self.b.create_block());
                let one_sided = self.rng.chance(40);
                self.b.branch(cond, then, if one_sided { join } else { els });
                self.b.seal(then);
                self.b.seal(els);
                self.b.switch_to(then);
                for _ in 0..1 + self.rng.below(3) {
                    self.statement(depth + 1);
                }
                self.b.jump(join, &[]);
                if !one_sided {
                    self.b.switch_to(els);
                    for _ in 0..1 + self.rng.below(2) {
                        self.statement(depth + 1);
                    }
                    self.b.jump(join, &[]);
                }
                self.b.seal(join);
                self.b.switch_to(join);
            }
            18 if depth < 2 => {
                let i = self.b.declare_var(Ty::Int, Some("i".into()));
                let zero = self.b.iconst(0);
                self.b.def_var(i, zero);
                let times = 1 + self.rng.below(4) as i64;
                let (head, body, exit) = (self.b.create_block(), self.b.create_block(), self.b.create_block());
                self.b.jump(head, &[]);
                self.b.switch_to(head);
                let (now, n) = (self.b.use_var(i), self.b.iconst(times));
                let more = self.b.cmp(Cc::Ult, now, n);
                self.b.branch(more, body, exit);
                self.b.seal(body);
                self.b.seal(exit);
                self.b.switch_to(body);
                for _ in 0..1 + self.rng.below(3) {
                    self.statement(depth + 1);
                }
                let (now, one) = (self.b.use_var(i), self.b.iconst(1));
                let next = self.b.bin(BinOp::Add, Width::W64, now, one);
                self.b.def_var(i, next);
                self.b.jump(head, &[]);
                self.b.seal(head);
                self.b.switch_to(exit);
            }
            _ => self.compute(),
        }
    }
}
