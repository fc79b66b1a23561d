//! What is known of the bits of values, by what makes them: as it is, and as the kernel's verifier
//! knows it, which is less (kernel/bpf/verifier.c, `check_alu_op` and `adjust_scalar_min_max_vals`:
//! byte swaps, negations, quotients, remainders and shifts by a variable come out unknown). A mask
//! or test of what feeds an address may go only if the verifier doesn't need it. Invariant: nothing
//! is known of pointers (the kernel rewrites loads of them from the context) and of what CO-RE
//! relocates.

use super::fold;
use crate::ir::cfg::Cfg;
use crate::ir::{BinOp, Callee, Cc, Function, Inst, Op, Size, Ty, UnOp, Value, Width};

const HIGH: u64 = 0xffff_ffff_0000_0000;

/// Bits known to be 0, known to be 1, and how many of the highest bits are the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Known {
    pub zero: u64,
    pub one: u64,
    pub signs: u32,
}

impl Known {
    pub const NOTHING: Known = Known { zero: 0, one: 0, signs: 1 };

    pub fn number(n: i64) -> Known {
        Known { zero: !n as u64, one: n as u64, signs: 1 }.with_signs()
    }

    /// Zeros where `possible` has them.
    fn within(possible: u64) -> Known {
        Known { zero: !possible, one: 0, signs: 1 }.with_signs()
    }

    fn with_signs(mut self) -> Known {
        self.signs = self.signs.max(self.zero.leading_ones()).max(self.one.leading_ones()).clamp(1, 64);
        self
    }

    /// How many low bits may be 1.
    pub fn width(self) -> u32 {
        64 - self.zero.leading_ones()
    }

    /// The number it must be.
    pub fn as_number(self) -> Option<i64> {
        (self.zero | self.one == u64::MAX).then_some(self.one as i64)
    }

    /// The largest number it can be, and the smallest.
    pub fn range(self) -> (u64, u64) {
        (self.one, !self.zero)
    }

    fn meet(self, other: Known) -> Known {
        Known { zero: self.zero & other.zero, one: self.one & other.one, signs: self.signs.min(other.signs) }
    }

    /// The low half, zeros above.
    fn low(self) -> Known {
        Known { zero: self.zero | HIGH, one: self.one & !HIGH, signs: 1 }.with_signs()
    }
}

/// What is known of each value.
pub(super) struct Bits {
    known: Vec<Known>,
    told: Vec<Known>,
}

impl Bits {
    /// Looks at a function.
    pub fn of(f: &Function, cfg: &Cfg) -> Bits {
        let nothing = vec![Known::NOTHING; f.values.len()];
        let mut bits = Bits { known: nothing.clone(), told: nothing };
        let widened = before_iterators(f, cfg);
        for &b in &cfg.order {
            let data = &f.blocks[b.index()];
            let told_stays = !widened.get(b.index()).copied().unwrap_or(false);
            // An argument that comes from a later block has not been looked at.
            let known_before = b.index() != 0 && cfg.preds[b.index()].iter().all(|p| !cfg.is_back(*p, b));
            for (n, p) in data.params.iter().enumerate().filter(|_| known_before) {
                if f.ty(*p) != Ty::Int {
                    continue;
                }
                let mut all: Option<(Known, Known)> = None;
                for pred in &cfg.preds[b.index()] {
                    for t in f.blocks[pred.index()].term.targets().filter(|t| t.block == b) {
                        let k =
                            t.args.get(n).map_or((Known::NOTHING, Known::NOTHING), |a| (bits.get(*a), bits.told(*a)));
                        all = Some(all.map_or(k, |old| (old.0.meet(k.0), old.1.meet(k.1))));
                    }
                }
                let (known, told) = all.unwrap_or((Known::NOTHING, Known::NOTHING));
                bits.known[p.index()] = known;
                if told_stays {
                    bits.told[p.index()] = told;
                }
            }
            for i in &data.insts {
                let inst = &f.insts[i.index()];
                if let Some(r) = inst.result {
                    bits.learn(f, r, &inst.op);
                    let is_number = matches!(inst.op, Op::Const(_));
                    if !told_stays && !is_number {
                        bits.told[r.index()] = Known::NOTHING;
                    }
                }
            }
        }
        bits
    }

    /// What is so.
    pub fn get(&self, v: Value) -> Known {
        self.known.get(v.index()).copied().unwrap_or(Known::NOTHING)
    }

    /// What the verifier knows, too: a test that only we could leave out must stay.
    pub fn told(&self, v: Value) -> Known {
        self.told.get(v.index()).copied().unwrap_or(Known::NOTHING)
    }

    /// Remembers what a new or changed instruction makes.
    pub fn learn(&mut self, f: &Function, v: Value, op: &Op) {
        let ty = f.ty(v);
        if self.known.len() <= v.index() {
            self.known.resize(v.index() + 1, Known::NOTHING);
            self.told.resize(v.index() + 1, Known::NOTHING);
        }
        self.known[v.index()] = of_op(f, op, ty, |v| self.get(v));
        let low = match op {
            Op::Un(UnOp::Neg | UnOp::Bswap(_), _) | Op::Atomic { .. } | Op::CmpXchg { .. } => Some(false),
            Op::Bin(bin, w, a, b) if !follows(*bin, *w, self.told(*a), self.told(*b)) => Some(*w == Width::W32),
            _ => None,
        };
        self.told[v.index()] = match low {
            Some(true) => Known::NOTHING.low(),
            Some(false) => Known::NOTHING,
            None => of_op(f, op, ty, |v| self.told(v)),
        };
    }
}

/// The blocks from which a step of one of the kernel's iterators is reached, if that stands in a loop: there the verifier
/// forgets numbers that it had no need of so far (`widen_imprecise_scalars`), also what was known of them before the loop.
fn before_iterators(f: &Function, cfg: &Cfg) -> Vec<bool> {
    let steps = |i: &Inst| {
        let data = &f.insts[i.index()];
        let pointer = data.result.is_some_and(|r| f.ty(r) != Ty::Int);
        pointer && matches!(&data.op, Op::Call { callee: Callee::Kfunc(_), .. })
    };
    let mut out = Vec::new();
    for &b in &cfg.order {
        if !f.blocks[b.index()].insts.iter().any(steps) {
            continue;
        }
        let mut seen = vec![false; f.blocks.len()];
        let mut work = cfg.preds[b.index()].clone();
        while let Some(p) = work.pop() {
            if !std::mem::replace(&mut seen[p.index()], true) {
                work.extend(cfg.preds[p.index()].iter().copied());
            }
        }
        if seen[b.index()] {
            out.resize(seen.len(), false);
            out.iter_mut().zip(seen).for_each(|(o, s)| *o |= s);
        }
    }
    out
}

/// What an operation makes of what is known.
fn of_op(f: &Function, op: &Op, ty: Ty, known: impl Fn(Value) -> Known) -> Known {
    if ty != Ty::Int {
        return Known::NOTHING;
    }
    match op {
        Op::Const(n) => Known::number(*n),
        Op::Cmp(..) | Op::InBounds { .. } => Known::within(1),
        Op::Un(un, a) => unary(*un, known(*a)),
        Op::Load { size, signed: false, .. } => Known::within(fold::mask(*size)),
        Op::Load { size, signed: true, .. } => Known { signs: 65 - size.bits(), ..Known::NOTHING },
        Op::Atomic { size: Size::B4, .. } | Op::CmpXchg { size: Size::B4, .. } => Known::within(!HIGH),
        Op::Bin(bin, w, a, b) if f.ty(*a) == Ty::Int && f.ty(*b) == Ty::Int => binary(*bin, *w, known(*a), known(*b)),
        _ => Known::NOTHING,
    }
}

/// Whether the verifier follows an operation.
fn follows(op: BinOp, w: Width, a: Known, b: Known) -> bool {
    match op {
        BinOp::UDiv | BinOp::UMod | BinOp::SDiv | BinOp::SMod => false,
        BinOp::Shl | BinOp::LShr | BinOp::AShr => b.as_number().is_some(),
        // Products only of what is known to be small.
        BinOp::Mul => {
            let most = if w == Width::W32 { 16 } else { 32 };
            a.width() <= most && b.width() <= most
        }
        BinOp::Add | BinOp::Sub | BinOp::And | BinOp::Or | BinOp::Xor => true,
    }
}

fn unary(un: UnOp, a: Known) -> Known {
    match un {
        UnOp::Neg => {
            let low = a.zero.trailing_ones();
            Known { zero: low_ones(low), ..Known::NOTHING }
        }
        UnOp::Zext(s) => {
            let m = fold::mask(s);
            Known { zero: a.zero | !m, one: a.one & m, signs: 1 }.with_signs()
        }
        UnOp::Sext(s) => {
            let m = fold::mask(s);
            let sign = 1 << (s.bits() - 1);
            let above = |known: u64| known & m | if known & sign != 0 { !m } else { 0 };
            Known { zero: above(a.zero), one: above(a.one), signs: a.signs.max(65 - s.bits()) }.with_signs()
        }
        UnOp::Bswap(s) => {
            let swap = |bits: u64| bits.swap_bytes() >> (64 - s.bits());
            let m = fold::mask(s);
            Known { zero: swap(a.zero) | !m, one: swap(a.one), signs: 1 }.with_signs()
        }
    }
}

fn low_ones(n: u32) -> u64 {
    if n == 0 { 0 } else { u64::MAX >> (64 - n.min(64)) }
}

/// Zeros above the lowest `width` bits.
fn zeros_above(width: u32) -> u64 {
    !low_ones(width)
}

fn binary(op: BinOp, w: Width, a: Known, b: Known) -> Known {
    let (a, b) = if w == Width::W32 { (a.low(), b.low()) } else { (a, b) };
    let (bits, top) = if w == Width::W32 { (32, 31) } else { (64, 63) };
    if let (Some(x), Some(y)) = (a.as_number(), b.as_number()) {
        return Known::number(fold::bin(op, w, x, y));
    }
    let count = b.as_number().map(|n| n as u32 & (bits - 1));
    let zero_low = low_ones(a.zero.trailing_ones().min(b.zero.trailing_ones()));
    let k = match op {
        BinOp::And => Known { zero: a.zero | b.zero, one: a.one & b.one, signs: a.signs.min(b.signs) },
        BinOp::Or => Known { zero: a.zero & b.zero, one: a.one | b.one, signs: a.signs.min(b.signs) },
        BinOp::Xor => Known {
            zero: a.zero & b.zero | a.one & b.one,
            one: a.zero & b.one | a.one & b.zero,
            signs: a.signs.min(b.signs),
        },
        BinOp::Add => Known { zero: zero_low | zeros_above(a.width().max(b.width()) + 1), ..Known::NOTHING },
        BinOp::Sub => Known { zero: zero_low, ..Known::NOTHING },
        BinOp::Mul => {
            let low = (a.zero.trailing_ones() + b.zero.trailing_ones()).min(64);
            Known { zero: low_ones(low) | zeros_above(a.width() + b.width()), ..Known::NOTHING }
        }
        BinOp::UDiv => {
            let least = if b.as_number().is_some() { b.one.max(1) } else { 1 };
            Known::within(low_ones(64 - (a.range().1 / least).leading_zeros()))
        }
        BinOp::UMod => {
            let width = match b.as_number() {
                Some(n) if n != 0 => a.width().min(64 - (n as u64 - 1).leading_zeros()),
                _ => a.width(),
            };
            Known::within(low_ones(width))
        }
        BinOp::Shl => match count {
            Some(n) => Known { zero: a.zero << n | low_ones(n), one: a.one << n, signs: 1 },
            None => Known { zero: low_ones(a.zero.trailing_ones()), ..Known::NOTHING },
        },
        BinOp::LShr => match count {
            Some(n) => Known { zero: a.zero >> n | zeros_above(bits - n), one: a.one >> n, signs: 1 },
            None => Known::within(low_ones(a.width())),
        },
        BinOp::AShr if a.zero >> top & 1 == 1 => return binary(BinOp::LShr, w, a, b),
        BinOp::AShr => match (count, w) {
            (Some(n), Width::W64) => Known { signs: a.signs + n, ..Known::NOTHING },
            _ => Known::NOTHING,
        },
        BinOp::SDiv | BinOp::SMod => Known::NOTHING,
    };
    let k = if w == Width::W32 { k.low() } else { k };
    k.with_signs()
}

/// What a comparison must give, when that is known.
pub(super) fn decide(cc: Cc, w: Width, a: Known, b: Known) -> Option<bool> {
    let (a, b) = if w == Width::W32 { (a.low(), b.low()) } else { (a, b) };
    let ((min_a, max_a), (min_b, max_b)) = (a.range(), b.range());
    let differ = a.zero & b.one | a.one & b.zero != 0;
    let top = if w == Width::W32 { 1 << 31 } else { 1 << 63 };
    let same_sign = (a.zero & b.zero | a.one & b.one) & top != 0;
    match cc {
        Cc::Eq if differ || max_a < min_b || max_b < min_a => Some(false),
        Cc::Ne if differ || max_a < min_b || max_b < min_a => Some(true),
        Cc::Test if max_a & max_b == 0 => Some(false),
        Cc::Test if min_a & min_b != 0 => Some(true),
        Cc::Slt | Cc::Sle | Cc::Sgt | Cc::Sge if !same_sign => None,
        Cc::Ult | Cc::Slt if max_a < min_b => Some(true),
        Cc::Ult | Cc::Slt if min_a >= max_b => Some(false),
        Cc::Ule | Cc::Sle if max_a <= min_b => Some(true),
        Cc::Ule | Cc::Sle if min_a > max_b => Some(false),
        Cc::Ugt | Cc::Sgt if min_a > max_b => Some(true),
        Cc::Ugt | Cc::Sgt if max_a <= min_b => Some(false),
        Cc::Uge | Cc::Sge if min_a >= max_b => Some(true),
        Cc::Uge | Cc::Sge if max_a < min_b => Some(false),
        _ => None,
    }
}
