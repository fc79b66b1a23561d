//! No input may panic, hang or take memory: random bytes, and random calls of every helper with
//! arguments that are nearly right.

mod common;

use common::map;
use proptest::prelude::*;
use whistler_isa::{Insn, MapType, ProgType, op};
use whistler_object::{Function, Map, Object, Program, Relocation, Symbol};
use whistler_vm::{Machine, MachineOptions, RunInput, Uninit, raw, replay};

const MAPS: &[(MapType, u32, u32, u32)] = &[
    (MapType::Hash, 4, 8, 2),
    (MapType::LruHash, 8, 4, 2),
    (MapType::Array, 4, 8, 3),
    (MapType::PercpuArray, 4, 8, 1),
    (MapType::LpmTrie, 8, 8, 4),
    (MapType::Ringbuf, 0, 0, 4096),
    (MapType::Queue, 0, 8, 2),
    (MapType::BloomFilter, 0, 8, 2),
    (MapType::ProgArray, 4, 4, 2),
    (MapType::PerfEventArray, 4, 4, 2),
    (MapType::StackTrace, 4, 16, 2),
    (MapType::TaskStorage, 4, 8, 0),
    (MapType::ArrayOfMaps, 4, 4, 2),
    (MapType::Sockmap, 4, 4, 2),
];

fn options() -> MachineOptions {
    MachineOptions { cpus: 2, budget: 20_000, ..MachineOptions::default() }
}

/// An argument of a helper, and the instructions that make it.
#[derive(Clone, Debug)]
enum Arg {
    Map(usize),
    Stack(i32),
    Context,
    Packet(i32),
    Callback,
    Result,
    Number(i64),
}

fn arg() -> impl Strategy<Value = Arg> {
    prop_oneof![
        3 => (0..MAPS.len()).prop_map(Arg::Map),
        3 => (-520i32..8).prop_map(Arg::Stack),
        1 => Just(Arg::Context),
        1 => (-2i32..70).prop_map(Arg::Packet),
        1 => Just(Arg::Callback),
        2 => Just(Arg::Result),
        4 => prop_oneof![-2i64..70, Just(i64::MAX), Just(0xffff_ffff), any::<i64>()].prop_map(Arg::Number),
    ]
}

fn call() -> impl Strategy<Value = (i32, [Arg; 5])> {
    let helpers: Vec<i32> = whistler_vm::simulated().map(|(id, _)| id as i32).collect();
    (prop::sample::select(helpers), [arg(), arg(), arg(), arg(), arg()])
}

fn object(prog_type: ProgType, calls: &[(i32, [Arg; 5])]) -> Object {
    let mut f = Function { name: "p".into(), ..Function::default() };
    let mov = |dst, src| Insn::new(op::ALU64 | op::MOV | op::X, dst, src, 0, 0);
    let add = |dst, n| Insn::new(op::ALU64 | op::ADD | op::K, dst, 0, 0, n);
    f.insns.extend([mov(6, 1), Insn::new(op::ALU64 | op::MOV | op::K, 7, 0, 0, 0)]);
    for (helper, args) in calls {
        for (i, arg) in args.iter().enumerate() {
            let r = i as u8 + 1;
            let mut named = |symbol| {
                f.relocations.push(Relocation { insn: f.insns.len() as u32, symbol });
                f.insns.extend(Insn::ld_imm64(r, 0, 0));
            };
            match arg {
                Arg::Map(n) => named(Symbol::Map(format!("m{n}"))),
                Arg::Callback => named(Symbol::Subprogram("back".into())),
                Arg::Stack(off) => f.insns.extend([mov(r, 10), add(r, *off)]),
                Arg::Context => f.insns.push(mov(r, 6)),
                Arg::Packet(off) => f.insns.extend([Insn::new(op::LDX | op::MEM | op::W, r, 6, 0, 0), add(r, *off)]),
                Arg::Result => f.insns.push(mov(r, 7)),
                Arg::Number(n) => f.insns.extend(Insn::ld_imm64(r, 0, *n as u64)),
            }
        }
        f.insns.extend([Insn::new(op::JMP | op::CALL, 0, 0, 0, *helper), mov(7, 0)]);
    }
    f.insns.push(Insn::new(op::JMP | op::EXIT, 0, 0, 0, 0));
    let back = vec![Insn::new(op::ALU64 | op::MOV | op::K, 0, 0, 0, 0), Insn::new(op::JMP | op::EXIT, 0, 0, 0, 0)];
    let maps: Vec<Map> =
        MAPS.iter().enumerate().map(|(i, (t, k, v, n))| map(&format!("m{i}"), *t, *k, *v, *n)).collect();
    Object {
        programs: vec![Program {
            function: f,
            section: String::new(),
            prog_type,
            attach_type: None,
            attach_target: None,
            license: "GPL".into(),
            sleepable: false,
        }],
        subprograms: vec![Function { name: "back".into(), insns: back, ..Function::default() }],
        maps,
        ..Object::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn raw_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400), mem in prop::collection::vec(any::<u8>(), 0..32)) {
        let _ = raw::run_full(&bytes, &mem, &options());
    }

    /// Codes and registers that exist, so that most of it is run.
    #[test]
    fn raw_slots(
        slots in prop::collection::vec((any::<u8>(), 0u8..11, 0u8..11, -9i16..9, any::<i8>()), 0..60),
        uninit in prop::sample::select(vec![Uninit::Zero, Uninit::Fault]),
    ) {
        let insns: Vec<Insn> =
            slots.iter().map(|(c, d, s, o, i)| Insn::new(*c, *d, *s, *o, i32::from(*i))).collect();
        let _ = raw::run_full(&Insn::encode_all(&insns), &[0; 16], &MachineOptions { uninit, ..options() });
    }

    #[test]
    fn helper_calls(
        calls in prop::collection::vec(call(), 1..8),
        prog_type in prop::sample::select(vec![ProgType::Xdp, ProgType::SchedCls, ProgType::Kprobe]),
    ) {
        let mut machine = Machine::new(&object(prog_type, &calls), options()).unwrap();
        let _ = machine.run("p", RunInput::packet([7; 64]));
        let _ = machine.run("p", RunInput::ctx([7; 8]));
    }

    #[test]
    fn recordings(text in "(whistler-replay 1\n)?(event x\n)?((ctx|task|user|clock|cpu|packet) [ -~\u{e9}]{0,20}\n){0,3}") {
        let _ = replay::Replay::parse(&text);
    }
}
