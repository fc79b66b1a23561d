//! `whistler test` and `whistler replay` as a user meets them: what they print, how they end, what they write.

mod support;

use support::{Scratch, kernel_missing, run, whistler};
use whistler_vm::pcap::{self, Capture, Captured, LINK_ETHERNET, Unit};

const SOURCE: &str = r#"
(defmap drops :type :array :key u32 :value u64 :max-entries 1)
(defglobal seen u64 0)
(defprog no-telnet (:type :xdp)
  (setf seen (+ seen 1))
  (with-tcp (data end tcp)
    (when (= (tcp-dst-port tcp) 23)
      (incf (getmap drops 0))
      (return XDP_DROP)))
  XDP_PASS)
(defprog on-switch (:type :tracepoint :section "tracepoint/sched/sched_switch") 0)
(attach no-telnet "no-such-interface")
(defun telnet () (packet (eth) (ipv4) (tcp :dst-port 23)))
(deftest drops-telnet
  (is (= (run-prog no-telnet (telnet)) XDP_DROP))
  (is (= (map-ref drops 0) 1)))
(deftest fresh-maps
  (is (= (map-ref drops 0) 0))
  (is (= (global-ref seen) 0)))
(deftest wrong-on-purpose
  (is (= (run-prog no-telnet (telnet)) XDP_PASS) "telnet is let through")
  (is (= (map-ref drops 0) 1))
  (is (zerop (map-ref drops 0))))
(deftest ends-in-an-error
  (car 5))
(deftest a-tracepoint
  (is (= (run-prog on-switch nil :ctx (context :tracepoint "sched/sched_switch")) 0)))
"#;

#[test]
fn failures_show_the_form_and_its_values() {
    let scratch = Scratch::new();
    let file = scratch.file("telnet.lisp", SOURCE);
    let ran = run(whistler(["test"]).arg(&file));
    assert_eq!(ran.status.code(), Some(1), "{}", ran.all());
    for expected in [
        "ok    drops-telnet (2 checks)",
        "ok    fresh-maps (2 checks)",
        "FAIL  wrong-on-purpose",
        "this does not hold: (= (run-prog no-telnet (telnet)) XDP_PASS)",
        "note: (run-prog no-telnet (telnet)) is 1",
        "note: XDP_PASS is 2",
        "note: telnet is let through",
        "telnet.lisp:23:7",
        "note: (map-ref drops 0) is 1",
        "FAIL  ends-in-an-error",
        "5 is not a list",
        "3 passed, 2 failed\n",
    ] {
        assert!(ran.out.contains(expected), "no `{expected}` in\n{}", ran.all());
    }
}

/// What is taken for a number or a list in a test and is none: the report names the form that gave it, and the mend.
#[test]
fn values_of_another_kind_are_shown() {
    let scratch = Scratch::new();
    let program = "(defmap m :type :hash :key u32 :value u64 :max-entries 8)\n(defprog p (:type :xdp) (incf (getmap m 0)) XDP_PASS)\n";
    for (test, expected) in [
        ("(is (= (map-ref m 1) 1))", "(map-ref m 1) is nil: no entry; (map-ref m 1 0) gives 0 then"),
        ("(is (> (map-ref m 3 5) (map-ref m 1)))", "(map-ref m 3 5) is 5"),
        ("(is (= (+ 1 (map-ref m 2)) 1))", "(map-ref m 2) is nil: no entry"),
        ("(destructuring-bind (k v) (first (map-entries m)) (is (= k v)))", "write (k . v)"),
    ] {
        let file = scratch.file("kinds.lisp", &format!("{program}(deftest t1 (run-prog p (packet (eth))) {test})\n"));
        let ran = run(whistler(["test"]).arg(&file)).exits(1);
        assert!(ran.out.contains(expected), "no `{expected}` in\n{}", ran.all());
    }
}

/// A file without tests beside one that has some is none of anybody's mistakes.
#[test]
fn a_file_without_tests_beside_others() {
    let scratch = Scratch::new();
    let none = scratch.file("none.lisp", "(defprog p (:type :xdp) XDP_PASS)\n");
    let some = scratch.file("some.lisp", "(deftest t1 (is (= 1 1)))\n");
    let ran = run(whistler(["test"]).arg(&none).arg(&some)).ok();
    assert!(ran.out.contains("1 passed, 0 failed"), "{}", ran.all());
    run(whistler(["test"]).arg(&none)).exits(1);
}

/// Tests that check nothing, a comparison whose value is dropped, a result that is not looked at, a packet that only the
/// virtual machine takes.
const DOUBTFUL: &str = r#"
(defmap flows :type :hash :key u32 :value u64 :max-entries 64)
(defstruct limit (rate u64))
(defmap limits :type :hash :key u32 :value limit :max-entries 4)
(defprog count (:type :xdp)
  (map-update flows 1 2 BPF_NOEXIST)
  XDP_PASS)
(defun checked () (is (= (run-prog count (packet (eth) (payload "" 46))) XDP_PASS)))
(deftest dropped (= 1 2))
(deftest empty (run-prog count (packet (eth) (payload "" 46))))
(deftest by-a-function (checked))
(deftest short (is (= (run-prog count (list 1 2 3)) XDP_PASS)))
"#;

#[test]
fn what_checks_nothing_is_told() {
    let scratch = Scratch::new();
    let file = scratch.file("doubtful.lisp", DOUBTFUL);
    let ran = run(whistler(["test"]).arg(&file));
    assert!(ran.status.success(), "{}", ran.all());
    for expected in [
        "ok    dropped (no checks)\nwarning[W0020]",
        "did you mean (is (= 1 2))?",
        "ok    empty (no checks)\nwarning[W0021]",
        "ok    by-a-function (1 check)\n",
        "4 passed, 0 failed, 2 without checks\n",
    ] {
        assert!(ran.out.contains(expected), "no `{expected}` in\n{}", ran.all());
    }
}

#[test]
fn in_the_kernel_warnings_are_shown_once_and_short_packets_skipped() {
    if let Some(missing) = kernel_missing() {
        return eprintln!("skipped: {missing}");
    }
    let scratch = Scratch::new();
    let file = scratch.file("doubtful.lisp", DOUBTFUL);
    let ran = run(whistler(["test", "--kernel"]).arg(&file));
    assert!(ran.status.success(), "{}", ran.all());
    assert_eq!(ran.all().matches("W0016").count(), 1, "{}", ran.all());
    assert_eq!(ran.all().matches("W0021").count(), 1, "{}", ran.all());
    let why = "takes no packet of under 14 bytes (an Ethernet header), and this one has 3";
    assert!(ran.out.contains("skip  short:") && ran.out.contains(why), "{}", ran.all());
    let ran = run(whistler(["test-run"]).arg(&file).args(["count", "--kernel", "--packet", "0102"]));
    assert!(!ran.status.success() && ran.err.contains("and this one has 2; with --vm it runs"), "{}", ran.all());
}

/// What goes wrong in single tests, and what they print.
const TROUBLED: &str = r#"
(defparameter *port* 80)
(defmap counts :type :percpu-array :key u32 :value u64 :max-entries 1)
(defprog block (:type :xdp)
  (with-tcp (data end tcp)
    (incf (getmap counts 0))
    (when (= (tcp-dst-port tcp) *port*)
      (return XDP_DROP)))
  XDP_PASS)
(defprog other (:type :tc) TC_ACT_SHOT)
(defmap jumps :type :prog-array :key u32 :value u32 :max-entries 4)
(defprog jump (:type :xdp) (tail-call jumps 1) XDP_PASS)
(defun to (port) (packet (eth) (ipv4) (tcp :dst-port port)))
(deftest no-such-field (is (= (run-prog block (packet (eth) (ipv4 :source "10.0.0.1"))) XDP_PASS)))
(deftest compares-with-a-text (is (run-prog block (to 80)) XDP_DROP))
(deftest in-a-loop (dotimes (i 10) (is (= (run-prog block (to 80)) i))))
(deftest prints (princ "so far") (is (= 1 1)))
(deftest too-late (let ((old *port*))
  (setf *port* 81)
  (unwind-protect (is (= (run-prog block (to 81)) XDP_DROP)) (setf *port* old))))
(deftest a-vector (run-prog block (to 80)) (is (= (map-ref counts 0) 1)))
(deftest of-another-type (setf (map-ref jumps 1) other) (is (= (run-prog jump (to 80)) XDP_DROP)))
(deftest fine (is (= (run-prog block (to 80)) XDP_DROP)))
(deftest always-true (is (run-prog block (to 80))))
(deftest "a string" (is t))
"#;

#[test]
fn one_bad_test_does_not_hide_the_others() {
    let scratch = Scratch::new();
    let file = scratch.file("troubled.lisp", TROUBLED);
    let mut ways = vec![vec!["test"]];
    if kernel_missing().is_none() {
        ways.push(vec!["test", "--kernel"]);
    }
    for way in ways {
        let ran = run(whistler(&way).arg(&file)).exits(1);
        for expected in [
            "FAIL  no-such-field",
            "ipv4 has no field :source; did you mean :src?",
            "FAIL  compares-with-a-text",
            "to compare the two: (is (= (run-prog block (to 80)) XDP_DROP))",
            "FAIL  in-a-loop",
            "and 8 more times",
            "so far\n  ok    prints",
            "`*port*` was changed, and `block` was compiled with the value that it had before",
            "as (defparam port u16 80)",
            "`counts` is a per-CPU map",
            "(reduce #'+ v)",
            "`other` is of type :tc, and `jump`, which goes on in `jumps`, is of type :xdp",
            "ok    fine (1 check)",
            "every number is true: this holds whatever it is",
            "FAIL  a string",
            "a test is named by a symbol",
            "2 passed, 8 failed\n",
        ] {
            assert!(ran.out.contains(expected), "{way:?}: no `{expected}` in\n{}", ran.all());
        }
        assert_eq!(ran.out.matches("this does not hold").count(), 1, "{}", ran.all());
        let both = ran.out.matches("in the virtual machine and in the kernel").count();
        assert_eq!(both, if way.len() == 2 { 8 } else { 0 }, "{}", ran.all());
    }
}

#[test]
fn tests_that_the_files_errors_keep_from_running_are_counted() {
    let scratch = Scratch::new();
    let text = "(deftest a (is t))\n(car 5)\n(deftest b (is t))\n";
    let file = scratch.file("broken.lisp", text);
    let good = scratch.file("good.lisp", "(deftest c (is t))\n");
    let out = scratch.path().join("out.xml");
    let ran = run(whistler(["test", "--junit"]).arg(&out).arg(&file).arg(&good)).exits(1);
    assert!(ran.out.contains("not run: 2 tests (the file has errors)\n"), "{}", ran.all());
    assert!(ran.out.ends_with("1 passed, 0 failed, 2 not run\n"), "{}", ran.all());
    assert!(ran.err.contains("5 is not a list"), "{}", ran.all());
    let xml = std::fs::read_to_string(&out).expect("the file is written");
    assert!(xml.contains("tests=\"1\" failures=\"0\" errors=\"1\""), "{xml}");
    // Of two tests of one name the first is run, and the file is wrong.
    let twice = scratch.file("twice.lisp", "(deftest a (is t))\n(deftest a (is (= 1 2)))\n");
    let ran = run(whistler(["test"]).arg(&twice)).exits(1);
    assert!(ran.err.contains("error[E0005]: the test `a` is defined twice"), "{}", ran.all());
    assert!(ran.out.contains("ok    a (1 check)\n1 passed, 0 failed\n"), "{}", ran.all());
}

#[test]
fn what_fails_in_the_virtual_machine_is_run_in_the_kernel_too() {
    if let Some(missing) = kernel_missing() {
        return eprintln!("skipped: {missing}");
    }
    let scratch = Scratch::new();
    // Which runs on a real clock in the kernel only.
    let text = "(defmap at :type :array :key u32 :value u64 :max-entries 1)
(defprog p (:type :xdp) (setf (getmap at 0) (ktime-get-ns)) XDP_PASS)
(deftest the-time
  (run-prog p (packet (eth) (ipv4)))
  (is (> (map-ref at 0) 1000000000)))
";
    let file = scratch.file("clock.lisp", text);
    let ran = run(whistler(["test", "--kernel"]).arg(&file)).exits(1);
    for expected in [
        "FAIL  the-time in the virtual machine, not in the kernel",
        "this does not hold in the virtual machine and holds in the kernel",
        "this does not hold: (> (map-ref at 0) 1000000000)",
    ] {
        assert!(ran.out.contains(expected), "no `{expected}` in\n{}", ran.all());
    }
}

#[test]
fn a_filter_chooses_and_passing_is_status_0() {
    let scratch = Scratch::new();
    let file = scratch.file("telnet.lisp", SOURCE);
    let ran = run(whistler(["test", "--filter", "fresh"]).arg(&file));
    assert!(ran.status.success(), "{}", ran.all());
    assert!(ran.out.ends_with("1 passed, 0 failed\n"), "{}", ran.all());
    let ran = run(whistler(["test", "--filter", "nothing-like-it"]).arg(&file));
    assert_eq!(ran.status.code(), Some(1));
    assert!(ran.err.contains("no test's name has `nothing-like-it` in it"), "{}", ran.all());
}

#[test]
fn the_kernel_agrees_and_what_it_can_not_run_is_counted() {
    if kernel_missing().is_some() && std::env::var_os("WHISTLER_REQUIRE_KERNEL").is_none() {
        eprintln!("skipped: needs the kernel");
        return;
    }
    let scratch = Scratch::new();
    let file = scratch.file("telnet.lisp", SOURCE);
    let ran = run(whistler(["test", "--kernel"]).arg(&file));
    for expected in ["ok    drops-telnet", "ok    fresh-maps", "skip  a-tracepoint", "2 passed, 2 failed, 1 skipped"] {
        assert!(ran.out.contains(expected), "no `{expected}` in\n{}", ran.all());
    }
    // Random numbers differ: that is a disagreement.
    let source =
        "(defprog dice (:type :xdp) (get-prandom-u32))\n(deftest roll (run-prog dice (packet (eth) (payload 50))))\n";
    let ran = run(whistler(["test", "--kernel"]).arg(scratch.file("dice.lisp", source)));
    assert_eq!(ran.status.code(), Some(1), "{}", ran.all());
    assert!(ran.out.contains("the kernel runs `dice` differently (run 1 of this test)"), "{}", ran.all());
}

#[test]
fn junit_is_xml_that_other_tools_read() {
    let scratch = Scratch::new();
    let file = scratch.file("telnet.lisp", SOURCE);
    let out = scratch.path().join("out.xml");
    run(whistler(["test", "--junit"]).arg(&out).arg(&file));
    let text = std::fs::read_to_string(&out).expect("the file is written");
    assert!(text.contains("tests=\"5\" failures=\"2\" errors=\"0\" skipped=\"0\""), "{text}");
    // Python's parser judges whether it is XML.
    let script = "import sys, xml.etree.ElementTree as E; r = E.parse(sys.argv[1]).getroot(); \
                  print(r.tag, len(r.findall('testsuite/testcase')), len(r.findall('.//failure')))";
    match std::process::Command::new("python3").args(["-c", script]).arg(&out).output() {
        Ok(o) => assert_eq!(String::from_utf8_lossy(&o.stdout).trim(), "testsuites 5 2"),
        Err(e) => eprintln!("skipped: python3: {e}"),
    }
}

fn tcp(port: u8) -> Vec<u8> {
    let mut p = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1];
    p.extend([10, 0, 0, 2, 0x9c, 0x40, 0, port, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0]);
    p
}

#[test]
fn a_capture_goes_through_a_program() {
    let scratch = Scratch::new();
    let file = scratch.file("telnet.lisp", SOURCE);
    let packet = |n: u64, bytes: Vec<u8>| Captured { time_ns: n * 1_000, wire_len: bytes.len() as u32, bytes };
    let packets = vec![packet(1, tcp(80)), packet(2, tcp(23)), packet(3, tcp(22)), packet(4, tcp(23))];
    let capture = Capture { link: LINK_ETHERNET, unit: Unit::Micro, packets };
    let (input, output) = (scratch.path().join("in.pcap"), scratch.path().join("out.pcap"));
    std::fs::write(&input, pcap::write(&capture)).expect("writable");
    let kernel = kernel_missing().is_none() || std::env::var_os("WHISTLER_REQUIRE_KERNEL").is_some();
    for flags in [&[][..], &["--kernel"][..]].iter().take(if kernel { 2 } else { 1 }) {
        let _ = std::fs::remove_file(&output);
        let mut command = whistler(["replay"]);
        command.arg(&file).arg("no-telnet").arg("--pcap").arg(&input).arg("--out").arg(&output).args(*flags);
        let ran = run(&mut command);
        assert!(ran.status.success(), "{}", ran.all());
        assert!(
            ran.out.contains("XDP_DROP           2\nXDP_PASS           2\n4 packets, 2 went on, 0 of them changed"),
            "{}",
            ran.all()
        );
        let passed = pcap::read(&std::fs::read(&output).expect("written")).expect("a capture");
        assert_eq!(passed.packets, [capture.packets[0].clone(), capture.packets[2].clone()]);
    }
    // The kernel's test run takes no frame under 14 bytes: it is counted, and the rest goes on.
    let packets = vec![packet(1, vec![1, 2, 3]), packet(2, tcp(80))];
    std::fs::write(&input, pcap::write(&Capture { packets, ..capture.clone() })).expect("writable");
    for (flags, short) in [(&[][..], "XDP_PASS           2"), (&["--kernel"][..], "not run (under 14 bytes) 1")]
        .iter()
        .take(if kernel { 2 } else { 1 })
    {
        let ran = run(whistler(["replay"]).arg(&file).arg("no-telnet").arg("--pcap").arg(&input).args(*flags));
        assert!(ran.status.success() && ran.out.contains(short), "{}", ran.all());
        assert!(ran.out.contains("2 packets, "), "{}", ran.all());
    }
    let broken = scratch.file("broken.pcap", "no capture");
    let ran = run(whistler(["replay"]).arg(&file).arg("no-telnet").arg("--pcap").arg(broken));
    assert!(ran.err.contains("this is no packet capture"), "{}", ran.all());
    let ran = run(whistler(["replay"]).arg(&file).arg("on-switch").arg("--pcap").arg(input));
    assert!(ran.err.contains("sees no packets"), "{}", ran.all());
}

#[test]
fn a_program_may_stand_before_what_it_names() {
    let scratch = Scratch::new();
    let source = r#"
(defprog early (:type :xdp)
  (incf (getmap seen 0))
  (let ((p (make-point :x 40)))
    (if (= (twice (point-x p)) (doubled +answer+)) XDP_DROP XDP_PASS)))
(deftest early-runs
  (is (= (run-prog early (packet (eth) (ipv4) (udp))) XDP_DROP))
  (is (= (map-ref seen 0) 1)))
(defsubprog twice ((x u64)) u64 (once-more x x))
(defsubprog once-more ((x u64) (y u64)) u64 (+ x y))
(defmap seen :type :array :key u32 :value u64 :max-entries 1)
(defmacro doubled (x) `(* 2 ,x))
(defconstant +answer+ 40)
(defstruct point (x u64) (y u64))
"#;
    let file = scratch.file("early.lisp", source);
    let ran = run(whistler(["check"]).arg(&file));
    assert!(ran.status.success(), "{}", ran.all());
    let mut places = vec![vec!["test"]];
    if kernel_missing().is_none() {
        places.push(vec!["test", "--kernel"]);
    }
    for place in places {
        let ran = run(whistler(place).arg(&file));
        assert!(ran.status.success() && ran.out.contains("1 passed, 0 failed"), "{}", ran.all());
    }
}

#[test]
fn a_form_that_needs_a_waiting_program_says_what_it_waits_for() {
    let scratch = Scratch::new();
    let source = "(defprog early (:type :xdp) (if (= (two 1) 2) XDP_PASS XDP_DROP))\n\
                  (print (run-prog early (packet (eth) (ipv4) (udp))))\n\
                  (defsubprog two ((x u64)) u64 (+ x 1))\n";
    let file = scratch.file("early.lisp", source);
    let ran = run(whistler(["run", "--vm"]).arg(&file));
    assert!(!ran.status.success(), "{}", ran.all());
    assert!(ran.err.contains("declared here, further down"), "{}", ran.err);
}

const MISTAKES: &str = r#"
(defstruct prefix (len u32) (addr u32))
(defmap blocked :type :lpm-trie :key prefix :value u32 :max-entries 8 :map-flags BPF_F_NO_PREALLOC)
(defmap ports :type :array :key u32 :value u64 :max-entries 1024)
(defmap sizes :type :hash :key u32 :value u64 :max-entries 8)
(defprog acl (:type :xdp)
  (with-ipv4 (data end ip)
    (incf (getmap ports 0))
    (incf (getmap sizes 0))
    (when (map-lookup blocked (make-prefix :len 32 :addr (ipv4-src-addr ip))) (return XDP_DROP)))
  XDP_PASS)
(defprog on-exit (:type :raw-tracepoint :section "raw_tp/sys_exit") (cast u32 (ctx args 1)))
(deftest no-such-index (is (= (map-ref ports 9999) 0)))
(deftest no-such-key (is (= (map-ref sizes 5) 0)))
(deftest written-behind-the-end (setf (map-ref ports 1024) 1) (is (= 1 1)))
(deftest too-long-a-prefix
  (setf (map-ref blocked (make-prefix :len 40 :addr (ip4 "10.9.0.0"))) 1)
  (is (= 1 1)))
(deftest another-context
  (is (= (run-prog on-exit nil :ctx (context :tracepoint "raw_syscalls/sys_exit" :ret 2)) 2)))
(deftest its-own-context
  (is (= (run-prog on-exit nil :ctx (context :raw-tp 0 2)) 2)))
(deftest no-ethernet
  (let ((bare (packet (ipv4) (udp)))) (is (= (run-prog acl bare) XDP_PASS))))
"#;

#[test]
fn what_a_test_gives_maps_and_programs_wrongly_is_explained() {
    let scratch = Scratch::new();
    let file = scratch.file("mistakes.lisp", MISTAKES);
    let ran = run(whistler(["test"]).arg(&file));
    assert_eq!(ran.status.code(), Some(1), "{}", ran.all());
    for expected in [
        "help: `ports` has 1024 entries, 0 to 1023: there is no 9999",
        "(map-ref sizes 5) is nil: no entry; (map-ref sizes 5 0) gives 0 then",
        "help: `ports` has 1024 entries, 0 to 1023: there is no 1024",
        "the first 4 bytes of the key are the length of the prefix in bits, at most 32, and here they are 40",
        "is a program of type :raw-tracepoint, and this is the context of one of type :tracepoint",
        "help: it is called with the arguments of the event: (context :raw-tracepoint argument …)",
        "ok    its-own-context (1 check)",
        "ok    no-ethernet (1 check)",
        "warning[W0420]: this packet begins with the IP header",
        "2 passed, 5 failed\n",
    ] {
        assert!(ran.all().contains(expected), "no `{expected}` in\n{}", ran.all());
    }
}
