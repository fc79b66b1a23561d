//! Stack memory to values: pieces of slots that are only loaded and stored, always as the same
//! bytes, become values; each field of a structure by itself.

use super::PassContext;
use super::memory::{Escape, Memory, Place};
use super::rewrite::Aliases;
use crate::ir::cfg::Cfg;
use crate::ir::{Block, Function, Op, Size, Slot, SrcLoc, Ty, UnOp, Value};

/// Pieces looked at in one run: a bit each.
const MAX_PIECES: usize = 64;

struct Piece {
    slot: Slot,
    off: i64,
    size: Size,
    /// The type of what is stored and loaded; `None` while nothing was seen.
    ty: Option<Ty>,
    /// Whether loads extend by the sign; `None` while none was seen.
    signed: Option<bool>,
    fits: bool,
}

pub(super) fn run(f: &mut Function, _: &PassContext<'_>) -> bool {
    if f.slots.is_empty() {
        return false;
    }
    let memory = Memory::of(f);
    let pieces = pieces(f, &memory);
    if pieces.is_empty() {
        return false;
    }
    Promotion { cfg: Cfg::of(f), aliases: Aliases::new(f), pieces, f }.run();
    true
}

/// The pieces that can be values.
fn pieces(f: &Function, memory: &Memory) -> Vec<Piece> {
    let mut all: Vec<Piece> = Vec::new();
    // Accesses of another kind, which spoil what they touch.
    let mut other: Vec<Place> = Vec::new();
    for b in &f.blocks {
        for i in &b.insts {
            let inst = &f.insts[i.index()];
            let (base, off, size, ty, signed) = match &inst.op {
                Op::Load { size, signed, base, off } => {
                    let Some(r) = inst.result else { continue };
                    (*base, *off, *size, f.ty(r), Some(*signed && *size != Size::B8))
                }
                Op::Store { size, base, off, value } => (*base, *off, *size, f.ty(*value), None),
                Op::Atomic { size, base, off, .. } | Op::CmpXchg { size, base, off, .. } => {
                    other.push(Place::new(f, *base, *off, *size));
                    continue;
                }
                _ => continue,
            };
            let place = Place::new(f, base, off, size);
            let Some(slot) = place.slot() else { continue };
            if memory.escape.get(slot.index()) != Some(&Escape::No) {
                continue;
            }
            let off = place.off;
            let at = all.iter().position(|p| p.slot == slot && p.off == off && p.size == size);
            let at = at.unwrap_or_else(|| {
                let inside = off >= 0
                    && f.slots.get(slot.index()).is_some_and(|s| off + i64::from(size.bytes()) <= i64::from(s.size));
                all.push(Piece { slot, off, size, ty: None, signed: None, fits: inside });
                all.len() - 1
            });
            let p = &mut all[at];
            p.fits &= *p.ty.get_or_insert(ty) == ty && (ty == Ty::Int || size == Size::B8);
            if let Some(signed) = signed {
                p.fits &= *p.signed.get_or_insert(signed) == signed;
            }
        }
        if all.len() > 4 * MAX_PIECES {
            break;
        }
    }
    let overlap = |a: &Piece, slot: Slot, off: i64, size: i64| {
        a.slot == slot && a.off < off + size && off < a.off + i64::from(a.size.bytes())
    };
    let spoiled: Vec<bool> = (all.iter().enumerate())
        .map(|(n, p)| {
            let by_piece =
                (all.iter().enumerate()).any(|(m, q)| m != n && overlap(p, q.slot, q.off, i64::from(q.size.bytes())));
            let by_other = (other.iter()).any(|o| o.slot().is_some_and(|s| overlap(p, s, o.off, i64::from(o.size))));
            by_piece || by_other
        })
        .collect();
    let mut spoiled = spoiled.into_iter();
    all.retain(|p| {
        let spoiled = spoiled.next().unwrap_or(true);
        p.fits && !spoiled
    });
    all.truncate(MAX_PIECES);
    all
}

struct Promotion<'f> {
    f: &'f mut Function,
    cfg: Cfg,
    aliases: Aliases,
    pieces: Vec<Piece>,
}

impl Promotion<'_> {
    /// The piece an access is of.
    fn piece(&self, base: Value, off: i32, size: Size) -> Option<usize> {
        let place = Place::new(self.f, base, off, size);
        let slot = place.slot()?;
        self.pieces.iter().position(|p| p.slot == slot && p.off == place.off && p.size == size)
    }

    /// Pieces whose content at the block's start matters, by block.
    fn live(&self) -> Vec<u64> {
        let n = self.f.blocks.len();
        let (mut wanted, mut set) = (vec![0u64; n], vec![0u64; n]);
        for &b in &self.cfg.order {
            for i in &self.f.blocks[b.index()].insts {
                match self.f.insts[i.index()].op {
                    Op::Load { size, base, off, .. } => {
                        if let Some(p) = self.piece(base, off, size) {
                            wanted[b.index()] |= (1 << p) & !set[b.index()];
                        }
                    }
                    Op::Store { size, base, off, .. } => {
                        if let Some(p) = self.piece(base, off, size) {
                            set[b.index()] |= 1 << p;
                        }
                    }
                    _ => {}
                }
            }
        }
        let mut changed = true;
        while changed {
            changed = false;
            for &b in self.cfg.order.iter().rev() {
                let out = self.f.blocks[b.index()].term.targets().fold(0, |m, t| m | wanted[t.block.index()]);
                let new = wanted[b.index()] | out & !set[b.index()];
                changed |= new != wanted[b.index()];
                wanted[b.index()] = new;
            }
        }
        wanted
    }

    fn run(mut self) {
        let live = self.live();
        let count = self.pieces.len();
        let mut ends: Vec<Vec<Option<Value>>> = vec![Vec::new(); self.f.blocks.len()];
        // Pieces that come into a block as parameters.
        let mut joined = vec![0u64; self.f.blocks.len()];
        for b in self.cfg.order.clone() {
            let mut now = match self.cfg.preds[b.index()][..] {
                [pred] if b != Block(0) => ends[pred.index()].clone(),
                _ => vec![None; count],
            };
            if self.cfg.preds[b.index()].len() > 1 {
                joined[b.index()] = live[b.index()];
                for (p, now) in now.iter_mut().enumerate().filter(|(p, _)| live[b.index()] >> p & 1 == 1) {
                    let piece = &self.pieces[p];
                    let v = self.f.add_param(b, piece.ty.unwrap_or(Ty::Int));
                    self.f.values[v.index()].name = self.f.slots[piece.slot.index()].name.clone();
                    *now = Some(v);
                }
            }
            self.block(b, &mut now);
            ends[b.index()] = now;
        }
        for b in self.cfg.order.clone() {
            let mut term = std::mem::replace(&mut self.f.blocks[b.index()].term, crate::ir::Terminator::Open);
            for t in term.targets_mut() {
                let mask = joined[t.block.index()];
                for p in (0..count).filter(|p| mask >> p & 1 == 1) {
                    let v = match ends[b.index()].get(p).copied().flatten() {
                        Some(v) => v,
                        None => self.nothing(b, p),
                    };
                    t.args.push(v);
                }
            }
            self.f.blocks[b.index()].term = term;
        }
        let Promotion { f, mut aliases, .. } = self;
        aliases.apply(f);
    }

    /// What a piece holds that was never written.
    fn nothing(&mut self, b: Block, p: usize) -> Value {
        let ty = self.pieces[p].ty.unwrap_or(Ty::Int);
        let inst = self.f.add_inst(Op::Const(0), Some(ty), SrcLoc::NONE);
        self.f.blocks[b.index()].insts.push(inst);
        Value(self.f.values.len() as u32 - 1)
    }

    fn block(&mut self, b: Block, now: &mut [Option<Value>]) {
        let old = std::mem::take(&mut self.f.blocks[b.index()].insts);
        for i in old {
            let inst = &self.f.insts[i.index()];
            let (loc, result) = (inst.loc, inst.result);
            match inst.op {
                Op::Load { size, base, off, .. } => {
                    if let (Some(p), Some(r)) = (self.piece(base, off, size), result) {
                        let v = match now[p] {
                            Some(v) => v,
                            None => self.nothing(b, p),
                        };
                        now[p] = Some(v);
                        self.aliases.replace(self.f, r, v);
                        continue;
                    }
                }
                Op::Store { size, base, off, value } => {
                    if let Some(p) = self.piece(base, off, size) {
                        let value = self.aliases.resolve(value);
                        let value = if size == Size::B8 { value } else { self.extend(b, p, value, loc) };
                        if self.f.values[value.index()].name.is_none() && self.f.as_const(value).is_none() {
                            let name = self.f.slots[self.pieces[p].slot.index()].name.clone();
                            self.f.values[value.index()].name = name;
                        }
                        now[p] = Some(value);
                        continue;
                    }
                }
                _ => {}
            }
            self.f.blocks[b.index()].insts.push(i);
        }
    }

    /// The stored value as every load of the piece will see it: once, so that what is tested and
    /// what is used is the same.
    fn extend(&mut self, b: Block, p: usize, value: Value, loc: SrcLoc) -> Value {
        let (size, signed) = (self.pieces[p].size, self.pieces[p].signed.unwrap_or(false));
        let un = if signed { UnOp::Sext(size) } else { UnOp::Zext(size) };
        let inst = self.f.add_inst(Op::Un(un, value), Some(Ty::Int), loc);
        self.f.blocks[b.index()].insts.push(inst);
        Value(self.f.values.len() as u32 - 1)
    }
}
