//! Many programs, each at every level; the first failure of each kind is made small.

use std::path::Path;

use whistler_codegen::OptLevel;
use whistler_isa::{IsaLevel, KernelVersion, LoopWay, Target};
use whistler_kernel::Kernel;

use crate::ast::Program;
use crate::coverage::Coverage;
use crate::generate::{generate, input};
use crate::run::{Bench, Input, Problem, check};
use crate::shrink::shrink;

/// How many programs, from which seed on.
pub struct Campaign<'k> {
    /// The first seed; program `i` has seed `first + i`.
    pub first: u64,
    /// How many programs.
    pub count: u64,
    /// The kernel, when it is to be asked.
    pub kernel: Option<&'k Kernel>,
    /// What is compiled for.
    pub targets: Vec<Target>,
    /// The levels that exist.
    pub levels: Vec<OptLevel>,
    /// Edits tried to make a failure small.
    pub tries: usize,
    /// Whether one failure is enough.
    pub stop_at_first: bool,
}

/// What every program is compiled for: the default, the running kernel with all it has, and a machine of old.
pub fn targets(kernel: Option<&Kernel>) -> Vec<Target> {
    let mut targets = vec![Target::default()];
    targets.extend(kernel.and_then(Kernel::version).map(Target::for_kernel));
    targets.push(Target::new(KernelVersion::new(6, 1), IsaLevel::V2));
    targets
}

/// The ways to make loops that a program is compiled with, in turn, besides what is best. A thousand rounds are more
/// than the verifier follows one by one.
fn ways(program: &Program) -> &'static [LoopWay] {
    const SHORT: [LoopWay; 5] = [LoopWay::Helper, LoopWay::Iterator, LoopWay::MayGoto, LoopWay::Jump, LoopWay::Unroll];
    if program.long { &SHORT[..3] } else { &SHORT }
}

/// Words that make a loop.
const LOOPS: [&str; 3] = ["(dotimes ", "(while ", "(loop "];

/// Runs the programs of a directory (`*.lisp`, each with one program `p`), at every level and target.
///
/// # Errors
/// What failed first, or that there are none.
pub fn keep(dir: &Path, kernel: Option<&Kernel>) -> Result<(), String> {
    let files = std::fs::read_dir(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let mut files: Vec<_> = files.filter_map(|e| Some(e.ok()?.path())).collect();
    files.retain(|p| p.extension().is_some_and(|x| x == "lisp"));
    files.sort();
    if files.is_empty() {
        return Err(format!("no programs in {}", dir.display()));
    }
    let inputs: Vec<Input> = (0..8).map(|r| input(7, r)).collect();
    for path in files {
        let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        for target in targets(kernel) {
            if text.starts_with("; newest") && target.isa < IsaLevel::V4 {
                continue;
            }
            for opt in [OptLevel::None, OptLevel::Full] {
                let bench = Bench { kernel, target, opt };
                bench
                    .judge(&text, &inputs)
                    .map_err(|p| format!("{} for {target:?} at {opt:?}: {p}", path.display()))?;
            }
        }
    }
    Ok(())
}

/// A program that failed.
pub struct Failure {
    /// Its seed.
    pub seed: u64,
    /// Where.
    pub target: Target,
    /// At which level.
    pub level: OptLevel,
    /// How.
    pub problem: Problem,
    /// The smallest program found that fails in the same way.
    pub text: String,
}

/// Inputs per program.
const ROUNDS: u64 = 3;

impl Campaign<'_> {
    /// What a program is compiled for.
    fn targets_of(&self, seed: u64, program: &Program, text: &str) -> Vec<Target> {
        // Old machines are rare: one program in four.
        let is_for = |t: &&Target| {
            (t.isa >= IsaLevel::V3 || seed.is_multiple_of(4)) && (!program.newest || t.isa >= IsaLevel::V4)
        };
        let mut targets: Vec<Target> = self.targets.iter().filter(is_for).copied().collect();
        let newest = self.targets.iter().filter(is_for).max_by_key(|t| t.kernel);
        if let Some(newest) = newest.filter(|_| LOOPS.iter().any(|word| text.contains(word))) {
            let ways = ways(program);
            targets.push(Target { loops: ways[seed as usize % ways.len()], ..*newest });
        }
        targets
    }

    /// Runs all; the failures, and what the programs were made of. `told` is called with every failure at once, and with
    /// nothing behind each program.
    pub fn run(&self, mut told: impl FnMut(u64, Option<&Failure>)) -> (Vec<Failure>, Coverage) {
        let mut failures: Vec<Failure> = Vec::new();
        let mut coverage = Coverage::default();
        for seed in self.first..self.first + self.count {
            let program = generate(seed);
            let inputs: Vec<Input> = (0..ROUNDS).map(|r| input(seed, r)).collect();
            let text = program.text();
            coverage.add(&program, &text);
            for target in self.targets_of(seed, &program, &text) {
                coverage.add_target(target);
                let checked = check(&text, target).and_then(|c| Ok((c.reference(&inputs)?, c)));
                for &level in &self.levels {
                    // Code that was not optimised teaches the kernel's side little, and takes its verifier longest: one
                    // program in twelve.
                    let asked = level != OptLevel::None || seed.is_multiple_of(12);
                    let bench = Bench { kernel: self.kernel.filter(|_| asked), target, opt: level };
                    let problem = match &checked {
                        Err(problem) => problem.clone(),
                        Ok((wanted, checked)) => match bench.run(checked, wanted, &inputs) {
                            Ok(()) => continue,
                            Err(problem) => problem,
                        },
                    };
                    if problem.is_limit() && !bench.is_plain() {
                        let said = problem.to_string();
                        let said = said.lines().next().unwrap_or_default();
                        coverage.limits.push(format!("seed {seed}, {target:?}, {level:?}: {said}"));
                        continue;
                    }
                    if is_fair(&problem, &bench) {
                        coverage.excused += 1;
                        continue;
                    }
                    let known = failures.iter().any(|f| f.problem.is_like(&problem) && f.level == level);
                    let small = if known { program.clone() } else { self.small(&bench, &program, &inputs, &problem) };
                    let problem = bench.judge(&small.text(), &inputs).err().unwrap_or(problem);
                    let failure = Failure { seed, target, level, problem, text: small.text() };
                    told(seed, Some(&failure));
                    failures.push(failure);
                    if self.stop_at_first {
                        return (failures, coverage);
                    }
                    if checked.is_err() {
                        break;
                    }
                }
            }
            told(seed, None);
        }
        (failures, coverage)
    }

    fn small(&self, bench: &Bench<'_>, program: &Program, inputs: &[Input], problem: &Problem) -> Program {
        shrink(program, self.tries, |p| bench.judge(&p.text(), inputs).is_err_and(|other| other.is_like(problem)))
    }
}

/// What is said and not wrong: a large program may need more stack than there is, and without optimisation, or with loops
/// made in a way that was asked for, more steps than the verifier takes; old machines lack some atomic operations.
fn is_fair(problem: &Problem, bench: &Bench<'_>) -> bool {
    match problem {
        Problem::Rejected(why) => why.contains("E0701") || why.contains("needs instruction set v3"),
        Problem::Verifier(_) | Problem::Fault(_) => problem.is_limit() && bench.is_plain(),
        Problem::Mismatch(_) => false,
    }
}
