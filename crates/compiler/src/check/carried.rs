//! Maps with a value for each CPU that carry something of a task from one program to another. Invariant: a program that
//! reads and writes the same map may count there, and is not judged.

use rustc_hash::{FxHashMap, FxHashSet};
use whistler_isa::helpers;

use super::Checker;
use super::seen::{Seen, each};
use crate::diagnostics as diag;
use crate::hir::{At, Expr, ExprKind, Function, MapId, MapOp, Unit};

/// What a program does with a map, and where first.
#[derive(Default)]
struct Use {
    looks: Option<At>,
    writes: Option<At>,
    /// Whether the key is a task's.
    of_task: bool,
}

impl Checker<'_> {
    /// Warns of per-CPU maps that one program writes for a task and another reads.
    pub(crate) fn carried_per_cpu(&mut self) {
        let mut found: Vec<(MapId, At, At)> = Vec::new();
        let programs: Vec<FxHashMap<MapId, Use>> =
            self.unit.functions.iter().filter(|f| f.program.is_some()).map(|f| uses(&self.unit, f)).collect();
        for (i, writer) in programs.iter().enumerate() {
            for (map, w) in writer {
                let (Some(written), None, true) = (&w.writes, &w.looks, w.of_task) else { continue };
                let reader = programs.iter().enumerate().filter(|(j, _)| *j != i).find_map(|(_, p)| {
                    let r = p.get(map)?;
                    (r.of_task && r.writes.is_none()).then_some(r.looks.as_ref()?)
                });
                if let Some(read) = reader
                    && !found.iter().any(|(m, ..)| m == map)
                {
                    found.push((*map, read.clone(), written.clone()));
                }
            }
        }
        for (map, read, written) in found {
            let def = &self.unit.maps[map.0 as usize];
            let text = format!(
                "`{}` has a value for each CPU, and a task may go on on another one than where this was written",
                def.name
            );
            let keyword = def.map_type.keyword();
            let other = keyword.replace("percpu-", "");
            let d = diag::warning(&diag::CARRIED_PER_CPU, &read, text)
                .also(written.span, "written here, for this CPU alone")
                .also(def.span, "declared here");
            self.report(d.help(format!("declare it as :type :{other}")));
        }
    }
}

/// What a program, with the subprograms that it calls, does with per-CPU maps.
fn uses(unit: &Unit, program: &Function) -> FxHashMap<MapId, Use> {
    let mut out: FxHashMap<MapId, Use> = FxHashMap::default();
    let mut visited = FxHashSet::default();
    let mut rest = vec![program];
    while let Some(f) = rest.pop() {
        if !visited.insert(std::ptr::from_ref(f)) {
            continue;
        }
        let seen = Seen::of(&f.body);
        each(&f.body, &mut |e| match &e.kind {
            ExprKind::MapOp { op, map, args } => {
                let def = &unit.maps[map.0 as usize];
                let keyed =
                    matches!(def.map_type, whistler_isa::MapType::PercpuHash | whistler_isa::MapType::LruPercpuHash);
                if !keyed {
                    return;
                }
                let u = out.entry(*map).or_default();
                let key = args.first().and_then(|k| seen.behind(k));
                u.of_task |= key.is_some_and(|k| is_task(&seen, k));
                match op {
                    MapOp::Lookup => drop(u.looks.get_or_insert_with(|| e.at.clone())),
                    MapOp::Update => drop(u.writes.get_or_insert_with(|| e.at.clone())),
                    MapOp::Delete => {}
                }
            }
            ExprKind::Call { function, .. } => rest.extend(unit.functions.get(function.0 as usize)),
            _ => {}
        });
    }
    out
}

/// Whether a number says which task runs.
fn is_task<'e>(seen: &Seen<'e>, e: &'e Expr) -> bool {
    let e = seen.value(e);
    match &e.kind {
        ExprKind::Helper { id, .. } => helpers::by_id(*id)
            .is_some_and(|h| h.name.starts_with("get_current_pid_tgid") || h.name == "get_current_task"),
        ExprKind::Cast(inner) => is_task(seen, inner),
        ExprKind::Bin(_, a, n) => n.as_const().is_some() && is_task(seen, a),
        _ => false,
    }
}
