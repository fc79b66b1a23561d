//! The commands that need no kernel: their output, their exit status, and how they fail.

mod support;

use std::path::Path;
use std::process::Command;

use expect_test::expect;
use support::{Scratch, can_use_kernel, example, root, run, run_with_input, whistler};

#[test]
fn eval_prints_values() {
    assert_eq!(run(&mut whistler(["-e", "(+ 1 2)"])).ok().out, "3\n");
    assert_eq!(
        run(&mut whistler(["-e", "(defun f (n) (* n n))", "-e", "(f 12)"])).ok().out.lines().last(),
        Some("144")
    );
    assert_eq!(run(&mut whistler(["-e", "(format t \"~a-~5,'0d~%\" 'x 42)"])).ok().out.lines().next(), Some("x-00042"));
    let ran = run(&mut whistler(["-e", "(car 5)", "-e", "(print 1)"])).exits(1);
    assert!(ran.err.contains("error") && !ran.out.contains('1'), "{}", ran.all());
}

#[test]
fn vm_run_runs_raw_instructions() {
    let vm = |code: &str, memory: &[&str]| run_with_input(whistler(["vm-run"]).args(memory), code);
    // r0 = 42; exit
    assert_eq!(vm("b7000000 2a000000 95000000 00000000", &[]).ok().out, "2a\n");
    // r0 = -1 (64 bits)
    assert_eq!(vm("b7000000ffffffff 9500000000000000", &[]).ok().out, "ffffffffffffffff\n");
    // r0 = *(u32 *)(r1 + 0); r0 += r2 (the length)
    assert_eq!(vm("6110000000000000 0f20000000000000 9500000000000000", &["11223344"]).ok().out, "44332215\n");
    // r0 = *(u64 *)(r1 + 0), of 4 bytes
    let ran = vm("7910000000000000 9500000000000000", &["11223344"]).exits(1);
    assert!(ran.err.starts_with("whistler: "), "{}", ran.err);
    for broken in ["b7", "zz", "", "ff000000000000ff 9500000000000000"] {
        let ran = vm(broken, &[]).exits(1);
        assert!(!ran.err.contains("panicked") && !ran.err.is_empty(), "{broken}: {}", ran.err);
    }
}

#[test]
fn compile_and_disasm_agree() {
    let scratch = Scratch::new();
    for name in ["exec-snoop", "port-block", "syn-limit", "syscall-latency", "uprobe-malloc"] {
        let source = example(&format!("{name}.lisp"));
        let object = scratch.path().join("x.o");
        let ran = run(whistler(["compile"]).arg(&source).arg("-o").arg(&object)).ok();
        assert!(ran.out.contains("instructions"), "{}", ran.all());
        assert!(std::fs::read(&object).expect("it was written").starts_with(b"\x7fELF"));
        let from_object = run(whistler(["disasm"]).arg(&object)).ok().out;
        let from_source = run(whistler(["disasm"]).arg(&source)).ok().out;
        let exits = |text: &str| text.lines().filter(|l| l.contains("exit")).count();
        assert!(exits(&from_object) > 0 && exits(&from_object) == exits(&from_source), "{from_object}\n{from_source}");
        let lines = run(whistler(["disasm", "--source"]).arg(&object)).ok().out;
        assert!(lines.contains("; ") && lines.len() > from_object.len(), "{lines}");
        let asm = run(whistler(["compile", "--emit", "asm"]).arg(&source)).ok().out;
        assert!(exits(&asm) == exits(&from_source), "{asm}");
        let ir = run(whistler(["compile", "--emit", "ir"]).arg(&source)).ok().out;
        assert!(ir.contains("block0"), "{ir}");
    }
    let listing = run(whistler(["disasm", "--source"]).arg(example("port-block.lisp"))).ok().out;
    assert!(listing.contains("(incf (getmap drop-count 0))"), "{listing}");
}

#[test]
fn compile_writes_beside_the_work_or_where_told() {
    let scratch = Scratch::new();
    scratch.file("my-prog.lisp", "(defprog my-prog (:type :xdp) XDP_PASS)\n");
    run(whistler(["compile", "my-prog.lisp"]).current_dir(scratch.path())).ok();
    assert!(scratch.path().join("my-prog.bpf.o").exists());
    scratch.file("none.lisp", "(defconstant +n+ 5)\n");
    let ran = run(whistler(["compile", "none.lisp"]).current_dir(scratch.path())).exits(1);
    assert!(ran.err.contains("defprog"), "{}", ran.err);
    scratch.file("self.lisp", "(defprog p (:type :xdp) XDP_PASS)\n(compile-to-elf \"self.o\")\n");
    run(whistler(["run", "--vm", "self.lisp"]).current_dir(scratch.path())).ok();
    assert!(scratch.path().join("self.o").exists());
}

#[test]
fn targets_are_named_and_obeyed() {
    let scratch = Scratch::new();
    let file = scratch.file("t.lisp", "(defprog p (:type :xdp) (with-packet (d e :min-len 8) (load i8 d 0)))\n");
    for target in ["6.1", "v1", "v2", "v3", "6.12/v4", "6.18"] {
        run(whistler(["compile", "--emit", "asm", "--target", target]).arg(&file)).ok();
    }
    // Sign-extending loads are of the fourth instruction set.
    let asm = |target: &str| run(whistler(["compile", "--emit", "asm", "--target", target]).arg(&file)).ok().out;
    assert_ne!(asm("6.1/v3"), asm("6.12/v4"));
    let ran = run(whistler(["compile", "--target", "v9"]).arg(&file)).exits(2);
    assert!(ran.err.contains("v9"), "{}", ran.err);
}

#[test]
fn missing_and_broken_files_are_named() {
    let scratch = Scratch::new();
    for command in ["run", "compile", "check", "disasm"] {
        let ran = run(&mut whistler([command, "no/such/file.lisp"])).exits(1);
        assert!(ran.err.contains("no/such/file.lisp"), "{}", ran.err);
    }
    let broken = scratch.path().join("broken.o");
    std::fs::write(&broken, b"\x7fELFnothing").expect("a file");
    let ran = run(whistler(["disasm"]).arg(&broken)).exits(1);
    assert!(ran.err.contains("broken.o") && !ran.err.contains("panicked"), "{}", ran.err);
    let binary = scratch.path().join("binary.lisp");
    std::fs::write(&binary, [0xff, 0xfe, 0, 1]).expect("a file");
    let ran = run(whistler(["check"]).arg(&binary)).exits(1);
    assert!(ran.err.contains("binary.lisp") && !ran.err.contains("panicked"), "{}", ran.err);
}

#[test]
fn the_examples_have_no_complaints() {
    for entry in std::fs::read_dir(example("")).expect("examples").flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|e| e == "lisp") {
            let ran = run(whistler(["check", "--json"]).arg(&path)).ok();
            let json: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
            assert_eq!((&json["errors"], &json["warnings"]), (&serde_json::json!([]), &serde_json::json!([])));
        }
    }
}

#[test]
fn check_as_json() {
    let scratch = Scratch::new();
    scratch.file(
        "two.lisp",
        "(defmap counts :type :hash :key u32 :value u64 :max-entries 8)\n\
         (defprog one (:type :xdp)\n  (let ((p (map-lookup counts 1)))\n    (load u64 p)))\n\
         (defprog two (:type :xdp)\n  (let ((unused 5))\n    (ktime-get-nss)))\n",
    );
    let ran = run(whistler(["check", "--json", "two.lisp"]).current_dir(scratch.path())).exits(1);
    assert_eq!(ran.err, "");
    let json: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    let errors = json["errors"].as_array().expect("a list");
    let short: Vec<String> =
        errors.iter().map(|e| format!("{} {}:{}:{}", e["code"], e["file"], e["line"], e["col"])).collect();
    expect![[r#"
        [
            "\"E0301\" \"two.lisp\":4:5",
            "\"E0001\" \"two.lisp\":7:6",
        ]
    "#]]
    .assert_debug_eq(&short);
    for e in errors {
        assert!(e["message"].as_str().is_some_and(|m| !m.is_empty()), "{e}");
        assert!(e.get("help").is_some(), "{e}");
    }
    let warnings = json["warnings"].as_array().expect("a list");
    assert!(warnings.iter().all(|w| w["code"].as_str().is_some_and(|c| c.starts_with('W'))), "{}", ran.out);

    scratch.file("fine.lisp", "(defprog p (:type :xdp) (let ((unused 1)) XDP_PASS))\n");
    let ran = run(whistler(["check", "--json", "fine.lisp"]).current_dir(scratch.path())).ok();
    let json: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!(json["errors"], serde_json::json!([]));
    assert_eq!(json["warnings"][0]["line"], 1);
}

#[test]
fn check_has_no_effects() {
    let scratch = Scratch::new();
    let file = scratch.file(
        "effects.lisp",
        "(defmap m :type :array :key u32 :value u64 :max-entries 1)\n\
         (defprog p (:type :raw-tracepoint :section \"raw_tp/sys_enter\") (incf (getmap m 0)) 0)\n\
         (attach p)\n(sleep 1000)\n(compile-to-elf \"effects.o\")\n(print (map-ref m 0))\n",
    );
    run(whistler(["check"]).arg(&file).current_dir(scratch.path())).ok();
    assert!(!scratch.path().join("effects.o").exists());
}

#[test]
fn explain_shows_both_examples() {
    let ran = run(&mut whistler(["explain", "E0301"])).ok();
    for text in ["E0301", "Wrong", "Mended", "map-lookup"] {
        assert!(ran.out.contains(text), "{}", ran.out);
    }
    assert_eq!(run(&mut whistler(["explain", "e0301"])).ok().out, ran.out);
    let ran = run(&mut whistler(["explain", "E9999"])).exits(1);
    assert!(ran.err.contains("E9999"), "{}", ran.err);
}

#[test]
fn test_run_says_what_is_wrong_with_its_arguments() {
    let file = example("port-block.lisp");
    let fails = |args: &[&str], text: &str| {
        let ran = run(whistler(["test-run"]).arg(&file).args(args)).exits(1);
        assert!(ran.err.contains(text), "{args:?}: {}", ran.err);
    };
    fails(&["no-such", "--vm", "--packet", "00"], "drop_port");
    fails(&["drop-port", "--vm", "--packet", "0"], "--packet");
    fails(&["drop-port", "--vm", "--packet", "xx"], "--packet");
}

#[test]
fn doctor_as_root_and_as_nobody() {
    let root = run(&mut whistler(["doctor"]));
    assert!(matches!(root.status.code(), Some(0 | 1)), "{}", root.all());
    for fact in ["kernel", "BTF", "tracefs", "cap_bpf", "cap_perfmon"] {
        assert!(root.out.contains(fact), "{}", root.out);
    }
    assert_eq!(root.err, "");
    if !can_use_kernel(&["setpriv"]) {
        return;
    }
    assert_eq!(root.status.code(), Some(0), "{}", root.out);
    let dir = std::env::temp_dir().join(format!("wh-e2e-doctor-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a directory");
    let binary = dir.join("whistler");
    std::fs::copy(support::WHISTLER, &binary).expect("a copy");
    use std::os::unix::fs::PermissionsExt;
    for path in [&dir, &binary] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("our own");
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&binary).arg("doctor").current_dir("/");
    let nobody = run(&mut command);
    let _ = std::fs::remove_dir_all(&dir);
    let nobody = nobody.exits(1);
    for text in ["NO", "cap_bpf", "setcap"] {
        assert!(nobody.out.contains(text), "{}", nobody.out);
    }
}

#[test]
fn a_closed_pipe_is_no_reason_to_panic() {
    let line = format!("{} disasm {} | head -n 1", support::WHISTLER, example("syn-limit.lisp").display());
    let ran = run(Command::new("sh").args(["-c", &line]));
    assert!(!ran.err.contains("panicked"), "{}", ran.err);
}

#[test]
fn registers_of_probes_are_those_of_the_target() {
    let scratch = Scratch::new();
    let source = "(defprog p (:type :kprobe :section \"kprobe/f\") (+ (pt-regs-parm2) (pt-regs-parm7)))\n\
                  (defprog r (:type :kprobe :section \"kretprobe/f\") (pt-regs-ret))\n";
    let file = scratch.file("probe.lisp", source);
    let loads = |target: &str| {
        let ran = run(whistler(["disasm", "--target", target]).arg(&file));
        assert!(ran.status.success(), "{}", ran.all());
        let offset = |l: &str| l.split("*(u64 *)(r1 +").nth(1)?.split(')').next()?.trim().parse::<u32>().ok();
        ran.out.lines().filter_map(offset).collect::<Vec<u32>>()
    };
    assert!(loads("6.1/v3/x86-64").contains(&104));
    assert!(loads("6.1/v3/x86-64").contains(&80));
    assert_eq!(loads("6.1/v3/arm64"), [8, 48, 0]);
    let named = scratch.file("named.lisp", "(defprog p (:type :kprobe :section \"kprobe/f\") (ctx di))\n");
    let ran = run(whistler(["disasm", "--target", "6.1/v3/arm64"]).arg(named));
    assert!(ran.err.contains("`di` is a register of x86-64, and this is compiled for arm64"), "{}", ran.all());
}

/// Every code that stands anywhere in the sources has its page.
#[test]
fn every_code_is_explained() {
    fn codes(dir: &Path, found: &mut std::collections::BTreeSet<String>) {
        for entry in std::fs::read_dir(dir).expect("a directory of the workspace").flatten() {
            let path = entry.path();
            if path.is_dir() && !path.ends_with("target") {
                codes(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") && path.to_string_lossy().contains("/src/") {
                let text = std::fs::read_to_string(&path).expect("a source");
                // What a crate's own unit tests make up is no code.
                let text = text.split("#[cfg(test)]").next().unwrap_or_default();
                for part in text.split("Code(\"").skip(1) {
                    found.insert(part.chars().take_while(|c| c.is_ascii_alphanumeric()).collect());
                }
            }
        }
    }
    let mut found = std::collections::BTreeSet::new();
    codes(&root().join("crates"), &mut found);
    found.remove("");
    assert!(found.len() > 20, "{found:?}");
    let list = run(whistler(["explain"]).current_dir(root())).ok().out;
    for code in found {
        let page = run(&mut whistler(["explain", &code])).ok().out;
        assert!(page.starts_with(&format!("{code}: ")) && list.contains(&code), "{code}: {page}");
    }
    let none = run(&mut whistler(["explain", "E0399"])).exits(1);
    assert!(none.err.contains("the nearest is E03"), "{}", none.err);
    let word = run(&mut whistler(["explain", "packet"])).exits(1);
    assert!(word.err.contains("E0302"), "{}", word.err);
}

#[test]
fn check_takes_several_files_and_tells_once_what_it_leaves_out() {
    let scratch = Scratch::new();
    let good =
        scratch.file("good.lisp", "(defprog p (:type :xdp) XDP_PASS)\n(attach p \"lo\")\n(sleep 1)\n(follow 5)\n");
    let bad = scratch.file("bad.lisp", "(defprog p (:type :xdp) (foo))\n");
    let ran = run(whistler(["check"]).arg(&good).arg(&bad)).exits(1);
    assert!(ran.err.contains("left out: forms that need a running session (lines 2,"), "{}", ran.all());
    assert!(!ran.err.contains("N0013") && ran.err.contains("bad.lisp: 1 error"), "{}", ran.all());
    run(whistler(["check"]).arg(&good)).ok();
    let json = run(whistler(["check", "--json"]).arg(&good).arg(&bad)).exits(1).out;
    assert!(json.contains("N0013") && json.contains("bad.lisp"), "{json}");
}

#[test]
fn flags_behind_the_file_are_told_to_go_before_it() {
    let scratch = Scratch::new();
    let file = scratch.file("args.lisp", "(defun main (x) (print x))\n");
    let ran = run(whistler(["run", "--vm"]).arg(&file).args(["a", "--count", "8"])).exits(1);
    assert!(ran.err.contains("flags go before it: whistler run --count"), "{}", ran.all());
    let ran = run(whistler(["run", "--vm"]).arg(&file).args(["a", "b"])).exits(1);
    assert!(!ran.err.contains("flags"), "{}", ran.all());
}

#[test]
fn a_script_that_attaches_nothing_is_told_so() {
    let scratch = Scratch::new();
    let program = "(defprog my-prog (:type :xdp) XDP_PASS)\n";
    let ran = run(whistler(["run", "--vm"]).arg(scratch.file("idle.lisp", program))).ok();
    assert!(ran.err.contains("idle.lisp: nothing was attached: (attach my-prog)\n"), "{}", ran.all());
    let with_test = format!("{program}(deftest t1 (is t))\n");
    let ran = run(whistler(["run", "--vm"]).arg(scratch.file("tested.lisp", &with_test))).ok();
    assert!(ran.err.contains("`whistler test` runs the tests"), "{}", ran.all());
    let iterator = "(defprog ps (:type :iter :section \"iter/task\" :license \"GPL\") 0)\n";
    let ran = run(whistler(["run", "--vm"]).arg(scratch.file("iterator.lisp", iterator))).ok();
    assert!(ran.err.contains("nothing was read: (princ (read-iterator ps))\n"), "{}", ran.all());
    let used = format!("{program}(print (run-prog my-prog (packet (eth) (ipv4))))\n");
    let ran = run(whistler(["run", "--vm"]).arg(scratch.file("used.lisp", &used))).ok();
    assert_eq!(ran.err, "", "{}", ran.all());
}

#[test]
fn names_are_looked_up_where_they_mean_most() {
    let looked = |form: &str| run(&mut whistler(["--vm", "-e", form])).ok().out;
    let text = looked("(describe 'context)");
    assert!(text.starts_with("context · host function · (context type &rest fields)"), "{text}");
    assert!(looked("(documentation 'defmap 'function)").contains("(defmap name :type"));
    assert!(looked("(describe 'defparam)").starts_with("defparam · declaration · (defparam name type value)"));
    let text = looked("(apropos \"tail\")");
    assert!(
        text.contains("tail-call · kernel form: (tail-call map index)") && !text.contains("prog-array-map"),
        "{text}"
    );
    let ran = run(&mut whistler(["--vm", "-e", "(foo)"])).exits(1);
    assert!(!ran.err.contains("nearest"), "{}", ran.all());
}

#[test]
fn a_file_without_a_command_is_told_of_run() {
    let scratch = Scratch::new();
    let file = scratch.file("mine.lisp", "(print 1)\n");
    let ran = run(whistler(&[] as &[&str]).arg(&file)).exits(2);
    assert!(ran.err.contains("is a file; to run it: whistler run "), "{}", ran.all());
    assert!(run(&mut whistler(["--help"])).ok().out.starts_with("Live eBPF"), "what it is comes first");
    assert_eq!(run(&mut whistler(["--vm", "-e", "(print 4)"])).ok().out, "\n4 \n4\n");
}
