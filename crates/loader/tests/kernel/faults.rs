//! What the loader does when the kernel says no: a scripted kernel answers, nothing real is touched.

use std::cell::{Cell, RefCell};
use std::os::fd::OwnedFd;
use std::rc::Rc;

use crate::support::*;
use whistler_isa::{MapType, ProgType};
use whistler_kernel::Kernel;
use whistler_loader::{AttachSpec, Device, LoadError, Loader, RingConsumer, XdpMode, attach};
use whistler_object::Object;
use whistler_sys::{Call, Errno, Mapping, Reply, with_fake};

fn fd() -> OwnedFd {
    std::fs::File::open("/dev/null").expect("it is everywhere").into()
}

fn loaded(log: &str) -> Reply {
    Reply::Loaded { result: Ok(fd()), log: log.as_bytes().to_vec(), log_true_size: 0 }
}

/// A kernel that accepts everything, with these capabilities.
fn yes(call: &Call<'_>, capabilities: u64) -> Result<Reply, Errno> {
    Ok(match call {
        Call::ProgLoad(_) | Call::BtfLoad(_) => loaded(""),
        Call::MapCreate(_)
        | Call::LinkCreate(_)
        | Call::RawTracepointOpen { .. }
        | Call::PerfEventOpen(_)
        | Call::EpollCreate => Reply::Fd(fd()),
        Call::Capabilities => Reply::Numbers(vec![capabilities, capabilities, 0]),
        Call::Uname => Reply::Bytes(b"6.18.0".to_vec()),
        Call::IfIndex { .. } => Reply::Number(7),
        Call::Netlink { .. } => Reply::Messages(Vec::new()),
        Call::Mmap { len, writable, .. } => {
            let m = Mapping::anonymous(*len)?;
            Reply::Mapping(if *writable { m } else { m.read_only() })
        }
        Call::EpollWait { .. } => Reply::Events(Vec::new()),
        _ => Reply::Done,
    })
}

const ALL: u64 = u64::MAX;

/// Runs with a kernel that answers `script` first, and yes to the rest.
fn scripted<R>(
    capabilities: u64,
    script: impl Fn(&Call<'_>) -> Option<Result<Reply, Errno>> + 'static,
    body: impl FnOnce(&Kernel) -> R,
) -> R {
    let fake = move |call: &Call<'_>| Some(script(call).unwrap_or_else(|| yes(call, capabilities)));
    with_fake(Rc::new(fake), || body(&Kernel::running()))
}

fn object() -> Object {
    let mut object = counting("prog", ProgType::RawTracepoint, "raw_tp", 0);
    object.maps.push(map("m", MapType::Hash, 4, 4, 4));
    object
}

#[test]
fn nobody_without_capabilities_makes_a_map() {
    let deny = |call: &Call<'_>| matches!(call, Call::MapCreate(_)).then_some(Err(Errno::EPERM));
    let e = scripted(0, deny, |k| Loader::new(k).load(&object()).expect_err("denied"));
    assert_eq!(e.to_string(), "map `m` can't be made: cap_bpf is missing");
}

#[test]
fn a_denied_program_says_which_capability() {
    let deny = |call: &Call<'_>| {
        matches!(call, Call::ProgLoad(_))
            .then(|| Ok(Reply::Loaded { result: Err(Errno::EPERM), log: Vec::new(), log_true_size: 0 }))
    };
    let bpf_only = 1 << 39;
    let e = scripted(bpf_only, deny, |k| Loader::new(k).load(&object()).expect_err("denied"));
    assert_eq!(e.to_string(), "`prog` can't be loaded: cap_perfmon is missing");
    // All capabilities and still EPERM: lockdown or the like.
    let e = scripted(ALL, deny, |k| Loader::new(k).load(&object()).expect_err("denied"));
    assert!(e.to_string().contains("this kernel forbids programs of type raw-tracepoint"), "{e}");
}

#[test]
fn the_log_grows_to_what_the_kernel_asks_for() {
    let sizes = Rc::new(RefCell::new(Vec::new()));
    let seen = sizes.clone();
    let script = move |call: &Call<'_>| match call {
        Call::ProgLoad(r) => {
            seen.borrow_mut().push((r.log_level, r.log_size));
            let (errno, log) = match r.log_size {
                0 => (Errno::EACCES, ""),
                s if s < 300_000 => (Errno::ENOSPC, "0: (b7) r0 = 0\n"),
                _ => (Errno::EACCES, "3: (95) exit\nR0 !read_ok\n"),
            };
            Some(Ok(Reply::Loaded { result: Err(errno), log: log.into(), log_true_size: 300_000 }))
        }
        _ => None,
    };
    let e = scripted(ALL, script, |k| Loader::new(k).load(&object()).expect_err("refused"));
    match e {
        LoadError::Verifier(e) => assert_eq!((e.insn, e.message.as_str()), (Some(3), "R0 !read_ok")),
        other => panic!("{other:?}"),
    }
    assert_eq!(*sizes.borrow(), [(0, 0), (1, 65536), (1, 300_000)]);
}

#[test]
fn a_kernel_that_never_has_room_for_its_log_does_not_hold_us_up() {
    let count = Rc::new(Cell::new(0));
    let counted = count.clone();
    let script = move |call: &Call<'_>| match call {
        Call::ProgLoad(_) => {
            counted.set(counted.get() + 1);
            Some(Ok(Reply::Loaded { result: Err(Errno::ENOSPC), log: b"0: (b7) r0 = 0\n".to_vec(), log_true_size: 0 }))
        }
        _ => None,
    };
    let e = scripted(ALL, script, |k| Loader::new(k).load(&object()).expect_err("refused"));
    assert!(matches!(e, LoadError::Verifier(_)), "{e:?}");
    assert!(count.get() <= 6, "{}", count.get());
}

#[test]
fn refused_types_are_a_note_and_the_program_loads_without() {
    let script = |call: &Call<'_>| match call {
        Call::BtfLoad(r) => {
            let log = if r.log_level > 0 { "[1] INT int Invalid btf_info\n" } else { "" };
            Some(Ok(Reply::Loaded { result: Err(Errno::EINVAL), log: log.into(), log_true_size: 0 }))
        }
        Call::ProgLoad(r) => {
            assert!(r.btf.is_none() && r.line_info.is_empty());
            None
        }
        _ => None,
    };
    let notes = scripted(ALL, script, |k| Loader::new(k).load(&object()).expect("loads").notes);
    assert!(notes.len() == 1 && notes[0].contains("Invalid btf_info"), "{notes:?}");
}

#[test]
fn every_call_that_fails_is_an_error_and_no_panic() {
    // The n-th call fails, for every n, with several errors.
    for errno in [Errno::EPERM, Errno::ENOMEM, Errno::EINVAL, Errno::ENOSPC, Errno::EBUSY] {
        for n in 0..20 {
            let count = Cell::new(0);
            let script = move |_: &Call<'_>| {
                count.set(count.get() + 1);
                (count.get() == n + 1).then_some(Err(errno))
            };
            scripted(ALL, script, |k| {
                let Ok(loaded) = Loader::new(k).load(&object()) else { return };
                let program = loaded.program("prog").expect("loaded");
                let spec = AttachSpec::RawTracepoint { name: "x".into(), cookie: 0 };
                let _ = attach(k, program, &spec);
                let _ = loaded.map("m").expect("made").lookup(&[0; 4]);
                let _ = loaded.global("hits").expect("made").read();
                let _ = program.info();
            });
        }
    }
}

#[test]
fn replies_of_the_wrong_kind_are_errors() {
    let script = |call: &Call<'_>| matches!(call, Call::MapCreate(_)).then_some(Ok(Reply::Done));
    let e = scripted(ALL, script, |k| Loader::new(k).load(&object()).expect_err("refused"));
    assert!(e.to_string().contains("EPROTO"), "{e}");
    // A mapping that is too short must not be taken.
    let short = |call: &Call<'_>| matches!(call, Call::Mmap { .. }).then(|| Mapping::anonymous(8).map(Reply::Mapping));
    scripted(ALL, short, |k| {
        let loaded = Loader::new(k).load(&object()).expect("loads");
        assert!(loaded.global("hits").expect("made").read().is_err());
    });
}

#[test]
fn xdp_refusals_in_words() {
    let xdp = || counting("prog", ProgType::Xdp, "xdp", 2);
    let spec = AttachSpec::Xdp { device: Device::Name("eth0".into()), mode: XdpMode::Driver };
    for (errno, capabilities, want) in [
        (Errno::EBUSY, ALL, "eth0 has an XDP program already"),
        (Errno::EOPNOTSUPP, ALL, "the driver of eth0 can't run XDP in this mode"),
        (Errno::EPERM, 1 << 39, "cap_net_admin is missing"),
        (Errno::ENODEV, ALL, "eth0 is gone"),
    ] {
        let script = move |call: &Call<'_>| matches!(call, Call::LinkCreate(_)).then_some(Err(errno));
        let e = scripted(capabilities, script, |k| {
            let loaded = Loader::new(k).load(&xdp()).expect("loads");
            attach(k, loaded.program("prog").expect("loaded"), &spec).expect_err("refused")
        });
        assert_eq!((&*e.target, e.why.as_str()), ("xdp on eth0", want));
        assert_eq!(e.cause.map(|c| c.errno), Some(errno));
    }
}

#[test]
fn a_signal_ends_the_wait_and_a_failed_map_is_an_error() {
    let script = |call: &Call<'_>| matches!(call, Call::EpollWait { .. }).then_some(Err(Errno::EINTR));
    scripted(ALL, script, |k| {
        let object = Object { maps: vec![map("events", MapType::Ringbuf, 0, 0, 4096)], ..Object::default() };
        let loaded = Loader::new(k).load(&object).expect("loads");
        let mut consumer = RingConsumer::new().expect("epoll");
        consumer.add(loaded.map("events").expect("made").clone(), None).expect("mapped");
        assert_eq!(consumer.poll(None, |_, _| std::ops::ControlFlow::Continue(())), Ok(0));
    });
    let script = |call: &Call<'_>| matches!(call, Call::Mmap { .. }).then_some(Err(Errno::ENOMEM));
    scripted(ALL, script, |k| {
        let object = Object { maps: vec![map("events", MapType::Ringbuf, 0, 0, 4096)], ..Object::default() };
        let loaded = Loader::new(k).load(&object).expect("loads");
        let mut consumer = RingConsumer::new().expect("epoll");
        let e = consumer.add(loaded.map("events").expect("made").clone(), None).expect_err("no memory");
        assert_eq!(e.errno, Errno::ENOMEM);
    });
}
