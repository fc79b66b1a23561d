//! The back end: selection to a machine form over virtual registers, allocation, finishing,
//! encoding. Invariant: each step is a function of the one before it; nothing here looks at a
//! function other than the one it compiles.

mod alloc;
mod blocks;
mod coalesce;
mod constants;
mod emit;
mod flow;
mod inst;
mod layout;
mod phys;
mod select;
mod share;
mod tidy;
mod vars;

#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use whistler_isa::Target;

use crate::code::{Code, CodegenError};
use crate::ir::{Function, SymData};
pub(crate) use alloc::Allocator;
use phys::PFunc;

/// The stack a program has (`MAX_BPF_STACK`).
const MAX_STACK: u32 = 512;
/// What the kernel adds to a frame for the counter and the start time of `may_goto`.
const MAY_GOTO_STACK: u32 = 16;

/// Time spent in each step.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Times {
    pub select: Duration,
    pub allocate: Duration,
    pub finish: Duration,
    pub emit: Duration,
}

/// Compiles one function.
pub(crate) fn generate(
    f: &Function,
    syms: &[SymData],
    target: &Target,
    allocator: &mut Allocator,
    times: &mut Times,
) -> Result<Code, CodegenError> {
    let invalid = |stage: &str| {
        let (function, stage) = (f.name.clone(), stage.to_string());
        move |what| CodegenError::Invalid { function, stage, what }
    };
    let start = Instant::now();
    let mut machine = select::select(f, syms, target)?;
    share::share_wide(&mut machine);
    machine.follow_named();
    let selected = Instant::now();
    let output = alloc::allocate(&machine, allocator).map_err(invalid("register allocation"))?;
    let allocated = Instant::now();
    let counter = if machine.may_goto { MAY_GOTO_STACK } else { 0 };
    let stack = machine.frame + 8 * output.num_spillslots as u32 + counter;
    if stack > MAX_STACK {
        return Err(stack_overflow(f, stack, output.num_spillslots as u32));
    }
    let mut phys = alloc::apply(&machine, &output).map_err(invalid("register allocation"))?;
    finish(&mut phys);
    let finished = Instant::now();
    let (mut code, origins) = emit::emit(&f.name, &phys, target)?;
    code.stack_size = stack;
    code.vars = vars::locate(f, &machine, &output, &phys, &origins);
    times.select += selected - start;
    times.allocate += allocated - selected;
    times.finish += finished - allocated;
    times.emit += finished.elapsed();
    Ok(code)
}

/// Makes the allocated code better. Each step leaves it whole, so that any may be left out.
fn finish(f: &mut PFunc) {
    tidy::forward_copies(f);
    tidy::remove_dead(f);
    blocks::simplify(f);
    coalesce::coalesce(f);
    constants::drop_known(f);
    tidy::remove_dead(f);
    blocks::simplify(f);
    layout::rotate_loops(f);
}

fn stack_overflow(f: &Function, needed: u32, spills: u32) -> CodegenError {
    let mut users: Vec<(String, u32)> = (f.slots.iter().enumerate())
        .map(|(n, s)| (s.name.as_deref().map_or_else(|| format!("slot{n}"), str::to_string), s.size))
        .collect();
    if spills > 0 {
        users.push(("values that found no register".into(), 8 * spills));
    }
    users.retain(|(_, size)| *size > 0);
    users.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
    users.truncate(5);
    CodegenError::StackOverflow { function: f.name.clone(), needed, limit: MAX_STACK, users }
}
