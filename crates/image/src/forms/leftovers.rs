//! What killed processes of ours left in the kernel: filters at clsact.

use std::rc::Rc;

use whistler_lisp::{Interp, LispError, LispResult, Value};
use whistler_loader::Leftover;

use super::define;
use crate::args::Args;
use crate::live::Shared;

pub(super) fn install(interp: &mut Interp, shared: &Rc<Shared>) {
    define(
        interp,
        shared,
        "leftovers",
        "",
        "Prints and counts the traffic filters that killed processes of this program left attached.",
        leftovers,
    );
    define(
        interp,
        shared,
        "remove-leftover",
        "which",
        "Removes a leftover filter by its number in (leftovers), or all with t; how many.",
        remove,
    );
}

/// `2 port-block on eth0, from process 1234`, counted from 1.
pub(crate) fn lines(found: &[Leftover]) -> Vec<String> {
    let line = |(i, l): (usize, &Leftover)| format!("{} {} on {}, from process {}", i + 1, l.program, l.device, l.pid);
    found.iter().enumerate().map(line).collect()
}

fn find() -> Result<Vec<Leftover>, LispError> {
    whistler_loader::find_leftovers().map_err(|e| LispError::simple(format!("looking for leftover filters: {e}")))
}

fn leftovers(shared: &Shared, interp: &mut Interp, values: &[Value]) -> LispResult {
    Args::new("leftovers", values, &[])?.exactly::<0>()?;
    let found = find()?;
    for line in lines(&found) {
        interp.print(&format!("{line}\n"))?;
    }
    let count = found.len() as i64;
    shared.live()?.leftovers = found;
    Ok(Value::Int(count))
}

fn remove(shared: &Shared, interp: &mut Interp, values: &[Value]) -> LispResult {
    let [which] = Args::new("remove-leftover", values, &[])?.exactly()?;
    let mut live = shared.live()?;
    if live.leftovers.is_empty() {
        live.leftovers = find()?;
    }
    let chosen: Vec<Leftover> = match which {
        Value::T => std::mem::take(&mut live.leftovers),
        v => {
            let n = v.as_i64().and_then(|n| usize::try_from(n).ok()).and_then(|n| n.checked_sub(1));
            let found = n.and_then(|n| live.leftovers.get(n)).cloned();
            // The others keep their numbers until they are listed again.
            vec![found.ok_or_else(|| {
                LispError::wrong_type(&interp.show(v), "the number of a leftover filter, or t for all of them")
                    .help("(leftovers) lists them")
            })?]
        }
    };
    let count = chosen.len() as i64;
    for leftover in chosen {
        whistler_loader::remove_leftover(&leftover)
            .map_err(|e| LispError::simple(format!("removing {} from {}: {e}", leftover.program, leftover.device)))?;
    }
    Ok(Value::Int(count))
}
