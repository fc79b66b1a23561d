//! The prompt, as people use it: through a pipe where the text is what matters, through a pseudo-terminal where
//! the terminal does. What goes wrong at it must leave the session and its probes alive.

mod support;

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use expect_test::expect;
use support::{Running, can_use_kernel, eventually, programs_named, run_with_input, whistler};

/// A prompt that is typed at bit by bit.
struct Prompt {
    running: Running,
    stdin: std::process::ChildStdin,
    /// How much of what it said was waited for.
    seen: usize,
}

impl Prompt {
    /// The prompt with both its outputs in one.
    fn live() -> Prompt {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("exec '{}' 2>&1", support::WHISTLER)]).env("NO_COLOR", "1");
        Prompt::start(command.current_dir(support::root()).env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR")))
    }

    fn start(command: &mut Command) -> Prompt {
        let mut running = Running::start_with(command.stdin(Stdio::piped()));
        let stdin = running.child.stdin.take().expect("piped");
        Prompt { running, stdin, seen: 0 }
    }

    #[track_caller]
    fn say(&mut self, text: &str) {
        self.stdin.write_all(text.as_bytes()).expect("it listens");
    }

    /// Waits for a text behind what was waited for before.
    #[track_caller]
    fn expect(&mut self, text: &str) {
        let seen = self.seen;
        self.running.wait_until(&format!("`{text}`"), |all| all.get(seen..).is_some_and(|s| s.contains(text)));
        let all = self.running.so_far();
        self.seen = seen + all.get(seen..).and_then(|s| s.find(text)).unwrap_or(0) + text.len();
    }

    #[track_caller]
    fn end(self) -> support::Ran {
        let Prompt { running, stdin, .. } = self;
        drop(stdin);
        running.finish()
    }
}

#[test]
fn definitions_and_values() {
    let ran = run_with_input(
        &mut whistler(["--vm"]),
        "(+ 1 2)\n(defun twice (n) (* 2 n))\n(twice 21)\n\"text\"\n(list 1 'a \"b\" #\\c 1/2)\n(defvar *n* 5)\n(incf *n*)\n",
    )
    .ok();
    expect![[r#"
        3
        twice
        42
        "text"
        (1 a "b" #\c 1/2)
        *n*
        6
    "#]]
    .assert_eq(&ran.out);
    assert_eq!(ran.err, "");
}

#[test]
fn forms_may_go_over_lines() {
    let ran = run_with_input(
        &mut whistler(["--vm"]),
        "(let ((a 1)\n      ; a comment with a ) in it\n      (b 2))\n\n  (+ a b))\n\"two\nlines\"\n(+ 1 2) (+ 3 4)\n",
    )
    .ok();
    assert_eq!(ran.out, "3\n\"two\nlines\"\n3\n7\n");
}

#[test]
fn declarations_say_what_became_of_them() {
    let ran = run_with_input(
        &mut whistler(["--vm"]),
        "(defstruct event (pid u32) (comm (array char 16)))\n(defmap counts :type :hash :key u32 :value u64 :max-entries 8)\n\
         (defprog main (:type :xdp) (incf (getmap counts 7)) XDP_PASS)\n(run-prog main (make-list 64 :initial-element 0))\n\
         (map-ref counts 7)\n(map-entries counts)\n",
    )
    .ok();
    let lines: Vec<&str> = ran.out.lines().collect();
    assert!(lines[0].contains("event") && lines[0].contains("20 bytes"), "{}", ran.out);
    assert!(lines[1].contains("counts"), "{}", ran.out);
    assert!(lines[2].contains("main") && lines[2].contains("instructions"), "{}", ran.out);
    assert_eq!(lines[3..], ["2", "1", "((7 . 1))"], "{}", ran.out);
}

#[test]
fn help_and_quit() {
    let ran = run_with_input(&mut whistler(["--vm"]), ":help\n:quit\n(+ 1 2)\n").ok();
    for word in ["attach", "follow", ":quit"] {
        assert!(ran.out.contains(word), "{}", ran.out);
    }
    assert!(!ran.out.contains("\n3\n"), "{}", ran.out);
}

#[test]
fn what_goes_wrong_leaves_the_session_alive() {
    let ran = run_with_input(
        &mut whistler(["--vm"]),
        "(defun down (n) (+ 1 (down n)))\n(down 1)\n(defmacro again () '(again))\n(again)\n(car 5)\n(no-such-thing 1)\n)\n\
         (defprog main (:type :xdp) (no-such-form) XDP_PASS)\n(error \"by ~a\" 'hand)\n(+ 40 2)\n",
    );
    assert!(ran.out.ends_with("\n42\n"), "{}", ran.all());
    let errors = ran.err.matches("error").count();
    assert!(errors >= 7, "{errors} errors:\n{}", ran.err);
    for text in ["no-such-thing", "no-such-form", "by "] {
        assert!(ran.err.to_lowercase().contains(text), "`{text}`:\n{}", ran.err);
    }
    assert!(!ran.err.contains("panicked"), "{}", ran.err);
}

#[test]
fn nothing_typed_makes_it_panic() {
    let odd = [
        "#",
        "'",
        "`(,",
        "(,)",
        "#(",
        "#\\",
        "\"",
        "|",
        ":",
        "(.)",
        "(1 . 2 . 3)",
        "#<link>",
        "#1=(#1#)",
        "\u{0}",
        "(((((",
        "(setf)",
        "(defprog)",
        "(defmap)",
        "(defstruct)",
        "(attach)",
        "(attach 5)",
        "(follow)",
        "(map-ref)",
        "(detach 99)",
        "(hist 5)",
        "(watch 'x)",
        "(let)",
        "(lambda)",
        "(loop for)",
        "(format)",
        "(format t \"~\")",
        "(format t \"~q~{\")",
        "(defmap m :type)",
        "(defmap m :type :hash :key u32 :value u64 :max-entries -1)",
        "(ash 1 100000000000)",
        "(expt 10 1000000000000)",
        "(make-list 1000000000000)",
        "(defprog p (:type) 0)",
        "(defprog p () . 5)",
        "(deftracepoint nothing/here)",
        "(sleep -1)",
        "(code-char -1)",
        "(subseq \"abc\" 2 1)",
        "(aref #(1 2) 5)",
        "(/ 1 0)",
        "(parse-integer \"x\")",
        "(elt '(1) 7)",
        "(apply '+ 1)",
        "(funcall 'nothing)",
        "(make-string -1)",
    ];
    for text in odd {
        let ran = run_with_input(&mut whistler(["--vm"]), &format!("{text}\n"));
        let code = ran.status.code();
        assert!(matches!(code, Some(0 | 1)), "{text:?}: {:?}\n{}", ran.status, ran.all());
        assert!(!ran.err.contains("panicked"), "{text:?}:\n{}", ran.err);
    }
}

/// Counts system calls of everybody, `step` at a time.
fn counter(name: &str, step: &str) -> String {
    format!(
        "(defprog {name} (:type :raw-tracepoint :section \"raw_tp/sys_enter\" :license \"GPL\")\n  (incf (getmap hits 0) {step})\n  0)\n"
    )
}

#[test]
fn an_attached_program_is_exchanged_when_it_is_typed_again() {
    if !can_use_kernel(&["bpftool"]) {
        return;
    }
    let mut p = Prompt::live();
    p.say("(defmap hits :type :array :key u32 :value u64 :max-entries 1)\n");
    p.expect("hits");
    p.say(&counter("wh-e2e-swap", "1"));
    p.expect("instructions");
    p.say("(attach wh-e2e-swap)\n");
    p.expect("#<link 1");
    p.say("(list 'before (map-ref hits 0) (< 0 (map-ref hits 0) 100000000000))\n");
    p.expect(" t)");
    p.say(&counter("wh-e2e-swap", "1000000000000"));
    p.expect("live on link 1");
    // The map stayed, and the new program counts at once.
    p.say("(progn (sleep 0.05) (list 'after (< 1000000000000 (map-ref hits 0))))\n");
    p.expect(" t)");
    // A wrong one changes nothing.
    p.say("(defprog wh-e2e-swap (:type :raw-tracepoint :section \"raw_tp/sys_enter\") (nonsense) 0)\n");
    p.expect("error");
    p.say("(let ((a (map-ref hits 0))) (sleep 0.05) (list 'still (< a (map-ref hits 0))))\n");
    p.expect(" t)");
    p.say("(length (links))\n(detach wh-e2e-swap)\n(links)\n");
    p.expect("nil");
    p.end();
    eventually("its programs are gone", || programs_named("wh_e2e_swap") == 0);
}

#[test]
fn ctrl_c_ends_an_endless_loop_and_the_probe_goes_on() {
    if !can_use_kernel(&["bpftool"]) {
        return;
    }
    let mut p = Prompt::live();
    p.say("(defmap hits :type :array :key u32 :value u64 :max-entries 1)\n");
    p.say(&counter("wh-e2e-loop", "1"));
    p.say("(attach wh-e2e-loop)\n");
    p.expect("#<link 1");
    for endless in
        ["(loop)", "(do () (nil))", "(labels ((f (n) (if (< n 100) (f (+ n 1)) n))) (loop (ignore-errors (f 0))))"]
    {
        p.say(&format!("(progn (format t \"off~%\") {endless})\n"));
        p.expect("off");
        std::thread::sleep(Duration::from_millis(200));
        p.running.signal("INT");
        p.expect("interrupt");
    }
    p.say("(defun deep (n) (+ 1 (deep n)))\n(deep 1)\n");
    p.expect("error");
    p.say("(let ((a (map-ref hits 0))) (sleep 0.05) (list 'counting (< a (map-ref hits 0))))\n");
    p.expect(" t)");
    p.end();
    eventually("its programs are gone", || programs_named("wh_e2e_loop") == 0);
}

#[test]
fn at_a_terminal() {
    if !support::have("script") {
        eprintln!("skipped: `script` is not installed");
        return;
    }
    let mut command = Command::new("script");
    // `exec`: a shell that waits (dash does, bash does not) gets the terminal's Ctrl-C too and ends with 130.
    command.args(["-qec", &format!("exec '{}' --vm", support::WHISTLER), "/dev/null"]).env("TERM", "xterm");
    command.env("NO_COLOR", "1").current_dir(support::root()).env("XDG_STATE_HOME", env!("CARGO_TARGET_TMPDIR"));
    let mut p = Prompt::start(&mut command);
    p.expect(":help for help");
    p.expect("λ");
    p.say("(+ 20\r");
    p.say("3)\r");
    p.expect("23");
    p.expect("λ");
    // Ctrl-C drops the line that is being typed, and the session stays.
    p.say("(+ 1 \u{3}");
    p.expect("Ctrl-D");
    p.expect("λ");
    // The terminal's own Ctrl-C ends what runs.
    p.say("(progn (princ (* 111 3)) (terpri) (loop))\r");
    p.expect("333");
    std::thread::sleep(Duration::from_millis(300));
    p.say("\u{3}");
    p.expect("interrupt");
    p.expect("λ");
    p.say("(* 6 111)\r");
    p.expect("666");
    p.expect("λ");
    p.say("(defun completed-function () 5)\r");
    p.expect("\ncompleted-function\r\n");
    p.expect("λ");
    p.say("(completed-fu");
    p.expect("completed-fu");
    p.say("\t");
    p.expect("completed-function");
    p.say(")\r");
    p.expect("\n5");
    p.expect("λ");
    p.say("\u{4}");
    p.end().ok();
}

#[test]
fn words_of_other_prompts_are_taken() {
    for word in ["quit", "(exit)", "exit", ":q"] {
        let ran = run_with_input(&mut whistler(["--vm"]), &format!("(+ 1 2)\n{word}\n(+ 3 4)\n")).ok();
        assert_eq!(ran.out, "3\n", "{word}: {}", ran.all());
    }
    for word in ["help", "(help)", "?", ":help"] {
        let ran = run_with_input(&mut whistler(["--vm"]), &format!("{word}\n")).ok();
        assert!(ran.out.contains("(attach PROG …)"), "{word}: {}", ran.all());
    }
    let ran = run_with_input(&mut whistler(["--vm"]), "(defun exit () 7)\n(exit)\n").ok();
    assert!(ran.out.ends_with("7\n"), "{}", ran.all());
}

/// A program that lies in a program array is exchanged there when it is defined again.
#[test]
fn what_a_tail_call_goes_to_can_be_typed_again() {
    let typed = "(defmap jumps :type :prog-array :key u32 :value u32 :max-entries 4)
(defprog target (:type :xdp) XDP_DROP)
(defprog start (:type :xdp) (tail-call jumps 1) XDP_PASS)
(run-prog start (packet (eth) (ipv4)))
(setf (map-ref jumps 1) target)
(run-prog start (packet (eth) (ipv4)))
(defprog target (:type :xdp) XDP_TX)
(run-prog start (packet (eth) (ipv4)))
(map-ref jumps 1)
";
    for way in [&["--vm"][..], &[]].iter().take(if can_use_kernel(&[]) { 2 } else { 1 }) {
        let ran = run_with_input(&mut whistler(*way), typed).ok();
        let lines: Vec<&str> = ran.out.lines().filter(|l| !l.contains(" · ")).collect();
        assert_eq!(lines, ["2", "#<program target>", "1", "3", "#<program target>"], "{}", ran.all());
    }
}
