//! Links of the tracing kinds, and what is left of a killed process.

use crate::support::*;
use whistler_isa::{AttachType, ProgType};
use whistler_loader::{AttachSpec, Counter, Loader, Period, UpdateError, UprobePlace, When};
use whistler_sys::IdKind;
use whistler_sys::bpf::ids;

fn attach(loaded: &whistler_loader::Loaded, spec: &AttachSpec) -> whistler_loader::Link {
    let program = loaded.programs.values().next().expect("one program");
    Loader::new(kernel()).attach(program, spec).unwrap_or_else(|e| panic!("{e} {:?} {:?}", e.mend, e.near))
}

fn refused(loaded: &whistler_loader::Loaded, spec: &AttachSpec) -> whistler_loader::AttachError {
    let program = loaded.programs.values().next().expect("one program");
    Loader::new(kernel()).attach(program, spec).expect_err("refused")
}

#[test]
fn a_raw_tracepoint_counts_until_it_is_dropped() {
    requires!(kernel >= 5.8, CAP_BPF, CAP_PERFMON);
    let loaded = load(&counting("raw", ProgType::RawTracepoint, "raw_tp/sys_enter", 0));
    let link = attach(&loaded, &AttachSpec::RawTracepoint { name: "sys_enter".into(), cookie: 0 });
    assert!(eventually(|| hits(&loaded) > 10));
    assert_eq!((link.method(), link.target()), ("raw tracepoint link", "raw tracepoint sys_enter"));
    let program = loaded.program("raw").expect("loaded");
    assert_eq!(link.update(program), Err(UpdateError::Unsupported));
    link.detach().expect("detaches");
    // A run under way may still end.
    std::thread::sleep(std::time::Duration::from_millis(20));
    let after = hits(&loaded);
    std::thread::sleep(std::time::Duration::from_millis(50));
    assert_eq!(hits(&loaded), after);
}

#[test]
fn an_unknown_raw_tracepoint_comes_with_names_like_it() {
    requires!(kernel >= 5.8, CAP_BPF, CAP_PERFMON, tracefs);
    let loaded = load(&counting("raw", ProgType::RawTracepoint, "raw_tp", 0));
    let e = refused(&loaded, &AttachSpec::RawTracepoint { name: "sched_swich".into(), cookie: 0 });
    assert_eq!(
        e.to_string(),
        "`raw` can't be attached to raw tracepoint sched_swich: this kernel has no tracepoint `sched_swich`"
    );
    assert_eq!(e.near.first().map(String::as_str), Some("sched_switch"));
}

#[test]
fn a_tracepoint_sees_every_exec() {
    requires!(kernel >= 5.8, CAP_BPF, CAP_PERFMON, tracefs);
    let loaded = load(&counting("on_exec", ProgType::Tracepoint, "tracepoint/sched/sched_process_exec", 0));
    let spec = whistler_loader::from_section("tracepoint/sched/sched_process_exec").expect("named");
    let _link = attach(&loaded, &spec);
    for _ in 0..3 {
        let mut helper = Helper::start("exec");
        helper.0.wait().expect("ends");
    }
    assert!(hits(&loaded) >= 3, "{}", hits(&loaded));
    let e = refused(
        &loaded,
        &AttachSpec::Tracepoint { category: "sched".into(), name: "sched_process_exe".into(), cookie: 0 },
    );
    assert_eq!(e.near.first().map(String::as_str), Some("sched/sched_process_exec"));
}

#[test]
fn a_program_of_another_type_is_refused_in_words() {
    requires!(kernel >= 5.8, CAP_BPF, CAP_PERFMON);
    let loaded = load(&counting("raw", ProgType::RawTracepoint, "raw_tp", 0));
    let e = refused(&loaded, &AttachSpec::Tracepoint { category: "a".into(), name: "b".into(), cookie: 0 });
    assert_eq!(e.why, "it is a program of type raw-tracepoint, and this takes tracepoint");
}

fn kprobe(name: &str, when: When) -> AttachSpec {
    AttachSpec::Kprobe { functions: vec![name.to_string()], offset: 0, when, cookie: 0 }
}

#[test]
fn a_kprobe_by_perf_event() {
    requires!(kernel >= 5.8, CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN, feature KprobePmu);
    // A section with an offset is never loaded for multi links.
    for (when, section) in [(When::Entry, "kprobe/x+0x0"), (When::Return, "kretprobe/x+0x0")] {
        let loaded = load(&counting("probe", ProgType::Kprobe, section, 0));
        let link = attach(&loaded, &kprobe("do_nanosleep", when));
        std::thread::sleep(std::time::Duration::from_millis(5));
        assert!(eventually(|| hits(&loaded) > 0), "{when:?}");
        assert!(link.method().starts_with("perf"), "{}", link.method());
    }
    let loaded = load(&counting("probe", ProgType::Kprobe, "kprobe/x+0x0", 0));
    let both = vec!["do_nanosleep".to_string(), "hrtimer_nanosleep".to_string()];
    let spec = AttachSpec::Kprobe { functions: both, offset: 0, when: When::Entry, cookie: 0 };
    let link = attach(&loaded, &spec);
    assert!(eventually(|| hits(&loaded) >= 2));
    drop(link);
    let e = refused(&loaded, &kprobe("do_nanosleeep", When::Entry));
    assert!(e.why.starts_with("this kernel has no function `do_nanosleeep`; nearest is `do_nanosleep`"), "{}", e.why);
}

#[test]
fn a_kprobe_by_multi_link() {
    requires!(kernel >= 5.18, CAP_BPF, CAP_PERFMON, feature KprobeMulti);
    for (when, section) in [(When::Entry, "kprobe/x"), (When::Return, "kretprobe/x")] {
        let loaded = load(&counting("probe", ProgType::Kprobe, section, 0));
        let link = attach(&loaded, &kprobe("do_nanosleep", when));
        assert!(eventually(|| hits(&loaded) > 0), "{when:?}");
        assert_eq!(link.method(), "kprobe.multi link");
    }
    let loaded = load(&counting("probe", ProgType::Kprobe, "kprobe/x", 0));
    let e = refused(&loaded, &kprobe("do_nanosleeep", When::Entry));
    assert!(e.why.starts_with("this kernel has no function `do_nanosleeep`"), "{}", e.why);
}

#[test]
fn a_kprobe_by_pattern() {
    requires!(kernel >= 5.18, CAP_BPF, CAP_PERFMON, tracefs, feature KprobeMulti);
    let loaded = load(&counting("probe", ProgType::Kprobe, "kprobe/x", 0));
    let link = attach(&loaded, &kprobe("vfs_rea*", When::Entry));
    std::fs::read("/proc/self/status").expect("readable");
    assert!(hits(&loaded) > 0);
    assert_eq!(link.method(), "kprobe.multi link");
    let e = refused(&loaded, &kprobe("whistler_none_*", When::Entry));
    assert_eq!(e.why, "no function of this kernel fits `whistler_none_*`");
}

#[test]
fn a_kernel_without_kprobes_says_so() {
    requires!(kernel >= 5.8, CAP_BPF, CAP_PERFMON);
    if kernel().has(whistler_kernel::Feature::KprobePmu) {
        eprintln!("\nskipped: this kernel has kprobes");
        return;
    }
    let loaded = load(&counting("probe", ProgType::Kprobe, "kprobe/x", 0));
    let e = refused(&loaded, &kprobe("do_nanosleep", When::Entry));
    assert!(e.why.contains("built without kprobes") && e.mend.is_some(), "{e:?}");
}

/// The C library's `malloc`: in our own file when we are linked statically, else in the library.
fn malloc() -> std::path::PathBuf {
    let exe = std::env::current_exe().expect("ourselves");
    match whistler_loader::file_offset(&exe, "malloc") {
        Ok(_) => exe,
        Err(_) => "libc.so.6".into(),
    }
}

fn allocate() {
    let v: Vec<u8> = std::hint::black_box(Vec::with_capacity(std::hint::black_box(12_345)));
    drop(v);
}

fn uprobe_counts(object: &whistler_object::Object, method: &str) {
    let loaded = load(object);
    let place = UprobePlace::Symbol("malloc".to_string(), 0);
    let pid = Some(std::process::id());
    for when in [When::Entry, When::Return] {
        let before = hits(&loaded);
        let link = attach(&loaded, &AttachSpec::Uprobe { file: malloc(), place: place.clone(), when, pid, cookie: 0 });
        for _ in 0..10 {
            allocate();
        }
        assert!(eventually(|| hits(&loaded) >= before + 10), "{when:?} {}", hits(&loaded));
        assert_eq!(link.method(), method);
    }
    let place = UprobePlace::Symbol("mallocx".to_string(), 0);
    let e = refused(&loaded, &AttachSpec::Uprobe { file: malloc(), place, when: When::Entry, pid: None, cookie: 0 });
    assert!(e.near.iter().any(|n| n == "malloc" || n.starts_with("malloc")), "{e:?}");
    let place = UprobePlace::Symbol("f".to_string(), 0);
    let e = refused(
        &loaded,
        &AttachSpec::Uprobe { file: "/no/such/file".into(), place, when: When::Entry, pid: None, cookie: 0 },
    );
    assert_eq!(e.why, "there is no file `/no/such/file`");
}

#[test]
fn a_uprobe_by_multi_link() {
    requires!(kernel >= 6.6, CAP_BPF, CAP_PERFMON, feature UprobeMulti);
    uprobe_counts(&counting("probe", ProgType::Kprobe, "uprobe", 0), "uprobe.multi link");
}

#[test]
fn a_uprobe_by_perf_event() {
    requires!(kernel >= 5.15, CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN, feature UprobePmu);
    // An attach type that is spelled out is kept: this one is for perf events.
    let object = counting_with("probe", ProgType::Kprobe, Some(AttachType::PerfEvent), "uprobe", 0);
    uprobe_counts(&object, "perf link");
}

#[test]
fn samples_of_the_clock() {
    requires!(kernel >= 5.8, CAP_BPF, CAP_PERFMON);
    let loaded = load(&counting("sample", ProgType::PerfEvent, "perf_event", 0));
    let spec = AttachSpec::PerfEvent { counter: Counter::CpuClock, period: Period::Frequency(500), pid: None };
    let _link = attach(&loaded, &spec);
    let end = std::time::Instant::now() + std::time::Duration::from_millis(500);
    while std::time::Instant::now() < end && hits(&loaded) < 20 {
        std::hint::black_box(0);
    }
    assert!(hits(&loaded) >= 20, "{}", hits(&loaded));
}

#[test]
fn nothing_survives_a_killed_process() {
    requires!(kernel >= 5.15, CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN, CAP_SYS_ADMIN, netns);
    let mut helper = Helper::start("links");
    let (mut links, mut progs) = (Vec::new(), Vec::new());
    loop {
        let line = helper.line("").expect("the helper attaches");
        if let Some(id) = line.strip_prefix("LINK ") {
            links.push(id.parse::<u32>().expect("a number"));
        } else if let Some(id) = line.strip_prefix("PROG ") {
            progs.push(id.parse::<u32>().expect("a number"));
        } else if line.starts_with("READY") {
            break;
        }
    }
    assert!(links.len() >= 3 && progs.len() >= 4, "{links:?} {progs:?}");
    let there = |kind, wanted: &[u32]| {
        let all = ids(kind).expect("listed");
        wanted.iter().filter(|id| all.contains(id)).count()
    };
    assert_eq!((there(IdKind::Link, &links), there(IdKind::Prog, &progs)), (links.len(), progs.len()));
    helper.0.kill().expect("killed");
    helper.0.wait().expect("gone");
    assert!(eventually(|| there(IdKind::Link, &links) == 0 && there(IdKind::Prog, &progs) == 0));
}

#[test]
fn run_statistics() {
    requires!(kernel >= 5.8, CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN);
    let loaded = load(&counting("raw", ProgType::RawTracepoint, "raw_tp", 0));
    let _on = whistler_loader::RunStatistics::enable().expect("enabled");
    let _link = attach(&loaded, &AttachSpec::RawTracepoint { name: "sys_enter".into(), cookie: 0 });
    let program = loaded.program("raw").expect("loaded");
    assert!(eventually(|| program.stats().expect("known").runs > 5));
}
