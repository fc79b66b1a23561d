//! The machine against the kernel: random instruction sequences run as XDP programs in both, on
//! random packets; return value and packet afterwards must be the same.
//!
//! Needs the right to load programs; skipped where that is missing (`WHISTLER_REQUIRE_KERNEL=1`
//! makes that a failure). `WHISTLER_SEED` repeats a run.

mod common;

use std::os::fd::{AsFd, OwnedFd};

use whistler_isa::{Insn, ProgType, op};
use whistler_object::{Function, Object, Program};
use whistler_sys::bpf::{LoadFailure, ProgLoad, TestRun};
use whistler_vm::{Machine, MachineOptions, RunInput};

const PROGRAMS: usize = 300;
const BODY: usize = 80;
const PACKETS: usize = 6;
/// Registers that the body computes with; r1 is the packet, r9 keeps it.
const REGS: [u8; 8] = [0, 2, 3, 4, 5, 6, 7, 8];
/// Stack slots that the body loads, stores and does atomics on.
const SLOTS: i16 = 4;

struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: usize) -> usize {
        ((self.next() >> 16) % n as u64) as usize
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// Numbers near the edges more often than chance would have them.
    fn value(&mut self) -> u64 {
        let edge =
            self.pick(&[0, 1, 2, 7, 31, 32, 63, 0x7f, 0x80, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 1 << 63]);
        match self.below(4) {
            0 => self.next(),
            1 => edge,
            2 => u64::wrapping_neg(edge),
            _ => u64::from(self.next() as u32),
        }
    }
}

/// What a program has. Never both: the verifier of 6.18 does not track precision back through a
/// fetching atomic on the stack. It takes the fetched value for the constant that one path gave the slot,
/// decides a later branch by that, prunes the other path against it, and so compiles code that goes
/// wrong on that path (found by this test).
#[derive(Clone, Copy, PartialEq)]
enum Flavour {
    Jumps,
    Fetches,
}

fn body_instruction(rng: &mut Rng, flavour: Flavour, left: usize) -> Insn {
    let (dst, src) = (rng.pick(&REGS), rng.pick(&REGS));
    let x = rng.pick(&[op::K, op::X]);
    let class = rng.pick(&[op::ALU, op::ALU64]);
    let imm = rng.value() as i32;
    let source = |x: u8| if x == op::X { (src, 0) } else { (0, imm) };
    let slot = -8 * (1 + rng.below(SLOTS as usize) as i16);
    match rng.below(12) {
        8 | 9 if flavour == Flavour::Fetches => Insn::new(class | op::MOV | op::X, dst, src, 0, 0),
        0..=3 => {
            let code = rng.pick(&[op::ADD, op::SUB, op::MUL, op::OR, op::AND, op::XOR, op::MOV]);
            let (src, imm) = source(x);
            Insn::new(class | x | code, dst, src, 0, imm)
        }
        4 => {
            let code = rng.pick(&[op::LSH, op::RSH, op::ARSH]);
            let width = if class == op::ALU { 31 } else { 63 };
            let (src, imm) = source(x);
            Insn::new(class | x | code, dst, src, 0, imm & width)
        }
        5 => {
            let (src, imm) = source(x);
            // The verifier refuses a constant zero divisor.
            let imm = if x == op::K && imm == 0 { 3 } else { imm };
            Insn::new(class | x | rng.pick(&[op::DIV, op::MOD]), dst, src, rng.pick(&[0, 1]), imm)
        }
        6 => match rng.below(4) {
            0 => Insn::new(class | op::NEG, dst, 0, 0, 0),
            1 => Insn::new(op::ALU64 | op::END, dst, 0, 0, rng.pick(&[16, 32, 64])),
            _ => Insn::new(op::ALU | op::END | x, dst, 0, 0, rng.pick(&[16, 32, 64])),
        },
        7 => {
            let off = if class == op::ALU { rng.pick(&[8, 16]) } else { rng.pick(&[8, 16, 32]) };
            Insn::new(class | op::MOV | op::X, dst, src, off, 0)
        }
        8 | 9 => {
            let code = rng.pick(&[
                op::JEQ,
                op::JNE,
                op::JGT,
                op::JGE,
                op::JLT,
                op::JLE,
                op::JSGT,
                op::JSGE,
                op::JSLT,
                op::JSLE,
                op::JSET,
            ]);
            let (src, imm) = source(x);
            let off = rng.below(left.min(6) + 1) as i16;
            Insn::new(rng.pick(&[op::JMP, op::JMP32]) | x | code, dst, src, off, imm)
        }
        10 => {
            let size = rng.pick(&[op::B, op::H, op::W, op::DW]);
            match rng.below(4) {
                0 => Insn::new(op::STX | op::MEM | size, 10, src, slot, 0),
                1 => Insn::new(op::ST | op::MEM | size, 10, 0, slot, imm),
                2 => Insn::new(op::LDX | op::MEM | size, dst, 10, slot, 0),
                _ => {
                    let size = if size == op::DW { op::W } else { size };
                    Insn::new(op::LDX | op::MEMSX | size, dst, 10, slot, 0)
                }
            }
        }
        _ => {
            let all = [0x00, 0x40, 0x50, 0xa0, 0x01, 0x41, 0x51, 0xa1, op::XCHG, op::CMPXCHG];
            let code = rng.pick(if flavour == Flavour::Jumps { &all[..4] } else { &all[..] });
            Insn::new(op::STX | op::ATOMIC | rng.pick(&[op::W, op::DW]), 10, src, slot, code)
        }
    }
}

fn program(rng: &mut Rng) -> Vec<Insn> {
    let size = 8 * REGS.len() as i32;
    let ldx = |dst, src, off, size| Insn::new(op::LDX | op::MEM | size, dst, src, off, 0);
    let after = (REGS.len() + SLOTS as usize + BODY + REGS.len() + 1) as i16;
    let mut p = vec![
        ldx(9, 1, 0, op::W),
        ldx(2, 1, 4, op::W),
        Insn::new(op::ALU64 | op::MOV | op::X, 3, 9, 0, 0),
        Insn::new(op::ALU64 | op::ADD | op::K, 3, 0, 0, size),
        Insn::new(op::JMP | op::JGT | op::X, 3, 2, after, 0),
    ];
    p.extend(REGS.iter().enumerate().map(|(i, r)| ldx(*r, 9, 8 * i as i16, op::DW)));
    p.extend((0..SLOTS).map(|i| Insn::new(op::STX | op::MEM | op::DW, 10, REGS[i as usize], -8 * (i + 1), 0)));
    let flavour = rng.pick(&[Flavour::Jumps, Flavour::Fetches]);
    p.extend((0..BODY).map(|i| body_instruction(rng, flavour, BODY - 1 - i)));
    p.extend(REGS.iter().enumerate().map(|(i, r)| Insn::new(op::STX | op::MEM | op::DW, 9, *r, 8 * i as i16, 0)));
    p.push(Insn::new(op::JMP | op::EXIT, 0, 0, 0, 0));
    // Where a short packet ends; r0 has no value there yet.
    p.push(Insn::new(op::ALU64 | op::MOV | op::K, 0, 0, 0, 0));
    p.push(Insn::new(op::JMP | op::EXIT, 0, 0, 0, 0));
    p
}

fn machine(insns: &[Insn]) -> Machine {
    let program = Program {
        function: Function { name: "random".into(), insns: insns.to_vec(), ..Function::default() },
        section: "xdp".into(),
        prog_type: ProgType::Xdp,
        attach_type: None,
        attach_target: None,
        license: "GPL".into(),
        sleepable: false,
    };
    let object = Object { programs: vec![program], ..Object::default() };
    Machine::new(&object, MachineOptions::default()).unwrap()
}

/// What both worlds answer, as return value and packet; `None` where the kernel does not take the program.
struct Pair {
    kernel: OwnedFd,
    machine: Machine,
}

impl Pair {
    fn new(insns: &[Insn]) -> Result<Pair, LoadFailure> {
        let bytes = Insn::encode_all(insns);
        let load = ProgLoad {
            prog_type: ProgType::Xdp.number(),
            insns: &bytes,
            license: c"GPL",
            name: "random",
            log_level: 1,
            log_size: 1 << 20,
            ..ProgLoad::default()
        };
        Ok(Pair { kernel: load.load()?.fd, machine: machine(insns) })
    }

    fn run(&mut self, packet: &[u8]) -> [(u32, Vec<u8>); 2] {
        let run = TestRun {
            prog: self.kernel.as_fd(),
            data_in: packet,
            data_out_len: 8192,
            ctx_in: &[],
            ctx_out_len: 0,
            repeat: 1,
            flags: 0,
            cpu: 0,
        };
        let kernel = run.run().unwrap_or_else(|e| panic!("test run: {e}"));
        let vm = self.machine.run("random", RunInput::packet(packet)).unwrap_or_else(|f| panic!("{f}"));
        [(kernel.retval, kernel.data_out), (vm.ret as u32, vm.packet)]
    }
}

/// Turns instructions into jumps to the next one as long as both worlds still differ on the packet.
fn shrink(insns: &[Insn], packet: &[u8]) -> Vec<Insn> {
    const NOTHING: Insn = Insn::new(op::JMP | op::JA, 0, 0, 0, 0);
    let mut least = insns.to_vec();
    // The loads in front stay: without them registers hold addresses, which differ anyway.
    let body = 5 + REGS.len() + SLOTS as usize;
    for i in body..body + BODY {
        let mut fewer = least.clone();
        fewer[i] = NOTHING;
        let differs = Pair::new(&fewer).map(|mut p| p.run(packet)).is_ok_and(|[k, m]| k != m);
        if differs {
            least = fewer;
        }
    }
    least
}

#[test]
fn random_programs_give_the_same() {
    let seed = std::env::var("WHISTLER_SEED").ok().and_then(|s| s.parse().ok());
    let seed = seed.unwrap_or_else(|| {
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(1, |d| d.as_nanos() as u64 | 1)
    });
    println!("WHISTLER_SEED={seed}");
    let mut rng = Rng(seed);
    for n in 0..PROGRAMS {
        let insns = program(&mut rng);
        let mut pair = match Pair::new(&insns) {
            Ok(pair) => pair,
            Err(e) if n == 0 && std::env::var_os("WHISTLER_REQUIRE_KERNEL").is_none() && e.log.is_empty() => {
                println!("skipped: can't load programs: {}", e.error);
                return;
            }
            Err(e) => panic!("seed {seed}, program {n}: {}\n{}\n{insns:#?}", e.error, e.log),
        };
        for _ in 0..PACKETS {
            let packet: Vec<u8> = REGS.iter().flat_map(|_| rng.value().to_le_bytes()).collect();
            let [kernel, vm] = pair.run(&packet);
            if kernel == vm {
                continue;
            }
            let least = shrink(&insns, &packet);
            let [kernel, vm] = Pair::new(&least).map(|mut p| p.run(&packet)).unwrap_or([kernel, vm]);
            let words = |b: &[u8]| -> Vec<String> {
                b.as_chunks::<8>().0.iter().map(|w| format!("{:016x}", u64::from_le_bytes(*w))).collect()
            };
            let left: Vec<&Insn> = least.iter().filter(|i| i.code != (op::JMP | op::JA)).collect();
            panic!(
                "seed {seed}, program {n}: the kernel has {:#x} and {:#?},\nthe machine {:#x} and {:#?}, from {:#?}\n{left:#?}",
                kernel.0,
                words(&kernel.1),
                vm.0,
                words(&vm.1),
                words(&packet),
            );
        }
    }
}

/// Helpers whose results depend on limits of the kernel's: the same calls in both.
#[test]
fn helpers_give_the_same() {
    let mut cases: Vec<String> = Vec::new();
    for (helper, deltas) in [
        (44, &[0, 1, 14, 50, 51, 100, -1, -215, -216, -217, -256][..]),
        (65, &[0, -1, -50, -51, -64, 1, 500, 3456, 3457][..]),
        (54, &[0, -4, -5, -32, -36, -200, -212, -216, -220, 4][..]),
    ] {
        cases.extend(deltas.iter().map(|d| format!("mov r2, {d}\ncall {helper}\nexit")));
    }
    // Metadata moves along with the head.
    cases.push("mov r6, r1\nmov r2, -8\ncall 54\nmov r1, r6\nmov r2, -205\ncall 44\nexit".into());
    cases.push("mov r6, r1\nmov r2, -8\ncall 54\nmov r1, r6\nmov r2, -210\ncall 44\nexit".into());
    for (offset, len) in [(0, 8), (56, 8), (57, 8), (64, 1), (-1, 8)] {
        let call = format!("mov r2, {offset}\nmov r3, r10\nadd r3, -8\nmov r4, {len}\ncall 189");
        cases.push(format!("stdw [r10-8], -1\n{call}\nldxdw r1, [r10-8]\nxor r0, r1\nexit"));
        cases.push(format!("stdw [r10-8], -1\n{}\nexit", call.replace("189", "190")));
    }
    cases.push("call 188\nexit".into());
    for (from, to, seed) in [(0, 0x01020304, 0), (0x01020304, 0x7f00aa55, 0), (0x7fffffff, -1, 0x12345678), (-1, 0, 1)]
    {
        let places =
            format!("stdw [r10-8], {from}\nstdw [r10-16], {to}\nmov r1, r10\nadd r1, -8\nmov r3, r10\nadd r3, -16");
        cases.push(format!("{places}\nmov r2, 4\nmov r4, 8\nmov32 r5, {seed}\ncall 28\nexit"));
        cases.push(format!("{places}\nmov r1, 0\nmov r2, 0\nmov r4, 4\nmov32 r5, {seed}\ncall 28\nexit"));
        cases.push(format!("{places}\nmov r3, 0\nmov r2, 8\nmov r4, 0\nmov32 r5, {seed}\ncall 28\nexit"));
    }
    for text in ["42", "-17", " 0x1f", "0x", "077", "9223372036854775808", "-9223372036854775808", "x", "12ab", ""] {
        let mut bytes = [0; 24];
        bytes[..text.len()].copy_from_slice(text.as_bytes());
        let words = bytes.as_chunks::<8>().0.iter().map(|w| u64::from_le_bytes(*w));
        let stores: String =
            words.enumerate().map(|(i, w)| format!("lddw r1, {w}\nstxdw [r10-{}], r1\n", 24 - i * 8)).collect();
        for helper in [105, 106] {
            cases.push(format!(
                "{stores}stdw [r10-32], 0\nmov r1, r10\nadd r1, -24\nmov r2, 24\nmov r3, 0\nmov r4, r10\nadd r4, -32\n\
                 call {helper}\nldxdw r1, [r10-32]\nlsh r1, 8\nxor r0, r1\nexit"
            ));
        }
    }
    let packet: Vec<u8> = (0..64).collect();
    let mut wrong = Vec::new();
    for case in &cases {
        let insns = Insn::decode_all(&common::assemble(case).unwrap()).unwrap();
        let mut pair = match Pair::new(&insns) {
            Ok(pair) => pair,
            Err(e) if std::env::var_os("WHISTLER_REQUIRE_KERNEL").is_none() && e.log.is_empty() => {
                println!("skipped: can't load programs: {}", e.error);
                return;
            }
            Err(e) => panic!("{case}\n{}\n{}", e.error, e.log),
        };
        let [kernel, vm] = pair.run(&packet);
        if kernel != vm {
            let same_packet = if kernel.1 == vm.1 { "" } else { " (and the packets differ)" };
            wrong.push(format!("kernel {:#x}, machine {:#x}{same_packet}:\n{case}\n", kernel.0, vm.0));
        }
    }
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}
