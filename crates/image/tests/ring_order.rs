//! A ring buffer's records reach a Lisp function decoded, all of them and in order: `bench/ring.lisp`, with
//! fewer records than when it measures.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use whistler_image::{Image, Mode, Options};
use whistler_kernel::Kernel;
use whistler_lisp::HostIo;
use whistler_sys::Cap;

const PROGRAM: &str = include_str!("../../../bench/ring.lisp");

/// Keeps what is printed.
struct Recorder(Rc<RefCell<String>>);

impl HostIo for Recorder {
    fn available(&self) -> bool {
        true
    }
    fn write_out(&mut self, text: &str) {
        self.0.borrow_mut().push_str(text);
    }
    fn now(&self) -> Option<Duration> {
        SystemTime::now().duration_since(UNIX_EPOCH).ok()
    }
}

/// What the program prints, or its first error, when so many records are wanted.
fn run(program: &str, mode: Mode, wanted: u32) -> Result<String, String> {
    let options = Options {
        mode,
        purpose: Default::default(),
        kernel: Rc::new(Kernel::running()),
        target: None,
        sources: Rc::default(),
        interrupt: Default::default(),
        exchangeable: false,
        follow_count: None,
        follow_time: None,
        recorded: None,
        refusal: whistler_image::Refusal::AtTheSource,
    };
    let out = Rc::new(RefCell::new(String::new()));
    let mut image = Image::new(options, Box::new(Recorder(out.clone())));
    let mut steps = Vec::new();
    image.eval("ring.lisp", program, &mut |step| steps.push(step));
    if !steps.iter().any(|s| s.failed) {
        steps.push(image.call_main(&[wanted.to_string()]));
    }
    match steps.iter().find(|s| s.failed) {
        Some(step) => Err(step.diagnostics.first().map_or_else(String::new, |d| d.message.to_string())),
        None => Ok(out.take()),
    }
}

fn can_use_kernel() -> bool {
    if Kernel::running().missing(&[Cap::Bpf, Cap::NetAdmin]).is_empty() {
        return true;
    }
    assert!(std::env::var_os("WHISTLER_REQUIRE_KERNEL").is_none(), "needs CAP_BPF and CAP_NET_ADMIN");
    println!("skipped: needs CAP_BPF and CAP_NET_ADMIN");
    false
}

#[test]
fn all_records_come_in_order_from_the_kernel() {
    if can_use_kernel() {
        // More than the ring holds at once, so that it goes round.
        let said = run(PROGRAM, Mode::Kernel, 300_000).expect("every record is as it was sent");
        assert!(said.starts_with("300000 records, all in order"), "{said}");
    }
}

#[test]
fn all_records_come_in_order_from_the_virtual_machine() {
    let said = run(PROGRAM, Mode::Vm, 2_000).expect("every record is as it was sent");
    assert!(said.starts_with("2000 records, all in order"), "{said}");
}

#[test]
fn a_record_that_is_left_out_is_noticed() {
    let program = PROGRAM.replace("(1+ n)", "(if (= n 700) 702 (1+ n))");
    assert_ne!(program, PROGRAM);
    let error = run(&program, Mode::Vm, 2_000).expect_err("number 701 is never sent");
    assert!(error.contains("record 702 came where 701 was due"), "{error}");
}
