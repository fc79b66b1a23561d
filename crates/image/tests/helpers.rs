//! Every helper is called by a program that this kernel's verifier accepts, in the form the language gives it.
//! `helpers.calls` has a line for each that needs more than zeros and a buffer, and the reason for each left out.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use whistler_diag::{SourceMap, Style, render};
use whistler_image::{Image, Mode, Options};
use whistler_isa::{ArgKind, HELPERS, Helper, MemSize, ProgType};
use whistler_kernel::Kernel;
use whistler_lisp::NoIo;
use whistler_sys::Cap;

const PRELUDE: &str = r"
(defstruct bytes64 (a (array u8 64)))
(defstruct cell (lock bpf-spin-lock) (n u32))
(defmap hash :type :hash :key u32 :value u64 :max-entries 4)
(defmap cells :type :array :key u32 :value cell :max-entries 4)
(defmap percpu :type :percpu-array :key u32 :value u64 :max-entries 4)
(defmap ring :type :ringbuf :max-entries 4096)
(defmap events :type :perf-event-array :key-size 4 :value-size 4 :max-entries 4)
(defmap stacks :type :stack-trace :key-size 4 :value-size 64 :max-entries 4)
(defmap progs :type :prog-array :key-size 4 :value-size 4 :max-entries 4)
(defmap devices :type :devmap :key-size 4 :value-size 4 :max-entries 4)
(defmap cgroups :type :cgroup-array :key-size 4 :value-size 4 :max-entries 4)
(defmap sockets :type :sockmap :key-size 4 :value-size 4 :max-entries 4)
(defmap socket-hash :type :sockhash :key-size 4 :value-size 4 :max-entries 4)
(defmap reuse :type :reuseport-sockarray :key-size 4 :value-size 4 :max-entries 4)
(defmap queue :type :queue :key-size 0 :value-size 8 :max-entries 4)
(defmap cgroup-store :type :cgroup-storage :key-size 8 :value-size 8 :max-entries 0)
(defmap socket-store :type :sk-storage :key u32 :value u64 :max-entries 0 :map-flags BPF_F_NO_PREALLOC)
(defmap task-store :type :task-storage :key u32 :value u64 :max-entries 0 :map-flags BPF_F_NO_PREALLOC)
(defmap cgroup-objects :type :cgrp-storage :key u32 :value u64 :max-entries 0 :map-flags BPF_F_NO_PREALLOC)
";

/// Which type of program calls a helper that any of its types may call, the plainest first.
const PLAIN: &[ProgType] = &[
    ProgType::Xdp,
    ProgType::SchedCls,
    ProgType::RawTracepoint,
    ProgType::SocketFilter,
    ProgType::CgroupSkb,
    ProgType::Tracepoint,
    ProgType::Kprobe,
    ProgType::PerfEvent,
    ProgType::SkSkb,
    ProgType::SkMsg,
    ProgType::SockOps,
    ProgType::LwtXmit,
    ProgType::LwtSeg6local,
    ProgType::LwtIn,
    ProgType::CgroupSockAddr,
    ProgType::CgroupSysctl,
    ProgType::CgroupSockopt,
    ProgType::CgroupDevice,
    ProgType::CgroupSock,
    ProgType::SkReuseport,
    ProgType::SkLookup,
    ProgType::FlowDissector,
    ProgType::Syscall,
];

/// A call with zeros and a buffer.
fn plain(h: &Helper) -> Option<(String, String)> {
    let mut args = Vec::new();
    let mut after_memory = false;
    for a in h.args {
        let text = match a.kind {
            ArgKind::Ctx => continue,
            ArgKind::Anything => "0",
            ArgKind::Mem(_, MemSize::Next | MemSize::Fixed(_)) => "b",
            ArgKind::Size | ArgKind::SizeOrZero if after_memory => "8",
            _ => return None,
        };
        after_memory = matches!(a.kind, ArgKind::Mem(..));
        args.push(text);
    }
    let prog = PLAIN.iter().find(|p| h.progs.contains(**p))?;
    let name = h.name.replace('_', "-");
    Some((format!(":{}", prog.keyword()), format!("({name} {})", args.join(" "))))
}

fn lines() -> BTreeMap<String, (String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/helpers.calls");
    let text = std::fs::read_to_string(path).expect("the calls are there");
    let mut out = BTreeMap::new();
    for l in text.lines().filter(|l| !l.starts_with('#') && !l.is_empty()) {
        let parts: Vec<&str> = l.splitn(3, " | ").collect();
        let [name, prog, body] = parts[..] else { panic!("{l}") };
        let old = out.insert(name.to_string(), (prog.to_string(), body.to_string()));
        assert!(old.is_none(), "{name} twice");
    }
    out
}

fn ready() -> bool {
    let kernel = Kernel::running();
    let missing = kernel.missing(&[Cap::Bpf, Cap::Perfmon, Cap::NetAdmin]);
    let newest = kernel.version().is_some_and(|v| v >= whistler_isa::KernelVersion::new(6, 18));
    if missing.is_empty() && newest {
        return true;
    }
    assert!(std::env::var_os("WHISTLER_REQUIRE_KERNEL").is_none(), "needs 6.18 and {missing:?}");
    eprintln!("skipped: needs kernel 6.18 and {missing:?}");
    false
}

fn image(sources: &Rc<RefCell<SourceMap>>) -> Image {
    let options = Options {
        purpose: Default::default(),
        mode: Mode::Kernel,
        kernel: Rc::new(Kernel::running()),
        target: None,
        sources: sources.clone(),
        interrupt: Arc::new(AtomicBool::new(false)),
        exchangeable: false,
        follow_count: None,
        follow_time: None,
        recorded: None,
        refusal: whistler_image::Refusal::AtTheSource,
    };
    Image::new(options, Box::new(NoIo))
}

/// Evaluates a text; what is wrong with it.
fn eval(image: &mut Image, sources: &Rc<RefCell<SourceMap>>, text: &str) -> Result<(), String> {
    let mut said = String::new();
    let mut failed = false;
    image.eval("helpers.lisp", text, &mut |step| {
        failed |= step.failed;
        for d in step.diagnostics.iter().filter(|d| d.is_error()) {
            said.push_str(&render(d, &sources.borrow(), Style::Plain));
        }
    });
    if failed { Err(said) } else { Ok(()) }
}

#[test]
fn every_helper_is_called_by_an_accepted_program() {
    if !ready() {
        return;
    }
    let lines = lines();
    let sources: Rc<RefCell<SourceMap>> = Rc::default();
    let mut image = image(&sources);
    eval(&mut image, &sources, PRELUDE).expect("the maps");
    let only = std::env::var("HELPER").ok();
    let (mut called, mut left_out, mut failures) = (0, 0, Vec::new());
    for h in HELPERS {
        if only.as_ref().is_some_and(|o| o != h.name) {
            continue;
        }
        let Some((prog, body)) = lines.get(h.name).cloned().or_else(|| plain(h)) else {
            failures.push(format!("{}: no line in helpers.calls, and it needs one", h.name));
            continue;
        };
        if prog == "-" {
            left_out += 1;
            continue;
        }
        let (ty, section) = prog.split_once(' ').unwrap_or((&prog, ""));
        let section = if section.is_empty() { String::new() } else { format!(" :section {section}") };
        let name = h.name.replace('_', "-");
        let program = format!(
            "(defprog call-{name} (:type {ty}{section})\n  (let ((b (make-bytes64)) (k u32 0) (v u64 0) (l i64 0))\n    \
             (declare (ignorable b k v l))\n    {body})\n  1)\n"
        );
        match eval(&mut image, &sources, &program) {
            Ok(()) => called += 1,
            Err(e) => failures.push(format!("{}:\n{program}{e}", h.name)),
        }
    }
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), HELPERS.len(), failures.join("\n"));
    assert!(only.is_some() || (called > 180 && called + left_out == HELPERS.len()), "{called} called");
}

#[test]
fn lines_name_helpers() {
    for name in lines().keys() {
        assert!(whistler_isa::helpers::by_name(name).is_some(), "{name}");
    }
}
