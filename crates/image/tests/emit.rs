//! Lines that programs emit and records of perf event arrays, printed in the running kernel and in the virtual machine.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use whistler_diag::{SourceMap, Style, render};
use whistler_image::{Image, Mode, Options};
use whistler_kernel::Kernel;
use whistler_lisp::HostIo;
use whistler_sys::Cap;

#[derive(Clone, Default)]
struct Recorder(Rc<RefCell<String>>);

impl HostIo for Recorder {
    fn available(&self) -> bool {
        true
    }
    fn write_out(&mut self, text: &str) {
        self.0.borrow_mut().push_str(text);
    }
    fn sleep(&mut self, time: Duration) -> bool {
        std::thread::sleep(time);
        true
    }
}

/// What a text prints, form by form.
fn printed(mode: Mode, text: &str) -> String {
    let sources: Rc<RefCell<SourceMap>> = Rc::default();
    let out = Recorder::default();
    let options = Options {
        mode,
        purpose: Default::default(),
        kernel: Rc::new(Kernel::running()),
        target: None,
        sources: sources.clone(),
        interrupt: Arc::new(AtomicBool::new(false)),
        exchangeable: false,
        follow_count: None,
        follow_time: Some(Duration::from_secs(20)),
        recorded: None,
        refusal: whistler_image::Refusal::AtTheSource,
    };
    let mut image = Image::new(options, Box::new(out.clone()));
    image.eval("emit.lisp", text, &mut |step| {
        let said: Vec<String> = step.diagnostics.iter().map(|d| render(d, &sources.borrow(), Style::Plain)).collect();
        assert!(!step.failed, "{}", said.concat());
    });
    drop(image);
    out.0.take()
}

fn in_kernel() -> bool {
    let kernel = Kernel::running();
    let missing = kernel.missing(&[Cap::Bpf, Cap::Perfmon, Cap::NetAdmin]);
    if missing.is_empty() {
        return true;
    }
    assert!(std::env::var_os("WHISTLER_REQUIRE_KERNEL").is_none(), "needs {missing:?}");
    eprintln!("skipped: needs {missing:?}");
    false
}

const EMITS: &str = r#"
(defprog talk (:type :xdp)
  (emit "first %d" 7)
  (emit "second %s %x" "word" (cast u8 255))
  XDP_PASS)
(run-prog talk #(1 2 3 4 5 6 7 8 9 10 11 12 13 14))
(defprog other (:type :xdp)
  (emit "from another program: %d" -3)
  XDP_PASS)
(run-prog other #(1 2 3 4 5 6 7 8 9 10 11 12 13 14))
"#;

#[test]
fn lines_of_several_programs_are_printed_in_order() {
    let expected = "first 7\nsecond word ff\nfrom another program: -3\n";
    assert_eq!(printed(Mode::Vm, EMITS), expected);
    if in_kernel() {
        assert_eq!(printed(Mode::Kernel, EMITS), expected);
    }
}

#[test]
fn attached_programs_are_followed_until_there_are_enough_lines() {
    if !in_kernel() {
        return;
    }
    let out = printed(
        Mode::Kernel,
        r#"
(defglobal me u32 0)
(defprog on-call (:type :raw-tracepoint :section "raw_tp/sys_enter")
  (emit "a call")
  0)
(attach on-call)
(follow-emitted :count 3)
"#,
    );
    assert!(out.lines().count() >= 3 && out.lines().all(|l| l == "a call"), "{out}");
}

#[test]
fn a_perf_event_array_is_followed_like_a_ring_buffer() {
    const RECORD: &str = r#"
(defstruct event (a u32) (b u32))
(defmap events :type :perf-event-array :key-size 4 :value-size 4 :max-entries 64)
"#;
    if !in_kernel() {
        return;
    }
    let text = format!(
        "{RECORD}
(defprog on-call (:type :raw-tracepoint :section \"raw_tp/sys_enter\")
  (let ((e (make-event)))
    (setf (event-a e) 11 (event-b e) 22)
    (perf-event-output events #xffffffff e (sizeof event)))
  0)
(attach on-call)
(follow events :as event :count 2)
"
    );
    let out = printed(Mode::Kernel, &text);
    assert!(out.lines().filter(|l| l.contains("11") && l.contains("22")).count() >= 2, "{out}");
}
