//! Exchanging programs through a stub.

use crate::support::*;
use whistler_isa::{AttachType, ProgType};
use whistler_loader::{AttachSpec, DispatchSlot, Loader, Swap, TestRun, swap_of};

#[test]
fn the_stub_goes_on_into_what_stands_in_the_slot() {
    requires!(kernel >= 5.8, CAP_BPF, CAP_NET_ADMIN);
    let (a, b) = (load(&counting("a", ProgType::Xdp, "xdp", 1)), load(&counting("b", ProgType::Xdp, "xdp", 3)));
    let slot = DispatchSlot::new(a.program("a").expect("loaded"), None).expect("a stub");
    let run = || {
        let packet = [0; 64];
        slot.stub().test_run(&TestRun { data_in: &packet, ..TestRun::default() }).expect("runs").retval
    };
    assert_eq!(run(), 2, "empty: XDP_PASS");
    slot.set(a.program("a").expect("loaded")).expect("fits");
    assert_eq!(run(), 1);
    slot.set(b.program("b").expect("loaded")).expect("fits");
    assert_eq!(run(), 3);
    drop(b);
    assert_eq!(run(), 3, "the slot keeps it alive");
    slot.clear().expect("emptied");
    slot.clear().expect("twice is no error");
    assert_eq!((run(), hits(&a)), (2, 1));
    let other = load(&counting("other", ProgType::SchedCls, "tc", 0));
    assert!(slot.set(other.program("other").expect("loaded")).is_err(), "another type does not fit");
}

#[test]
fn every_event_is_seen_once_while_programs_are_exchanged() {
    requires!(kernel >= 5.8, CAP_BPF, CAP_PERFMON);
    let spec = AttachSpec::RawTracepoint { name: "sys_enter".into(), cookie: 0 };
    assert_eq!(swap_of(&spec, false), Swap::Dispatch);
    let (a, b) = (
        load(&counting("a", ProgType::RawTracepoint, "raw_tp", 0)),
        load(&counting("b", ProgType::RawTracepoint, "raw_tp", 0)),
    );
    let slot = DispatchSlot::new(a.program("a").expect("loaded"), None).expect("a stub");
    slot.set(a.program("a").expect("loaded")).expect("fits");
    let _link = Loader::new(kernel()).attach(slot.stub(), &spec).expect("attaches");
    for i in 0..50 {
        let (now, was) = if i % 2 == 0 { (&b, &a) } else { (&a, &b) };
        slot.set(now.programs.values().next().expect("one")).expect("fits");
        let before = hits(now);
        assert!(eventually(|| hits(now) > before), "the new one sees events at once");
        // Runs under way on another processor may end in the old one; then it is still.
        std::thread::sleep(std::time::Duration::from_millis(2));
        let still = hits(was);
        std::thread::sleep(std::time::Duration::from_millis(1));
        assert_eq!(hits(was), still);
    }
}

#[test]
fn stubs_for_probes() {
    requires!(kernel >= 6.6, CAP_BPF, CAP_PERFMON, feature UprobeMulti);
    for object in [
        counting("multi", ProgType::Kprobe, "uprobe", 0),
        counting_with("plain", ProgType::Kprobe, Some(AttachType::PerfEvent), "uprobe", 0),
        counting("sample", ProgType::PerfEvent, "perf_event", 0),
        counting("tp", ProgType::Tracepoint, "tracepoint", 0),
    ] {
        let loaded = load(&object);
        let program = loaded.programs.values().next().expect("one");
        let slot = DispatchSlot::new(program, None).expect("a stub");
        slot.set(program).unwrap_or_else(|e| panic!("{}: {e}", program.name()));
    }
}
