//! Tests of the back end by running what it makes.

mod asm;
mod errors;
mod eval;
mod kernel;
mod random;
mod shape;
mod vm;

use std::collections::{HashMap, HashSet};

use whistler_isa::{Insn, IsaLevel, KernelVersion, Target, op};

use crate::code::{Code, OptLevel, VarPlace};
use crate::ir::Module;
use eval::{Eval, FRAMES};
use random::{CTX, INPUTS, Rng};
use vm::Vm;

/// Every level, with the kernel it comes with here; v4 with and without the safe division.
pub(crate) const TARGETS: [Target; 5] = [
    Target::new(KernelVersion::new(5, 4), IsaLevel::V1),
    Target::new(KernelVersion::new(5, 4), IsaLevel::V2),
    Target::new(KernelVersion::new(6, 1), IsaLevel::V3),
    Target::new(KernelVersion::new(6, 6), IsaLevel::V4),
    Target::new(KernelVersion::new(6, 12), IsaLevel::V4),
];

/// The functions in one piece, the last one first, its calls resolved. The others only when the
/// last one calls something: the verifier wants no function that nobody calls.
pub(crate) fn link(module: &Module, codes: &[Code]) -> Vec<Insn> {
    let mut starts = HashMap::new();
    let mut all = Vec::new();
    let calls = codes.last().is_some_and(|c| !c.syms.is_empty());
    for code in codes.iter().rev().take(if calls { codes.len() } else { 1 }) {
        starts.insert(code.name.clone(), all.len());
        all.extend_from_slice(&code.insns);
    }
    for code in codes.iter().filter(|c| starts.contains_key(&c.name)) {
        for s in &code.syms {
            let at = starts[&code.name] + s.insn as usize;
            let name = &module.syms[s.sym.index()].name;
            if all[at].code == op::JMP | op::CALL {
                all[at].imm = starts[name] as i32 - at as i32 - 1;
            }
        }
    }
    all
}

fn listing(code: &[Insn]) -> String {
    code.iter().enumerate().map(|(n, i)| format!("{n:4}: {i:?}\n")).collect()
}

const CTX_AT: u64 = 0x1000;

fn helper(id: i32, args: [u64; 5], mem: &mut Vec<(u64, Vec<u8>)>) -> u64 {
    if id == 113 {
        let find = |mem: &Vec<(u64, Vec<u8>)>, at: u64| {
            mem.iter().position(|(s, b)| at >= *s && at + args[1] <= *s + b.len() as u64)
        };
        let (Some(from), Some(to)) = (find(mem, args[2]), find(mem, args[0])) else { return u64::MAX };
        let n = args[1] as usize;
        let at = (args[2] - mem[from].0) as usize;
        let bytes = mem[from].1[at..at + n].to_vec();
        let at = (args[0] - mem[to].0) as usize;
        mem[to].1[at..at + n].copy_from_slice(&bytes);
    }
    0
}

/// The context afterwards, by the meaning of the IR.
fn expected(module: &Module, ctx: &[u8]) -> Result<Vec<u8>, String> {
    evaluate(module, ctx).map(|(out, _)| out)
}

/// All contents that each variable had.
type Contents = HashMap<String, HashSet<u64>>;

/// The same, with all contents that each variable had.
fn evaluate(module: &Module, ctx: &[u8]) -> Result<(Vec<u8>, Contents), String> {
    let mut eval = Eval { module, bytes: HashMap::new(), next_frame: FRAMES, steps: 0, named: HashMap::new() };
    for (n, b) in ctx.iter().enumerate() {
        eval.bytes.insert(CTX_AT + n as u64, *b);
    }
    eval.call(module.functions.last().ok_or("no function")?, &[CTX_AT])?;
    Ok(((0..ctx.len() as u64).map(|n| eval.bytes[&(CTX_AT + n)]).collect(), eval.named))
}

fn on_vm(code: &[Insn], ctx: &[u8]) -> Result<Vec<u8>, String> {
    let mut helper = helper;
    let mut vm = Vm { regions: vec![(CTX_AT, ctx.to_vec())], helper: &mut helper, steps: 0, watch: None };
    vm.run(code, 0, &[CTX_AT])?;
    Ok(vm.regions.swap_remove(0).1)
}

fn context(rng: &mut Rng) -> Vec<u8> {
    let mut ctx = vec![0; CTX];
    for n in 0..INPUTS {
        ctx[8 * n..8 * n + 8].copy_from_slice(&rng.interesting().to_le_bytes());
    }
    ctx
}

/// How many random modules a test makes; more on request.
fn cases(usual: u64) -> u64 {
    std::env::var("WHISTLER_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(usual)
}

#[test]
fn random_functions_do_what_the_ir_says() {
    for seed in 1..=cases(400) {
        for target in &TARGETS {
            for opt in [OptLevel::None, OptLevel::Full] {
                let mut rng = Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
                let original = random::module(&mut rng, target.isa >= IsaLevel::V3);
                let mut module = original.clone();
                let codes = crate::compile(&mut module, target, opt).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
                let code = link(&module, &codes);
                for _ in 0..3 {
                    let ctx = context(&mut rng);
                    let wanted = expected(&original, &ctx).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
                    let got = on_vm(&code, &ctx);
                    assert!(
                        got.as_ref() == Ok(&wanted),
                        "seed {seed}, {target:?}, {opt:?}:\n{}\nctx {ctx:?}\ngot {got:?}\nnot {wanted:?}",
                        listing(&code)
                    );
                }
            }
        }
    }
}

/// Wherever a variable is said to be, a content of that variable is there when the slot runs.
#[test]
fn variables_are_where_they_are_said_to_be() {
    let mut places = 0;
    for seed in 1..=cases(150) {
        for target in &TARGETS[2..] {
            let mut rng = Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
            let original = random::module(&mut rng, true);
            let mut module = original.clone();
            // Passes may make values that the variable never had in the original.
            let codes = crate::compile(&mut module, target, OptLevel::None).expect("compiles");
            let code = link(&module, &codes);
            let vars = &codes.last().expect("one").vars;
            let ctx = context(&mut rng);
            let (_, named) = evaluate(&original, &ctx).expect("runs");
            let mut watch = |pc: usize, regs: &[Option<u64>; 11], depth: u64, stack: &[u8]| {
                for v in vars.iter().filter(|v| depth == 0 && (v.start as usize..v.end as usize).contains(&pc)) {
                    let there = match v.place {
                        VarPlace::Reg(r) => regs[r as usize],
                        VarPlace::Stack(off) => {
                            let at = (512 + off) as usize;
                            stack[at..at + 8].try_into().ok().map(u64::from_le_bytes)
                        }
                    };
                    places += 1;
                    assert!(
                        there.is_some_and(|t| named.get(&*v.name).is_some_and(|n| n.contains(&t))),
                        "seed {seed}, {target:?}: slot {pc} {v:?} holds {there:x?}\n{}",
                        asm::asm(&code)
                    );
                }
            };
            let mut helper = helper;
            let mut vm =
                Vm { regions: vec![(CTX_AT, ctx.clone())], helper: &mut helper, steps: 0, watch: Some(&mut watch) };
            vm.run(&code, 0, &[CTX_AT]).expect("runs");
        }
    }
    assert!(places > 1000, "{places}");
}

/// Prints how long and how large: `cargo test --release -p whistler-codegen measure -- --ignored --nocapture`.
#[test]
#[ignore = "measures"]
fn measure() {
    for target in &TARGETS {
        let (mut slots, mut insts) = (0, 0);
        let mut stages: Vec<(&str, std::time::Duration)> = Vec::new();
        for seed in 1..=300u64 {
            let mut rng = Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
            let mut module = random::module(&mut rng, target.isa >= IsaLevel::V3);
            let (codes, report) = crate::compile_with_report(&mut module, target, OptLevel::Full).expect("compiles");
            insts += module.functions.iter().flat_map(|f| &f.blocks).map(|b| b.insts.len() + 1).sum::<usize>();
            slots += codes.iter().map(|c| c.insns.len()).sum::<usize>();
            if stages.is_empty() {
                stages = report.stages;
            } else {
                stages.iter_mut().zip(report.stages).for_each(|(a, b)| a.1 += b.1);
            }
        }
        let total: std::time::Duration = stages.iter().map(|s| s.1).sum();
        println!(
            "{:?} {:?}: {slots} slots of {insts} instructions, {:?} per 100 instructions",
            target.isa,
            target.kernel,
            total * 100 / insts as u32
        );
        println!("    {stages:?}");
    }
}
