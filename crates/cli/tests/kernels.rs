//! The same object on several kernels and through several loaders, as data: every file of `kernels/` is a program
//! that is compiled once; the object is loaded by our loader, by libbpf and by bpftool, the same things are done
//! before each (a file opened, a child started …), and what the maps, rings and iterators then hold must be what the
//! head of the file says. `cargo xtask vm --cases` takes the objects made here to other kernels.
//!
//! The head's lines: `;;; expect: TERM OP TERM` with `out[N]` of the map `out`, a number, or a fact of the stimulus
//! (`pid ppid child open-flags …`); `;;; text: PROGRAM has WORDS` for iterators; `;;; needs: trampolines|kprobes`,
//! which not every kernel has; `;;; program: FILE` for one that lies elsewhere; `;;; check: NAME` for one of
//! [`kernels::check`]; `;;; seconds: N` for how long things are done.

#[path = "kernels/case.rs"]
mod case;
#[path = "kernels/check.rs"]
mod check;
#[path = "kernels/hold.rs"]
mod hold;
#[path = "kernels/stimulus.rs"]
mod stimulus;
mod support;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use case::{Case, Need};
use hold::Loader;
use libtest_mimic::{Arguments, Trial};

/// A directory to compile to, and nothing else.
const COMPILE_TO: &str = "WHISTLER_COMPILE_TO";
/// A directory of objects compiled before; a case without one fails.
const OBJECTS: &str = "WHISTLER_OBJECTS";
/// Set where every case has to run: a kernel that has everything.
const EVERYTHING: &str = "WHISTLER_EVERY_CASE";

fn main() -> ExitCode {
    if let Some(code) = stimulus::child() {
        return code;
    }
    let cases = case::all();
    if let Some(to) = std::env::var_os(COMPILE_TO) {
        for case in &cases {
            if let Err(e) = case.compile(Path::new(&to)) {
                eprintln!("{}: {e}", case.name);
                return ExitCode::FAILURE;
            }
        }
        return ExitCode::SUCCESS;
    }
    let mut args = Arguments::from_args();
    // What one case does would be seen by the others.
    args.test_threads = Some(1);
    let missing = support::kernel_missing().filter(|_| std::env::var_os("WHISTLER_REQUIRE_KERNEL").is_none());
    if let Some(missing) = &missing {
        eprintln!("skipped: what runs in the kernel {missing}");
    }
    let scratch = support::Scratch::new();
    let objects = std::env::var_os(OBJECTS).map(PathBuf::from);
    let everything = std::env::var_os(EVERYTHING).is_some();
    let loaders = if missing.is_some() { vec![Loader::Ours] } else { hold::loaders(scratch.path()) };
    let mut trials = Vec::new();
    for case in cases {
        let object = match &objects {
            Some(dir) => Ok(dir.join(format!("{}.o", case.name))),
            None if missing.is_some() => Err("not compiled".to_string()),
            None => case.compile(scratch.path()),
        };
        let here = everything || object.is_err() || case.needs.iter().all(|n| has(*n));
        for loader in &loaders {
            let (case, loader, object) = (case.clone(), loader.clone(), object.clone());
            let name = format!("{}/{}", case.name, loader.name());
            let trial = Trial::test(name, move || Ok(one(&case, &loader, &object?)?));
            trials.push(trial.with_ignored_flag(missing.is_some() || !here));
        }
    }
    let conclusion = libtest_mimic::run(&args, trials);
    drop(scratch);
    conclusion.exit_code()
}

/// Whether this kernel has what a case needs.
fn has(need: Need) -> bool {
    let feature = match need {
        Need::Kprobes => whistler_kernel::Feature::KprobePmu,
        Need::Trampolines => whistler_kernel::Feature::Trampolines,
    };
    let yes = whistler_kernel::Kernel::running().has(feature);
    if !yes {
        eprintln!("skipped: this kernel has no {}", feature.name());
    }
    yes
}

/// Loads, does things, looks, compares.
fn one(case: &Case, loader: &Loader, object: &Path) -> Result<(), String> {
    let Some(held) = loader.hold(object)? else { return Ok(()) };
    // Only our own loader is watched for long, and only here; the others load the same bytes.
    let brief = !matches!(loader, Loader::Ours) || std::env::var_os(EVERYTHING).is_some();
    let long = if brief { case.seconds.min(1) } else { case.seconds };
    let facts = stimulus::run(Duration::from_secs(long))?;
    let seen = held.look()?;
    case.compare(&facts, &seen)
}
