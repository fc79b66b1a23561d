//! What the code looks like: functions as programs have them, and the instructions they become.

use expect_test::{Expect, expect};
use whistler_isa::{KernelVersion, Target};

use super::asm::asm;
use crate::ir::{
    AtomicOp, BinOp, Callee, Cc, FunctionBuilder, MapFacts, Module, Op, Size, Space, Sym, SymKind, Ty, UnOp, Value, Width,
};
use crate::OptLevel;

const V3: Target = Target { kernel: KernelVersion::new(6, 1), isa: whistler_isa::IsaLevel::V3 };

fn module() -> (Module, Sym, Sym) {
    let mut m = Module::default();
    let map = m.add_sym("counts", SymKind::Map(MapFacts { map_type: 1, key_size: 4, value_size: 8, max_entries: 1024 }));
    let global = m.add_sym("limit", SymKind::Global { size: 8, writable: true });
    (m, map, global)
}

fn check(mut m: Module, b: FunctionBuilder, target: &Target, expect: Expect) {
    m.functions.push(b.finish());
    let codes = crate::compile(&mut m, target, OptLevel::Full).unwrap();
    expect.assert_eq(&asm(&codes[0].insns));
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
    b.branch(v, hit, done);
    b.switch_to(hit);
    let one = b.iconst(1);
    b.atomic(AtomicOp::Add, Size::B8, false, v, 0, one);
    b.jump(done, &[]);
    b.switch_to(done);
    let r = b.iconst(2);
    b.ret(r);
    let _ = p;
    check(m, b, &V3, expect![[r#"
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
    "#]]);
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
    b.branch(hit, drop, pass);
    b.switch_to(drop);
    let n = b.iconst(1);
    b.ret(n);
    b.switch_to(pass);
    let n = b.iconst(2);
    b.ret(n);
    check(m, b, &V3, expect![[r#"
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
    "#]]);
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
    check(m, b, &V3, expect![[r#"
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
    "#]]);
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
    check(m, b, &V3, expect![[r#"
        0: r0 = 7
        1: if r1 > 100 goto 3
        2: r0 = 9
        3: r3 = 1
        4: if r1 s< r2 goto 6
        5: r3 = 0
        6: r0 += r3
        7: exit
    "#]]);
}

#[test]
fn ring_buffer_record() {
    let (mut m, ..) = module();
    let ring = m.add_sym("events", SymKind::Map(MapFacts { map_type: 27, key_size: 0, value_size: 0, max_entries: 4096 }));
    let (mut b, p) = FunctionBuilder::new("record", &[Ty::Ptr(Space::Ctx)]);
    let r = b.sym_addr(ring, 0, Ty::Ptr(Space::Map));
    let (n, z) = (b.iconst(32), b.iconst(0));
    let rec = b.call(Callee::Helper(131), &[r, n, z], Ty::Ptr(Space::Mem));
    let (full, done) = (b.create_block(), b.create_block());
    b.branch(rec, full, done);
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
    check(m, b, &V3, expect![[r#"
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
    "#]]);
}
