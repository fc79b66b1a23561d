//! The shape of a function: predecessors, orders, dominators, loops. Invariant: computed from the
//! terminators alone, once; whoever changes a terminator computes it again. Jumps to blocks that
//! do not exist are left out (the validator reports them).

use super::{Block, Function, Target, Terminator};

/// Reachable blocks, their order and predecessors.
#[derive(Clone, Debug)]
pub struct Cfg {
    /// Reachable blocks in reverse postorder; the entry is the first.
    pub order: Vec<Block>,
    /// Place of each block in `order`; `u32::MAX` for those that can't be reached.
    pub place: Vec<u32>,
    /// Reachable predecessors of each block; one that jumps here by both arms stands here twice.
    pub preds: Vec<Vec<Block>>,
}

impl Cfg {
    /// Looks at a function.
    pub fn of(f: &Function) -> Cfg {
        let n = f.blocks.len();
        let mut cfg = Cfg { order: Vec::with_capacity(n), place: vec![u32::MAX; n], preds: vec![Vec::new(); n] };
        if n == 0 {
            return cfg;
        }
        let succ = |b: Block, nth: usize| {
            let t = match (&f.blocks[b.index()].term, nth) {
                (Terminator::Jump(t), 0) => Some(t),
                // The second arm first, so that the first one comes first in the reversed order.
                (Terminator::Branch { els, .. }, 0) => Some(els),
                (Terminator::Branch { then, .. }, 1) => Some(then),
                _ => None,
            };
            t.map(|t: &Target| t.block)
        };
        // Iterative: a function may be a chain of thousands of blocks.
        let mut seen = vec![false; n];
        seen[0] = true;
        let mut stack = vec![(Block(0), 0)];
        while let Some((b, nth)) = stack.last_mut() {
            let b = *b;
            match succ(b, *nth) {
                Some(s) => {
                    *nth += 1;
                    if s.index() < n {
                        cfg.preds[s.index()].push(b);
                        if !std::mem::replace(&mut seen[s.index()], true) {
                            stack.push((s, 0));
                        }
                    }
                }
                None => {
                    cfg.order.push(b);
                    stack.pop();
                }
            }
        }
        cfg.order.reverse();
        for (i, b) in cfg.order.iter().enumerate() {
            cfg.place[b.index()] = i as u32;
        }
        cfg
    }

    /// Whether a block can be reached.
    pub fn reaches(&self, b: Block) -> bool {
        self.place.get(b.index()).is_some_and(|p| *p != u32::MAX)
    }

    /// Whether the edge goes backwards in the order: every loop has one that does.
    pub fn is_back(&self, from: Block, to: Block) -> bool {
        self.place[to.index()] <= self.place[from.index()]
    }
}

/// The dominator tree, after Cooper, Harvey and Kennedy, "A Simple, Fast Dominance Algorithm".
#[derive(Clone, Debug)]
pub struct Dominators {
    /// Immediate dominator of each reachable block but the entry.
    pub parent: Vec<Option<Block>>,
    /// Blocks each block dominates immediately, in reverse postorder.
    pub children: Vec<Vec<Block>>,
    /// Interval of a walk over the tree: `a` dominates `b` when `b`'s lies in `a`'s.
    span: Vec<(u32, u32)>,
}

impl Dominators {
    /// Computes it.
    pub fn of(cfg: &Cfg) -> Dominators {
        let n = cfg.place.len();
        let mut parent: Vec<Option<Block>> = vec![None; n];
        let meet = |parent: &[Option<Block>], mut a: Block, mut b: Block| {
            while a != b {
                if cfg.place[a.index()] > cfg.place[b.index()] {
                    a = parent[a.index()].unwrap_or(Block(0));
                } else {
                    b = parent[b.index()].unwrap_or(Block(0));
                }
            }
            a
        };
        let mut changed = true;
        while changed {
            changed = false;
            for &b in cfg.order.iter().skip(1) {
                let mut new = None;
                for &p in &cfg.preds[b.index()] {
                    if p == Block(0) || parent[p.index()].is_some() {
                        new = Some(new.map_or(p, |old| meet(&parent, old, p)));
                    }
                }
                if new != parent[b.index()] {
                    parent[b.index()] = new;
                    changed = true;
                }
            }
        }
        let mut children = vec![Vec::new(); n];
        for &b in &cfg.order {
            if let Some(p) = parent[b.index()] {
                children[p.index()].push(b);
            }
        }
        let mut span = vec![(u32::MAX, 0); n];
        let mut clock = 0;
        let mut stack: Vec<(Block, usize)> = cfg.order.first().map(|b| (*b, 0)).into_iter().collect();
        while let Some((b, nth)) = stack.last_mut() {
            if *nth == 0 {
                span[b.index()].0 = clock;
                clock += 1;
            }
            match children[b.index()].get(*nth) {
                Some(c) => {
                    *nth += 1;
                    stack.push((*c, 0));
                }
                None => {
                    span[b.index()].1 = clock;
                    stack.pop();
                }
            }
        }
        Dominators { parent, children, span }
    }

    /// Whether every way to `b` goes through `a` (so does a block itself). Both must be reachable.
    pub fn dominates(&self, a: Block, b: Block) -> bool {
        let (from, to) = self.span[a.index()];
        (from..to).contains(&self.span[b.index()].0)
    }

    /// Reachable blocks, each after its dominator.
    pub fn preorder(&self) -> Vec<Block> {
        let mut all = Vec::new();
        let mut stack = vec![Block(0)];
        while let Some(b) = stack.pop() {
            all.push(b);
            stack.extend(self.children[b.index()].iter().rev());
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    #[test]
    fn dominators_of_a_loop_with_a_diamond() {
        let m = parse(
            "func f {
block0(v0):
    jump block1
block1:
    br v0, block2, block3
block2:
    jump block4
block3:
    jump block4
block4:
    br v0, block1, block5
block5:
    ret v0
block6:
    jump block5
}",
        )
        .unwrap();
        let cfg = Cfg::of(&m.functions[0]);
        assert_eq!(cfg.order.len(), 6);
        assert!(!cfg.reaches(Block(6)));
        assert_eq!(cfg.preds[5], [Block(4)]);
        assert!(cfg.is_back(Block(4), Block(1)) && !cfg.is_back(Block(1), Block(2)));
        let dom = Dominators::of(&cfg);
        let parents: Vec<_> = dom.parent.iter().map(|p| p.map_or(99, |b| b.0)).collect();
        assert_eq!(parents, [99, 0, 1, 1, 1, 4, 99]);
        assert!(dom.dominates(Block(1), Block(5)) && dom.dominates(Block(1), Block(1)));
        assert!(!dom.dominates(Block(2), Block(4)));
    }
}
