//! Programs: linking, loading, running, refusals.

use crate::support::*;
use whistler_isa::{Insn, MapType, ProgType, op};
use whistler_loader::{LoadError, LoadOptions, Loader, TestRun, explain};
use whistler_object::{Object, Symbol};

fn socket(code: Vec<Code>) -> Object {
    Object {
        programs: vec![program(ProgType::SocketFilter, None, "socket", function("prog", code))],
        ..Object::default()
    }
}

fn run(object: &Object) -> u32 {
    let loaded = load(object);
    let out = loaded.program("prog").expect("loaded").test_run(&TestRun { data_in: &[0; 64], ..TestRun::default() });
    out.expect("runs").retval
}

#[test]
fn a_program_runs_and_tells_about_itself() {
    requires!(kernel >= 5.8, CAP_BPF);
    let object = socket(vec![Code::I(mov(0, 42)), Code::I(exit())]);
    assert_eq!(run(&object), 42);
    let loaded =
        Loader::with(kernel(), LoadOptions { log_level: 2, ..LoadOptions::default() }).load(&object).expect("loads");
    assert_eq!(loaded.notes, Vec::<String>::new(), "its source lines are taken");
    let p = loaded.program("prog").expect("there");
    assert!(p.log().contains("processed 2 insns"), "{}", p.log());
    assert!(p.log().contains("(slot 0 of prog)"), "the log quotes our source: {}", p.log());
    let info = p.info().expect("known");
    assert_eq!((info.name.as_str(), info.prog_type, info.gpl_compatible), ("prog", 1, true));
}

#[test]
fn functions_call_each_other() {
    requires!(kernel >= 5.8, CAP_BPF, CAP_PERFMON);
    use Code::{Call, I};
    let mut object = socket(vec![I(mov(1, 5)), Call("twice"), I(add(0, 1)), I(exit())]);
    object.subprograms = vec![
        function("unused", vec![I(mov(0, 0)), I(exit())]),
        function("plus_three", vec![I(copy(0, 1)), I(add(0, 3)), I(exit())]),
        function("twice", vec![Call("plus_three"), I(Insn::new(op::ALU64 | op::MUL | op::K, 0, 0, 0, 2)), I(exit())]),
    ];
    assert_eq!(run(&object), (5 + 3) * 2 + 1);
}

#[test]
fn a_function_can_be_a_callback() {
    requires!(kernel >= 5.17, CAP_BPF, CAP_PERFMON);
    use Code::{I, Load};
    const BPF_LOOP: i32 = 181;
    let mut object = socket(vec![
        I(mov(1, 7)),
        Load(2, Symbol::Subprogram("body".to_string())),
        I(mov(3, 0)),
        I(mov(4, 0)),
        I(call(BPF_LOOP)),
        I(exit()),
    ]);
    object.subprograms = vec![function("body", vec![I(mov(0, 0)), I(exit())])];
    assert_eq!(run(&object), 7);
}

#[test]
fn a_refusal_is_at_its_source() {
    requires!(kernel >= 5.8, CAP_BPF, CAP_PERFMON);
    use Code::{I, Load};
    let key = Insn::new(op::ST | op::MEM | op::DW, 10, 0, -8, 0);
    let mut object = socket(vec![
        I(key),
        Load(1, Symbol::Map("m".to_string())),
        I(copy(2, 10)),
        I(add(2, -8)),
        I(call(1)),
        I(Insn::new(op::LDX | op::MEM | op::DW, 0, 0, 0, 0)),
        I(exit()),
    ]);
    object.maps.push(map("m", MapType::Hash, 8, 8, 4));
    let e = match Loader::new(kernel()).load(&object) {
        Err(LoadError::Verifier(e)) => e,
        other => panic!("{other:?}"),
    };
    assert_eq!((e.insn, e.place.clone()), (Some(6), Some(("prog".to_string(), 6))));
    assert_eq!(e.span, object.programs[0].function.locations[6].span);
    assert_eq!(e.message, "R0 invalid mem access 'map_value_or_null'");
    let shown = explain(&object, &object.programs[0], &e.log);
    assert_eq!(shown, [(e.span, e.message.clone())]);
}

#[test]
fn a_refusal_in_a_function_tells_the_call_too() {
    requires!(kernel >= 5.8, CAP_BPF, CAP_PERFMON);
    use Code::{Call, I};
    let mut object = socket(vec![I(mov(1, 5)), Call("bad"), I(exit())]);
    object.subprograms = vec![function("bad", vec![I(Insn::new(op::LDX | op::MEM | op::DW, 0, 1, 0, 0)), I(exit())])];
    let e = match Loader::new(kernel()).load(&object) {
        Err(LoadError::Verifier(e)) => e,
        other => panic!("{other:?}"),
    };
    assert_eq!(e.place, Some(("bad".to_string(), 0)));
    let shown = explain(&object, &object.programs[0], &e.log);
    let spans: Vec<_> = shown.iter().map(|s| s.0).collect();
    assert_eq!(
        spans,
        [object.subprograms[0].locations[0].span, object.programs[0].function.locations[1].span],
        "{shown:?}\n{}",
        e.log
    );
}

#[test]
fn a_long_log_is_read_whole() {
    requires!(kernel >= 5.8, CAP_BPF, CAP_PERFMON);
    // Many slots before the bad one make a log far larger than the first room for it.
    let mut code: Vec<Code> = (0..4000).map(|i| Code::I(mov(3, i))).collect();
    code.push(Code::I(copy(0, 9)));
    code.push(Code::I(exit()));
    match Loader::new(kernel()).load(&socket(code)) {
        Err(LoadError::Verifier(e)) => {
            assert_eq!(e.insn, Some(4000), "{}", e.message);
            assert!(e.message.contains("R9 !read_ok"), "{}", e.message);
            assert!(e.log.len() > 64 * 1024);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn names_that_are_nowhere() {
    requires!(kernel >= 5.8, CAP_BPF);
    use Code::{Call, I, Load};
    let lost = |code: Vec<Code>| match Loader::new(kernel()).load(&socket(code)) {
        Err(e @ (LoadError::Name { .. } | LoadError::Relocation { .. })) => e.to_string(),
        other => panic!("{other:?}"),
    };
    let m = lost(vec![Load(1, Symbol::Map("m".to_string())), I(exit())]);
    assert_eq!(m, "`prog` uses the map `m`, which the object does not have");
    let f = lost(vec![Call("f"), I(exit())]);
    assert_eq!(f, "`prog` uses the function `f`, which the object does not have");
    let k = lost(vec![Load(1, Symbol::Ksym("whistler_none".to_string())), I(exit())]);
    assert_eq!(k, "`prog` uses the kernel variable `whistler_none`, which this kernel does not have");
    // A record at the last slot must not reach into what follows.
    let mut object = socket(vec![Load(1, Symbol::Map("m".to_string())), I(exit())]);
    object.maps.push(map("m", MapType::Hash, 8, 8, 4));
    object.programs[0].function.relocations[0].insn = 2;
    assert!(matches!(Loader::new(kernel()).load(&object), Err(LoadError::Relocation { insn: 2, .. })));
    object.programs[0].function.relocations[0].insn = u32::MAX;
    assert!(matches!(Loader::new(kernel()).load(&object), Err(LoadError::Relocation { .. })));
}

#[test]
fn a_kernel_function_is_found() {
    requires!(kernel >= 6.2, CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN);
    use Code::I;
    // bpf_rcu_read_lock() and bpf_rcu_read_unlock(), open to most types since 6.2.
    let mut f = function("prog", vec![I(call(-1)), I(call(-1)), I(mov(0, 9)), I(exit())]);
    for (insn, name) in [(0, "bpf_rcu_read_lock"), (1, "bpf_rcu_read_unlock")] {
        f.relocations.push(whistler_object::Relocation { insn, symbol: Symbol::Kfunc(name.to_string()) });
    }
    let object = Object { programs: vec![program(ProgType::SchedCls, None, "tc", f)], ..Object::default() };
    assert_eq!(run(&object), 9);
}

#[test]
fn a_kernel_symbol_without_a_type_is_its_address() {
    requires!(kernel >= 5.8, CAP_BPF, CAP_SYSLOG);
    let address = kernel().symbols().ok().and_then(|s| s.address("schedule")).expect("every kernel has it");
    assert_ne!(address, 0, "kptr_restrict hides it");
    let object = socket(vec![Code::Load(0, Symbol::Ksym("schedule".to_string())), Code::I(exit())]);
    assert_eq!(run(&object), address as u32);
}

#[test]
fn a_traced_type_is_found_or_missed_by_name() {
    requires!(kernel >= 5.8, CAP_BPF, CAP_PERFMON);
    let mut object = socket(vec![Code::I(mov(0, 0)), Code::I(exit())]);
    let p = &mut object.programs[0];
    (p.prog_type, p.attach_type) = (ProgType::Tracing, Some(whistler_isa::AttachType::TraceRawTp));
    p.attach_target = Some("sched_switch".to_string());
    let loaded = load(&object);
    let link = Loader::new(kernel())
        .attach(loaded.program("prog").expect("there"), &whistler_loader::AttachSpec::OwnTarget)
        .expect("attaches");
    assert_eq!(link.method(), "tracing link");
    object.programs[0].attach_target = Some("sched_swich".to_string());
    assert!(matches!(Loader::new(kernel()).load(&object), Err(LoadError::Target { .. })));
}
