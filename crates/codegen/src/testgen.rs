//! Random modules for tests, and a small world to run them in. Invariant: what is made is valid,
//! ends, reads no memory it has not written, and shows everything it computes: in its result, its
//! context, the packet, map values, and what it passes to helpers.

use crate::ir::interp::{Interp, Memory, Trap, World};
use crate::ir::{
    AtomicOp, BinOp, Block, Callee, Cc, CoreId, Function, FunctionBuilder, MapFacts, Module, Op, Size, Slot, Space,
    SrcLoc, Sym, SymKind, Ty, UnOp, Value, Variable, Width,
};

/// xorshift64*.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// A generator; the same for the same seed.
    pub fn new(seed: u64) -> Rng {
        Rng(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }
    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.number() >> 33) as usize % n.max(1)
    }
    /// One of several.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
    /// True that often.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
    /// A number at which things break.
    pub fn interesting(&mut self) -> i64 {
        const EDGES: [i64; 26] = [
            0,
            1,
            -1,
            2,
            7,
            8,
            15,
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
        ];
        match self.below(5) {
            0 => self.below(70) as i64 - 3,
            1 => self.number() as i64,
            2 => 1 << self.below(64),
            _ => self.pick(&EDGES),
        }
    }
}

const CTX: u64 = 0x1000;
const INPUTS: usize = 8;
const DATA: i32 = 64;
const DATA_END: i32 = 72;
const OUTPUTS: i32 = 80;
const MAX_VARS: usize = 8;
const PACKET: u64 = 0x2_0000;
const PACKET_SIZE: usize = 48;
const VALUES: u64 = 0x4_0000;
const VALUE_SIZE: u64 = 16;
const GLOBAL: u64 = 0x5_0000;

const KTIME: u32 = 5;
const ADJUST_HEAD: u32 = 44;
const PROBE_READ_KERNEL: u32 = 113;
const RINGBUF_OUTPUT: u32 = 130;

/// What a run shows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seen {
    result: u64,
    memory: Vec<Vec<u8>>,
    log: Vec<u64>,
}

struct TestWorld {
    log: Vec<u64>,
    state: u64,
}

impl World for TestWorld {
    fn call(&mut self, callee: Callee, args: &[u64], memory: &mut Memory) -> Result<u64, Trap> {
        match (callee, args) {
            (Callee::Helper(KTIME), []) => {
                self.state = self.state.wrapping_mul(6364136223846793005).wrapping_add(1);
                self.log.push(self.state);
                Ok(self.state)
            }
            (Callee::Helper(RINGBUF_OUTPUT), [_, at, size, flags]) => {
                let bytes = memory.bytes(*at, *size)?;
                self.log.extend(bytes.iter().map(|b| u64::from(*b)));
                self.log.push(*flags);
                Ok(0)
            }
            (Callee::Helper(PROBE_READ_KERNEL), [to, size, from]) => {
                for (n, b) in memory.bytes(*to, *size)?.iter_mut().enumerate() {
                    *b = from.wrapping_add(n as u64 * 37) as u8;
                }
                Ok(0)
            }
            (Callee::Helper(ADJUST_HEAD), [ctx, _]) => {
                let data = memory.load(ctx + DATA as u64, Size::B8)?;
                memory.store(ctx + DATA as u64, Size::B8, data + 2)?;
                let end = memory.load(ctx + DATA_END as u64, Size::B8)?;
                for b in memory.bytes(PACKET, PACKET_SIZE as u64)? {
                    *b = b.wrapping_add(3);
                }
                // Runs out after a while: there must be a packet left.
                if data + 8 > end {
                    memory.store(ctx + DATA as u64, Size::B8, PACKET)?;
                }
                Ok(0)
            }
            _ => Err(Trap::Missing(format!("{callee:?}"))),
        }
    }

    fn lookup(&mut self, _: Sym, key: u64, memory: &mut Memory) -> Result<u64, Trap> {
        let key = memory.load(key, Size::B4)?;
        Ok(if key & 4 != 0 { 0 } else { VALUES + (key & 3) * VALUE_SIZE })
    }

    fn symbol(&mut self, sym: Sym) -> u64 {
        GLOBAL + u64::from(sym.0) * 0x1000
    }
}

/// Runs the last function of a module on inputs made from a seed.
///
/// # Errors
/// As the interpreter says.
pub fn run(module: &Module, seed: u64) -> Result<Seen, Trap> {
    let mut rng = Rng::new(seed ^ 0x5555);
    let mut ctx = vec![0; OUTPUTS as usize + 8 * MAX_VARS];
    for n in 0..INPUTS {
        ctx[8 * n..8 * n + 8].copy_from_slice(&rng.interesting().to_le_bytes());
    }
    let len = rng.pick(&[0, 4, 14, 20, 34, 40, PACKET_SIZE as u64]);
    ctx[DATA as usize..DATA as usize + 8].copy_from_slice(&PACKET.to_le_bytes());
    ctx[DATA_END as usize..DATA_END as usize + 8].copy_from_slice(&(PACKET + len).to_le_bytes());
    let random = |rng: &mut Rng, n: u64| (0..n).map(|_| rng.number() as u8).collect::<Vec<u8>>();
    let mut memory = Memory::default();
    memory.add(CTX, ctx);
    memory.add(PACKET, random(&mut rng, PACKET_SIZE as u64));
    memory.add(VALUES, random(&mut rng, 4 * VALUE_SIZE));
    memory.add(GLOBAL + 0x1000, random(&mut rng, 16));
    let mut world = TestWorld { log: Vec::new(), state: seed };
    let mut interp = Interp::new(module, memory, &mut world, 20_000);
    let main = module.functions.last().ok_or_else(|| Trap::Missing("no function".into()))?;
    let result = interp.call(main, &[CTX])?;
    let piece = |at: u64| interp.memory.region(at).unwrap_or_default().to_vec();
    let memory = [CTX, PACKET, VALUES, GLOBAL + 0x1000].map(piece).into();
    Ok(Seen { result, memory, log: world.log })
}

struct Gen<'r> {
    rng: &'r mut Rng,
    b: FunctionBuilder,
    vars: Vec<Variable>,
    /// 16 bytes of numbers of all sizes; never passed to anything.
    scalars: Slot,
    /// Passed to helpers.
    record: Slot,
    /// Keys.
    key: Slot,
    packet: Option<(Value, Variable, Variable)>,
    callees: Vec<Sym>,
    recipes: Vec<(BinOp, Width, Variable, i64)>,
    budget: usize,
    loc: u32,
}

const SIZES: [Size; 4] = [Size::B1, Size::B2, Size::B4, Size::B8];
const BIN: [BinOp; 13] = [
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
];
const CC: [Cc; 11] = [Cc::Eq, Cc::Ne, Cc::Ult, Cc::Ule, Cc::Ugt, Cc::Uge, Cc::Slt, Cc::Sle, Cc::Sgt, Cc::Sge, Cc::Test];

/// A module whose last function, `main`, is the one to run.
pub fn module(seed: u64) -> Module {
    let rng = &mut Rng::new(seed);
    let mut m = Module::default();
    let facts = MapFacts { map_type: 1, key_size: 4, value_size: VALUE_SIZE as u32, max_entries: 8 };
    m.add_sym("map", SymKind::Map(facts));
    m.add_sym("global", SymKind::Global { size: 16, writable: true });
    let mut callees = Vec::new();
    for n in 0..rng.below(3) {
        let name = format!("sub{n}");
        let budget = if rng.chance(50) { 2 } else { 8 };
        let f = function(rng, &name, false, &callees, budget);
        callees.push(m.add_sym(name, SymKind::Function));
        m.functions.push(f);
    }
    let budget = 4 + rng.below(24);
    let main = function(rng, "main", true, &callees, budget);
    m.functions.push(main);
    m
}

fn function(rng: &mut Rng, name: &str, main: bool, callees: &[Sym], budget: usize) -> Function {
    let params: &[Ty] = if main { &[Ty::Ptr(Space::Ctx)] } else { &[Ty::Int, Ty::Int] };
    let (mut b, values) = FunctionBuilder::new(name, params);
    let (scalars, record, key) = (b.slot(16, Some("scalars".into())), b.slot(16, None), b.slot(4, None));
    let count = 2 + rng.below(MAX_VARS - 2);
    let mut vars = Vec::new();
    for n in 0..count {
        let v = b.declare_var(Ty::Int, Some(format!("x{n}").into()));
        let value = match main {
            true if rng.chance(80) => {
                let (size, signed) = (rng.pick(&SIZES), rng.chance(30));
                b.load(size, signed, values[0], 8 * rng.below(INPUTS) as i32)
            }
            false if n < 2 => values[n],
            _ => b.iconst(rng.interesting()),
        };
        b.def_var(v, value);
        vars.push(v);
    }
    for slot in [scalars, record] {
        for at in [0, 8] {
            let base = b.stack_addr(slot, 0);
            let v = b.iconst(rng.interesting());
            b.store(Size::B8, base, at, v);
        }
    }
    let packet = main.then(|| {
        let data = b.declare_var(Ty::Ptr(Space::Packet), Some("data".into()));
        let end = b.declare_var(Ty::Ptr(Space::PacketEnd), Some("end".into()));
        (values[0], data, end)
    });
    let mut g = Gen {
        rng,
        b,
        vars,
        scalars,
        record,
        key,
        packet,
        callees: callees.to_vec(),
        recipes: Vec::new(),
        budget,
        loc: 0,
    };
    g.read_packet();
    while g.budget > 0 {
        g.statement(0);
    }
    g.finish(main)
}

impl Gen<'_> {
    fn finish(mut self, main: bool) -> Function {
        if let (true, Some((ctx, ..))) = (main, self.packet) {
            for (n, v) in self.vars.clone().into_iter().enumerate() {
                let v = self.b.use_var(v);
                self.b.store(Size::B8, ctx, OUTPUTS + 8 * n as i32, v);
            }
        }
        let base = self.b.stack_addr(self.scalars, 0);
        let a = self.b.load(Size::B8, false, base, 0);
        let x = self.b.use_var(self.vars[0]);
        let r = self.b.bin(BinOp::Xor, Width::W64, a, x);
        self.b.ret(r);
        self.b.finish()
    }

    fn read_packet(&mut self) {
        if let Some((ctx, data, end)) = self.packet {
            let v = self.b.load_as(Ty::Ptr(Space::Packet), Size::B8, false, ctx, DATA);
            self.b.def_var(data, v);
            let v = self.b.load_as(Ty::Ptr(Space::PacketEnd), Size::B8, false, ctx, DATA_END);
            self.b.def_var(end, v);
        }
    }

    fn set(&mut self, value: Value) {
        let var = self.rng.pick(&self.vars);
        self.b.def_var(var, value);
    }

    fn var(&mut self) -> Value {
        let var = self.rng.pick(&self.vars);
        self.b.use_var(var)
    }

    fn operand(&mut self) -> Value {
        if self.rng.chance(35) {
            let n = self.rng.interesting();
            self.b.iconst(n)
        } else {
            self.var()
        }
    }

    fn width(&mut self) -> Width {
        self.rng.pick(&[Width::W32, Width::W64])
    }

    fn comparison(&mut self) -> Value {
        let (cc, w) = (self.rng.pick(&CC), self.width());
        let x = if self.rng.chance(30) { self.expression(1) } else { self.var() };
        let y = self.operand();
        self.b.ins(Op::Cmp(cc, w, x, y), Ty::Int)
    }

    fn expression(&mut self, depth: usize) -> Value {
        let operand = |g: &mut Self| if depth > 0 && g.rng.chance(50) { g.expression(depth - 1) } else { g.operand() };
        match self.rng.below(10) {
            0..=4 => {
                let (op, w) = (self.rng.pick(&BIN), self.width());
                let (x, y) = (operand(self), operand(self));
                self.b.bin(op, w, x, y)
            }
            5 | 6 => {
                let size = self.rng.pick(&[Size::B1, Size::B2, Size::B4]);
                let op = match self.rng.below(5) {
                    0 => UnOp::Neg,
                    1 | 2 => UnOp::Zext(size),
                    3 => UnOp::Sext(size),
                    _ => UnOp::Bswap(self.rng.pick(&[Size::B2, Size::B4, Size::B8])),
                };
                let x = operand(self);
                self.b.un(op, x)
            }
            7 => self.comparison(),
            8 if !self.recipes.is_empty() => {
                // The same again, for value numbering.
                let (op, w, var, n) = self.rng.pick(&self.recipes);
                let (x, n) = (self.b.use_var(var), self.b.iconst(n));
                self.b.bin(op, w, x, n)
            }
            _ => {
                let recipe = (self.rng.pick(&BIN), self.width(), self.rng.pick(&self.vars), self.rng.interesting());
                self.recipes.push(recipe);
                let (op, w, var, n) = recipe;
                let (x, n) = (self.b.use_var(var), self.b.iconst(n));
                self.b.bin(op, w, x, n)
            }
        }
    }

    fn block(&mut self) -> Block {
        self.b.create_block()
    }

    /// Does `then` where `cond` holds, and `els` elsewhere.
    fn branch(&mut self, cond: Value, then: impl FnOnce(&mut Self), els: impl FnOnce(&mut Self)) {
        let (t, e, join) = (self.block(), self.block(), self.block());
        self.b.branch(cond, t, e);
        self.b.seal(t);
        self.b.seal(e);
        self.b.switch_to(t);
        then(self);
        self.b.jump(join, &[]);
        self.b.switch_to(e);
        els(self);
        self.b.jump(join, &[]);
        self.b.seal(join);
        self.b.switch_to(join);
    }

    fn statements(&mut self, depth: usize, most: usize) {
        for _ in 0..self.rng.below(most + 1) {
            self.statement(depth);
        }
    }

    fn statement(&mut self, depth: usize) {
        self.budget = self.budget.saturating_sub(1);
        self.loc += 1;
        self.b.set_loc(SrcLoc(self.loc));
        match self.rng.below(28) {
            0..=6 => {
                let v = self.expression(2);
                self.set(v);
            }
            7 | 8 => self.scalar(),
            9 => self.record(),
            10 => self.call(),
            11 if depth < 3 => self.headers(depth),
            12 if depth < 3 => self.packet(depth),
            13 | 14 if depth < 3 => self.lookup(depth),
            15..=17 if depth < 3 => {
                let cond = if self.rng.chance(75) { self.comparison() } else { self.operand() };
                let one_sided = self.rng.chance(40);
                self.branch(
                    cond,
                    |g| g.statements(depth + 1, 3),
                    |g| {
                        if !one_sided {
                            g.statements(depth + 1, 2)
                        }
                    },
                );
            }
            18 if depth < 3 => self.truth(depth),
            19 if depth < 2 => self.repeat(depth),
            20 => self.global(),
            21 if self.packet.is_some() => {
                let (ctx, ..) = self.packet.unwrap_or((Value(0), self.vars[0], self.vars[0]));
                let size = self.rng.pick(&SIZES);
                let v = self.b.core_load(Ty::Int, CoreId(self.loc), size, ctx, 8 * self.rng.below(INPUTS) as i32);
                let v = if self.rng.chance(50) { self.b.un(UnOp::Zext(size), v) } else { v };
                self.set(v);
            }
            22 if depth > 0 && self.rng.chance(30) => {
                let v = self.operand();
                self.b.ret(v);
            }
            23 if self.packet.is_some() && self.rng.chance(40) => {
                let (ctx, ..) = self.packet.unwrap_or((Value(0), self.vars[0], self.vars[0]));
                let zero = self.b.iconst(0);
                self.b.call(Callee::Helper(ADJUST_HEAD), &[ctx, zero], Ty::Int);
                self.read_packet();
            }
            24 | 25 if depth < 3 => self.alike(depth),
            _ => {
                // A variable kept small, as an index would be.
                let (v, n) = (self.var(), self.b.iconst(15));
                let v = self.b.bin(BinOp::And, Width::W64, v, n);
                self.set(v);
            }
        }
    }

    /// Stack memory that could be registers.
    fn scalar(&mut self) {
        let size = self.rng.pick(&SIZES);
        // Mostly in pieces that fit together; sometimes across them.
        let off = if self.rng.chance(90) { self.rng.below(2) as i32 * 8 } else { self.rng.below(9) as i32 };
        let base = self.b.stack_addr(self.scalars, 0);
        let base = if self.rng.chance(30) {
            let n = self.b.iconst(i64::from(off));
            self.b.bin(BinOp::Add, Width::W64, base, n)
        } else {
            self.b.stack_addr(self.scalars, off)
        };
        if self.rng.chance(50) {
            let v = self.expression(1);
            self.b.store(size, base, 0, v);
        } else {
            let v = self.b.load(size, self.rng.chance(40), base, 0);
            self.set(v);
        }
    }

    fn record(&mut self) {
        let base = self.b.stack_addr(self.record, 0);
        match self.rng.below(5) {
            0 | 1 => {
                let size = self.rng.pick(&SIZES);
                let v = self.operand();
                self.b.store(size, base, self.rng.below(9) as i32, v);
            }
            2 => {
                let map = self.b.sym_addr(Sym(0), 0, Ty::Ptr(Space::Map));
                let (n, flags) = (self.b.iconst(16), self.operand());
                self.b.call(Callee::Helper(RINGBUF_OUTPUT), &[map, base, n, flags], Ty::Int);
            }
            3 => {
                let (n, from) = (self.b.iconst(8), self.operand());
                self.b.call(Callee::Helper(PROBE_READ_KERNEL), &[base, n, from], Ty::Int);
            }
            _ => {
                let v = self.b.load(self.rng.pick(&SIZES), false, base, self.rng.below(9) as i32);
                self.set(v);
            }
        }
    }

    fn call(&mut self) {
        if self.callees.is_empty() || self.rng.chance(30) {
            let v = self.b.call(Callee::Helper(KTIME), &[], Ty::Int);
            return self.set(v);
        }
        let f = self.rng.pick(&self.callees);
        let args = [self.operand(), self.operand()];
        let v = self.b.call(Callee::Function(f), &args, Ty::Int);
        self.set(v);
    }

    fn global(&mut self) {
        let base = self.b.sym_addr(Sym(1), 8 * self.rng.below(2) as i32, Ty::Ptr(Space::Global));
        let size = self.rng.pick(&SIZES);
        match self.rng.below(3) {
            0 => {
                let v = self.b.load(size, self.rng.chance(30), base, 0);
                self.set(v);
            }
            1 => {
                let v = self.operand();
                self.b.store(size, base, 0, v);
            }
            _ => {
                let v = self.operand();
                let op = self.rng.pick(&[AtomicOp::Add, AtomicOp::And, AtomicOp::Or, AtomicOp::Xor, AtomicOp::Xchg]);
                let fetch = op == AtomicOp::Xchg || self.rng.chance(50);
                if let Some(old) = self.b.atomic(op, self.rng.pick(&[Size::B4, Size::B8]), fetch, base, 0, v) {
                    self.set(old);
                }
            }
        }
    }

    fn packet(&mut self, depth: usize) {
        let Some((_, data, end)) = self.packet else { return };
        let (p, end) = (self.b.use_var(data), self.b.use_var(end));
        let p = match self.rng.below(3) {
            0 => p,
            1 => {
                let n = self.b.iconst(self.rng.pick(&[2, 4, 14]));
                self.b.bin(BinOp::Add, Width::W64, p, n)
            }
            _ => {
                let (v, mask) = (self.var(), self.b.iconst(15));
                let small = self.b.bin(BinOp::And, Width::W64, v, mask);
                self.b.bin(BinOp::Add, Width::W64, p, small)
            }
        };
        let len = self.rng.pick(&[1, 4, 8, 14, 20]);
        let cond = self.b.ins(Op::InBounds { ptr: p, len, end }, Ty::Int);
        self.branch(
            cond,
            |g| {
                for _ in 0..1 + g.rng.below(3) {
                    let size = g.rng.pick(&SIZES);
                    if size.bytes() as i32 > len {
                        continue;
                    }
                    let off = g.rng.below((len - size.bytes() as i32 + 1) as usize) as i32;
                    if g.rng.chance(65) {
                        let v = g.b.load(size, g.rng.chance(30), p, off);
                        g.set(v);
                    } else {
                        let v = g.operand();
                        g.b.store(size, p, off, v);
                    }
                }
                // Checked again, or further.
                if g.rng.chance(50) {
                    let again = g.rng.pick(&[1, 4, 8, 14, 20, 28]);
                    let cond = g.b.ins(Op::InBounds { ptr: p, len: again, end }, Ty::Int);
                    g.branch(
                        cond,
                        |g| {
                            let v = g.b.load(Size::B1, false, p, again - 1);
                            g.set(v);
                        },
                        |g| g.statements(depth + 1, 1),
                    );
                }
                g.statements(depth + 1, 2);
            },
            |g| g.statements(depth + 1, 1),
        );
    }

    /// Headers one after the other, all failures in one place.
    fn headers(&mut self, depth: usize) {
        let Some((_, data, end)) = self.packet else { return };
        let (mut p, end) = (self.b.use_var(data), self.b.use_var(end));
        let (fail, join) = (self.block(), self.block());
        for _ in 0..2 + self.rng.below(2) {
            let len = self.rng.pick(&[4, 8, 14]);
            let ok = self.b.ins(Op::InBounds { ptr: p, len, end }, Ty::Int);
            let next = self.block();
            self.b.branch(ok, next, fail);
            self.b.seal(next);
            self.b.switch_to(next);
            let v = self.b.load(self.rng.pick(&SIZES[..3]), false, p, self.rng.below(len as usize - 3) as i32);
            if self.rng.chance(20) {
                self.set(v);
            }
            if self.rng.chance(60) {
                let (cc, n) = (self.rng.pick(&CC), self.b.iconst(self.rng.interesting()));
                let cond = self.b.cmp(cc, v, n);
                let next = self.block();
                self.b.branch(cond, next, fail);
                self.b.seal(next);
                self.b.switch_to(next);
            }
            if self.rng.chance(15) {
                self.global();
            }
            let n = self.b.iconst(i64::from(len));
            p = self.b.bin(BinOp::Add, Width::W64, p, n);
        }
        self.statements(depth + 1, 2);
        self.b.jump(join, &[]);
        self.b.seal(fail);
        self.b.switch_to(fail);
        self.statements(depth + 1, 1);
        self.b.jump(join, &[]);
        self.b.seal(join);
        self.b.switch_to(join);
    }

    fn lookup(&mut self, depth: usize) {
        let (v, base) = (self.operand(), self.b.stack_addr(self.key, 0));
        self.b.store(Size::B4, base, 0, v);
        let p = self.b.ins(Op::MapLookup { map: Sym(0), key: base }, Ty::Ptr(Space::MapValue));
        let null = self.b.iconst(0);
        let (ne, by_itself) = (self.rng.chance(50), self.rng.chance(30));
        let cond = if by_itself { p } else { self.b.cmp(if ne { Cc::Ne } else { Cc::Eq }, p, null) };
        let found = |g: &mut Self| {
            for _ in 0..1 + g.rng.below(3) {
                let (size, off) = (g.rng.pick(&SIZES), g.rng.below(9) as i32);
                match g.rng.below(4) {
                    0 => {
                        let v = g.operand();
                        g.b.store(size, p, off, v);
                    }
                    1 => {
                        let v = g.operand();
                        g.b.atomic(AtomicOp::Add, Size::B8, false, p, 8, v);
                    }
                    _ => {
                        let v = g.b.load(size, g.rng.chance(30), p, off);
                        g.set(v);
                    }
                }
            }
            g.statements(depth + 1, 2);
            if g.rng.chance(50) {
                let null = g.b.iconst(0);
                let again = g.b.cmp(Cc::Ne, p, null);
                g.branch(
                    again,
                    |g| {
                        let v = g.b.load(Size::B4, false, p, 0);
                        g.set(v);
                    },
                    |_| {},
                );
            }
        };
        if ne || by_itself {
            self.branch(cond, found, |g| g.statements(depth + 1, 1));
        } else {
            self.branch(cond, |g| g.statements(depth + 1, 1), found);
        }
    }

    /// Conditions as values: 0 or 1 from branches, joined by `and` or `or`, then tested.
    fn truth(&mut self, depth: usize) {
        let var = self.rng.pick(&self.vars);
        let cond = self.comparison();
        let (yes, no) = if self.rng.chance(70) { (1, 0) } else { (0, 1) };
        let nested = self.rng.chance(50);
        self.branch(
            cond,
            |g| {
                let v = if nested { g.comparison() } else { g.b.iconst(yes) };
                g.b.def_var(var, v);
            },
            |g| {
                let v = g.b.iconst(no);
                g.b.def_var(var, v);
            },
        );
        if self.rng.chance(60) {
            let v = self.b.use_var(var);
            self.branch(v, |g| g.statements(depth + 1, 2), |g| g.statements(depth + 1, 2));
        }
    }

    /// Ways that end by the same steps, done on other operands, as macros make them.
    fn alike(&mut self, depth: usize) {
        let steps = self.rng.number();
        let cond = self.comparison();
        let twice = self.rng.chance(40);
        self.branch(
            cond,
            |g| {
                g.statements(depth + 1, 1);
                g.steps(steps);
            },
            |g| {
                if twice {
                    let cond = g.comparison();
                    g.branch(cond, |g| g.steps(steps), |g| g.steps(steps));
                } else {
                    g.statements(depth + 1, 1);
                    g.steps(steps);
                }
            },
        );
    }

    /// The steps of that number; operands and memory are chosen anew each time.
    fn steps(&mut self, number: u64) {
        let mut which = Rng::new(number);
        for _ in 0..1 + which.below(3) {
            let (op, size, off) = (which.pick(&BIN), which.pick(&SIZES), which.below(9) as i32);
            match which.below(4) {
                0 => {
                    let (a, b) = (self.operand(), self.operand());
                    let v = self.b.bin(op, Width::W64, a, b);
                    let base = self.b.stack_addr(self.record, 0);
                    self.b.store(size, base, off, v);
                }
                1 => {
                    let base = self.b.stack_addr(self.record, 0);
                    let v = self.b.load(size, false, base, off);
                    let v = self.b.bin(op, Width::W32, v, v);
                    self.b.def_var(self.vars[0], v);
                }
                _ => {
                    let key = self.b.slot(4, None);
                    let (v, base) = (self.operand(), self.b.stack_addr(key, 0));
                    self.b.store(Size::B4, base, 0, v);
                    let p = self.b.ins(Op::MapLookup { map: Sym(0), key: base }, Ty::Ptr(Space::MapValue));
                    let n = self.operand();
                    self.branch(
                        p,
                        |g| {
                            let v = g.b.load(Size::B8, false, p, 0);
                            let v = g.b.bin(BinOp::Add, Width::W64, v, n);
                            g.b.store(Size::B8, p, 0, v);
                        },
                        |_| {},
                    );
                }
            }
        }
    }

    fn repeat(&mut self, depth: usize) {
        let i = self.b.declare_var(Ty::Int, Some("i".into()));
        let zero = self.b.iconst(0);
        self.b.def_var(i, zero);
        let times = self.rng.below(5) as i64;
        let (head, body, exit) = (self.block(), self.block(), self.block());
        self.b.jump(head, &[]);
        self.b.switch_to(head);
        let (now, n) = (self.b.use_var(i), self.b.iconst(times));
        let more = self.b.cmp(Cc::Ult, now, n);
        self.b.branch(more, body, exit);
        self.b.seal(body);
        self.b.seal(exit);
        self.b.switch_to(body);
        self.statements(depth + 1, 4);
        let (now, one) = (self.b.use_var(i), self.b.iconst(1));
        let next = self.b.bin(BinOp::Add, Width::W64, now, one);
        self.b.def_var(i, next);
        self.b.jump(head, &[]);
        self.b.seal(head);
        self.b.switch_to(exit);
    }
}
