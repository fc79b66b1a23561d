//! Ring buffers: what a program puts in comes out, whole and in order.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::support::*;
use whistler_isa::{Insn, MapType, ProgType, op};
use whistler_loader::{Loaded, LostCounter, RingConsumer, TestRun};
use whistler_object::{Mutability, Object, Symbol};

const RINGBUF_OUTPUT: i32 = 130;

/// Puts the number of its run into the ring `events`, 8 bytes; counts in `lost` what did not fit.
fn numbering(ring_bytes: u32) -> Object {
    use Code::{I, Load};
    let g = |name: &str| Symbol::Global { name: name.to_string(), offset: 0 };
    let code = vec![
        Load(6, g("hits")),
        I(mov(1, 1)),
        // r1 = fetch-and-add: the runs before this one
        I(Insn::new(op::STX | op::ATOMIC | op::DW, 6, 1, 0, op::ADD as i32 | op::FETCH)),
        I(Insn::new(op::STX | op::MEM | op::DW, 10, 1, -8, 0)),
        Load(1, Symbol::Map("events".to_string())),
        I(copy(2, 10)),
        I(add(2, -8)),
        I(mov(3, 8)),
        I(mov(4, 0)),
        I(call(RINGBUF_OUTPUT)),
        I(Insn::new(op::JMP | op::JEQ | op::K, 0, 0, 4, 0)),
        Load(1, g("lost")),
        I(mov(2, 1)),
        I(atomic_add(1, 2, 0)),
        I(mov(0, 0)),
        I(exit()),
    ];
    Object {
        programs: vec![program(ProgType::SocketFilter, None, "socket", function("numbers", code))],
        maps: vec![map("events", MapType::Ringbuf, 0, 0, ring_bytes)],
        globals: vec![global("hits", &[0; 8], Mutability::ReadWrite), global("lost", &[0; 8], Mutability::ReadWrite)],
        ..Object::default()
    }
}

fn run(loaded: &Loaded, times: u32) {
    let program = loaded.program("numbers").expect("loaded");
    program.test_run(&TestRun { data_in: &[0; 64], repeat: times, ..TestRun::default() }).expect("runs");
}

fn number(record: &[u8]) -> u64 {
    u64::from_ne_bytes(record.try_into().expect("8 bytes"))
}

#[test]
fn a_hundred_thousand_records_in_order() {
    requires!(kernel >= 5.12, CAP_BPF, CAP_PERFMON);
    const COUNT: u32 = 100_000;
    // Smaller than what goes through it, so that it wraps many times.
    let loaded = load(&numbering(64 * 1024));
    let mut consumer = RingConsumer::new().expect("epoll");
    consumer.add(loaded.map("events").expect("made").clone(), None).expect("mapped");
    let mut next = 0;
    let start = Instant::now();
    std::thread::scope(|s| {
        // Within the ring's room at a time: this test is about order, not loss.
        for _ in 0..COUNT / 2000 {
            let producer = s.spawn(|| run(&loaded, 2000));
            while !producer.is_finished() {
                consumer
                    .poll(Some(Duration::from_millis(5)), |_, r| {
                        assert_eq!(number(r), next);
                        next += 1;
                        ControlFlow::Continue(())
                    })
                    .expect("sound");
            }
            producer.join().expect("ran");
        }
    });
    consumer
        .consume(|_, r| {
            assert_eq!(number(r), next);
            next += 1;
            ControlFlow::Continue(())
        })
        .expect("sound");
    let lost = loaded.global("lost").expect("there").read().expect("readable");
    assert_eq!((next, lost), (u64::from(COUNT), vec![0; 8]));
    eprintln!("{COUNT} records in {:?}", start.elapsed());
}

#[test]
fn what_does_not_fit_is_counted() {
    requires!(kernel >= 5.12, CAP_BPF, CAP_PERFMON);
    let loaded = load(&numbering(4096));
    let lost = loaded.global("lost").expect("there");
    let counter = LostCounter { map: lost.map().clone(), key: vec![0; 4], offset: lost.offset() as usize };
    let mut consumer = RingConsumer::new().expect("epoll");
    consumer.add(loaded.map("events").expect("made").clone(), Some(counter)).expect("mapped");
    run(&loaded, 1000);
    let mut got = 0;
    consumer
        .consume(|_, _| {
            got += 1;
            ControlFlow::Continue(())
        })
        .expect("sound");
    // 4096 bytes hold 255 or 256 records of 16 bytes.
    assert!((255..=256).contains(&got), "{got}");
    assert_eq!(consumer.lost(), Ok(1000 - got));
}

#[test]
fn several_rings_and_a_consumer_that_stops() {
    requires!(kernel >= 5.12, CAP_BPF, CAP_PERFMON);
    let (a, b) = (load(&numbering(4096)), load(&numbering(4096)));
    let mut consumer = RingConsumer::new().expect("epoll");
    for l in [&a, &b] {
        consumer.add(l.map("events").expect("made").clone(), None).expect("mapped");
    }
    run(&a, 3);
    run(&b, 2);
    let mut seen = Vec::new();
    let n = consumer.consume(|ring, r| {
        seen.push((ring, number(r)));
        if seen.len() == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!((n, seen.clone()), (Ok(2), vec![(0, 0), (0, 1)]));
    consumer
        .poll(Some(Duration::from_secs(1)), |ring, r| {
            seen.push((ring, number(r)));
            ControlFlow::Continue(())
        })
        .expect("sound");
    assert_eq!(seen[2..], [(0, 2), (1, 0), (1, 1)]);
}

#[test]
fn an_empty_ring_waits_as_long_as_told_and_wakes_at_once() {
    requires!(kernel >= 5.12, CAP_BPF, CAP_PERFMON);
    let loaded = Arc::new(load(&numbering(4096)));
    let mut consumer = RingConsumer::new().expect("epoll");
    consumer.add(loaded.map("events").expect("made").clone(), None).expect("mapped");
    let start = Instant::now();
    assert_eq!(consumer.poll(Some(Duration::from_millis(60)), |_, _| ControlFlow::Continue(())), Ok(0));
    assert!(start.elapsed() >= Duration::from_millis(60));
    for _ in 0..20 {
        let start = Instant::now();
        let other = loaded.clone();
        let producer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(10));
            run(&other, 1);
        });
        assert_eq!(consumer.poll(Some(Duration::from_secs(5)), |_, _| ControlFlow::Continue(())), Ok(1));
        assert!(start.elapsed() < Duration::from_secs(2), "a wake-up was lost");
        producer.join().expect("ran");
    }
}
