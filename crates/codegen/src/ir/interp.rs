//! The IR run directly: the judge of what passes do. Invariant: every operation does what the
//! words of `op.rs` say, by arithmetic of its own that shares nothing with the passes; every access
//! is checked, nothing panics on a valid function.
//!
//! Where the IR promises nothing, the interpreter is nasty on purpose: fresh stack memory is not
//! zero, and what a CO-RE load leaves above its local size is not either.

use super::{AtomicOp, BinOp, Callee, Cc, Function, Module, Op, Size, Slot, Sym, Terminator, UnOp, Value, Width};

/// Why a run ended without a result.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Trap {
    /// An access to bytes that are nobody's.
    #[error("{size} bytes at {at:#x} are nobody's")]
    Access {
        /// Address.
        at: u64,
        /// Bytes.
        size: u64,
    },
    /// More steps than were allowed.
    #[error("it does not end")]
    Steps,
    /// Functions calling each other too deeply.
    #[error("calls too deep")]
    Depth,
    /// Something the IR or the world does not have.
    #[error("{0}")]
    Missing(String),
}

/// Memory: pieces by address.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Memory {
    regions: Vec<(u64, Vec<u8>)>,
}

impl Memory {
    /// Adds a piece.
    pub fn add(&mut self, at: u64, bytes: Vec<u8>) {
        self.regions.push((at, bytes));
    }

    /// The bytes of the piece that begins there.
    pub fn region(&self, at: u64) -> Option<&[u8]> {
        self.regions.iter().find(|(start, _)| *start == at).map(|(_, b)| b.as_slice())
    }

    /// Bytes at an address.
    ///
    /// # Errors
    /// When they are not all of one piece.
    pub fn bytes(&mut self, at: u64, size: u64) -> Result<&mut [u8], Trap> {
        for (start, bytes) in &mut self.regions {
            let Some(from) = at.checked_sub(*start) else { continue };
            if from.checked_add(size).is_some_and(|end| end <= bytes.len() as u64) {
                return Ok(&mut bytes[from as usize..(from + size) as usize]);
            }
        }
        Err(Trap::Access { at, size })
    }

    /// Reads a number, zeros above it.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes).
    pub fn load(&mut self, at: u64, size: Size) -> Result<u64, Trap> {
        let bytes = self.bytes(at, u64::from(size.bytes()))?;
        Ok(bytes.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b)))
    }

    /// Writes the low bytes of a number.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes).
    pub fn store(&mut self, at: u64, size: Size, value: u64) -> Result<(), Trap> {
        let bytes = self.bytes(at, u64::from(size.bytes()))?;
        for (to, from) in bytes.iter_mut().zip(value.to_le_bytes()) {
            *to = from;
        }
        Ok(())
    }
}

/// What lies outside the module.
pub trait World {
    /// Calls a helper or kernel function.
    ///
    /// # Errors
    /// When there is none such, or its arguments are wrong.
    fn call(&mut self, callee: Callee, args: &[u64], memory: &mut Memory) -> Result<u64, Trap>;

    /// Looks up a key; 0 for null.
    ///
    /// # Errors
    /// As for [`call`](Self::call).
    fn lookup(&mut self, map: Sym, key: u64, memory: &mut Memory) -> Result<u64, Trap>;

    /// The address of a symbol.
    fn symbol(&mut self, sym: Sym) -> u64;
}

/// A run.
pub struct Interp<'a> {
    /// Where called functions are.
    pub module: &'a Module,
    /// Memory.
    pub memory: Memory,
    /// The rest.
    pub world: &'a mut dyn World,
    /// Instructions that may still be run.
    pub steps: u64,
    depth: u32,
}

impl std::fmt::Debug for Interp<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Interp").field("memory", &self.memory).field("steps", &self.steps).finish_non_exhaustive()
    }
}

const FRAMES: u64 = 0x7000_0000_0000;
const FRAME: u64 = 0x10_0000;
const MAX_DEPTH: u32 = 8;
/// What fresh stack memory holds.
const FRESH: u8 = 0xa5;

impl<'a> Interp<'a> {
    /// A run with that memory.
    pub fn new(module: &'a Module, memory: Memory, world: &'a mut dyn World, steps: u64) -> Interp<'a> {
        Interp { module, memory, world, steps, depth: 0 }
    }

    /// Runs a function.
    ///
    /// # Errors
    /// When it does something it must not, or takes too long.
    pub fn call(&mut self, f: &Function, args: &[u64]) -> Result<u64, Trap> {
        if self.depth >= MAX_DEPTH {
            return Err(Trap::Depth);
        }
        let pieces = self.memory.regions.len();
        let mut slots = Vec::with_capacity(f.slots.len());
        let mut at = FRAMES + u64::from(self.depth) * FRAME;
        for s in &f.slots {
            slots.push(at);
            self.memory.add(at, vec![FRESH; s.size as usize]);
            // A gap, so that running over the end is noticed.
            at += u64::from(s.size).next_multiple_of(8) + 64;
        }
        self.depth += 1;
        let result = self.blocks(f, args, &slots);
        self.depth -= 1;
        self.memory.regions.truncate(pieces);
        result
    }

    fn blocks(&mut self, f: &Function, args: &[u64], slots: &[u64]) -> Result<u64, Trap> {
        let mut values = vec![0u64; f.values.len()];
        let mut args: Vec<u64> = args.to_vec();
        let mut block = f.blocks.first().ok_or_else(|| Trap::Missing("no block".into()))?;
        loop {
            for (p, a) in block.params.iter().zip(&args) {
                values[p.index()] = *a;
            }
            for i in &block.insts {
                self.step()?;
                let inst = &f.insts[i.index()];
                let r = self.inst(&inst.op, &values, slots)?;
                if let Some(v) = inst.result {
                    values[v.index()] = r;
                }
            }
            self.step()?;
            let target = match &block.term {
                Terminator::Open => return Err(Trap::Missing("a block has no end".into())),
                Terminator::Return(v) => return Ok(values[v.index()]),
                Terminator::Jump(t) => t,
                Terminator::Branch { cond, then, els } => {
                    if values[cond.index()] != 0 {
                        then
                    } else {
                        els
                    }
                }
            };
            args.clear();
            args.extend(target.args.iter().map(|v| values[v.index()]));
            block = &f.blocks[target.block.index()];
        }
    }

    fn step(&mut self) -> Result<(), Trap> {
        self.steps = self.steps.checked_sub(1).ok_or(Trap::Steps)?;
        Ok(())
    }

    fn inst(&mut self, op: &Op, values: &[u64], slots: &[u64]) -> Result<u64, Trap> {
        let get = |v: &Value| values[v.index()];
        let at = |base: &Value, off: &i32| get(base).wrapping_add(i64::from(*off) as u64);
        Ok(match op {
            Op::Const(n) => *n as u64,
            Op::Bin(op, w, a, b) => bin(*op, *w, get(a), get(b)),
            Op::Un(op, a) => un(*op, get(a)),
            Op::Cmp(cc, w, a, b) => u64::from(compare(*cc, *w, get(a), get(b))),
            Op::InBounds { ptr, len, end } => {
                u64::from(i128::from(get(ptr)) + i128::from(*len) <= i128::from(get(end)))
            }
            Op::StackAddr(Slot(n), off) => slots[*n as usize].wrapping_add(i64::from(*off) as u64),
            Op::SymAddr(sym, off) => self.world.symbol(*sym).wrapping_add(i64::from(*off) as u64),
            Op::Load { size, signed, base, off } => {
                let n = self.memory.load(at(base, off), *size)?;
                if *signed { sign(n, size.bits()) as u64 } else { n }
            }
            Op::Store { size, base, off, value } | Op::CoreStore { size, base, off, value, .. } => {
                self.memory.store(at(base, off), *size, get(value))?;
                0
            }
            Op::Atomic { op, size, fetch: _, base, off, value } => {
                let (at, x) = (at(base, off), get(value));
                let old = self.memory.load(at, *size)?;
                let new = match op {
                    AtomicOp::Add => old.wrapping_add(x),
                    AtomicOp::And => old & x,
                    AtomicOp::Or => old | x,
                    AtomicOp::Xor => old ^ x,
                    AtomicOp::Xchg | AtomicOp::StoreRelease => x,
                    AtomicOp::LoadAcquire => old,
                };
                self.memory.store(at, *size, new)?;
                old
            }
            Op::CmpXchg { size, base, off, expected, new } => {
                let at = at(base, off);
                let old = self.memory.load(at, *size)?;
                if old == low(get(expected), size.bits()) {
                    self.memory.store(at, *size, get(new))?;
                }
                old
            }
            Op::CoreLoad { size, base, off, .. } => {
                let n = self.memory.load(at(base, off), *size)?;
                // The running kernel's field may be wider.
                if *size == Size::B8 { n } else { n | 0xdead_beef_dead_beef << size.bits() }
            }
            Op::CoreValue { local, .. } => *local as u64,
            Op::MayGoto => 1,
            Op::MapLookup { map, key } => self.world.lookup(*map, get(key), &mut self.memory)?,
            Op::Call { callee, args } => {
                let args: Vec<u64> = args.iter().map(get).collect();
                match callee {
                    Callee::Function(s) => {
                        let f = self.module.function(*s).ok_or_else(|| Trap::Missing(format!("{s}")))?;
                        self.call(f, &args)?
                    }
                    Callee::Helper(_) | Callee::Kfunc(_) => self.world.call(*callee, &args, &mut self.memory)?,
                }
            }
        })
    }
}

fn low(n: u64, bits: u32) -> u64 {
    (u128::from(n) % (1u128 << bits)) as u64
}

/// The low bits as a signed number.
fn sign(n: u64, bits: u32) -> i64 {
    let n = i128::from(low(n, bits));
    (if n >= 1 << (bits - 1) { n - (1 << bits) } else { n }) as i64
}

fn bin(op: BinOp, w: Width, a: u64, b: u64) -> u64 {
    let bits = if w == Width::W32 { 32 } else { 64 };
    let (a, b) = (low(a, bits), low(b, bits));
    let (sa, sb) = (i128::from(sign(a, bits)), i128::from(sign(b, bits)));
    let (ua, ub) = (u128::from(a), u128::from(b));
    let count = ub % u128::from(bits);
    // Every result is cut to the width, so that wide arithmetic on exact numbers is right.
    let exact: i128 = match op {
        BinOp::Add => sa + sb,
        BinOp::Sub => sa - sb,
        BinOp::Mul => sa * sb,
        BinOp::UDiv => ua.checked_div(ub).unwrap_or(0) as i128,
        BinOp::UMod => ua.checked_rem(ub).unwrap_or(ua) as i128,
        BinOp::SDiv => {
            if sb == 0 {
                0
            } else {
                sa / sb
            }
        }
        BinOp::SMod => {
            if sb == 0 {
                sa
            } else {
                sa % sb
            }
        }
        BinOp::And => sa & sb,
        BinOp::Or => sa | sb,
        BinOp::Xor => sa ^ sb,
        BinOp::Shl => (ua << count) as i128,
        BinOp::LShr => (ua >> count) as i128,
        BinOp::AShr => sa >> count,
    };
    low(exact as u64, bits)
}

fn un(op: UnOp, a: u64) -> u64 {
    match op {
        UnOp::Neg => (!a).wrapping_add(1),
        UnOp::Zext(s) => low(a, s.bits()),
        UnOp::Sext(s) => sign(a, s.bits()) as u64,
        UnOp::Bswap(s) => (0..s.bytes()).fold(0, |n, i| n << 8 | a >> (8 * i) & 0xff),
    }
}

fn compare(cc: Cc, w: Width, a: u64, b: u64) -> bool {
    let bits = if w == Width::W32 { 32 } else { 64 };
    let (a, b) = (low(a, bits), low(b, bits));
    let (sa, sb) = (sign(a, bits), sign(b, bits));
    match cc {
        Cc::Eq => a == b,
        Cc::Ne => a != b,
        Cc::Ult => a < b,
        Cc::Ule => a <= b,
        Cc::Ugt => a > b,
        Cc::Uge => a >= b,
        Cc::Slt => sa < sb,
        Cc::Sle => sa <= sb,
        Cc::Sgt => sa > sb,
        Cc::Sge => sa >= sb,
        Cc::Test => (0..bits).any(|i| a >> i & b >> i & 1 == 1),
    }
}
