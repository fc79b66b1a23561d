//! What an IR function means, computed directly from the words of `ir/op.rs`: the judge of the
//! generated code.

use std::collections::{HashMap, HashSet};

use crate::ir::{AtomicOp, BinOp, Callee, Cc, Function, Module, Op, Size, Terminator, UnOp, Value, Width};

/// Memory by address; every byte that exists is here.
pub(crate) struct Eval<'a> {
    pub module: &'a Module,
    pub bytes: HashMap<u64, u8>,
    pub next_frame: u64,
    pub steps: usize,
    /// Every content that a named value of `main` had.
    pub named: HashMap<String, HashSet<u64>>,
}

pub(crate) const FRAMES: u64 = 0x5000_0000;

impl Eval<'_> {
    pub fn call(&mut self, f: &Function, args: &[u64]) -> Result<u64, String> {
        let mut values: HashMap<Value, u64> = HashMap::new();
        let mut slots = Vec::new();
        for s in &f.slots {
            slots.push(self.next_frame);
            for b in 0..u64::from(s.size) {
                self.bytes.insert(self.next_frame + b, 0xa5);
            }
            self.next_frame += u64::from(s.size) + 64;
        }
        let mut block = &f.blocks[0];
        for (p, a) in block.params.iter().zip(args) {
            values.insert(*p, *a);
        }
        loop {
            for i in &block.insts {
                self.steps += 1;
                if self.steps > 200_000 {
                    return Err("does not end".into());
                }
                let data = &f.insts[i.index()];
                let r = self.inst(&data.op, &values, &slots)?;
                if let Some(v) = data.result {
                    values.insert(v, r);
                    self.note(f, v, r);
                }
            }
            self.steps += 1;
            if self.steps > 200_000 {
                return Err("does not end".into());
            }
            let get = |v: &Value| values.get(v).copied().ok_or_else(|| format!("{v} has no value"));
            let target = match &block.term {
                Terminator::Open => return Err("open".into()),
                Terminator::Return(v) => return get(v),
                Terminator::Jump(t) => t,
                Terminator::Branch { cond, then, els } => {
                    if get(cond)? != 0 {
                        then
                    } else {
                        els
                    }
                }
            };
            let args = target.args.iter().map(get).collect::<Result<Vec<u64>, _>>()?;
            block = &f.blocks[target.block.index()];
            for (p, a) in block.params.iter().zip(args) {
                values.insert(*p, a);
                self.note(f, *p, a);
            }
        }
    }

    fn note(&mut self, f: &Function, v: Value, content: u64) {
        if let (Some(name), "main") = (&f.values[v.index()].name, f.name.as_str()) {
            self.named.entry(name.to_string()).or_default().insert(content);
        }
    }

    fn load(&self, at: u64, size: Size) -> Result<u64, String> {
        let mut v = 0;
        for i in (0..u64::from(size.bytes())).rev() {
            v = v << 8 | u64::from(*self.bytes.get(&(at + i)).ok_or_else(|| format!("no byte at {at:#x}"))?);
        }
        Ok(v)
    }

    fn store(&mut self, at: u64, size: Size, v: u64) -> Result<(), String> {
        for i in 0..u64::from(size.bytes()) {
            *self.bytes.get_mut(&(at + i)).ok_or_else(|| format!("no byte at {at:#x}"))? = (v >> (8 * i)) as u8;
        }
        Ok(())
    }

    fn inst(&mut self, op: &Op, values: &HashMap<Value, u64>, slots: &[u64]) -> Result<u64, String> {
        let get = |v: &Value| values.get(v).copied().ok_or_else(|| format!("{v} has no value"));
        Ok(match op {
            Op::Const(n) => *n as u64,
            Op::Bin(op, Width::W64, a, b) => bin64(*op, get(a)?, get(b)?),
            Op::Bin(op, Width::W32, a, b) => u64::from(bin32(*op, get(a)? as u32, get(b)? as u32)),
            Op::Un(op, a) => un(*op, get(a)?),
            Op::Cmp(cc, Width::W64, a, b) => u64::from(compare(*cc, get(a)?, get(b)?)),
            Op::Cmp(cc, Width::W32, a, b) => {
                let low = |v: u64| i64::from(v as i32) as u64;
                u64::from(compare(*cc, low(get(a)?), low(get(b)?)))
            }
            Op::InBounds { ptr, len, end } => u64::from(get(ptr)?.wrapping_add(*len as u64) <= get(end)?),
            Op::StackAddr(s, off) => slots[s.index()].wrapping_add(*off as u64),
            Op::Load { size, signed, base, off } => {
                let v = self.load(get(base)?.wrapping_add(*off as u64), *size)?;
                if *signed { sext(v, *size) } else { v }
            }
            Op::Store { size, base, off, value } => {
                self.store(get(base)?.wrapping_add(*off as u64), *size, get(value)?)?;
                0
            }
            Op::Atomic { op, size, fetch: _, base, off, value } => {
                let (at, v) = (get(base)?.wrapping_add(*off as u64), get(value)?);
                let old = self.load(at, *size)?;
                let new = match op {
                    AtomicOp::Add => old.wrapping_add(v),
                    AtomicOp::And => old & v,
                    AtomicOp::Or => old | v,
                    AtomicOp::Xor => old ^ v,
                    AtomicOp::Xchg | AtomicOp::StoreRelease => v,
                    AtomicOp::LoadAcquire => old,
                };
                self.store(at, *size, new)?;
                old
            }
            Op::CmpXchg { size, base, off, expected, new } => {
                let at = get(base)?.wrapping_add(*off as u64);
                let old = self.load(at, *size)?;
                let mask = u64::MAX >> (64 - size.bits());
                if old == get(expected)? & mask {
                    self.store(at, *size, get(new)?)?;
                }
                old
            }
            Op::Call { callee, args } => {
                let args = args.iter().map(get).collect::<Result<Vec<_>, _>>()?;
                match callee {
                    // bpf_probe_read_kernel
                    Callee::Helper(113) => {
                        for i in 0..args[1] {
                            let b = self.load(args[2] + i, Size::B1)?;
                            self.store(args[0] + i, Size::B1, b)?;
                        }
                        0
                    }
                    Callee::Function(s) => {
                        let f = self.module.function(*s).ok_or("no such function")?;
                        self.call(f, &args)?
                    }
                    other => return Err(format!("{other:?}")),
                }
            }
            other => return Err(format!("{other:?}")),
        })
    }
}

fn sext(v: u64, size: Size) -> u64 {
    let shift = 64 - size.bits();
    ((v << shift) as i64 >> shift) as u64
}

fn un(op: UnOp, a: u64) -> u64 {
    match op {
        UnOp::Neg => 0u64.wrapping_sub(a),
        UnOp::Zext(s) => a & (u64::MAX >> (64 - s.bits())),
        UnOp::Sext(s) => sext(a, s),
        UnOp::Bswap(s) => a.swap_bytes() >> (64 - s.bits()),
    }
}

fn compare(cc: Cc, a: u64, b: u64) -> bool {
    let (sa, sb) = (a as i64, b as i64);
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
        Cc::Test => a & b != 0,
    }
}

macro_rules! bin {
    ($name:ident, $u:ty, $s:ty) => {
        fn $name(op: BinOp, a: $u, b: $u) -> $u {
            let (sa, sb) = (a as $s, b as $s);
            match op {
                BinOp::Add => a.wrapping_add(b),
                BinOp::Sub => a.wrapping_sub(b),
                BinOp::Mul => a.wrapping_mul(b),
                BinOp::UDiv => {
                    if b == 0 {
                        0
                    } else {
                        a / b
                    }
                }
                BinOp::UMod => {
                    if b == 0 {
                        a
                    } else {
                        a % b
                    }
                }
                BinOp::SDiv => {
                    if b == 0 {
                        0
                    } else {
                        sa.wrapping_div(sb) as $u
                    }
                }
                BinOp::SMod => {
                    if b == 0 {
                        a
                    } else {
                        sa.wrapping_rem(sb) as $u
                    }
                }
                BinOp::And => a & b,
                BinOp::Or => a | b,
                BinOp::Xor => a ^ b,
                BinOp::Shl => a.wrapping_shl(b as u32),
                BinOp::LShr => a.wrapping_shr(b as u32),
                BinOp::AShr => sa.wrapping_shr(b as u32) as $u,
            }
        }
    };
}
bin!(bin64, u64, i64);
bin!(bin32, u32, i32);
