//! The programs of `bench/programs` against clang's objects of the same task: equal in the kernel, and no larger than
//! the floor in `bench/size.py`.

mod support;

use std::process::Command;

use support::{WHISTLER, can_use_kernel, root, run};

fn script(name: &str) -> Command {
    let mut command = Command::new("python3");
    command.arg("-B").arg(root().join("bench").join(name)).current_dir(root());
    command
}

#[test]
fn programs_do_what_their_c_counterparts_do() {
    if !can_use_kernel(&["python3"]) {
        return;
    }
    for entry in std::fs::read_dir(root().join("bench/programs")).expect("the programs") {
        let file = entry.expect("the programs").path();
        let name = file.file_stem().and_then(|n| n.to_str()).expect("a name").to_string();
        let said = run(script("equal.py").arg(WHISTLER).arg(&name)).ok().out;
        // No test run can feed these: the kernel's verifier takes them, and their deftests say the rest.
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
