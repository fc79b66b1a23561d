//! Scripts as data: every file of `live/` is run by the binary against the running kernel and must print what the lines
//! `;;; prints: …` of its head say. For what a single run of a program can't show: attaching, the kernel's own types.
//! A line `;;; beside: COMMAND` starts a process that lives as long as the script. With `;;; place: own` both run in a
//! network namespace and a cgroup of their own, the process as a member, its path in `TEST_CGROUP`.
//!
//! This process is a child subreaper, so that a bit-field of the scripts' own process (`has_child_subreaper`) is known.

mod support;

use std::path::Path;
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Failed, Trial};
use support::place::Place;
use support::{Running, kernel_missing, run, whistler};

fn main() -> ExitCode {
    let args = Arguments::from_args();
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/live");
    let mut files: Vec<_> = std::fs::read_dir(&dir)
        .expect("tests/live is there")
        .filter_map(|e| e.ok().map(|e| e.path()))
        .filter(|p| p.extension().is_some_and(|e| e == "lisp"))
        .collect();
    files.sort();
    rustix::process::set_child_subreaper(Some(rustix::process::getpid())).expect("a process may care for orphans");
    let required = std::env::var_os("WHISTLER_REQUIRE_KERNEL").is_some_and(|v| v == "1");
    let missing = kernel_missing().filter(|_| !required);
    if let Some(missing) = &missing {
        eprintln!("skipped: what runs in the kernel {missing}");
    }
    let trials = files.into_iter().map(|file| {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Trial::test(name, move || check(&file)).with_ignored_flag(missing.is_some())
    });
    libtest_mimic::run(&args, trials.collect()).exit_code()
}

fn check(file: &Path) -> Result<(), Failed> {
    let text = std::fs::read_to_string(file).map_err(|e| e.to_string())?;
    let expected: Vec<&str> = text.lines().filter_map(|l| l.strip_prefix(";;; prints: ")).collect();
    if expected.is_empty() {
        return Err("it does not say what it prints".into());
    }
    let beside = text.lines().find_map(|l| l.strip_prefix(";;; beside: "));
    let ran = if text.contains("\n;;; place: own\n") {
        let place = Place::own()?;
        let beside = beside.and_then(|c| place.beside(&format!("exec {c}")));
        let ran = run(&mut place.whistler(&["run", &file.display().to_string()]));
        drop(beside);
        ran
    } else {
        let beside = beside.map(|c| Running::start(Command::new("sh").args(["-c", &format!("exec {c}")])));
        let ran = run(&mut whistler(["run".as_ref(), file.as_os_str()]));
        drop(beside);
        ran
    };
    let seen: Vec<&str> = ran.out.lines().collect();
    if !ran.status.success() || seen != expected {
        return Err(format!("{}\n--- expected\n{}\n--- said\n{}", ran.status, expected.join("\n"), ran.all()).into());
    }
    Ok(())
}
