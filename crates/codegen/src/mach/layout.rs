//! The last word on block order: loops that test at their head are turned so that they test at
//! their end, which saves a jump per round. Invariant: the entry stays first.

use super::phys::{PFunc, PTerm};

/// Moves a loop's head behind the block that jumps back to it, where the head then falls out of the loop.
pub(crate) fn rotate_loops(f: &mut PFunc) {
    let mut head = 1;
    while head < f.blocks.len() {
        if let Some(latch) = latch(f, head) {
            move_block(f, head, latch);
        }
        head += 1;
    }
}

/// The block after which `head` should lie: the last one that jumps back to it, if `head` leaves
/// the loop by its branch, and its way out comes right after the loop.
fn latch(f: &PFunc, head: usize) -> Option<usize> {
    let PTerm::Branch { then, els, .. } = f.blocks[head].term else { return None };
    let latch = (head + 1..f.blocks.len()).rev().find(|b| f.blocks[*b].term == PTerm::Jump(head))?;
    let inside = |b: usize| (head..=latch).contains(&b);
    // One way stays in the loop and is what lies next; the other leaves it to what lies behind it.
    let (stays, leaves) = if inside(then) { (then, els) } else { (els, then) };
    (stays == head + 1 && leaves == latch + 1).then_some(latch)
}

/// Takes the block out and puts it behind `after` (which is behind it).
fn move_block(f: &mut PFunc, block: usize, after: usize) {
    f.blocks[block..=after].rotate_left(1);
    let number = |b: usize| match b {
        b if b == block => after,
        b if (block + 1..=after).contains(&b) => b - 1,
        b => b,
    };
    for b in &mut f.blocks {
        b.term.retarget(number);
    }
}
