//! Small things that a newcomer meets: outputs that go into a pipe, names in other alphabets, what main emits, what a
//! parameter refuses. Each was wrong once.

mod support;

use std::process::Command;

use support::{Scratch, WHISTLER, can_use_kernel, run, run_with_input, whistler};

#[test]
fn a_closed_pipe_ends_a_command_quietly() {
    let scratch = Scratch::new();
    let program =
        scratch.file("p.lisp", "(defprog p (:type :xdp)\n  (if (= (ctx rx_queue_index) 3) XDP_DROP XDP_PASS))");
    let shown = program.display();
    for command in [
        "explain".to_string(),
        "doctor".to_string(),
        format!("disasm --source {shown}"),
        format!("compile --emit asm -o - {shown}"),
        format!("compile --emit ir -o - {shown}"),
        format!("check --json {shown}"),
        format!("test-run --vm --packet 00 {shown} p"),
        "-e '(dotimes (i 10000) (print i))'".to_string(),
    ] {
        // `true` reads nothing: the first write finds nobody.
        let line = format!("set -o pipefail; {{ sleep 0.1; '{WHISTLER}' {command}; }} | true");
        let ran = run(Command::new("bash").args(["-c", &line]).env("NO_COLOR", "1"));
        assert!(!ran.err.contains("panicked"), "{command}: {}", ran.all());
        assert!(ran.status.success(), "{command}: {} {}", ran.status, ran.all());
    }
    let complaints = format!("{{ sleep 0.1; '{WHISTLER}' check /nonexistent; }} 2>&1 | true; exit ${{PIPESTATUS[0]}}");
    let ran = run(Command::new("bash").args(["-c", &complaints]));
    assert_eq!(ran.status.code(), Some(1), "{}", ran.all());
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    let scratch = Scratch::new();
    let file = scratch.file("bom.lisp", "\u{feff}(defprog p (:type :xdp) XDP_PASS)\n");
    let ran = run(whistler(["check"]).arg(&file)).ok();
    assert_eq!(ran.all().trim(), "");
    let inside = scratch.file("inside.lisp", "(defprog p (:type :xdp) \u{feff} XDP_PASS)\n");
    run(whistler(["check"]).arg(&inside)).exits(1);
}

#[test]
fn names_in_other_alphabets_stay_apart() {
    let scratch = Scratch::new();
    let source = "(defstruct 構 (ñ u8) (ö u32))
(defmap größe :type :array :key u32 :value 構 :max-entries 1)
(defprog пакет (:type :xdp) (when-let ((s (map-lookup größe 0))) (setf (構-ö s) 5)) XDP_PASS)
(defprog ответ (:type :xdp) XDP_DROP)";
    let file = scratch.file("names.lisp", source);
    for (name, result) in [("пакет", 2), ("ответ", 1)] {
        let ran = run(whistler(["test-run", "--vm", "--packet", "00"]).arg(&file).arg(name)).ok();
        assert!(ran.out.contains(&format!("{name} in the virtual machine: {result} ")), "{}", ran.all());
    }
    let object = scratch.path().join("names.o");
    run(whistler(["compile", "--gen", "all", "-o"]).arg(&object).arg("--").arg(&file)).ok();
    for (extension, expected) in
        [("h", "struct u69cb {"), ("go", "type U69cb struct"), ("rs", "pub struct U69cb"), ("lisp", "(defstruct u69cb")]
    {
        let text = std::fs::read_to_string(scratch.path().join(format!("names_bpf.{extension}"))).expect("made");
        assert!(text.contains(expected), "{text}");
        assert!(text.is_ascii(), "{text}");
    }
}

#[test]
fn what_main_emits_is_printed() {
    if !can_use_kernel(&[]) {
        return;
    }
    let scratch = Scratch::new();
    let program = "(defprog told (:type :raw-tracepoint :section \"raw_tp/sys_enter\") (emit \"hello %d\" 1) 0)\n";
    let waits = scratch.file("waits.lisp", &format!("{program}(defun main () (attach told) (sleep 0.3))"));
    let ran = run(whistler(["run"]).arg(&waits)).ok();
    assert!(ran.out.starts_with("hello 1\nhello 1\n"), "{}", ran.all());
    let follows = scratch.file("follows.lisp", &format!("{program}(defun main () (attach told) (follow-emitted))"));
    let ran = run(whistler(["run", "--count", "2"]).arg(&follows)).ok();
    assert_eq!(ran.out, "hello 1\nhello 1\n");
}

#[test]
fn records_in_a_file_are_whole() {
    let scratch = Scratch::new();
    let source = "(defstruct ev (n u32) (data (array u64 20)))
(defmap events :type :ringbuf :max-entries 65536)
(defprog a (:type :raw-tracepoint :section \"raw_tp/sys_enter\")
  (with-ringbuf (e events (sizeof ev)) (memset e 0 255 (sizeof ev))) 0)
(attach a)
(follow events :as ev :count 1)";
    if !can_use_kernel(&[]) {
        return;
    }
    let ran = run(whistler(["run"]).arg(scratch.file("wide.lisp", source))).ok();
    assert_eq!(ran.out.matches("18446744073709551615").count(), 20, "{}", ran.all());
    assert!(!ran.out.contains('…'), "{}", ran.out);
}

#[test]
fn a_refusal_is_shown_at_its_line_by_every_command() {
    if !can_use_kernel(&[]) {
        return;
    }
    let scratch = Scratch::new();
    let source = "(defmap m :type :array :key u32 :value (array u8 64) :max-entries 1)
(defprog p (:type :xdp)
  (let ((i (get-prandom-u32)))
    (when-let ((v (map-lookup m 0)))
      (return (load u8 (+ v i)))))
  XDP_PASS)";
    let file = scratch.file("far.lisp", source);
    let run_it = run(whistler(["run"]).arg(&file)).exits(1);
    let test_run = run(whistler(["test-run", "--kernel", "--packet", "00"]).arg(&file).arg("p")).exits(1);
    assert!(test_run.err.contains("error[E0801]: the kernel does not accept `p`"), "{}", test_run.all());
    assert_eq!(test_run.err, run_it.err);
    let whole = run(whistler(["test-run", "--verifier-log", "--kernel"]).arg(&file).arg("p")).exits(1);
    assert!(whole.err.contains("processed ") && whole.err.len() > test_run.err.len(), "{}", whole.all());
    let operations = scratch.file("ops.lisp", "(defprog p (:type :struct-ops :section \"struct_ops/nosuch\") 0)");
    let ran = run(whistler(["run"]).arg(&operations)).exits(1);
    assert!(ran.err.contains("which member of which struct of operations `p` is, nothing says"), "{}", ran.all());
}

#[test]
fn a_parameter_is_set_before_load_and_by_tests_and_refused_after() {
    let scratch = Scratch::new();
    let before = "(defparam burst u64 5)
(setf (global-ref burst) 1)
(defprog p (:type :xdp) (if (> burst 3) XDP_DROP XDP_PASS))
(deftest set-before (is (= (run-prog p (packet (eth) (ipv4) (udp))) XDP_PASS)))";
    let after = "(defparam burst u64 5)
(defglobal level u32 1)
(defprog p (:type :xdp) (if (> burst level) XDP_DROP XDP_PASS))
(deftest set-after (setf (global-ref burst) 1) (is (= (run-prog p (packet (eth) (ipv4) (udp))) XDP_PASS)))
(deftest too-small (setf (global-ref level) -1) (is t))";
    let (before, after) = (scratch.file("before.lisp", before), scratch.file("after.lisp", after));
    let kernel = can_use_kernel(&[]);
    for flags in [&[][..], &["--kernel"][..]].iter().take(if kernel { 2 } else { 1 }) {
        run(whistler(["test"]).args(*flags).arg(&before)).ok();
        let ran = run(whistler(["test"]).args(*flags).arg(&after)).exits(1);
        assert!(ran.out.contains("ok    set-after (1 check)"), "{}", ran.all());
        assert!(ran.out.contains("-1 does not fit `level`, which is u32: 0 to 4294967295"), "{}", ran.all());
        assert!(!ran.out.contains("E0911"), "{}", ran.all());
    }
    let late = "(defparam burst u64 5)\n(defprog p (:type :xdp) (if (> burst 3) XDP_DROP XDP_PASS))\n";
    for set in ["(setf (global-ref burst) 1)", "(setf burst 1)", "(incf burst)"] {
        let ran = run(whistler(["run", "--vm"]).arg(scratch.file("late.lisp", &format!("{late}{set}\n")))).exits(1);
        let known = match set {
            "(incf burst)" => "its value is (global-ref burst)",
            _ => "`burst` is a parameter, and `p`, which reads it, is loaded",
        };
        assert!(ran.err.contains(known), "{}", ran.all());
    }
    if kernel {
        let clock =
            "(defprog p (:type :xdp) XDP_PASS)\n(deftest at-five (is (= (run-prog p (packet (eth)) :clock 5) 2)))";
        let ran = run(whistler(["test", "--kernel"]).arg(scratch.file("clock.lisp", clock))).ok();
        assert!(
            ran.out.contains("skip  at-five: a test run in the kernel can't pretend another :clock"),
            "{}",
            ran.all()
        );
    }
}

#[test]
fn the_prompt_keeps_values_and_says_what_is_so() {
    let text = "(+ 1 2)\n(* * 2)\n(list * ** ***)\n(describe 'ktime-get-nss)\n(describe 'nosuch-thing-at-all)\n";
    let ran = run_with_input(&mut whistler(["--vm"]), text).ok();
    assert!(ran.out.starts_with("3\n6\n(6 3 nil)\n"), "{}", ran.all());
    assert!(ran.out.contains("ktime-get-nss is not defined; did you mean `ktime-get-ns`?\n"), "{}", ran.all());
    assert!(ran.out.contains("nosuch-thing-at-all is not defined\n"), "{}", ran.all());
    if !can_use_kernel(&[]) {
        return;
    }
    let text = "(defmap m :type :hash :key u32 :value u64 :max-entries 16)
(defprog twice-told (:type :raw-tracepoint :section \"raw_tp/sched_switch\") (incf (getmap m 1)) 0)
(attach twice-told)
(attach twice-told)
(stats twice-told)
(defmap m :type :ringbuf :max-entries 4096)
(describe 'twice-told)
";
    let ran = run_with_input(&mut whistler::<_, &str>([]), text);
    assert!(ran.err.contains("warning[W0902]: `twice-told` is attached there already, by link 1"), "{}", ran.all());
    assert!(ran.out.contains(" instructions, 0 runs in 0 ns") || ran.out.contains(" runs in "), "{}", ran.all());
    let still = "still uses the map m as it was: hash, key 4 bytes, value 8 bytes, 16 entries";
    assert!(ran.out.contains(still), "{}", ran.all());
}

#[test]
fn a_value_of_the_wrong_kind_is_shown_as_it_is_written() {
    let scratch = Scratch::new();
    let source = "(defstruct s (a u32) (b u32))
(defmap m :type :hash :key u32 :value s :max-entries 4)
(defprog p (:type :xdp) (when-let ((v (map-lookup m 1))) (setf (s-a v) 1)) XDP_PASS)
(deftest stores-a-number (setf (map-ref m 1) 5) (is t))";
    let ran = run(whistler(["test"]).arg(scratch.file("kind.lisp", source))).exits(1);
    assert!(ran.out.contains("5 is not a struct s: one is made by (make-s …)"), "{}", ran.all());
    assert!(!ran.out.contains("Int("), "{}", ran.all());
}
