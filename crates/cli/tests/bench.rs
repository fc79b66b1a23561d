//! The programs of `bench/programs`: their own tests, in the virtual machine and in the kernel; and against clang's objects
//! of the same task: equal in the kernel, and no larger than the floor in `bench/size.py`.

mod support;

use std::path::PathBuf;
use std::process::Command;

use support::{WHISTLER, can_use_kernel, root, run, whistler};

fn script(name: &str) -> Command {
    let mut command = Command::new("python3");
    command.arg("-B").arg(root().join("bench").join(name)).current_dir(root());
    command
}

/// The programs' names and files.
fn programs() -> Vec<(String, PathBuf)> {
    let entries = std::fs::read_dir(root().join("bench/programs")).expect("the programs");
    let mut all: Vec<(String, PathBuf)> = entries
        .map(|e| e.expect("the programs").path())
        .map(|file| (file.file_stem().and_then(|n| n.to_str()).expect("a name").to_string(), file))
        .collect();
    all.sort();
    assert_eq!(all.len(), 19, "{all:?}");
    all
}

/// How many of a file's own tests pass, and how many are skipped; all others fail this one.
fn tested(name: &str, flags: &[&str]) -> (usize, usize) {
    let said = run(whistler(["test"]).args(flags).arg(format!("bench/programs/{name}.lisp"))).ok().out;
    let count = |start: &str| said.lines().filter(|l| l.starts_with(start)).count();
    (count("  ok "), count("  skip "))
}

/// How many tests a program has at least.
fn least(name: &str) -> usize {
    if name == "xdp_pass" { 1 } else { 3 }
}

#[test]
fn programs_pass_their_own_tests() {
    for (name, file) in programs() {
        let text = std::fs::read_to_string(file).expect("a program");
        let defined = text.lines().filter(|l| l.starts_with("(deftest ")).count();
        assert!(defined >= least(&name), "{name} has {defined} tests");
        let needs_types = matches!(&*name, "trace_proc_life" | "trace_runqlat" | "trace_opensnoop");
        if needs_types && !can_use_kernel(&[]) {
            continue;
        }
        assert_eq!(tested(&name, &[]), (defined, 0), "{name}");
    }
}

#[test]
fn programs_pass_their_own_tests_in_the_kernel() {
    if !can_use_kernel(&[]) {
        return;
    }
    for (name, _) in programs() {
        let (passed, skipped) = tested(&name, &["--kernel"]);
        // What only a test can pretend, and types that the kernel has no test run for, are skipped.
        let run_there = ["xdp_", "tc_", "sock_"].iter().any(|kind| name.starts_with(kind));
        let wanted = if run_there { least(&name) } else { 0 };
        assert!(passed >= wanted && passed + skipped >= least(&name), "{name}: {passed} passed, {skipped} skipped");
    }
}

#[test]
fn programs_do_what_their_c_counterparts_do() {
    if !can_use_kernel(&["python3"]) {
        return;
    }
    for (name, _) in programs() {
        let said = run(script("equal.py").arg(WHISTLER).arg(&name)).ok().out;
        // No test run can feed this one: the kernel's verifier takes it, and its own tests say the rest.
        let proof = if name == "trace_runqlat" { ": loaded, not run" } else { ": equal: " };
        assert_eq!(said.lines().filter(|l| l.contains(proof)).count(), 2, "{name}: {said}");
        assert_eq!(said.lines().filter(|l| *l == "1 passed, 0 failed").count(), 2, "{name}: {said}");
    }
}

#[test]
fn programs_are_no_larger_than_the_floor() {
    // Needs no kernel, but what compiling kernel structs needs: its types.
    if !can_use_kernel(&["python3"]) {
        return;
    }
    let said = run(script("size.py").arg("--floor").arg(WHISTLER)).ok().out;
    assert!(said.lines().any(|l| l.starts_with("total")), "{said}");
}
