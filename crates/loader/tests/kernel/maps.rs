//! Maps and globals.

use crate::support::*;
use whistler_isa::{MapType, ProgType};
use whistler_loader::{LoadError, LoadOptions, Loader, Map, Put, TestRun};
use whistler_object::{Mutability, Object, Symbol};
use whistler_sys::{Errno, possible_cpus};

fn make(m: whistler_object::Map) -> std::sync::Arc<Map> {
    let name = m.name.clone();
    let loaded = load(&Object { maps: vec![m], ..Object::default() });
    loaded.map(&name).expect("made").clone()
}

#[test]
fn a_hash_map() {
    requires!(kernel >= 5.8, CAP_BPF);
    let m = make(map("counts-by-key", MapType::Hash, 4, 8, 16));
    assert_eq!(m.lookup(&[1, 0, 0, 0]), Ok(None));
    for k in 0..10u32 {
        m.update(&k.to_ne_bytes(), &u64::from(k * k).to_ne_bytes(), Put::Any).expect("room");
    }
    let taken = m.update(&[3, 0, 0, 0], &[0; 8], Put::New).expect_err("it is there");
    assert_eq!(taken.errno, Errno::EEXIST);
    let absent = m.update(&[99, 0, 0, 0], &[0; 8], Put::Existing).expect_err("it is not there");
    assert_eq!(absent.errno, Errno::ENOENT);
    assert_eq!(m.delete(&[3, 0, 0, 0]), Ok(true));
    assert_eq!(m.delete(&[3, 0, 0, 0]), Ok(false));
    let mut seen: Vec<(u32, u64)> = m
        .entries()
        .map(|e| {
            let (k, v) = e.expect("readable");
            (u32::from_ne_bytes(k.try_into().expect("4")), u64::from_ne_bytes(v[0].clone().try_into().expect("8")))
        })
        .collect();
    seen.sort();
    assert_eq!(seen, [0, 1, 2, 4, 5, 6, 7, 8, 9].map(|k: u32| (k, u64::from(k * k))));
    assert_eq!(m.lookup(&[1]).map_err(|e| e.errno), Err(Errno::EINVAL), "a key of the wrong size");
}

#[test]
fn a_per_cpu_map_has_a_value_for_every_processor() {
    requires!(kernel >= 5.8, CAP_BPF);
    let m = make(map("per_cpu", MapType::PercpuArray, 4, 4, 2));
    let values: Vec<Vec<u8>> = (0..possible_cpus() as u32).map(|c| (c + 7).to_ne_bytes().to_vec()).collect();
    m.update_per_cpu(&[1, 0, 0, 0], &values, Put::Any).expect("fits");
    assert_eq!(m.lookup_per_cpu(&[1, 0, 0, 0]), Ok(Some(values)));
    m.update(&[0; 4], &[5; 4], Put::Any).expect("fits");
    assert_eq!(m.values(&[0; 4]), Ok(Some(vec![vec![5; 4]; possible_cpus()])));
    assert_eq!(m.update_per_cpu(&[0; 4], &[], Put::Any).map_err(|e| e.errno), Err(Errno::EINVAL));
    assert_eq!(m.keys().count(), 2);
}

#[test]
fn every_plain_map_type_can_be_made() {
    requires!(kernel >= 5.8, CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON);
    use MapType as M;
    for (t, k, v, n) in [
        (M::Hash, 4, 4, 8),
        (M::Array, 4, 4, 8),
        (M::ProgArray, 4, 4, 8),
        (M::PerfEventArray, 4, 4, 0),
        (M::PercpuHash, 4, 4, 8),
        (M::PercpuArray, 4, 4, 8),
        (M::StackTrace, 4, 127 * 8, 8),
        (M::LruHash, 4, 4, 8),
        (M::Queue, 0, 4, 8),
        (M::Stack, 0, 4, 8),
        (M::Ringbuf, 0, 0, 4096),
        (M::Sockmap, 4, 4, 8),
        (M::Sockhash, 4, 4, 8),
    ] {
        let m = make(map("m", t, k, v, n));
        assert_eq!(m.map_type(), Some(t));
        assert!(m.id().expect("known") > 0);
    }
}

#[test]
fn globals_are_shared_with_the_program_and_constants_are_frozen() {
    requires!(kernel >= 5.8, CAP_BPF);
    use Code::{I, Load};
    // r0 = *limit + (*seen)++
    let g = |name: &str, offset| Symbol::Global { name: name.to_string(), offset };
    let ldx = |dst, src| whistler_isa::Insn::new(0x79, dst, src, 0, 0);
    let code = vec![
        Load(1, g("limit", 0)),
        I(ldx(0, 1)),
        Load(2, g("seen", 8)),
        I(ldx(3, 2)),
        I(whistler_isa::Insn::new(0x0f, 0, 3, 0, 0)),
        I(mov(4, 1)),
        I(atomic_add(2, 4, 0)),
        I(exit()),
    ];
    let object = Object {
        programs: vec![program(ProgType::SocketFilter, None, "socket", function("sums", code))],
        globals: vec![
            global("limit", &100u64.to_ne_bytes(), Mutability::ReadOnly),
            global("seen", &[0; 16], Mutability::ReadWrite),
        ],
        ..Object::default()
    };
    let loaded = load(&object);
    let run = || {
        let out =
            loaded.program("sums").expect("loaded").test_run(&TestRun { data_in: &[0; 64], ..TestRun::default() });
        out.expect("runs").retval
    };
    assert_eq!((run(), run()), (100, 101));
    let seen = loaded.global("seen").expect("there");
    let mut value = seen.read().expect("readable");
    assert_eq!(value[8], 2);
    value[8] = 50;
    seen.write(&value).expect("writable");
    assert_eq!(run(), 150);
    let limit = loaded.global("limit").expect("there");
    assert_eq!(limit.write(&[0; 8]).map_err(|e| e.errno), Err(Errno::EPERM));
    assert_eq!(limit.map().update(&[0; 4], &[0; 8], Put::Any).map_err(|e| e.errno), Err(Errno::EPERM), "frozen");
}

#[test]
fn maps_and_globals_are_kept_over_redefinition() {
    requires!(kernel >= 5.8, CAP_BPF);
    let mut first = counting("prog", ProgType::SocketFilter, "socket", 0);
    first.maps.push(map("kept", MapType::Hash, 4, 4, 4));
    let a = load(&first);
    let kept = a.map("kept").expect("made");
    kept.update(&[1; 4], &[2; 4], Put::Any).expect("room");
    let run = |l: &whistler_loader::Loaded| {
        l.program("prog")
            .expect("loaded")
            .test_run(&TestRun { data_in: &[0; 64], ..TestRun::default() })
            .expect("runs");
    };
    run(&a);

    // The new object has one more global, which must not move the old one.
    let mut second = counting("prog", ProgType::SocketFilter, "socket", 1);
    second.globals.insert(0, global("fresh", &[9; 8], Mutability::ReadWrite));
    second.maps.push(map("kept", MapType::Hash, 4, 4, 4));
    let options = LoadOptions { reuse: a.maps.clone(), reuse_globals: a.globals.clone(), ..LoadOptions::default() };
    let b = Loader::with(kernel(), options.clone()).load(&second).expect("loads");
    run(&b);
    assert_eq!((hits(&a), hits(&b)), (2, 2));
    assert_eq!(b.map("kept").expect("kept").lookup(&[1; 4]), Ok(Some(vec![2; 4])));
    assert_eq!(b.global("fresh").expect("new").read(), Ok(vec![9; 8]));

    second.maps[0].value_size = 8;
    match Loader::with(kernel(), options).load(&second) {
        Err(LoadError::MapShape { map, what }) => {
            assert_eq!((map.as_str(), what.as_str()), ("kept", "value size 4, now 8"))
        }
        other => panic!("{other:?}"),
    }
}
