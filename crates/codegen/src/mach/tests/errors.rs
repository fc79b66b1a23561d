//! What can't be compiled, and what only just can.

use whistler_isa::{IsaLevel, KernelVersion, Target};

use super::vm::Vm;
use super::{TARGETS, helper};
use crate::ir::{AtomicOp, BinOp, Cc, FunctionBuilder, Module, Op, Size, Space, Terminator, Ty, Width};
use crate::{CodegenError, OptLevel};

fn compile(b: FunctionBuilder, target: &Target) -> Result<Vec<crate::Code>, CodegenError> {
    let mut m = Module { functions: vec![b.finish()], syms: Vec::new() };
    crate::compile(&mut m, target, OptLevel::None)
}

#[test]
fn too_much_stack_names_the_biggest_users() {
    let (mut b, _) = FunctionBuilder::new("big", &[]);
    let (small, big) = (b.slot(12, Some("key".into())), b.slot(500, Some("path".into())));
    let v = b.iconst(1);
    for s in [small, big] {
        let at = b.stack_addr(s, 0);
        b.store(Size::B8, at, 0, v);
    }
    // Both are wanted at once: they can't share memory.
    let sum = [small, big].map(|s| {
        let at = b.stack_addr(s, 0);
        b.load(Size::B8, false, at, 0)
    });
    let sum = b.bin(BinOp::Add, Width::W64, sum[0], sum[1]);
    b.ret(sum);
    match compile(b, &TARGETS[2]) {
        Err(CodegenError::StackOverflow { function, needed: 520, limit: 512, users }) => {
            assert_eq!(function, "big");
            assert_eq!(users, [("path".to_string(), 500), ("key".to_string(), 12)]);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_slot_nobody_uses_costs_nothing() {
    let (mut b, _) = FunctionBuilder::new("f", &[]);
    b.slot(5000, None);
    let v = b.iconst(1);
    b.ret(v);
    assert_eq!(compile(b, &TARGETS[2]).unwrap()[0].stack_size, 0);
}

#[test]
fn old_instruction_sets_lack_atomics() {
    for (op, fetch) in [(AtomicOp::Or, false), (AtomicOp::Add, true), (AtomicOp::Xchg, true)] {
        let (mut b, p) = FunctionBuilder::new("f", &[Ty::Ptr(Space::Mem)]);
        let v = b.iconst(1);
        let old = b.atomic(op, Size::B8, fetch, p[0], 0, v);
        b.ret(old.unwrap_or(v));
        assert!(matches!(compile(b, &TARGETS[1]), Err(CodegenError::NeedsTarget { .. })), "{op:?}");
    }
}

#[test]
fn broken_functions_are_errors_and_no_panics() {
    let (b, _) = FunctionBuilder::new("open", &[]);
    assert!(matches!(compile(b, &TARGETS[2]), Err(CodegenError::Invalid { .. })));
    let mut m = Module::default();
    let mut f = crate::ir::Function::new("nowhere");
    f.add_block();
    f.blocks[0].term = Terminator::Return(crate::ir::Value(7));
    m.functions.push(f);
    assert!(matches!(crate::compile(&mut m, &TARGETS[2], OptLevel::None), Err(CodegenError::Invalid { .. })));
}

/// `if p0 > 5 { x = x * 3 + …, so many times } return x`.
fn long(steps: usize) -> FunctionBuilder {
    let (mut b, p) = FunctionBuilder::new("long", &[Ty::Int, Ty::Int]);
    let x = b.declare_var(Ty::Int, None);
    b.def_var(x, p[1]);
    let (then, done) = (b.create_block(), b.create_block());
    let five = b.iconst(5);
    let c = b.cmp(Cc::Ugt, p[0], five);
    b.branch(c, then, done);
    b.switch_to(then);
    let mut v = p[1];
    for n in 0..steps {
        let k = b.iconst(n as i64 | 1);
        v = b.bin(if n % 2 == 0 { BinOp::Mul } else { BinOp::Add }, Width::W64, v, k);
    }
    b.def_var(x, v);
    b.jump(done, &[]);
    b.seal(then);
    b.seal(done);
    b.switch_to(done);
    let mut r = b.use_var(x);
    for _ in 0..3 {
        r = b.bin(BinOp::Add, Width::W64, r, p[0]);
    }
    b.ret(r);
    b
}

#[test]
fn far_jumps_are_of_level_4() {
    assert!(matches!(compile(long(40_000), &TARGETS[2]), Err(CodegenError::TooLarge { .. })));
    let code = compile(long(40_000), &Target::new(KernelVersion::new(6, 12), IsaLevel::V4)).unwrap();
    let mut helper = helper;
    let mut vm = Vm { regions: Vec::new(), helper: &mut helper, steps: 0, watch: None };
    assert_eq!(vm.run(&code[0].insns, 0, &[5, 77]), Ok(77 + 15));
    let want =
        (0..40_000u64).fold(77u64, |v, n| if n % 2 == 0 { v.wrapping_mul(n | 1) } else { v.wrapping_add(n | 1) });
    assert_eq!(vm.run(&code[0].insns, 0, &[6, 77]), Ok(want.wrapping_add(18)));
}

/// Packet bounds as a branch, and as a value; the offset of a moved pointer counts.
#[test]
fn packet_bounds() {
    for as_value in [false, true] {
        for target in &TARGETS {
            let (mut b, p) = FunctionBuilder::new("f", &[Ty::Ptr(Space::Packet), Ty::Ptr(Space::PacketEnd)]);
            let n = b.iconst(14);
            let ptr = b.bin(BinOp::Add, Width::W64, p[0], n);
            let ok = b.ins(Op::InBounds { ptr, len: 20, end: p[1] }, Ty::Int);
            if as_value {
                b.ret(ok);
            } else {
                let (yes, no) = (b.create_block(), b.create_block());
                b.branch(ok, yes, no);
                for (block, n) in [(yes, 1), (no, 0)] {
                    b.switch_to(block);
                    let n = b.iconst(n);
                    b.ret(n);
                }
            }
            let code = compile(b, target).unwrap();
            for (len, want) in [(33, 0), (34, 1), (35, 1), (0, 0)] {
                let mut helper = helper;
                let mut vm = Vm { regions: Vec::new(), helper: &mut helper, steps: 0, watch: None };
                assert_eq!(vm.run(&code[0].insns, 0, &[1000, 1000 + len]), Ok(want), "{len} {target:?}");
            }
        }
    }
}

/// A chain of thousands of blocks compiles (in milliseconds, without the checks of tests).
#[test]
fn many_blocks() {
    let (mut b, p) = FunctionBuilder::new("many", &[Ty::Int, Ty::Int]);
    let x = b.declare_var(Ty::Int, None);
    b.def_var(x, p[1]);
    for n in 0..3000 {
        let (then, join) = (b.create_block(), b.create_block());
        let k = b.iconst(n);
        let c = b.cmp(Cc::Ugt, p[0], k);
        b.branch(c, then, join);
        b.seal(then);
        b.switch_to(then);
        let v = b.use_var(x);
        let v = b.bin(BinOp::Mul, Width::W64, v, p[0]);
        b.def_var(x, v);
        b.jump(join, &[]);
        b.seal(join);
        b.switch_to(join);
    }
    let r = b.use_var(x);
    b.ret(r);
    let mut m = Module { functions: vec![b.finish()], syms: Vec::new() };
    let (code, report) = crate::compile_with_report(&mut m, &TARGETS[2], OptLevel::Full).unwrap();
    println!("{:?}", report.stages);
    let mut helper = helper;
    let mut vm = Vm { regions: Vec::new(), helper: &mut helper, steps: 0, watch: None };
    let want = (0..5).fold(7u64, |v, _| v.wrapping_mul(5));
    assert_eq!(vm.run(&code[0].insns, 0, &[5, 7]), Ok(want));
}
