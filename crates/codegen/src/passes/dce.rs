//! Removes instructions whose results nobody wants.

use super::PassContext;
use super::rewrite::{is_removable, use_counts};
use crate::ir::{Function, SymKind, ValueDef};

pub(super) fn run(f: &mut Function, cx: &PassContext<'_>) -> bool {
    let mut uses = use_counts(f);
    let mut work: Vec<_> = Vec::new();
    let mut dead = vec![false; f.insts.len()];
    let unused = |f: &Function, uses: &[u32], i: crate::ir::Inst| {
        let inst = &f.insts[i.index()];
        inst.result.is_some_and(|r| uses[r.index()] == 0) && is_removable(&inst.op) && !remembers(&inst.op, cx)
    };
    for b in &f.blocks {
        work.extend(b.insts.iter().copied().filter(|i| unused(f, &uses, *i)));
    }
    while let Some(i) = work.pop() {
        if std::mem::replace(&mut dead[i.index()], true) {
            continue;
        }
        f.insts[i.index()].op.for_each_operand(|v| {
            uses[v.index()] -= 1;
            if let ValueDef::Inst(def) = f.values[v.index()].def
                && unused(f, &uses, def)
            {
                work.push(def);
            }
        });
    }
    if !dead.contains(&true) {
        return false;
    }
    for b in &mut f.blocks {
        b.insts.retain(|i| !dead[i.index()]);
    }
    for (i, _) in dead.iter().enumerate().filter(|(_, dead)| **dead) {
        if let Some(r) = f.insts[i].result {
            f.values[r.index()].def = ValueDef::Gone;
        }
    }
    true
}

/// Whether a lookup leaves a trace in its map: those that forget what is not looked up do.
fn remembers(op: &crate::ir::Op, cx: &PassContext<'_>) -> bool {
    let crate::ir::Op::MapLookup { map, .. } = op else { return false };
    match cx.syms.get(map.index()).map(|s| &s.kind) {
        Some(SymKind::Map(facts)) => !PLAIN_MAPS.contains(&facts.map_type),
        _ => true,
    }
}

/// BPF_MAP_TYPE_HASH, ARRAY, PERCPU_HASH, PERCPU_ARRAY, LPM_TRIE.
const PLAIN_MAPS: [u32; 5] = [1, 2, 5, 6, 11];
