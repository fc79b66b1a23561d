//! From a module to code: the passes, then the back end, function by function.

use std::time::Duration;

use whistler_isa::{KernelVersion, LoopWay, Target, op};

use crate::code::{Code, CodegenError, OptLevel};
use crate::ir::cfg::Cfg;
use crate::ir::{Function, Module, SymKind};
use crate::mach;
use crate::passes;

/// What compiling took.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Stages in order, with the time spent in all functions.
    pub stages: Vec<(&'static str, Duration)>,
}

/// Compiles every function of a module, in its order. The module is left as the passes made it.
///
/// # Errors
/// The first function that no code can be made for.
pub fn compile(module: &mut Module, target: &Target, opt: OptLevel) -> Result<Vec<Code>, CodegenError> {
    compile_with_report(module, target, opt).map(|(code, _)| code)
}

/// The same, with the time each stage took.
///
/// # Errors
/// As [`compile`].
pub fn compile_with_report(
    module: &mut Module,
    target: &Target,
    opt: OptLevel,
) -> Result<(Vec<Code>, Report), CodegenError> {
    let mut stages = passes::run_pipeline(module, target, opt)?;
    let (mut times, mut allocator) = (mach::Times::default(), mach::Allocator::default());
    module.functions.iter().try_for_each(|f| loops(f, target))?;
    let mut codes = Vec::with_capacity(module.functions.len());
    for f in &module.functions {
        codes.push(mach::generate(f, &module.syms, target, &mut allocator, &mut times)?);
    }
    let callees = callees(module, &codes);
    sizes(module, &codes, &callees, target)?;
    call_stacks(module, &codes, &callees)?;
    let mach::Times { select, allocate, finish, emit } = times;
    stages.extend([("selection", select), ("allocation", allocate), ("finishing", finish), ("encoding", emit)]);
    Ok((codes, Report { stages }))
}

/// Bytes of stack that all frames of a chain of calls share.
const CHAIN_STACK: u32 = 512;
/// What the kernel rounds each frame up to.
const FRAME_UNIT: u32 = 32;
/// Frames that the kernel allows in a chain of calls; deeper ones are not for this check.
const FRAMES: usize = 8;

/// The kernel has so many frames and no more (`MAX_CALL_FRAMES`).
fn depth(module: &Module, callees: &[Vec<usize>]) -> Result<(), CodegenError> {
    // The longest chain that begins with each function, cut where it is long enough to be an error.
    let mut longest = vec![1; callees.len()];
    for _ in 0..FRAMES {
        let next = |i: usize| 1 + callees[i].iter().map(|c| longest[*c]).max().unwrap_or(0);
        longest = (0..callees.len()).map(next).collect();
    }
    let Some(mut at) = (0..callees.len()).find(|i| longest[*i] > FRAMES) else { return Ok(()) };
    let mut chain = vec![module.functions[at].name.clone()];
    while chain.len() <= FRAMES {
        let Some(next) = callees[at].iter().copied().max_by_key(|c| longest[*c]) else { break };
        at = next;
        chain.push(module.functions[at].name.clone());
    }
    Err(CodegenError::CallDepth { chain, limit: FRAMES })
}

/// What the frames around a function that goes on in another program may take: the other one has 512 bytes of its
/// own, on the same stack of the kernel.
const AROUND_TAIL_CALL: u32 = 256;

fn tail_calls(module: &Module, codes: &[Code], callees: &[Vec<usize>], frames: &[u32]) -> Result<(), CodegenError> {
    const TAIL_CALL: i32 = 12;
    let jumps = |c: &Code| c.insns.iter().any(|i| i.code == op::JMP | op::CALL && i.src == 0 && i.imm == TAIL_CALL);
    let mut around = vec![0u32; codes.len()];
    for _ in 0..FRAMES {
        for i in 0..codes.len() {
            for c in &callees[i] {
                around[*c] = around[*c].max(around[i] + frames[i]);
            }
        }
    }
    let bad = (0..codes.len()).find(|i| around[*i] >= AROUND_TAIL_CALL && jumps(&codes[*i]));
    let Some(bad) = bad else { return Ok(()) };
    let users = (0..codes.len())
        .filter(|i| callees[*i].contains(&bad))
        .map(|i| (format!("in `{}`, which calls it", module.functions[i].name), frames[i]))
        .collect();
    let function = module.functions[bad].name.clone();
    Err(CodegenError::TailCallStack { function, needed: around[bad], limit: AROUND_TAIL_CALL - 1, users })
}

/// Kernels before Linux 5.3 take no jump that goes round (commit 2589726d12a1).
fn loops(f: &Function, target: &Target) -> Result<(), CodegenError> {
    if target.has(LoopWay::Jump.since()) {
        return Ok(());
    }
    let cfg = Cfg::of(f);
    let ends = cfg.order.iter().map(|b| (*b, &f.blocks[b.index()]));
    for (b, data) in ends {
        if data.term.targets().any(|t| cfg.is_back(b, t.block)) {
            let what = "a loop that can't be unrolled".to_string();
            return Err(CodegenError::NeedsTarget { what, needs: "5.3".to_string(), loc: data.term_loc });
        }
    }
    Ok(())
}

/// Instructions that a privileged program may have (`BPF_COMPLEXITY_LIMIT_INSNS`, commit c04c0d2b968a in Linux 5.2).
const MOST: usize = 1_000_000;
/// The same before Linux 5.2 (`BPF_MAXINSNS`).
const MOST_OLD: usize = 4096;

/// A program is loaded as one with what it calls, and the kernel takes so many instructions and no more.
fn sizes(module: &Module, codes: &[Code], callees: &[Vec<usize>], target: &Target) -> Result<(), CodegenError> {
    let old = target.kernel < KernelVersion::new(5, 2);
    let most = if old { MOST_OLD } else { MOST };
    for (i, f) in module.functions.iter().enumerate() {
        let (mut seen, mut todo, mut sum) = (vec![false; codes.len()], vec![i], 0);
        while let Some(at) = todo.pop() {
            if !std::mem::replace(&mut seen[at], true) {
                sum += codes[at].insns.len();
                todo.extend(&callees[at]);
            }
        }
        if sum > most {
            let with = if callees[i].is_empty() { "" } else { " with what it calls" };
            let newer = if old { "; from Linux 5.2 on 1000000" } else { "" };
            let what = format!("it is {sum} instructions long{with}, and the kernel takes {most}{newer}");
            return Err(CodegenError::TooLarge { function: f.name.clone(), what });
        }
    }
    Ok(())
}

/// What each function calls, by index.
fn callees(module: &Module, codes: &[Code]) -> Vec<Vec<usize>> {
    let index = |name: &str| module.functions.iter().position(|f| f.name == name);
    codes
        .iter()
        .map(|c| {
            let called = c.syms.iter().filter_map(|u| module.syms.get(u.sym.index()));
            let mut called: Vec<usize> =
                called.filter(|s| s.kind == SymKind::Function).filter_map(|s| index(&s.name)).collect();
            called.sort_unstable();
            called.dedup();
            called
        })
        .collect()
}

/// The kernel adds up the frames of functions that call each other.
fn call_stacks(module: &Module, codes: &[Code], callees: &[Vec<usize>]) -> Result<(), CodegenError> {
    if codes.len() < 2 {
        return Ok(());
    }
    let frames: Vec<u32> = codes.iter().map(|c| c.stack_size.max(1).next_multiple_of(FRAME_UNIT)).collect();
    // The deepest chain of so many frames that begins with each function: its bytes, and what it calls.
    let mut deepest: Vec<(u32, Option<usize>)> = frames.iter().map(|n| (*n, None)).collect();
    let mut steps = vec![deepest.clone()];
    for _ in 1..FRAMES {
        let next = (0..codes.len())
            .map(|i| {
                let below = callees[i].iter().map(|c| (deepest[*c].0, Some(*c))).max().unwrap_or((0, None));
                (frames[i] + below.0, below.1)
            })
            .collect();
        deepest = next;
        steps.push(deepest.clone());
    }
    depth(module, callees)?;
    tail_calls(module, codes, callees, &frames)?;
    let Some(top) = (0..codes.len()).filter(|i| deepest[*i].0 > CHAIN_STACK).max_by_key(|i| deepest[*i].0) else {
        return Ok(());
    };
    let mut users = Vec::new();
    let mut at = Some(top);
    for step in steps.iter().rev() {
        let Some(i) = at else { break };
        users.push((format!("in `{}`", module.functions[i].name), frames[i]));
        at = step[i].1;
    }
    let function = module.functions[top].name.clone();
    Err(CodegenError::StackOverflow { function, needed: deepest[top].0, limit: CHAIN_STACK, users })
}
