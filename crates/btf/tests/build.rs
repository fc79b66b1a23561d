//! What is built is read back, and broken bytes are errors: never a panic, never an endless loop.

mod common;

use common::{Random, exercise};
use std::sync::Arc;
use whistler_btf::{
    Btf, BtfBuilder, BtfExt, CoreKind, CoreReloc, ExtSection, FuncInfo, Kind, LineInfo, Linkage, MemberDef, SecVar,
    TypeId, TypeKind, int_encoding, resolve,
};

/// A little of everything, and its `.BTF.ext`.
fn sample() -> (Vec<u8>, Vec<u8>) {
    let mut b = BtfBuilder::new();
    let int = b.int("int", 4, int_encoding::SIGNED);
    assert_eq!(int, b.int("int", 4, int_encoding::SIGNED), "the same type twice is one");
    let node = b.reserve_struct("node");
    let next = b.ptr(node);
    let tag = b.type_tag("rcu", node);
    let tagged = b.ptr(tag);
    let arr = b.array(int, 3);
    let anon = b.union("", 4, &[MemberDef::at("x", int, 0), MemberDef::at("y", int, 0)]);
    b.define(
        node,
        40,
        &[
            MemberDef::at("next", next, 0),
            MemberDef { name: "flag", ty: int, bit_offset: 64, bits: 5 },
            MemberDef::at("", anon, 12),
            MemberDef::at("arr", arr, 16),
            MemberDef::at("tagged", tagged, 32),
        ],
    );
    b.enumeration("wide", 8, true, &[("BIG", i64::MIN), ("SMALL", -1)]);
    b.enumeration("narrow", 4, true, &[("MINUS", -1)]);
    b.fwd("opaque", true);
    b.float("double", 8);
    let c = b.const_(int);
    let v = b.volatile(c);
    b.typedef("cvint", v);
    let proto = b.func_proto(int, &[("ctx", next), ("n", int)]);
    let func = b.func("prog", proto, Linkage::Global);
    let fp = b.ptr(proto);
    b.typedef("callback", fp);
    let var = b.var("counter", int, Linkage::Static);
    let sec = b.datasec(".data", 0, &[]);
    b.set_datasec(sec, 4, &[SecVar { var, offset: 0, size: 4 }]);
    b.decl_tag("kernel", func, None);
    b.decl_tag("arg", func, Some(1));
    let ext = BtfExt {
        funcs: vec![ExtSection { name: "xdp".into(), records: vec![FuncInfo { insn_off: 0, type_id: func }] }],
        lines: vec![ExtSection {
            name: "xdp".into(),
            records: vec![LineInfo {
                insn_off: 8,
                file: b.string("a.lisp"),
                text: b.string("(+ 1 2)"),
                line: 12,
                col: 34,
            }],
        }],
        core: vec![ExtSection {
            name: "xdp".into(),
            records: vec![CoreReloc {
                insn_off: 16,
                type_id: node,
                access: "0:3:1".into(),
                kind: CoreKind::FieldByteOffset,
            }],
        }],
    };
    let ext_bytes = ext.to_bytes(&mut b);
    let bytes = b.to_bytes();
    let btf = Btf::parse(bytes.clone()).unwrap();
    assert_eq!(BtfExt::parse(&ext_bytes, &btf).unwrap(), ext);
    (bytes, ext_bytes)
}

#[test]
fn what_is_built_is_read_back() {
    let (bytes, _) = sample();
    let btf = Btf::parse(bytes).unwrap();
    let node = btf.find("node", TypeKind::Struct).unwrap().unwrap();
    let c = |name: &str, kind| btf.c_definition(btf.find(name, kind).unwrap().unwrap()).unwrap();
    assert_eq!(
        c("node", TypeKind::Struct),
        "struct node {\n\tstruct node *next;\n\tint flag : 5;\n\tunion {\n\t\tint x;\n\t\tint y;\n\t};\n\tint arr[3];\n\tstruct node *tagged;\n};"
    );
    assert_eq!(c("wide", TypeKind::Enum64), "enum wide {\n\tBIG = -9223372036854775808,\n\tSMALL = -1,\n};");
    assert_eq!(c("narrow", TypeKind::Enum), "enum narrow {\n\tMINUS = -1,\n};");
    assert_eq!(c("cvint", TypeKind::Typedef), "typedef const volatile int cvint;");
    assert_eq!(c("callback", TypeKind::Typedef), "typedef int (*callback)(struct node *ctx, int n);");
    assert_eq!(c("prog", TypeKind::Func), "int prog(struct node *ctx, int n);");
    assert_eq!(c("opaque", TypeKind::Fwd), "union opaque;");
    let sec = btf.find(".data", TypeKind::Datasec).unwrap().unwrap();
    let Kind::Datasec(d) = btf.ty(sec).unwrap().get() else { panic!() };
    let var = d.vars().next().unwrap();
    assert_eq!((d.size, var.offset, var.size, btf.ty(var.var).unwrap().name), (4, 0, 4, "counter"));
    let y = btf.find_member(node, "y").unwrap().unwrap();
    assert_eq!((y.byte_offset(), y.indices), (12, vec![2, 1]));
    assert_eq!(btf.find_member(node, "flag").unwrap().unwrap().bits, 5);
}

#[test]
fn broken_bytes_are_errors() {
    let (bytes, ext) = sample();
    let good = Btf::parse(bytes.clone()).unwrap();
    for len in 0..bytes.len() {
        exercise(bytes[..len].to_vec());
    }
    for len in 0..ext.len() {
        let _ = BtfExt::parse(&ext[..len], &good);
    }
    let mut random = Random(0x1234_5678_9abc_def1);
    for _ in 0..800 {
        let mut b = bytes.clone();
        random.mutate(&mut b);
        exercise(b);
    }
    for _ in 0..20_000 {
        let mut e = ext.clone();
        random.mutate(&mut e);
        let _ = BtfExt::parse(&e, &good);
    }
    // Slices of the kernel's own, cut to a size that is quick to ask everything of.
    if let Ok(kernel) = std::fs::read("/sys/kernel/btf/vmlinux") {
        let whole = Btf::parse(kernel.clone()).unwrap();
        let (types, _) = whole.extent().unwrap();
        assert!(types > 1000);
        let strings_at = 24 + u32::from_le_bytes(kernel[16..20].try_into().unwrap()) as usize;
        for _ in 0..80 {
            // A window of types; its ids mean other types now, its names stay.
            let from = 24 + (random.next(strings_at - 24 - 6000) & !3);
            let window = &kernel[from..from + 6000];
            let strings = &kernel[strings_at..strings_at + 4000];
            let end = strings.iter().rposition(|b| *b == 0).unwrap() + 1;
            let mut b = kernel[..24].to_vec();
            b[8..24].copy_from_slice(
                &[0u32, window.len() as u32, window.len() as u32, end as u32].map(u32::to_le_bytes).concat(),
            );
            b.extend(window);
            b.extend(&strings[..end]);
            exercise(b);
        }
    }
}

#[test]
fn cycles_and_explosions_end() {
    // A typedef of itself, a struct in itself, and anonymous structs that double at each level.
    let mut b = BtfBuilder::new();
    let me = TypeId(b.type_count());
    b.typedef("me", me);
    let own = b.reserve_struct("own");
    b.define(own, 8, &[MemberDef::at("", own, 0), MemberDef::at("", own, 0)]);
    let int = b.int("int", 4, 0);
    let mut inner = b.structure("", 4, &[MemberDef::at("leaf", int, 0)]);
    for _ in 0..30 {
        inner = b.structure("", 4, &[MemberDef::at("", inner, 0), MemberDef::at("", inner, 0)]);
    }
    let top = b.structure("top", 4, &[MemberDef::at("", inner, 0)]);
    let btf = Btf::parse(b.to_bytes()).unwrap();
    assert!(btf.size_of(me).is_err() && btf.c_definition(me).is_ok());
    assert!(btf.find_member(own, "x").is_err() && btf.c_definition(own).is_ok() && btf.align_of(own).is_err());
    assert!(btf.c_header(top).is_err() && btf.c_header(own).is_err() && btf.c_header(me).is_err());
    assert!(btf.find_member(top, "no").is_err() && btf.flat_members(top).is_err() && btf.c_definition(top).is_err());
    for kind in CoreKind::ALL {
        let r = CoreReloc { insn_off: 0, type_id: top, access: "0:0:0".into(), kind };
        let _ = resolve(&btf, &r, &btf);
    }
    // A foreign base makes no difference.
    let base = Arc::new(btf);
    assert!(Btf::parse_split(vec![], base.clone()).is_err());
    assert!(Btf::parse_split(base.bytes().unwrap().to_vec(), base.clone()).is_ok());
}
