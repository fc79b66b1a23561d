//! What is attached while it, or what it is made from, is typed again: in the running kernel.

use std::cell::RefCell;
use std::os::fd::AsFd;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use whistler_diag::{SourceMap, Style, render};
use whistler_image::{Image, Mode, Options};
use whistler_isa::{Insn, ProgType, op};
use whistler_kernel::Kernel;
use whistler_lisp::HostIo;
use whistler_sys::Cap;
use whistler_sys::bpf::ProgLoad;
use whistler_sys::netlink::{self, Direction, FilterPlace, OnExisting};

#[derive(Clone, Default)]
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
    fn sleep(&mut self, time: Duration) -> bool {
        std::thread::sleep(time);
        true
    }
}

/// A prompt without a terminal.
struct Prompt {
    image: Image,
    sources: Rc<RefCell<SourceMap>>,
    printed: Recorder,
    interrupt: Arc<AtomicBool>,
}

impl Prompt {
    fn new(mode: Mode) -> Prompt {
        let sources: Rc<RefCell<SourceMap>> = Rc::default();
        let printed = Recorder::default();
        let interrupt = Arc::new(AtomicBool::new(false));
        let options = Options {
            purpose: Default::default(),
            mode,
            kernel: Rc::new(Kernel::running()),
            target: None,
            sources: sources.clone(),
            interrupt: interrupt.clone(),
            exchangeable: true,
            follow_count: None,
            follow_time: None,
            recorded: None,
            refusal: whistler_image::Refusal::AtTheSource,
        };
        Prompt { image: Image::new(options, Box::new(printed.clone())), sources, printed, interrupt }
    }

    /// `None` where the kernel can't be used, with the reason printed.
    fn live() -> Option<Prompt> {
        if Kernel::running().missing(&[Cap::Bpf, Cap::Perfmon]).is_empty() {
            return Some(Prompt::new(Mode::Kernel));
        }
        assert!(std::env::var_os("WHISTLER_REQUIRE_KERNEL").is_none(), "needs CAP_BPF and CAP_PERFMON");
        println!("skipped: needs CAP_BPF and CAP_PERFMON");
        None
    }

    /// Values (one a line) and rendered reports; whether all forms went well.
    fn say(&mut self, text: &str) -> (String, String, bool) {
        let (mut values, mut reports, mut good) = (Vec::new(), String::new(), true);
        let sources = self.sources.clone();
        self.image.eval("<prompt>", text, &mut |step| {
            values.extend(step.value);
            for d in &step.diagnostics {
                reports.push_str(&render(d, &sources.borrow(), Style::Plain));
            }
            good &= !step.failed;
        });
        (values.join("\n"), reports, good)
    }

    #[track_caller]
    fn value(&mut self, text: &str) -> String {
        let (values, reports, good) = self.say(text);
        assert!(good, "{text}:\n{values}\n{reports}");
        values
    }

    #[track_caller]
    fn error(&mut self, text: &str) -> String {
        let (values, reports, good) = self.say(text);
        assert!(!good, "{text} went well: {values}");
        reports
    }

    #[track_caller]
    fn number(&mut self, text: &str) -> u64 {
        let value = self.value(text);
        if value == "nil" { 0 } else { value.parse().unwrap_or_else(|_| panic!("{text} is {value}")) }
    }

    #[track_caller]
    fn printed(&mut self, text: &str) -> String {
        self.printed.0.borrow_mut().clear();
        self.value(text);
        self.printed.0.borrow().clone()
    }
}

/// Counts under `key` what this process does itself, by the step `step`.
fn counter(name: &str, section: &str, key: u32, step: &str) -> String {
    let kind = if section.starts_with("raw_tp") { "raw-tracepoint" } else { "tracepoint" };
    let mine = format!("(when (= (ash (get-current-pid-tgid) -32) {})", std::process::id());
    format!(
        "(defprog {name} (:type :{kind} :section \"{section}\" :license \"GPL\") {mine} (incf (getmap counts {key}) {step})) 0)"
    )
}

const COUNTS: &str = "(defmap counts :type :hash :key u32 :value u64 :max-entries 64)";
const ENTER: &str = "raw_tp/sys_enter";

/// Something to count.
fn calls() {
    for _ in 0..10 {
        let _ = std::fs::metadata("/proc/self");
    }
}

#[test]
fn typed_again_while_it_counts() {
    let Some(mut p) = Prompt::live() else { return };
    for (section, key) in [(ENTER, 1), ("tracepoint/raw_syscalls/sys_enter", 2)] {
        let name = format!("on-call-{key}");
        p.value(COUNTS);
        let first = p.value(&counter(&name, section, key, "1"));
        assert!(first.contains("accepted by this kernel"), "{first}");
        let link = p.value(&format!("(attach {name})"));
        assert!(link.contains(&format!("#<link {key} {name} → ")), "{link}");
        calls();
        let before = p.number(&format!("(map-ref counts {key})"));
        assert!(before >= 10, "{before}");
        let second = p.value(&counter(&name, section, key, "1000000"));
        assert!(second.contains(&format!("live on link {key} (dispatch")), "{second}");
        calls();
        let after = p.number(&format!("(map-ref counts {key})"));
        assert!(after >= 10_000_000 + before, "{after}");
        assert_eq!(p.value(&format!("(detach {name})")), "1");
        let end = p.number(&format!("(map-ref counts {key})"));
        calls();
        assert_eq!(p.number(&format!("(map-ref counts {key})")), end);
    }
    assert_eq!(p.value("(links)"), "nil");
}

#[test]
fn a_redefinition_that_fails_leaves_the_old_program_running() {
    let Some(mut p) = Prompt::live() else { return };
    p.value(COUNTS);
    p.value(&counter("on-call", ENTER, 1, "1"));
    p.value("(attach on-call)");
    let report = p.error(&counter("on-call", ENTER, 1, "nothing-of-that-name"));
    assert!(report.contains("nothing-of-that-name"), "{report}");
    let before = p.number("(map-ref counts 1)");
    calls();
    assert!(p.number("(map-ref counts 1)") >= before + 10);
    // The declaration is the old one, too: what it is made from can change, and it is made again.
    let said = p.value("(defmap counts :type :hash :key u32 :value u64 :max-entries 65)");
    assert!(said.contains("on-call") && said.contains("live on link 1"), "{said}");
    // A first definition that fails is none.
    p.error("(defprog other (:type :xdp) (nothing-of-that-name))");
    assert!(p.error("(attach 'other)").contains("no program"), "it is not there");
}

#[test]
fn what_a_program_is_made_from_changes_it() {
    let Some(mut p) = Prompt::live() else { return };
    p.value(COUNTS);
    p.value("(defconstant +step+ 1) (defmacro step () '(small)) (defun ignored () 1)");
    p.value("(defsubprog small ((x u64)) (:returns u64) x)");
    for (key, step) in [(1, "+step+"), (2, "(twice)"), (3, "(one 1)")] {
        if key == 2 {
            p.value("(defun half () 1) (defmacro twice () (* 2 (half)))");
        }
        if key == 3 {
            p.value("(defsubprog one ((x u64)) u64 x)");
        }
        p.value(&counter(&format!("on-{key}"), ENTER, key, step));
        p.value(&format!("(attach on-{key})"));
    }
    for (key, change) in [
        (1, "(defconstant +step+ 1000000)"),
        (2, "(defun half () 1000000)"),
        (3, "(defsubprog one ((x u64)) u64 (+ x 1000000))"),
        (2, "(defmacro twice () 3000000)"),
    ] {
        let said = p.value(change);
        assert!(said.contains(&format!("on-{key} · ")), "{change}: {said}");
        assert_eq!(said.matches("live on link").count(), 1, "only one is another program now: {said}");
        let before = p.number(&format!("(map-ref counts {key})"));
        calls();
        assert!(p.number(&format!("(map-ref counts {key})")) >= before + 10_000_000, "{change}");
    }
    // A function that no macro uses changes nothing.
    assert_eq!(p.value("(defun ignored () 2)"), "ignored");
}

#[test]
fn a_struct_changes_its_maps_and_their_programs() {
    let Some(mut p) = Prompt::live() else { return };
    p.value("(defstruct seen (calls u64)) (defmap table :type :hash :key u32 :value seen :max-entries 8)");
    let body = "(when-let ((s (map-lookup table 1))) (incf (seen-calls s)))";
    p.value(&format!("(defprog on-call (:type :raw-tracepoint :section \"{ENTER}\") {body} 0)"));
    p.value("(attach on-call)");
    let (said, reports, good) = p.say("(defstruct seen (pad u64) (calls u64))");
    assert!(good && reports.contains("made anew"), "{said}\n{reports}");
    assert!(said.contains("on-call · ") && said.contains("live on link 1"), "{said}");
    // A struct that the program can't be compiled with: it goes on.
    let report = p.error("(defstruct seen (other u64))");
    assert!(report.contains("`on-call` goes on as it was"), "{report}");
    assert!(p.value("(links)").contains("on-call"));
    // And it follows again as soon as it can; the trouble is not told again and again.
    p.value("(defconstant +unrelated+ 1)");
    let said = p.value("(defstruct seen (calls u64) (more u64))");
    assert!(said.contains("live on link 1"), "{said}");
}

#[test]
fn another_section_moves_the_link() {
    let Some(mut p) = Prompt::live() else { return };
    p.value(COUNTS);
    p.value(&counter("on-call", ENTER, 1, "1"));
    p.value("(attach on-call)");
    let said = p.value(&counter("on-call", "raw_tp/sys_exit", 1, "1"));
    assert!(said.contains("moved to raw tracepoint sys_exit"), "{said}");
    assert!(p.value("(links)").contains("sys_exit"));
    let said = p.error(&counter("on-call", "raw_tp/no_such_point", 1, "1"));
    assert!(said.contains("no_such_point") && said.contains("goes on as it was"), "{said}");
    assert!(p.value("(links)").contains("sys_exit"));
}

#[test]
fn what_goes_wrong_in_the_host_leaves_probes_counting() {
    let Some(mut p) = Prompt::live() else { return };
    p.value(COUNTS);
    p.value(&counter("on-call", ENTER, 1, "1"));
    p.value("(attach on-call)");
    p.value("(defun down (n) (+ 1 (down n))) (defmacro again () '(again))");
    for (text, message) in [("(down 1)", "nested too deeply"), ("(again)", "no end")] {
        let report = p.error(text);
        assert!(report.contains(message) && report.lines().count() < 20, "{report}");
    }
    let interrupt = p.interrupt.clone();
    let by_hand = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        interrupt.store(true, Ordering::Relaxed);
    });
    assert!(p.error("(loop)").contains("interrupted"));
    by_hand.join().expect("it only sleeps");
    let before = p.number("(map-ref counts 1)");
    calls();
    assert!(p.number("(map-ref counts 1)") >= before + 10);
}

#[test]
fn the_kernels_refusal_stands_at_the_source() {
    let Some(mut p) = Prompt::live() else { return };
    p.value("(defmap ring :type :ringbuf :max-entries 4096)");
    // How far a number may lead is the kernel's to follow.
    p.value("(defmap entries :type :array :key u32 :value u64 :max-entries 4)");
    let report = p.error(
        "(defprog holds (:type :xdp :license \"GPL\")\n  (let ((n (ctx rx_queue_index)))\n    (with-ringbuf (e ring 8)\n      \
         (store u64 e 0 n))\n    (when-let ((v (map-lookup entries 0)))\n      (cast u32 (+ (load u8 (+ v n)) n)))))",
    );
    assert!(report.contains("the kernel does not accept `holds`") && report.contains("<prompt>:6"), "{report}");
    assert!(report.contains("unbounded memory access"), "{report}");
    // What the verifier knew there is told by the source's names, and its own listing stays behind a flag.
    assert!(report.contains("`n` is a number from 0 to 0xffffffff"), "{report}");
    assert!(!report.contains("processed ") && report.contains("--verifier-log"), "{report}");
}

#[test]
fn maps_are_places() {
    for mode in [Mode::Kernel, Mode::Vm] {
        let mut p = match mode {
            Mode::Kernel => match Prompt::live() {
                Some(p) => p,
                None => continue,
            },
            Mode::Vm => Prompt::new(Mode::Vm),
        };
        p.value("(defmap counts :type :hash :key u32 :value u64 :max-entries 4) (defglobal level u64 3)");
        p.value("(defprog main (:type :xdp) (setf (getmap counts 9) level) (setf level 4) XDP_PASS)");
        assert_eq!(p.value("(setf (map-ref counts 1) 5) (incf (map-ref counts 1) 2) (map-ref counts 1)"), "5\n7\n7");
        assert_eq!(
            p.value("(setf (map-ref counts 2) 1) (let ((n 0)) (do-map-entries (k v counts) (incf n (* k v))) n)"),
            "1\n9"
        );
        assert_eq!(p.value("(setf (global-ref level) 70) (global-ref level)"), "70\n70");
        assert_eq!(p.value("(map-ref counts 99 :none) (map-delete counts 1) (map-count counts)"), ":none\nt\n1");
        assert!(p.error("(do-map-entries (k counts) k)").contains("do-map-entries (key value map)"));
        p.error("(setf (map-ref counts 1) \"text\")");
    }
}

#[test]
fn names_are_looked_up() {
    let mut p = Prompt::new(Mode::Vm);
    p.value("(defstruct event (pid u32) (comm (array char 16))) (defmap table :type :hash :key u32 :value event :max-entries 8)");
    p.value("(defprog main (:type :xdp) (when-let ((e (map-lookup table 1))) (setf (event-pid e) 2)) XDP_PASS)");
    for (form, parts) in [
        ("(describe 'event)", &["struct · 20 bytes", "4  comm"] as &[_]),
        ("(describe table)", &["map · hash, 8 entries", "value event", "used by main"]),
        ("(describe 'main)", &["program · xdp", "instructions"]),
        ("(describe 'map-lookup)", &["kernel form · (map-lookup", "null"]),
        ("(describe 'get-current-comm)", &["helper · (get-current-comm"]),
        ("(describe 'mapcar)", &["function"]),
        ("(apropos \"ringbuf\")", &["ringbuf-reserve · kernel form", "helper: (ringbuf-query"]),
        ("(apropos \"even\")", &["event · struct"]),
    ] {
        let text = p.printed(form);
        assert!(parts.iter().all(|part| text.contains(part)), "{form}:\n{text}");
    }
    assert!(p.value("(documentation 'getmap)").contains("(getmap map key)"));
    assert!(p.value("(documentation 'map-ref)").contains("under a key"));
    let names = p.image.complete("map-");
    assert!(names.iter().any(|n| n == "map-lookup") && names.iter().any(|n| n == "map-ref"), "{names:?}");
}

#[test]
fn what_a_killed_session_left_is_offered_for_removal() {
    if !Kernel::running().missing(&[Cap::Bpf, Cap::NetAdmin, Cap::SysAdmin]).is_empty() {
        assert!(std::env::var_os("WHISTLER_REQUIRE_KERNEL").is_none(), "needs root");
        println!("skipped: needs root");
        return;
    }
    // The namespace is this thread's alone, and ends with it.
    let in_its_own = std::thread::spawn(|| {
        whistler_sys::unshare_network().expect("root may");
        let lo = whistler_sys::ifindex(c"lo").expect("every namespace has it");
        netlink::clsact_add(lo).expect("added");
        let insns = Insn::encode_all(&[
            Insn::new(op::ALU64 | op::MOV | op::K, 0, 0, 0, -1),
            Insn::new(op::JMP | op::EXIT, 0, 0, 0, 0),
        ]);
        let load = ProgLoad {
            prog_type: ProgType::SchedCls.number(),
            insns: &insns,
            license: c"GPL",
            name: "left",
            ..ProgLoad::default()
        };
        let program = load.load().map_err(|f| f.error).expect("loaded");
        for handle in [1, 2] {
            let place = FilterPlace { ifindex: lo, direction: Direction::Ingress, priority: 7, handle };
            // No process has this number.
            let name = format!("whistler:4294967295:1:left-{handle}");
            netlink::filter_add(place, program.fd.as_fd(), &name, OnExisting::Fail).expect("added");
        }
        let mut p = Prompt::new(Mode::Kernel);
        let notice = p.image.leftovers().expect("there are two");
        assert!(
            notice.contains("left-1 on lo")
                && notice.contains("left-2 on lo")
                && notice.contains("(remove-leftover t)"),
            "{notice}"
        );
        assert_eq!(p.value("(remove-leftover 1)"), "1");
        assert!(p.error("(remove-leftover 5)").contains("(leftovers) lists them"));
        assert_eq!(p.value("(leftovers)"), "1");
        assert_eq!(p.value("(remove-leftover t)"), "1");
        assert_eq!(p.value("(leftovers)"), "0");
        assert_eq!(p.image.leftovers(), None);
    });
    in_its_own.join().expect("all of that holds");
}
