//! Objects to test with, made by hand. Invariant: relocated instructions have the form
//! that the reader gives them, so that what is read back can be compared whole.
#![allow(dead_code)]

use std::sync::Arc;

use whistler_btf::{BtfBuilder, CoreKind, CoreReloc, Linkage, MemberDef, TypeId, int_encoding};
use whistler_diag::Span;
use whistler_isa::{AttachType, Insn, MapType, ProgType, asm, op};
use whistler_object::{
    CoreRelocation, Function, Global, Location, Map, Mutability, Object, Program, Relocation, Symbol,
};

/// Assembles a function. In the text, `@map NAME`, `@data NAME OFFSET`, `@func NAME`, `@ksym NAME` after a register
/// stand for a 64-bit load of that address, `@call NAME` and `@kfunc NAME` for a call; a line `; N` says that
/// the next instructions come from line N.
pub fn function(name: &str, text: &str) -> Function {
    let mut f = Function { name: name.to_string(), ..Function::default() };
    let mut line = None;
    for l in text.lines().map(str::trim).filter(|l| !l.is_empty()) {
        if let Some(n) = l.strip_prefix("; ") {
            let n: u32 = n.parse().unwrap();
            let place =
                Location { file: "test.lisp".into(), line: n, col: 3, text: source_line(n), ..Location::default() };
            line = Some(f.locations.iter().position(|l| *l == place).unwrap_or_else(|| {
                f.locations.push(place);
                f.locations.len() - 1
            }) as u32);
            continue;
        }
        let words: Vec<&str> = l.split_whitespace().collect();
        let named =
            |s: Symbol, f: &mut Function| f.relocations.push(Relocation { insn: f.insns.len() as u32, symbol: s });
        let reg = || words[0].trim_start_matches('r').parse().unwrap();
        let slots: Vec<Insn> = match words.as_slice() {
            ["@call", name] => {
                named(Symbol::Subprogram(name.to_string()), &mut f);
                vec![Insn::new(op::JMP | op::CALL, 0, op::PSEUDO_CALL, 0, 0)]
            }
            ["@kfunc", name] => {
                named(Symbol::Kfunc(name.to_string()), &mut f);
                vec![Insn::new(op::JMP | op::CALL, 0, op::PSEUDO_KFUNC_CALL, 0, 0)]
            }
            [_, "@map", name] => {
                named(Symbol::Map(name.to_string()), &mut f);
                Insn::ld_imm64(reg(), op::PSEUDO_MAP_FD, 0).to_vec()
            }
            [_, "@data", name, offset] => {
                named(Symbol::Global { name: name.to_string(), offset: offset.parse().unwrap() }, &mut f);
                Insn::ld_imm64(reg(), op::PSEUDO_MAP_VALUE, 0).to_vec()
            }
            [_, "@func", name] => {
                named(Symbol::Subprogram(name.to_string()), &mut f);
                Insn::ld_imm64(reg(), op::PSEUDO_FUNC, 0).to_vec()
            }
            [_, "@ksym", name] => {
                named(Symbol::Ksym(name.to_string()), &mut f);
                Insn::ld_imm64(reg(), op::PSEUDO_BTF_ID, 0).to_vec()
            }
            _ => asm::line(l).unwrap_or_else(|e| panic!("{l}: {e}")),
        };
        f.locs.extend(slots.iter().map(|_| line.unwrap_or(u32::MAX)));
        f.insns.extend(slots);
    }
    f
}

/// The text of a line of the source that there is none of.
pub fn source_line(n: u32) -> Arc<str> {
    format!("  (line {n})").into()
}

/// A program without anything special.
pub fn program(function: Function, section: &str, prog_type: ProgType) -> Program {
    Program {
        function,
        section: section.to_string(),
        prog_type,
        attach_type: None,
        attach_target: None,
        license: "GPL".to_string(),
        sleepable: false,
    }
}

/// A map declared by sizes.
pub fn map(name: &str, map_type: MapType, key_size: u32, value_size: u32, max_entries: u32) -> Map {
    Map {
        name: name.to_string(),
        map_type,
        key_size,
        value_size,
        max_entries,
        flags: 0,
        key_type: None,
        value_type: None,
        inner: None,
        pin: None,
        contents: Vec::new(),
        extra: 0,
        span: Span::NONE,
    }
}

/// A single variable.
pub fn global(name: &str, init: &[u8], mutability: Mutability, type_id: Option<u32>) -> Global {
    let align = (init.len() as u32).next_power_of_two().clamp(1, 8);
    Global { name: name.into(), init: init.to_vec(), align, mutability, section: None, type_id, span: Span::NONE }
}

/// The smallest XDP program, with nothing around it.
pub fn pass() -> Object {
    let f = function("pass", "r0 = 2\nexit");
    let mut p = program(f, "xdp", ProgType::Xdp);
    p.attach_type = Some(AttachType::Xdp);
    Object { programs: vec![p], ..Object::default() }
}

/// An object with a bit of everything that a file can hold.
pub fn rich() -> Object {
    let mut b = BtfBuilder::new();
    let u32_ = b.int("unsigned int", 4, 0);
    let u64_ = b.int("unsigned long long", 8, 0);
    let int = b.int("int", 4, int_encoding::SIGNED);
    let flow = b.structure(
        "flow",
        16,
        &[MemberDef::at("addr", u32_, 0), MemberDef::at("port", u32_, 4), MemberDef::at("bytes", u64_, 8)],
    );
    let task = b.reserve_struct("task_struct");
    let task_ptr = b.ptr(task);
    b.define(task, 16, &[MemberDef::at("tgid", int, 0), MemberDef::at("real_parent", task_ptr, 8)]);
    let ctx = b.ptr(TypeId::VOID);
    let prog_proto = b.func_proto(int, &[("ctx", ctx)]);
    let sub_proto = b.func_proto(u64_, &[("x", u64_)]);
    let cb_proto = b.func_proto(u64_, &[("i", u32_), ("ctx", ctx)]);
    let mut func = |name: &str, proto, linkage| Some(b.func(name, proto, linkage).0);
    let ids = [
        func("count", prog_proto, Linkage::Global),
        func("again", prog_proto, Linkage::Global),
        func("parent", prog_proto, Linkage::Global),
        func("half", sub_proto, Linkage::Static),
        func("shared", sub_proto, Linkage::Global),
        func("step", cb_proto, Linkage::Static),
    ];

    let mut count = function(
        "count",
        "; 10
         r1 = 7
         *(u32 *)(r10 -4) = 1
         r2 = r10
         r2 += -4
         ; 11
         r1 @map flows
         call bpf_map_lookup_elem#1
         if r0 == 0x0 goto +3
         r1 = *(u64 *)(r0 +8)
         r1 += 1
         *(u64 *)(r0 +8) = r1
         ; 12
         r1 @data limit 0
         r1 = *(u64 *)(r1 +0)
         r2 @data total 0
         *(u64 *)(r2 +0) = r1
         r2 @data table 4
         r2 = *(u8 *)(r2 +0)
         ; 13
         r1 = 3
         @call half
         r1 = r0
         @call shared
         *(u64 *)(r10 -16) = 0
         r1 = 4
         r2 @func step
         r3 = r10
         r3 += -16
         r4 = 0
         call bpf_loop#181
         ; 14
         r0 = 0
         exit",
    );
    let again = function("again", "; 20\nr1 = 5\n@call shared\nr0 = 0\nexit");
    let mut parent = function(
        "parent",
        "; 30
         r1 = *(u64 *)(r1 +0)
         r2 = 8
         r1 += r2
         *(u32 *)(r10 -8) = 0
         r0 = 0
         exit",
    );
    let reloc = CoreReloc { insn_off: 8, type_id: task, access: "0:1".into(), kind: CoreKind::FieldByteOffset };
    parent.core.push(CoreRelocation { insn: 1, reloc });
    let mut half = function("half", "; 40\nr0 = r1\nr0 >>= 1\nexit");
    let mut shared =
        function("shared", "; 50\n@call half\nr0 += 1\nr1 @data start 0\nr1 = *(u64 *)(r1 +0)\nr0 += r1\nexit");
    shared.global = true;
    let mut step = function("step", "; 60\nr3 = *(u64 *)(r2 +0)\nr3 += 1\n*(u64 *)(r2 +0) = r3\nr0 = 0\nexit");
    count.type_id = ids[0];
    let mut again = again;
    again.type_id = ids[1];
    parent.type_id = ids[2];
    half.type_id = ids[3];
    shared.type_id = ids[4];
    step.type_id = ids[5];

    let mut flows = map("flows", MapType::Hash, 4, 16, 1024);
    (flows.key_type, flows.value_type, flows.flags) = (Some(u32_.0), Some(flow.0), 1);
    let events = map("events", MapType::Ringbuf, 0, 0, 4096);
    let mut outer = map("outer", MapType::ArrayOfMaps, 4, 4, 2);
    let mut inner = map("outer.inner", MapType::Array, 4, 8, 3);
    (inner.key_type, inner.value_type) = (Some(u32_.0), Some(u64_.0));
    outer.inner = Some(Box::new(inner));
    let mut pinned = map("pinned", MapType::PercpuArray, 4, 8, 1);
    pinned.pin = Some("/sys/fs/bpf/pinned".into());
    let mut bloom = map("bloom", MapType::BloomFilter, 0, 4, 100);
    bloom.extra = 3;

    let mut p3 = program(parent, "tp_btf/sched_process_exec", ProgType::Tracing);
    p3.attach_type = Some(AttachType::TraceRawTp);
    p3.attach_target = Some("sched_process_exec".into());
    let raw = |f| {
        let mut p = program(f, "raw_tp/sys_enter", ProgType::RawTracepoint);
        p.attach_target = Some("sys_enter".into());
        p
    };
    Object {
        programs: vec![raw(count), raw(again), p3],
        subprograms: vec![half, shared, step],
        maps: vec![flows, events, outer, pinned, bloom],
        globals: vec![
            global("limit", &9u64.to_le_bytes(), Mutability::ReadOnly, Some(u64_.0)),
            global("table", &[1, 2, 3, 4, 5], Mutability::ReadOnly, None),
            global("total", &[0; 8], Mutability::ReadWrite, Some(u64_.0)),
            global("start", &5u64.to_le_bytes(), Mutability::ReadWrite, Some(u64_.0)),
        ],
        struct_ops: Vec::new(),
        btf: b.to_bytes(),
        exports: whistler_object::Exports::default(),
    }
}
