//! Evaluation. Every number is an `i64`, in the canonical form of its type.

use super::world::{ENOENT, World};
use crate::hir::{
    AtomicOp, BinOp, Callback, CmpOp, Expr, ExprKind, Function, IntTy, LabelId, LocalId, LocalKind, MapId, MapOp,
    Space, Ty, UnOp, Unit,
};

/// Something undefined happened, or something the reference does not know: in words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault(pub String);

/// What a run came to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// The result.
    pub ret: i64,
}

/// What a function's address is made of: no object lies there.
const FUNCTIONS: i64 = 0x00fa_0000_0000_0000;

/// The helper `bpf_tail_call`.
const TAIL_CALL: u32 = 12;

/// Why evaluation of an expression did not go on behind it.
pub(super) enum Exit {
    Break(LabelId, i64),
    Return(i64),
    Fault(Fault),
}

impl From<Fault> for Exit {
    fn from(f: Fault) -> Exit {
        Exit::Fault(f)
    }
}

/// A record of a ring buffer that is neither submitted nor discarded yet.
pub(super) struct Reserved {
    pub address: u64,
    pub ring: MapId,
    /// Its number among the ring's records.
    pub at: usize,
    pub len: usize,
}

/// State of one function's activation; the world is shared.
pub(super) struct Run<'a> {
    unit: &'a Unit,
    func: &'a Function,
    pub(super) world: &'a mut World,
    locals: Vec<i64>,
    pub(super) reserved: Vec<Reserved>,
    depth: u32,
}

/// Runs the program of that name in the world. `Fault` when there is none.
pub fn run(unit: &Unit, program: &str, world: &mut World) -> Result<Outcome, Fault> {
    let func =
        unit.functions.iter().find(|f| &*f.name == program).ok_or_else(|| Fault(format!("no program `{program}`")))?;
    let ret = call(unit, func, &[], world, 0)?;
    Ok(Outcome { ret })
}

fn call(unit: &Unit, func: &Function, args: &[i64], world: &mut World, depth: u32) -> Result<i64, Fault> {
    if depth > 8 {
        return Err(Fault("calls nest too deep".into()));
    }
    // A variable in memory is an object, its address in `locals`.
    let locals = func
        .locals
        .iter()
        .map(|l| match l.kind {
            LocalKind::Value => 0,
            LocalKind::Memory => world.memory.add(vec![0xa5; l.ty.size() as usize], true) as i64,
        })
        .collect();
    let mut run = Run { unit, func, world, locals, reserved: Vec::new(), depth };
    for (id, value) in func.params.iter().zip(args) {
        run.assign(*id, *value)?;
    }
    match run.eval(&func.body) {
        Ok(v) | Err(Exit::Return(v)) => Ok(v),
        Err(Exit::Break(..)) => Err(Fault("a break leaves its function".into())),
        Err(Exit::Fault(f)) => Err(f),
    }
}

fn int_of(ty: &Ty) -> IntTy {
    match ty {
        Ty::Int(i) => *i,
        Ty::Bool | Ty::Char => IntTy { size: 1, signed: false },
        Ty::Enum(e) => e.int,
        _ => IntTy { size: 8, signed: false },
    }
}

/// The canonical form, by arithmetic on wide numbers.
fn canonical(ty: IntTy, n: i64) -> i64 {
    let modulus = 1i128 << (8 * u32::from(ty.size));
    let low = i128::from(n).rem_euclid(modulus);
    let value = if ty.signed && low >= modulus / 2 { low - modulus } else { low };
    value as i64
}

impl Run<'_> {
    fn fault<T>(&self, what: impl Into<String>) -> Result<T, Exit> {
        Err(Exit::Fault(Fault(format!("{} in `{}`", what.into(), self.func.name))))
    }

    fn step(&mut self) -> Result<(), Exit> {
        if self.world.steps == 0 {
            return self.fault("too many steps");
        }
        self.world.steps -= 1;
        Ok(())
    }

    fn read_memory(&self, address: i64, ty: &Ty) -> Result<i64, Exit> {
        let int = int_of(ty);
        match self.world.memory.number(address as u64, usize::from(int.size)) {
            Some(n) => Ok(canonical(int, n as i64)),
            None => self.fault(format!("read of {} bytes at {address:#x}", int.size)),
        }
    }

    fn write_memory(&mut self, address: i64, ty: &Ty, n: i64) -> Result<(), Exit> {
        let size = int_of(ty).size;
        match self.world.memory.set_number(address as u64, usize::from(size), n as u64) {
            Some(()) => Ok(()),
            None => self.fault(format!("write of {size} bytes at {address:#x}")),
        }
    }

    fn assign(&mut self, id: LocalId, value: i64) -> Result<(), Fault> {
        let local = &self.func.locals[id.0 as usize];
        match local.kind {
            LocalKind::Value => self.locals[id.0 as usize] = value,
            LocalKind::Memory => {
                let address = self.locals[id.0 as usize];
                if let Err(Exit::Fault(f)) = self.write_memory(address, &local.ty, value) {
                    return Err(f);
                }
            }
        }
        Ok(())
    }

    fn eval_all(&mut self, es: &[Expr]) -> Result<Vec<i64>, Exit> {
        es.iter().map(|e| self.eval(e)).collect()
    }

    fn eval(&mut self, e: &Expr) -> Result<i64, Exit> {
        self.step()?;
        Ok(match &e.kind {
            ExprKind::Const(n) => *n,
            ExprKind::Local(id) => {
                let local = &self.func.locals[id.0 as usize];
                match local.kind {
                    LocalKind::Value => self.locals[id.0 as usize],
                    LocalKind::Memory => self.read_memory(self.locals[id.0 as usize], &local.ty)?,
                }
            }
            ExprKind::Set(id, value) => {
                let v = self.eval(value)?;
                self.assign(*id, v)?;
                v
            }
            ExprKind::AddrOf(id) => self.locals[id.0 as usize],
            ExprKind::Seq(es) => self.eval_all(es)?.last().copied().unwrap_or(0),
            ExprKind::If(c, t, f) => {
                if self.eval(c)? != 0 {
                    self.eval(t)?
                } else {
                    self.eval(f)?
                }
            }
            ExprKind::Bin(op, x, y) => {
                let (x, y) = (self.eval(x)?, self.eval(y)?);
                binary(*op, x, y)
            }
            ExprKind::Un(op, x) => {
                let x = self.eval(x)?;
                match op {
                    UnOp::Neg => (-i128::from(x)) as i64,
                    UnOp::Not => -1 - x,
                    UnOp::Abs => i128::from(x).abs() as i64,
                    UnOp::Log2 => (0..64).rev().find(|i| (x as u64 >> i) & 1 == 1).unwrap_or(0),
                }
            }
            ExprKind::Cmp(op, x, y) => {
                let (x, y) = (self.eval(x)?, self.eval(y)?);
                i64::from(compare(*op, x, y))
            }
            ExprKind::Cast(x) => {
                let n = self.eval(x)?;
                match &e.ty {
                    Ty::Int(i) => canonical(*i, n),
                    Ty::Bool | Ty::Char => canonical(IntTy { size: 1, signed: false }, n),
                    Ty::Enum(e) => canonical(e.int, n),
                    _ => n,
                }
            }
            ExprKind::Bswap(n, x) => {
                let bytes = (self.eval(x)? as u64).to_le_bytes();
                let n = usize::from(*n).min(8);
                bytes[..n].iter().fold(0u64, |r, b| (r << 8) | u64::from(*b)) as i64
            }
            ExprKind::Load { ptr, off } => {
                if let Some(p) = e.ty.as_ptr()
                    && ptr.ty.as_ptr().is_some_and(|b| b.space == Space::Ctx)
                    && matches!(p.space, Space::Packet | Space::PacketEnd)
                {
                    self.eval(ptr)?;
                    let (start, len) = self.world.packet;
                    return Ok((if p.space == Space::Packet { start } else { start + len }) as i64);
                }
                let address = self.eval(ptr)?.wrapping_add(i64::from(*off));
                self.read_memory(address, &e.ty)?
            }
            ExprKind::Store { mem, ptr, off, value } | ExprKind::CoreStore { mem, ptr, off, value, .. } => {
                let address = self.eval(ptr)?.wrapping_add(i64::from(*off));
                let v = self.eval(value)?;
                self.write_memory(address, mem, v)?;
                canonical(int_of(mem), v)
            }
            ExprKind::Copy { dst, src, len } => {
                let (d, s) = (self.eval(dst)?, self.eval(src)?);
                let bytes = self.bytes(s, i64::from(*len))?;
                match self.world.memory.write(d as u64, bytes.len()) {
                    Some(to) => to.copy_from_slice(&bytes),
                    None => return self.fault(format!("write of {len} bytes at {d:#x}")),
                }
                0
            }
            ExprKind::Fill { dst, value, len } => {
                let (d, v) = (self.eval(dst)?, self.eval(value)?);
                match self.world.memory.write(d as u64, *len as usize) {
                    Some(to) => to.fill(v as u8),
                    None => return self.fault(format!("write of {len} bytes at {d:#x}")),
                }
                0
            }
            ExprKind::Differ { a, b, len } => {
                let (a, b) = (self.eval(a)?, self.eval(b)?);
                i64::from(self.bytes(a, i64::from(*len))? != self.bytes(b, i64::from(*len))?)
            }
            ExprKind::Atomic { op, mem, fetch, ptr, off, value } => {
                let address = self.eval(ptr)?.wrapping_add(i64::from(*off));
                let v = self.eval(value)?;
                let ty = Ty::Int(*mem);
                let old = self.read_memory(address, &ty)?;
                let new = match op {
                    AtomicOp::Add => (i128::from(old) + i128::from(v)) as i64,
                    AtomicOp::And => old & v,
                    AtomicOp::Or => old | v,
                    AtomicOp::Xor => old ^ v,
                    AtomicOp::Xchg | AtomicOp::StoreRelease => v,
                    AtomicOp::LoadAcquire => old,
                };
                self.write_memory(address, &ty, new)?;
                if *fetch { old } else { 0 }
            }
            ExprKind::CmpXchg { mem, ptr, off, expected, new } => {
                let address = self.eval(ptr)?.wrapping_add(i64::from(*off));
                let (expected, new) = (self.eval(expected)?, self.eval(new)?);
                let ty = Ty::Int(*mem);
                let old = self.read_memory(address, &ty)?;
                if old == canonical(*mem, expected) {
                    self.write_memory(address, &ty, new)?;
                }
                old
            }
            ExprKind::Ctx => self.world.ctx as i64,
            ExprKind::Map(_) => 0,
            ExprKind::Global(id) => self.world.globals[id.0 as usize] as i64,
            ExprKind::Bytes(bytes) => self.world.memory.add(bytes.to_vec(), false) as i64,
            ExprKind::MapOp { op, map, args } => {
                let v = self.eval_all(args)?;
                let arg = |i: usize| v.get(i).copied().unwrap_or(0);
                match op {
                    MapOp::Lookup => self.map_lookup(*map, arg(0))?,
                    MapOp::Update => self.map_update(*map, arg(0), arg(1), arg(2))?,
                    MapOp::Delete => self.map_delete(*map, arg(0))?,
                }
            }
            ExprKind::Helper { id: TAIL_CALL, args } => {
                let v = self.eval_all(args)?;
                let index = v.get(2).map_or(0, |n| *n as u32);
                let to = match args.get(1).map(|a| &a.kind) {
                    Some(ExprKind::Map(map)) => self.world.programs.get(&(map.0, index)).cloned(),
                    _ => return self.fault("a tail call without a program array"),
                };
                if let Some(to) = to {
                    return self.tail_call(&to);
                }
                ENOENT
            }
            ExprKind::Helper { id, args } => {
                let v = self.eval_all(args)?;
                let r = self.helper(*id, args, &v)?;
                e.ty.as_int().map_or(r, |i| canonical(i, r))
            }
            ExprKind::Kfunc { kfunc, args } => {
                let v = self.eval_all(args)?;
                let r = self.kfunc(kfunc.name, &v)?;
                e.ty.as_int().map_or(r, |i| canonical(i, r))
            }
            ExprKind::Call { function, args } => {
                let v = self.eval_all(args)?;
                let callee = &self.unit.functions[function.0 as usize];
                let r = call(self.unit, callee, &v, self.world, self.depth + 1)?;
                e.ty.as_int().map_or(r, |i| canonical(i, r))
            }
            ExprKind::InBounds { ptr, len, end } => {
                let (p, e) = (self.eval(ptr)?, self.eval(end)?);
                i64::from(i128::from(p) + i128::from(*len) <= i128::from(e))
            }
            ExprKind::While { label, next, test, body, max, plan: _ } => {
                let mut rounds = 0u64;
                loop {
                    self.step()?;
                    if max.is_some_and(|m| rounds >= m) || self.eval(test)? == 0 {
                        break;
                    }
                    if self.round(*label, *next, body)? {
                        break;
                    }
                    rounds += 1;
                }
                0
            }
            ExprKind::For { label, next, var, count, max, body, plan: _ } => {
                let n = self.eval(count)? as u64;
                let n = max.map_or(n, |m| n.min(m));
                let mut i = 0u64;
                self.assign(*var, 0)?;
                while i < n {
                    self.step()?;
                    self.assign(*var, i as i64)?;
                    if self.round(*label, *next, body)? {
                        break;
                    }
                    i += 1;
                }
                0
            }
            ExprKind::Block { label, body } => match self.eval(body) {
                Err(Exit::Break(to, v)) if to == *label => v,
                other => other?,
            },
            ExprKind::WithCallback { helper, before, callback, after } => {
                let values = self.eval_all(before)?;
                self.eval_all(after)?;
                self.with_callback(*helper, before, &values, callback)?
            }
            // Nothing reads it: a timer's function is never called here.
            ExprKind::FnAddr(id) => FUNCTIONS + i64::from(id.0),
            ExprKind::Break(label, value) => {
                let v = self.eval(value)?;
                return Err(Exit::Break(*label, v));
            }
            ExprKind::Return(value) => {
                let v = self.eval(value)?;
                return Err(Exit::Return(v));
            }
            ExprKind::OnLeaving { release, .. } => self.eval(release)?,
            ExprKind::CoreValue { local, .. } => *local,
            ExprKind::CoreLoad { ptr, off, .. } => {
                let address = self.eval(ptr)?.wrapping_add(i64::from(*off));
                self.read_memory(address, &e.ty)?
            }
        })
    }

    /// Goes on in another program; comes back never.
    fn tail_call(&mut self, to: &str) -> Result<i64, Exit> {
        if self.func.program.is_none() {
            return self.fault("a tail call from a subprogram: unknown to the reference");
        }
        let Some(func) = self.unit.functions.iter().find(|f| &*f.name == to) else {
            return self.fault(format!("no program `{to}`"));
        };
        Err(Exit::Return(call(self.unit, func, &[], self.world, self.depth + 1)?))
    }

    /// One call of a callback; its value.
    pub(super) fn call_back(&mut self, callback: &Callback, args: &[i64]) -> Result<i64, Exit> {
        self.step()?;
        for (p, v) in callback.params.iter().zip(args) {
            self.assign(*p, *v)?;
        }
        match self.eval(&callback.body) {
            Err(Exit::Break(to, v)) if to == callback.label => Ok(v),
            other => other,
        }
    }

    /// One round of a loop; whether it was left.
    fn round(&mut self, label: LabelId, next: LabelId, body: &Expr) -> Result<bool, Exit> {
        match self.eval(body) {
            Ok(_) => Ok(false),
            Err(Exit::Break(to, _)) if to == next => Ok(false),
            Err(Exit::Break(to, _)) if to == label => Ok(true),
            Err(other) => Err(other),
        }
    }
}

fn compare(op: CmpOp, x: i64, y: i64) -> bool {
    let (ux, uy) = (x as u64, y as u64);
    match op {
        CmpOp::Eq => x == y,
        CmpOp::Ne => x != y,
        CmpOp::LtU => ux < uy,
        CmpOp::LeU => ux <= uy,
        CmpOp::GtU => ux > uy,
        CmpOp::GeU => ux >= uy,
        CmpOp::LtS => x < y,
        CmpOp::LeS => x <= y,
        CmpOp::GtS => x > y,
        CmpOp::GeS => x >= y,
    }
}

/// By wide arithmetic, cut to 64 bits at the end, so that no rule of the machine is repeated here.
fn binary(op: BinOp, x: i64, y: i64) -> i64 {
    let (sx, sy) = (i128::from(x), i128::from(y));
    let (ux, uy) = (i128::from(x as u64), i128::from(y as u64));
    let count = (y & 63) as u32;
    let wide = match op {
        BinOp::Add => sx + sy,
        BinOp::Sub => sx - sy,
        BinOp::Mul => return (ux as u128).wrapping_mul(uy as u128) as u64 as i64,
        BinOp::DivU => {
            if uy == 0 {
                0
            } else {
                ux / uy
            }
        }
        BinOp::DivS => {
            if sy == 0 {
                0
            } else {
                sx / sy
            }
        }
        BinOp::RemU => {
            if uy == 0 {
                ux
            } else {
                ux % uy
            }
        }
        BinOp::RemS => {
            if sy == 0 {
                sx
            } else {
                sx % sy
            }
        }
        BinOp::ModS => {
            if sy == 0 {
                sx
            } else {
                sx - sy * sx.div_euclid(sy) + floor_fix(sx, sy)
            }
        }
        BinOp::And => i128::from(x & y),
        BinOp::Or => i128::from(x | y),
        BinOp::Xor => i128::from(x ^ y),
        BinOp::Shl => ((ux as u128) << count) as i128,
        BinOp::ShrU => ux >> count,
        BinOp::ShrS => sx >> count,
        BinOp::AshS => shift(sx, sy),
        BinOp::AshU => shift(ux, sy),
        BinOp::MinU => ux.min(uy),
        BinOp::MinS => sx.min(sy),
        BinOp::MaxU => ux.max(uy),
        BinOp::MaxS => sx.max(sy),
    };
    wide as u64 as i64
}

/// Euclid's remainder is never negative; the floored one has the divisor's sign.
fn floor_fix(x: i128, y: i128) -> i128 {
    if y < 0 && x.rem_euclid(y) != 0 { y } else { 0 }
}

fn shift(x: i128, n: i128) -> i128 {
    match n {
        0..=63 => ((x as u128) << n) as i128,
        64.. => 0,
        -63..=-1 => x >> -n,
        _ => {
            if x < 0 {
                -1
            } else {
                0
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floored_and_truncated_remainders() {
        let cases =
            [(7, 3, 1, 1), (-7, 3, -1, 2), (7, -3, 1, -2), (-7, -3, -1, -1), (5, 0, 5, 5), (i64::MIN, -1, 0, 0)];
        for (x, y, rem, modulo) in cases {
            assert_eq!(binary(BinOp::RemS, x, y), rem, "(rem {x} {y})");
            assert_eq!(binary(BinOp::ModS, x, y), modulo, "(mod {x} {y})");
        }
        assert_eq!(binary(BinOp::DivS, i64::MIN, -1), i64::MIN);
        assert_eq!(binary(BinOp::Mul, -3, 5), -15);
    }

    #[test]
    fn shifts_by_signed_counts() {
        assert_eq!(binary(BinOp::AshS, -8, -1), -4);
        assert_eq!(binary(BinOp::AshU, -8, -60), 15);
        assert_eq!(binary(BinOp::AshS, -8, -200), -1);
        assert_eq!(binary(BinOp::AshU, 8, 64), 0);
        assert_eq!(binary(BinOp::AshS, 3, 62), -(1 << 62));
    }

    #[test]
    fn canonical_numbers() {
        assert_eq!(canonical(IntTy { size: 1, signed: true }, 0x1ff), -1);
        assert_eq!(canonical(IntTy { size: 4, signed: false }, -1), 0xffff_ffff);
        assert_eq!(canonical(IntTy { size: 8, signed: false }, -1), -1);
    }
}
