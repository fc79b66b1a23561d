//! Many programs, each at every level; the first failure of each kind is made small.

use std::path::Path;

use whistler_codegen::OptLevel;
use whistler_isa::{IsaLevel, KernelVersion, Target};
use whistler_kernel::Kernel;

use crate::ast::Program;
use crate::generate::{generate, input};
use crate::run::{Bench, Problem, check};
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
    let inputs: Vec<Vec<u8>> = (0..8).map(|r| input(7, r)).collect();
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
    /// Runs all; the failures. `tick` is called after every program.
    pub fn run(&self, mut tick: impl FnMut(u64)) -> Vec<Failure> {
        let mut failures: Vec<Failure> = Vec::new();
        for seed in self.first..self.first + self.count {
            let program = generate(seed);
            let inputs: Vec<Vec<u8>> = (0..ROUNDS).map(|r| input(seed, r)).collect();
            for &target in &self.targets {
                // Old machines are rare: one program in four.
                if target.isa < IsaLevel::V3 && seed % 4 != 0 || program.newest && target.isa < IsaLevel::V4 {
                    continue;
                }
                let text = program.text();
                let checked = check(&text, target).and_then(|c| Ok((c.reference(&inputs)?, c)));
                for &level in &self.levels {
                    let bench = Bench { kernel: self.kernel, target, opt: level };
                    let problem = match &checked {
                        Err(problem) => problem.clone(),
                        Ok((wanted, checked)) => match bench.run(checked, wanted, &inputs) {
                            Ok(()) => continue,
                            Err(problem) => problem,
                        },
                    };
                    if is_fair(&problem, level) {
                        continue;
                    }
                    let known = failures.iter().any(|f| f.problem.is_like(&problem) && f.level == level);
                    let small = if known { program.clone() } else { self.small(&bench, &program, &inputs, &problem) };
                    let problem = bench.judge(&small.text(), &inputs).err().unwrap_or(problem);
                    failures.push(Failure { seed, target, level, problem, text: small.text() });
                    if self.stop_at_first {
                        return failures;
                    }
                    if checked.is_err() {
                        break;
                    }
                }
            }
            tick(seed);
        }
        failures
    }

    fn small(&self, bench: &Bench<'_>, program: &Program, inputs: &[Vec<u8>], problem: &Problem) -> Program {
        shrink(program, self.tries, |p| bench.judge(&p.text(), inputs).is_err_and(|other| other.is_like(problem)))
    }
}

/// What is said and not wrong: without optimisation a large program may need more stack than there is, and old
/// machines lack some atomic operations.
fn is_fair(problem: &Problem, level: OptLevel) -> bool {
    let Problem::Rejected(why) = problem else { return false };
    level == OptLevel::None && why.contains("E0701") || why.contains("needs instruction set v3")
}
