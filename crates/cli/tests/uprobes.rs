//! Probes in a program that the test compiles: found by the symbol in the section, with the arguments and results that
//! the program itself says it had.

mod support;

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use support::{Running, Scratch, can_use_kernel, run, whistler};

/// Says what it calls with, and what comes of it; eight arguments, so that two lie on the stack.
const PROBED: &str = r#"
#include <stdio.h>
#include <unistd.h>
#include <stdint.h>

__attribute__((noinline)) int64_t weigh(int32_t kilos, const char *what, uint64_t c, uint16_t d, int64_t e, int8_t f,
                                        uint64_t g, uint64_t h)
{
	__asm__ volatile("");
	return what[0] == 'l' ? -(kilos + (int64_t)(c + d + e + f + g + h)) : 1;
}

__attribute__((noinline)) static uint32_t unseen(uint32_t n)
{
	__asm__ volatile("");
	return n * 2 + 1;
}

int main(void)
{
	for (;;) {
		int64_t r = weigh(-7, "lead", 0x1122334455667788, 65535, -5, -1, 0x8000000000000001, 42);
		uint32_t u = unseen(2000000000);
		printf("%lld %u\n", (long long)r, u);
		fflush(stdout);
		usleep(5000);
	}
}
"#;

/// `FILE` is the program's path; the second section names its place by symbol and offset.
const PROBES: &str = r#"
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defstruct text (bytes (array char 16)))
(defmap said :type :array :key u32 :value text :max-entries 1)

(defprog on-call (:type :kprobe :section "uprobe/FILE:weigh" :license "GPL")
  (setf (getmap out 0) (cast u64 (cast i32 (pt-regs-parm1)))
        (getmap out 1) (pt-regs-parm3)
        (getmap out 2) (cast u16 (pt-regs-parm4))
        (getmap out 3) (pt-regs-parm5)
        (getmap out 4) (cast u64 (cast i8 (pt-regs-parm6)))
        (getmap out 5) (pt-regs-parm7)
        (getmap out 6) (pt-regs-parm8)
        (getmap out 7) (ash (get-current-pid-tgid) -32))
  (when-let ((s (map-lookup said 0)))
    (probe-read-user-str s 16 (pt-regs-parm2)))
  (incf (getmap out 8))
  0)

(defprog on-return (:type :kprobe :section "uretprobe/FILE:weigh" :license "GPL")
  (setf (getmap out 9) (retval)
        (getmap out 10) (pt-regs-ret))
  0)

;; A static function has a symbol, too.
(defprog on-unseen (:type :kprobe :section "uprobe/FILE:unseen")
  (setf (getmap out 11) (cast u32 (pt-regs-parm1)))
  0)

(defprog on-unseen-end (:type :kprobe :section "uretprobe/FILE:unseen")
  (setf (getmap out 12) (cast u32 (retval)))
  0)

(dolist (p (list on-call on-return on-unseen on-unseen-end)) (attach p))
(dotimes (i 300)
  (when (and (> (map-ref out 8) 3) (plusp (map-ref out 12)) (plusp (map-ref out 10))) (return))
  (sleep 0.02))
(dotimes (i 13) (format t "~a = ~a~%" i (map-ref out i)))
(format t "said = ~a~%" (text-bytes (map-ref said 0)))
"#;

#[test]
fn arguments_and_results_by_symbol() {
    if !can_use_kernel(&["cc"]) {
        return;
    }
    let scratch = Scratch::new();
    let source = scratch.file("probed.c", PROBED);
    let binary = scratch.path().join("probed");
    let compiled = Command::new("cc").args(["-O1", "-o"]).arg(&binary).arg(&source).status();
    assert!(compiled.is_ok_and(|s| s.success()), "cc");
    let mut probed = Running::start(Command::new(&binary).stdin(Stdio::null()));
    probed.wait_for("\n");
    let own = probed.so_far();
    let (result, unseen) = own.lines().next().and_then(|l| l.split_once(' ')).expect("what it says");

    let script = scratch.file("probes.lisp", &PROBES.replace("FILE", &binary.to_string_lossy()));
    let seen = run(&mut whistler(["run".as_ref(), script.as_os_str()])).ok().out;
    let seen: BTreeMap<&str, &str> = seen.lines().filter_map(|l| l.split_once(" = ")).collect();
    let bits = |n: i64| (n as u64).to_string();
    let result: i64 = result.parse().expect("a number");
    let expected = [
        ("0", bits(-7)),
        ("1", 0x1122_3344_5566_7788u64.to_string()),
        ("2", "65535".to_string()),
        ("3", bits(-5)),
        ("4", bits(-1)),
        ("5", 0x8000_0000_0000_0001u64.to_string()),
        ("6", "42".to_string()),
        ("7", probed.pid().to_string()),
        ("9", bits(result)),
        ("10", bits(result)),
        ("11", "2000000000".to_string()),
        ("12", unseen.to_string()),
    ];
    for (place, value) in &expected {
        assert_eq!(seen.get(place), Some(&value.as_str()), "{place}: {seen:?}");
    }
    assert!(seen["said"].contains("lead"), "{seen:?}");
    assert!(seen["8"].parse::<u64>().is_ok_and(|n| n > 3), "{seen:?}");
}

/// What is not in the program is refused, with the name that may be meant.
#[test]
fn a_symbol_that_is_not_there() {
    if !can_use_kernel(&["cc"]) {
        return;
    }
    let scratch = Scratch::new();
    let source = scratch.file("probed.c", PROBED);
    let binary = scratch.path().join("probed");
    let compiled = Command::new("cc").args(["-O1", "-o"]).arg(&binary).arg(&source).status();
    assert!(compiled.is_ok_and(|s| s.success()), "cc");
    let form =
        format!("(progn (defprog p (:type :kprobe :section \"uprobe/{}:weight\") 0) (attach p))", binary.display());
    let refused = run(&mut whistler(["-e", &form]));
    assert!(!refused.status.success(), "{}", refused.all());
    for words in ["has no function `weight`", "did you mean `weigh`?"] {
        assert!(refused.err.contains(words), "{}", refused.all());
    }
}
