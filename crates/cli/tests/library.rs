//! The library's own tests, written in the language: every file of `library/`, and every example that has tests, passes
//! in the virtual machine, and in the kernel with the same results. What can't be run in the kernel stands in files of
//! its own, whose head says `;;; only: vm` and why (`;;; target: …`: what a file needs); the examples' kernel runs are live ones (`examples.rs`).

mod support;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use support::{kernel_missing, run, whistler};

fn main() -> ExitCode {
    let args = Arguments::from_args();
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/library");
    let mut files: Vec<PathBuf> = [own, support::root().join("examples")]
        .iter()
        .flat_map(|dir| std::fs::read_dir(dir).expect("the directory is there"))
        .filter_map(|e| e.ok().map(|e| e.path()))
        .filter(|p| p.extension().is_some_and(|e| e == "lisp"))
        .filter(|p| std::fs::read_to_string(p).is_ok_and(|t| t.contains("\n(deftest ")))
        .collect();
    files.sort();
    let required = std::env::var_os("WHISTLER_REQUIRE_KERNEL").is_some_and(|v| v == "1");
    let missing = kernel_missing().filter(|_| !required);
    if let Some(missing) = &missing {
        eprintln!("skipped: what runs in the kernel {missing}");
    }
    let mut trials = Vec::new();
    for file in files {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        for (way, flags) in [("vm", &[][..]), ("kernel", &["--kernel"][..])] {
            let file = file.clone();
            let skip = way == "kernel" && missing.is_some();
            let trial = Trial::test(format!("{name} ({way})"), move || check(&file, flags));
            trials.push(trial.with_ignored_flag(skip));
        }
    }
    libtest_mimic::run(&args, trials).exit_code()
}

fn check(file: &Path, flags: &[&str]) -> Result<(), Failed> {
    let mut args = vec!["test".to_string(), file.display().to_string()];
    args.extend(flags.iter().map(|f| f.to_string()));
    let text = std::fs::read_to_string(file).map_err(|e| e.to_string())?;
    if let Some(target) = text.lines().find_map(|l| l.strip_prefix(";;; target: ")) {
        args.extend(["--target".to_string(), target.to_string()]);
    }
    let mut command = whistler(&args);
    if let Some(dir) = file.parent() {
        // Captures are named from where the tests are.
        command.current_dir(dir);
    }
    let ran = run(&mut command);
    let only_vm = text.contains("\n;;; only: vm ");
    if only_vm && !flags.is_empty() && ran.err.contains("this kernel forbids programs of type") {
        return Ok(());
    }
    if !ran.status.success() {
        return Err(ran.all().into());
    }
    if flags.is_empty() || !file.starts_with(Path::new(env!("CARGO_MANIFEST_DIR"))) {
        return Ok(());
    }
    let (skips, passes) = (ran.out.contains("\n  skip "), ran.out.contains("\n  ok "));
    match only_vm {
        true if passes || !skips => Err(format!("some of it does run in the kernel:\n{}", ran.out).into()),
        false if skips => Err(format!("what does not run in the kernel is in a file of its own:\n{}", ran.out).into()),
        _ => Ok(()),
    }
}
