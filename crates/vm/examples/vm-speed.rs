//! Prints how many instructions the machine runs a second: an arithmetic loop, a loop over
//! stack memory, and a loop of map lookups.

use std::time::Instant;

use whistler_isa::{Insn, MapType, ProgType, op};
use whistler_object::{Function, Map, Object, Program, Relocation, Symbol};
use whistler_vm::{Machine, MachineOptions, RunInput};

const ROUNDS: i32 = 20_000_000;

fn main() {
    let alu = vec![
        Insn::new(op::ALU64 | op::MOV | op::K, 0, 0, 0, 1),
        Insn::new(op::ALU64 | op::MOV | op::K, 6, 0, 0, ROUNDS),
        Insn::new(op::ALU64 | op::ADD | op::X, 0, 6, 0, 0),
        Insn::new(op::ALU64 | op::XOR | op::K, 0, 0, 0, 0x5a5a),
        Insn::new(op::ALU64 | op::MUL | op::K, 0, 0, 0, 31),
        Insn::new(op::ALU | op::ADD | op::K, 0, 0, 0, 7),
        Insn::new(op::ALU64 | op::SUB | op::K, 6, 0, 0, 1),
        Insn::new(op::JMP | op::JNE | op::K, 6, 0, -6, 0),
        Insn::new(op::JMP | op::EXIT, 0, 0, 0, 0),
    ];
    let memory = vec![
        Insn::new(op::ST | op::MEM | op::DW, 10, 0, -8, 0),
        Insn::new(op::ALU64 | op::MOV | op::K, 6, 0, 0, ROUNDS),
        Insn::new(op::LDX | op::MEM | op::DW, 0, 10, -8, 0),
        Insn::new(op::ALU64 | op::ADD | op::K, 0, 0, 0, 1),
        Insn::new(op::STX | op::MEM | op::DW, 10, 0, -8, 0),
        Insn::new(op::ALU64 | op::SUB | op::K, 6, 0, 0, 1),
        Insn::new(op::JMP | op::JNE | op::K, 6, 0, -5, 0),
        Insn::new(op::JMP | op::EXIT, 0, 0, 0, 0),
    ];
    let [load, high] = Insn::ld_imm64(1, 0, 0);
    let lookups = vec![
        Insn::new(op::ST | op::MEM | op::W, 10, 0, -4, 0),
        Insn::new(op::ALU64 | op::MOV | op::K, 6, 0, 0, ROUNDS / 10),
        load,
        high,
        Insn::new(op::ALU64 | op::MOV | op::X, 2, 10, 0, 0),
        Insn::new(op::ALU64 | op::ADD | op::K, 2, 0, 0, -4),
        Insn::new(op::JMP | op::CALL, 0, 0, 0, 1),
        Insn::new(op::JMP | op::JEQ | op::K, 0, 0, 2, 0),
        Insn::new(op::ALU64 | op::MOV | op::K, 1, 0, 0, 1),
        Insn::new(op::STX | op::ATOMIC | op::DW, 0, 1, 0, 0),
        Insn::new(op::ALU64 | op::SUB | op::K, 6, 0, 0, 1),
        Insn::new(op::JMP | op::JNE | op::K, 6, 0, -10, 0),
        Insn::new(op::ALU64 | op::MOV | op::K, 0, 0, 0, 0),
        Insn::new(op::JMP | op::EXIT, 0, 0, 0, 0),
    ];
    let program = |name: &str, insns, relocations| Program {
        function: Function { name: name.into(), insns, relocations, ..Function::default() },
        section: "syscall".into(),
        prog_type: ProgType::Syscall,
        attach_type: None,
        attach_target: None,
        license: "GPL".into(),
        sleepable: false,
    };
    let counts = Map {
        name: "counts".into(),
        map_type: MapType::Array,
        key_size: 4,
        value_size: 8,
        max_entries: 1,
        flags: 0,
        key_type: None,
        value_type: None,
        inner: None,
        pin: None,
        contents: Vec::new(),
        extra: 0,
        span: Default::default(),
    };
    let object = Object {
        programs: vec![
            program("alu", alu, vec![]),
            program("memory", memory, vec![]),
            program("lookups", lookups, vec![Relocation { insn: 2, symbol: Symbol::Map("counts".into()) }]),
        ],
        maps: vec![counts],
        ..Object::default()
    };
    let options = MachineOptions { budget: u64::MAX, ..MachineOptions::default() };
    let mut machine = Machine::new(&object, options).expect("the object is whole");
    for name in ["alu", "memory", "lookups"] {
        let start = Instant::now();
        match machine.run(name, RunInput::none()) {
            Ok(out) => {
                let rate = out.steps as f64 / start.elapsed().as_secs_f64() / 1e6;
                println!("{name:8} {:>11} instructions {rate:7.0} M/s", out.steps);
            }
            Err(fault) => println!("{name:8} {fault}"),
        }
    }
}
