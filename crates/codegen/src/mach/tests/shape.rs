//! What the code looks like: functions as programs have them, and the instructions they become.

use expect_test::{Expect, expect};
use whistler_isa::{KernelVersion, Target};

use super::asm::asm;
use crate::OptLevel;
use crate::ir::{
    AtomicOp, BinOp, Callee, Cc, FunctionBuilder, MapFacts, Module, Op, Size, Space, Sym, SymKind, Ty, UnOp, Value,
    Width,
};
use crate::mach::{Allocator, Times, generate};

const V3: Target = Target::new(KernelVersion::new(6, 1), whistler_isa::IsaLevel::V3);

fn module() -> (Module, Sym, Sym) {
    let mut m = Module::default();
    let map =
        m.add_sym("counts", SymKind::Map(MapFacts { map_type: 1, key_size: 4, value_size: 8, max_entries: 1024 }));
    let global = m.add_sym("limit", SymKind::Global { size: 8, writable: true });
    (m, map, global)
}

/// The code for v3, without passes, is as expected, and the kernel takes the code for every target as a program of
/// that type.
fn check(mut m: Module, b: FunctionBuilder, prog_type: Option<u32>, expect: Expect) {
    m.functions.push(b.finish());
    let (mut allocator, mut times) = (Allocator::default(), Times::default());
    let code = generate(&m.functions[0], &m.syms, &V3, &mut allocator, &mut times).unwrap();
    expect.assert_eq(&asm(&code.insns));
    let Some(prog_type) = prog_type.filter(|_| super::kernel::has_kernel()) else { return };
    for target in &super::TARGETS {
        for opt in [OptLevel::None, OptLevel::Full] {
            let mut m = m.clone();
            let codes = crate::compile(&mut m, target, opt).unwrap();
            super::kernel::load_module(&m, &codes, prog_type)
                .unwrap_or_else(|e| panic!("{target:?} {opt:?}: {e}\n{}", asm(&codes[0].insns)));
        }
    }
}

const SCHED_CLS: Option<u32> = Some(3);
const XDP: Option<u32> = Some(6);
const RAW_TP: Option<u32> = Some(17);

/// Whether a pointer is one.
fn not_null(b: &mut FunctionBuilder, pointer: Value) -> Value {
    let null = b.iconst(0);
    b.cmp(Cc::Ne, pointer, null)
}

fn ctx_field(b: &mut FunctionBuilder, ctx: Value, off: i32, space: Space) -> Value {
    b.load_as(Ty::Ptr(space), Size::B4, false, ctx, off)
}

#[test]
fn count_packets() {
    let (m, map, _) = module();
    let (mut b, p) = FunctionBuilder::new("count", &[Ty::Ptr(Space::Ctx)]);
    let key = b.slot(4, None);
    let addr = b.stack_addr(key, 0);
    let zero = b.iconst(0);
    b.store(Size::B4, addr, 0, zero);
    let v = b.ins(Op::MapLookup { map, key: addr }, Ty::Ptr(Space::MapValue));
    let (hit, done) = (b.create_block(), b.create_block());
    let found = not_null(&mut b, v);
    b.branch(found, hit, done);
    b.switch_to(hit);
    let one = b.iconst(1);
    b.atomic(AtomicOp::Add, Size::B8, false, v, 0, one);
    b.jump(done, &[]);
    b.switch_to(done);
    let r = b.iconst(2);
    b.ret(r);
    let _ = p;
    check(
        m,
        b,
        XDP,
        expect![[r#"
        0: *(u32 *)(r10 -8) = 0
        1: r2 = r10
        2: r2 += -8
        3: r1 = 0x0 ll map
        5: call 1
        6: if r0 == 0 goto 9
        7: r1 = 1
        8: atomic 0x0 *(u64 *)(r0 +0), r1
        9: r0 = 2
        10: exit
    "#]],
    );
}

#[test]
fn packet_header() {
    let (m, map, _) = module();
    let (mut b, p) = FunctionBuilder::new("drop_port", &[Ty::Ptr(Space::Ctx)]);
    let data = ctx_field(&mut b, p[0], 0, Space::Packet);
    let end = ctx_field(&mut b, p[0], 4, Space::PacketEnd);
    let (eth, ip, tcp, drop, pass) =
        (b.create_block(), b.create_block(), b.create_block(), b.create_block(), b.create_block());
    let ok = b.ins(Op::InBounds { ptr: data, len: 34, end }, Ty::Int);
    b.branch(ok, eth, pass);
    b.switch_to(eth);
    let raw = b.load(Size::B2, false, data, 12);
    let proto = b.un(UnOp::Bswap(Size::B2), raw);
    let n = b.iconst(0x800);
    let is_ip = b.cmp(Cc::Eq, proto, n);
    b.branch(is_ip, ip, pass);
    b.switch_to(ip);
    let first = b.load(Size::B1, false, data, 14);
    let n = b.iconst(15);
    let ihl = b.bin(BinOp::And, Width::W64, first, n);
    let n = b.iconst(2);
    let len = b.bin(BinOp::Shl, Width::W64, ihl, n);
    let n = b.iconst(14);
    let l3 = b.bin(BinOp::Add, Width::W64, data, n);
    let l4 = b.bin(BinOp::Add, Width::W64, l3, len);
    let ok = b.ins(Op::InBounds { ptr: l4, len: 20, end }, Ty::Int);
    b.branch(ok, tcp, pass);
    b.switch_to(tcp);
    let raw = b.load(Size::B2, false, l4, 2);
    let port = b.un(UnOp::Bswap(Size::B2), raw);
    let key = b.slot(4, None);
    let addr = b.stack_addr(key, 0);
    b.store(Size::B4, addr, 0, port);
    let hit = b.ins(Op::MapLookup { map, key: addr }, Ty::Ptr(Space::MapValue));
    let found = not_null(&mut b, hit);
    b.branch(found, drop, pass);
    b.switch_to(drop);
    let n = b.iconst(1);
    b.ret(n);
    b.switch_to(pass);
    let n = b.iconst(2);
    b.ret(n);
    check(
        m,
        b,
        XDP,
        expect![[r#"
            0: r0 = *(u32 *)(r1 +0)
            1: r1 = *(u32 *)(r1 +4)
            2: r2 = r0
            3: r2 += 34
            4: if r2 > r1 goto 27
            5: r2 = *(u16 *)(r0 +12)
            6: r2 = be16 r2
            7: if r2 != 2048 goto 27
            8: r2 = *(u8 *)(r0 +14)
            9: r2 &= 15
            10: r2 <<= 2
            11: r0 += 14
            12: r0 += r2
            13: r2 = r0
            14: r2 += 20
            15: if r2 > r1 goto 27
            16: r0 = *(u16 *)(r0 +2)
            17: r0 = be16 r0
            18: *(u32 *)(r10 -8) = r0
            19: r2 = r10
            20: r2 += -8
            21: r1 = 0x0 ll map
            23: call 1
            24: if r0 == 0 goto 27
            25: r0 = 1
            26: exit
            27: r0 = 2
            28: exit
        "#]],
    );
}

#[test]
fn sum_in_a_loop_with_a_call() {
    let (m, _, limit) = module();
    let (mut b, p) = FunctionBuilder::new("sum", &[Ty::Ptr(Space::Ctx)]);
    let (i, sum) = (b.declare_var(Ty::Int, Some("i".into())), b.declare_var(Ty::Int, Some("sum".into())));
    let zero = b.iconst(0);
    b.def_var(i, zero);
    b.def_var(sum, zero);
    let (head, body, exit) = (b.create_block(), b.create_block(), b.create_block());
    b.jump(head, &[]);
    b.switch_to(head);
    let (now, n) = (b.use_var(i), b.iconst(10));
    let more = b.cmp(Cc::Ult, now, n);
    b.branch(more, body, exit);
    b.seal(body);
    b.seal(exit);
    b.switch_to(body);
    let r = b.call(Callee::Helper(7), &[], Ty::Int);
    let g = b.sym_addr(limit, 0, Ty::Ptr(Space::Global));
    let lim = b.load(Size::B8, false, g, 0);
    let x = b.load(Size::B4, false, p[0], 8);
    let r = b.bin(BinOp::UMod, Width::W64, r, lim);
    let r = b.bin(BinOp::Add, Width::W64, r, x);
    let s = b.use_var(sum);
    let s = b.bin(BinOp::Add, Width::W64, s, r);
    b.def_var(sum, s);
    let g = b.sym_addr(limit, 0, Ty::Ptr(Space::Global));
    b.store(Size::B8, g, 0, s);
    let (now, one) = (b.use_var(i), b.iconst(1));
    let next = b.bin(BinOp::Add, Width::W64, now, one);
    b.def_var(i, next);
    b.jump(head, &[]);
    b.seal(head);
    b.switch_to(exit);
    let r = b.use_var(sum);
    b.ret(r);
    check(
        m,
        b,
        SCHED_CLS,
        expect![[r#"
        0: r8 = r1
        1: r7 = 0
        2: r6 = 0
        3: goto 14
        4: call 7
        5: r2 = 0x0 ll global
        7: r3 = *(u64 *)(r2 +0)
        8: r4 = *(u32 *)(r8 +8)
        9: r0 %= r3
        10: r0 += r4
        11: r6 += r0
        12: *(u64 *)(r2 +0) = r6
        13: r7 += 1
        14: if r7 < 10 goto 4
        15: r0 = r6
        16: exit
    "#]],
    );
}

#[test]
fn a_choice_between_numbers_and_a_truth_value() {
    let (m, ..) = module();
    let (mut b, p) = FunctionBuilder::new("choose", &[Ty::Int, Ty::Int]);
    let x = b.declare_var(Ty::Int, None);
    let (then, els, join) = (b.create_block(), b.create_block(), b.create_block());
    let n = b.iconst(100);
    let c = b.cmp(Cc::Ugt, p[0], n);
    b.branch(c, then, els);
    b.switch_to(then);
    let n = b.iconst(7);
    b.def_var(x, n);
    b.jump(join, &[]);
    b.switch_to(els);
    let n = b.iconst(9);
    b.def_var(x, n);
    b.jump(join, &[]);
    b.seal(then);
    b.seal(els);
    b.seal(join);
    b.switch_to(join);
    let less = b.cmp(Cc::Slt, p[0], p[1]);
    let x = b.use_var(x);
    let r = b.bin(BinOp::Add, Width::W64, x, less);
    b.ret(r);
    check(
        m,
        b,
        None,
        expect![[r#"
        0: r0 = 7
        1: if r1 > 100 goto 3
        2: r0 = 9
        3: r3 = 1
        4: if r1 s< r2 goto 6
        5: r3 = 0
        6: r0 += r3
        7: exit
    "#]],
    );
}

#[test]
fn ring_buffer_record() {
    let (mut m, ..) = module();
    let ring =
        m.add_sym("events", SymKind::Map(MapFacts { map_type: 27, key_size: 0, value_size: 0, max_entries: 4096 }));
    let (mut b, p) = FunctionBuilder::new("record", &[Ty::Ptr(Space::Ctx)]);
    let r = b.sym_addr(ring, 0, Ty::Ptr(Space::Map));
    let (n, z) = (b.iconst(32), b.iconst(0));
    let rec = b.call(Callee::Helper(131), &[r, n, z], Ty::Ptr(Space::Mem));
    let (full, done) = (b.create_block(), b.create_block());
    let found = not_null(&mut b, rec);
    b.branch(found, full, done);
    b.switch_to(full);
    let pt = b.call(Callee::Helper(14), &[], Ty::Int);
    let n = b.iconst(32);
    let pid = b.bin(BinOp::LShr, Width::W64, pt, n);
    b.store(Size::B4, rec, 0, pid);
    b.store(Size::B4, rec, 4, pt);
    let ts = b.call(Callee::Helper(5), &[], Ty::Int);
    b.store(Size::B8, rec, 8, ts);
    let n = b.iconst(16);
    let comm = b.bin(BinOp::Add, Width::W64, rec, n);
    b.call(Callee::Helper(16), &[comm, n], Ty::Int);
    let z = b.iconst(0);
    b.call(Callee::Helper(132), &[rec, z], Ty::Int);
    b.jump(done, &[]);
    b.switch_to(done);
    let z = b.iconst(0);
    b.ret(z);
    let _ = p;
    check(
        m,
        b,
        RAW_TP,
        expect![[r#"
        0: r1 = 0x0 ll map
        2: r2 = 32
        3: r3 = 0
        4: call 131
        5: if r0 == 0 goto 21
        6: r6 = r0
        7: call 14
        8: r1 = r0
        9: r1 >>= 32
        10: *(u32 *)(r6 +0) = r1
        11: *(u32 *)(r6 +4) = r0
        12: call 5
        13: *(u64 *)(r6 +8) = r0
        14: r1 = r6
        15: r1 += 16
        16: r2 = 16
        17: call 16
        18: r2 = 0
        19: r1 = r6
        20: call 132
        21: r0 = 0
        22: exit
    "#]],
    );
}

/// A bounded index stays the register that was compared, over a call and under pressure.
#[test]
fn a_checked_index_into_a_map_value() {
    let (mut m, ..) = module();
    let table =
        m.add_sym("table", SymKind::Map(MapFacts { map_type: 2, key_size: 4, value_size: 128, max_entries: 1 }));
    let (mut b, p) = FunctionBuilder::new("index", &[Ty::Ptr(Space::Ctx)]);
    let key = b.slot(4, None);
    let (at, zero) = (b.stack_addr(key, 0), b.iconst(0));
    b.store(Size::B4, at, 0, zero);
    let index = b.load(Size::B4, false, p[0], 8);
    let others: Vec<Value> = (0..7).map(|n| b.load(Size::B4, false, p[0], 4 * (n % 3))).collect();
    let (small, hit, miss) = (b.create_block(), b.create_block(), b.create_block());
    let n = b.iconst(16);
    let ok = b.cmp(Cc::Ult, index, n);
    b.branch(ok, small, miss);
    b.switch_to(small);
    let v = b.ins(Op::MapLookup { map: table, key: at }, Ty::Ptr(Space::MapValue));
    let found = not_null(&mut b, v);
    b.branch(found, hit, miss);
    b.switch_to(hit);
    let n = b.iconst(3);
    let off = b.bin(BinOp::Shl, Width::W64, index, n);
    let at = b.bin(BinOp::Add, Width::W64, v, off);
    let mut sum = b.load(Size::B8, false, at, 0);
    for o in others {
        sum = b.bin(BinOp::Add, Width::W32, sum, o);
    }
    b.store(Size::B8, at, 0, sum);
    let zero = b.iconst(0);
    b.ret(zero);
    b.switch_to(miss);
    let zero = b.iconst(0);
    b.ret(zero);
    check(
        m,
        b,
        SCHED_CLS,
        expect![[r#"
        0: *(u32 *)(r10 -8) = 0
        1: r6 = *(u32 *)(r1 +8)
        2: r0 = *(u32 *)(r1 +0)
        3: *(u64 *)(r10 -40) = r0
        4: r0 = *(u32 *)(r1 +4)
        5: *(u64 *)(r10 -32) = r0
        6: r7 = *(u32 *)(r1 +8)
        7: r8 = *(u32 *)(r1 +0)
        8: r9 = *(u32 *)(r1 +4)
        9: r0 = *(u32 *)(r1 +8)
        10: *(u64 *)(r10 -24) = r0
        11: r1 = *(u32 *)(r1 +0)
        12: *(u64 *)(r10 -16) = r1
        13: if r6 >= 16 goto 35
        14: r2 = r10
        15: r2 += -8
        16: r1 = 0x0 ll map
        18: call 1
        19: if r0 == 0 goto 35
        20: r6 <<= 3
        21: r0 += r6
        22: r1 = *(u64 *)(r0 +0)
        23: r2 = *(u64 *)(r10 -40)
        24: w1 += w2
        25: r2 = *(u64 *)(r10 -32)
        26: w1 += w2
        27: w1 += w7
        28: w1 += w8
        29: w1 += w9
        30: r2 = *(u64 *)(r10 -24)
        31: w1 += w2
        32: r2 = *(u64 *)(r10 -16)
        33: w1 += w2
        34: *(u64 *)(r0 +0) = r1
        35: r0 = 0
        36: exit
    "#]],
    );
}

/// Pointers that find no register are spilled whole, and come back as pointers.
#[test]
fn many_pointers_over_calls() {
    let (mut m, ..) = module();
    let table = m.add_sym("table", SymKind::Map(MapFacts { map_type: 2, key_size: 4, value_size: 8, max_entries: 16 }));
    let (mut b, p) = FunctionBuilder::new("many", &[Ty::Ptr(Space::Ctx)]);
    let key = b.slot(4, None);
    let miss = b.create_block();
    let mut found = Vec::new();
    for n in 0..6 {
        let (at, n) = (b.stack_addr(key, 0), b.iconst(n));
        b.store(Size::B4, at, 0, n);
        let v = b.ins(Op::MapLookup { map: table, key: at }, Ty::Ptr(Space::MapValue));
        let hit = b.create_block();
        let is = not_null(&mut b, v);
        b.branch(is, hit, miss);
        b.switch_to(hit);
        found.push(v);
    }
    let mark = b.load(Size::B4, false, p[0], 8);
    for v in &found {
        b.atomic(AtomicOp::Add, Size::B8, false, *v, 0, mark);
    }
    b.jump(miss, &[]);
    b.switch_to(miss);
    let zero = b.iconst(0);
    b.ret(zero);
    check(
        m,
        b,
        SCHED_CLS,
        expect![[r#"
        0: r6 = r1
        1: *(u32 *)(r10 -8) = 0
        2: r2 = r10
        3: r2 += -8
        4: r1 = 0x0 ll map
        6: call 1
        7: if r0 == 0 goto 57
        8: r7 = r0
        9: *(u32 *)(r10 -8) = 1
        10: r2 = r10
        11: r2 += -8
        12: r1 = 0x0 ll map
        14: call 1
        15: if r0 == 0 goto 57
        16: r8 = r0
        17: *(u32 *)(r10 -8) = 2
        18: r2 = r10
        19: r2 += -8
        20: r1 = 0x0 ll map
        22: call 1
        23: if r0 == 0 goto 57
        24: r9 = r0
        25: *(u32 *)(r10 -8) = 3
        26: r2 = r10
        27: r2 += -8
        28: r1 = 0x0 ll map
        30: call 1
        31: if r0 == 0 goto 57
        32: *(u64 *)(r10 -24) = r0
        33: *(u32 *)(r10 -8) = 4
        34: r2 = r10
        35: r2 += -8
        36: r1 = 0x0 ll map
        38: call 1
        39: if r0 == 0 goto 57
        40: *(u64 *)(r10 -16) = r0
        41: *(u32 *)(r10 -8) = 5
        42: r2 = r10
        43: r2 += -8
        44: r1 = 0x0 ll map
        46: call 1
        47: if r0 == 0 goto 57
        48: r1 = *(u32 *)(r6 +8)
        49: atomic 0x0 *(u64 *)(r7 +0), r1
        50: atomic 0x0 *(u64 *)(r8 +0), r1
        51: atomic 0x0 *(u64 *)(r9 +0), r1
        52: r2 = *(u64 *)(r10 -24)
        53: atomic 0x0 *(u64 *)(r2 +0), r1
        54: r2 = *(u64 *)(r10 -16)
        55: atomic 0x0 *(u64 *)(r2 +0), r1
        56: atomic 0x0 *(u64 *)(r0 +0), r1
        57: r0 = 0
        58: exit
    "#]],
    );
}

/// Globals share an address; what CO-RE patches is one instruction with its own offset.
#[test]
fn globals_and_relocated_fields() {
    let (m, _, limit) = module();
    let (mut b, p) = FunctionBuilder::new("fields", &[Ty::Ptr(Space::Btf)]);
    let at = b.sym_addr(limit, 0, Ty::Ptr(Space::Global));
    let at4 = b.sym_addr(limit, 4, Ty::Ptr(Space::Global));
    let n = b.iconst(8);
    let inner = b.bin(BinOp::Add, Width::W64, p[0], n);
    let field = b.core_load(Ty::Int, crate::ir::CoreId(3), Size::B1, inner, 16);
    let low = b.un(UnOp::Zext(Size::B1), field);
    b.store(Size::B4, at, 0, low);
    b.store(Size::B4, at4, 0, low);
    let exists = b.ins(Op::CoreValue { core: crate::ir::CoreId(4), local: 1, wide: false }, Ty::Int);
    let value = b.ins(Op::CoreValue { core: crate::ir::CoreId(5), local: 7, wide: true }, Ty::Int);
    let r = b.bin(BinOp::Add, Width::W64, exists, value);
    b.ret(r);
    check(
        m,
        b,
        None,
        expect![[r#"
            0: r1 += 8
            1: r4 = *(u8 *)(r1 +16)
            2: r4 &= 255
            3: r0 = 0x0 ll global
            5: *(u32 *)(r0 +0) = r4
            6: *(u32 *)(r0 +4) = r4
            7: r0 = 0x7 ll
            9: r0 += 1
            10: exit
        "#]],
    );
}

/// A number that dies gets the pointer added to it when the pointer lives on; flags are tested
/// without a jump around.
#[test]
fn a_pointer_that_lives_on() {
    let (mut m, ..) = module();
    let table =
        m.add_sym("table", SymKind::Map(MapFacts { map_type: 2, key_size: 4, value_size: 128, max_entries: 1 }));
    let (mut b, p) = FunctionBuilder::new("flags", &[Ty::Ptr(Space::Ctx)]);
    let key = b.slot(4, None);
    let (at, zero) = (b.stack_addr(key, 0), b.iconst(0));
    b.store(Size::B4, at, 0, zero);
    let mark = b.load(Size::B4, false, p[0], 8);
    let (hit, set, miss) = (b.create_block(), b.create_block(), b.create_block());
    let v = b.ins(Op::MapLookup { map: table, key: at }, Ty::Ptr(Space::MapValue));
    let found = not_null(&mut b, v);
    b.branch(found, hit, miss);
    b.switch_to(hit);
    let flag = b.iconst(0x10);
    let is_set = b.cmp(Cc::Test, mark, flag);
    b.branch(is_set, set, miss);
    b.switch_to(set);
    let mask = b.iconst(0x78);
    let off = b.bin(BinOp::And, Width::W64, mark, mask);
    let item = b.bin(BinOp::Add, Width::W64, v, off);
    let n = b.load(Size::B8, false, item, 0);
    b.store(Size::B8, v, 8, n);
    let one = b.iconst(1);
    b.ret(one);
    b.switch_to(miss);
    let zero = b.iconst(0);
    b.ret(zero);
    check(
        m,
        b,
        SCHED_CLS,
        expect![[r#"
        0: *(u32 *)(r10 -8) = 0
        1: r6 = *(u32 *)(r1 +8)
        2: r2 = r10
        3: r2 += -8
        4: r1 = 0x0 ll map
        6: call 1
        7: r1 = r0
        8: if r0 == 0 goto 17
        9: if r6 & 16 goto 11
        10: goto 17
        11: r6 &= 120
        12: r6 += r0
        13: r0 = *(u64 *)(r6 +0)
        14: *(u64 *)(r1 +8) = r0
        15: r0 = 1
        16: exit
        17: r0 = 0
        18: exit
    "#]],
    );
}
