//! CO-RE against a kernel that was changed on purpose: every field moved, some widened, narrowed, renamed with a
//! flavour, or gone. A relocation that is silently skipped fails here.

use whistler_btf::{
    Btf, BtfBuilder, CoreError, CoreKind, CoreReloc, MemberDef, Patched, Resolution, Step, TypeId, TypeKind,
    access_string, apply, describe, essential_name, int_encoding, resolve,
};

struct World {
    btf: Btf,
}

impl World {
    fn id(&self, name: &str) -> TypeId {
        let kinds = [TypeKind::Struct, TypeKind::Union, TypeKind::Enum, TypeKind::Typedef];
        self.btf.find_any(name, &kinds).unwrap().unwrap_or_else(|| panic!("{name}"))
    }

    fn access(&self, root: &str, steps: &[Step<'_>]) -> String {
        access_string(&self.btf.access(self.id(root), steps).unwrap().unwrap().indices)
    }
}

/// What the program was compiled with.
fn local() -> World {
    let mut b = BtfBuilder::new();
    let int = b.int("int", 4, int_encoding::SIGNED);
    let u32 = b.int("unsigned int", 4, 0);
    let u64 = b.int("unsigned long", 8, 0);
    let u8 = b.int("unsigned char", 1, 0);
    let void_ptr = b.ptr(TypeId::VOID);
    let arr = b.array(u32, 4);
    let inner = b.structure("inner", 8, &[MemberDef::at("a", u32, 0), MemberDef::at("b", u32, 4)]);
    let inners = b.array(inner, 3);
    let anon = b.union("", 8, &[MemberDef::at("num", u64, 0), MemberDef::at("bytes", u8, 0)]);
    let task = b.reserve_struct("task");
    let task_ptr = b.ptr(task);
    let bit = |name, at, bits| MemberDef { name, ty: u32, bit_offset: at, bits };
    b.define(
        task,
        104,
        &[
            MemberDef::at("pid", int, 0),
            MemberDef::at("count", u32, 4),
            MemberDef::at("parent", task_ptr, 8),
            MemberDef::at("", anon, 16),
            MemberDef::at("list", arr, 24),
            MemberDef::at("in", inners, 40),
            bit("flag", 64 * 8, 3),
            bit("mode", 64 * 8 + 3, 7),
            MemberDef::at("gone", u64, 72),
            MemberDef::at("changed", u32, 80),
            MemberDef::at("ptr", void_ptr, 88),
            MemberDef::at("signed_wide", int, 96),
        ],
    );
    b.structure("task___old", 4, &[MemberDef::at("state", int, 0)]);
    b.structure("missing", 4, &[MemberDef::at("x", int, 0)]);
    b.enumeration("color", 4, false, &[("RED", 0), ("GREEN", 1), ("BLUE___v2", 2), ("PINK", 3)]);
    b.typedef("task_t", task);
    World { btf: Btf::parse(b.to_bytes()).unwrap() }
}

/// The kernel it is loaded on.
fn target() -> World {
    let mut b = BtfBuilder::new();
    b.float("double", 8);
    let u64 = b.int("long unsigned int", 8, 0);
    let int = b.int("int", 4, int_encoding::SIGNED);
    let i64 = b.int("long", 8, int_encoding::SIGNED);
    let u32 = b.int("unsigned int", 4, 0);
    let u16 = b.int("u16", 2, 0);
    let u8 = b.int("u8", 1, 0);
    let arr = b.array(u32, 2);
    let pad = b.array(u64, 5);
    let inner = b.structure("inner", 16, &[MemberDef::at("b", u32, 0), MemberDef::at("a", u32, 12)]);
    let inners = b.array(inner, 3);
    let num = b.structure("", 16, &[MemberDef::at("bytes", u8, 0), MemberDef::at("num", u64, 8)]);
    let float = b.float("float", 4);
    let task = b.reserve_struct("task");
    let cst = b.const_(task);
    let task_ptr = b.ptr(cst);
    let bit = |name, at, bits| MemberDef { name, ty: u32, bit_offset: at, bits };
    b.define(
        task,
        256,
        &[
            MemberDef::at("pad", pad, 0),
            MemberDef::at("ptr", task_ptr, 40),
            MemberDef::at("count", u64, 48),
            MemberDef::at("pid", int, 56),
            MemberDef::at("changed", float, 60),
            MemberDef::at("parent", task_ptr, 64),
            MemberDef::at("", num, 72),
            MemberDef::at("in", inners, 88),
            MemberDef::at("list", arr, 136),
            MemberDef::at("state", int, 144),
            bit("mode", 150 * 8 + 5, 9),
            bit("flag", 160 * 8 + 31, 1),
            MemberDef::at("narrow", u16, 176),
            MemberDef::at("signed_wide", i64, 184),
        ],
    );
    b.enumeration("color", 4, false, &[("BLUE", 40), ("GREEN", 10), ("RED", 20)]);
    b.typedef("task_t", task);
    World { btf: Btf::parse(b.to_bytes()).unwrap() }
}

fn reloc(kind: CoreKind, type_id: TypeId, access: &str) -> CoreReloc {
    CoreReloc { insn_off: 0, type_id, access: access.into(), kind }
}

fn field(kind: CoreKind, root: &str, steps: &[Step<'_>]) -> Result<Resolution, CoreError> {
    let (l, t) = (local(), target());
    resolve(&l.btf, &reloc(kind, l.id(root), &l.access(root, steps)), &t.btf)
}

fn value(kind: CoreKind, root: &str, steps: &[Step<'_>]) -> (u64, Option<u64>) {
    let r = field(kind, root, steps).unwrap();
    (r.orig_value, r.value)
}

use CoreKind::*;
use Step::{Index, Member};

#[test]
fn offsets_move() {
    for root in ["task", "task_t"] {
        assert_eq!(value(FieldByteOffset, root, &[Member("pid")]), (0, Some(56)));
        assert_eq!(value(FieldByteOffset, root, &[Member("num")]), (16, Some(80)));
        assert_eq!(value(FieldByteOffset, root, &[Member("in"), Index(1), Member("a")]), (48, Some(88 + 16 + 12)));
        assert_eq!(value(FieldByteOffset, root, &[Member("list"), Index(1)]), (28, Some(140)));
    }
    // The target's array is shorter.
    assert_eq!(value(FieldByteOffset, "task", &[Member("list"), Index(3)]), (36, None));
    assert_eq!(value(FieldByteOffset, "task", &[Member("gone")]), (72, None));
    // A field of another make is another field.
    assert_eq!(value(FieldByteOffset, "task", &[Member("changed")]), (80, None));
    // The flavour is no part of the name.
    assert_eq!(value(FieldByteOffset, "task___old", &[Member("state")]), (0, Some(144)));
    assert_eq!(value(FieldByteOffset, "missing", &[Member("x")]), (0, None));
}

#[test]
fn existence_size_and_sign() {
    assert_eq!(value(FieldExists, "task", &[Member("pid")]), (1, Some(1)));
    assert_eq!(value(FieldExists, "task", &[Member("gone")]), (1, Some(0)));
    assert_eq!(value(FieldExists, "task", &[Member("changed")]), (1, Some(0)));
    assert_eq!(value(FieldExists, "missing", &[Member("x")]), (1, Some(0)));
    assert_eq!(value(FieldByteSize, "task", &[Member("count")]), (4, Some(8)));
    assert_eq!(value(FieldByteSize, "task", &[Member("list")]), (16, Some(8)));
    assert_eq!(value(FieldSigned, "task", &[Member("pid")]), (1, Some(1)));
    assert_eq!(value(FieldSigned, "task", &[Member("count")]), (0, Some(0)));
}

#[test]
fn bit_fields() {
    // Bits 1205..1214: bytes 148..152 hold them.
    assert_eq!(value(FieldByteOffset, "task", &[Member("mode")]), (64, Some(148)));
    assert_eq!(value(FieldByteSize, "task", &[Member("mode")]), (4, Some(4)));
    assert_eq!(value(FieldLShiftU64, "task", &[Member("mode")]), (64 - 10, Some(64 - (1205 + 9 - 148 * 8))));
    assert_eq!(value(FieldRShiftU64, "task", &[Member("mode")]), (57, Some(55)));
    assert_eq!(value(FieldLShiftU64, "task", &[Member("flag")]), (61, Some(32)));
    assert_eq!(value(FieldRShiftU64, "task", &[Member("flag")]), (61, Some(63)));
    assert!(!field(FieldByteOffset, "task", &[Member("mode")]).unwrap().validate);
}

#[test]
fn types_and_enumerators() {
    let (l, t) = (local(), target());
    let at = |kind, name: &str, access: &str| {
        let r = resolve(&l.btf, &reloc(kind, l.id(name), access), &t.btf).unwrap();
        (r.orig_value, r.value)
    };
    assert_eq!(at(TypeExists, "task", "0"), (1, Some(1)));
    assert_eq!(at(TypeExists, "missing", "0"), (1, Some(0)));
    assert_eq!(at(TypeSize, "task", "0"), (104, Some(256)));
    assert_eq!(at(TypeSize, "missing", "0"), (4, Some(0)));
    assert_eq!(at(TypeIdTarget, "task", "0").1, Some(u64::from(t.id("task").0)));
    assert_eq!(at(TypeIdTarget, "missing", "0").1, Some(0));
    assert_eq!(at(TypeIdLocal, "missing", "0").1, Some(u64::from(l.id("missing").0)));
    assert_eq!(at(TypeMatches, "inner", "0"), (1, Some(1)));
    assert_eq!(at(TypeMatches, "task", "0"), (1, Some(0)));
    assert_eq!(at(EnumvalValue, "color", "1"), (1, Some(10)));
    assert_eq!(at(EnumvalValue, "color", "2"), (2, Some(40)));
    assert_eq!(at(EnumvalValue, "color", "3"), (3, None));
    assert_eq!(at(EnumvalExists, "color", "3"), (1, Some(0)));
}

#[test]
fn candidates_must_agree() {
    let l = local();
    let mut b = BtfBuilder::new();
    let int = b.int("int", 4, int_encoding::SIGNED);
    b.structure("task", 8, &[MemberDef::at("pid", int, 0)]);
    b.structure("task___two", 8, &[MemberDef::at("pid", int, 4)]);
    let t = Btf::parse(b.to_bytes()).unwrap();
    let r = reloc(FieldByteOffset, l.id("task"), "0:0");
    assert_eq!(resolve(&l.btf, &r, &t), Err(CoreError::Ambiguous("task".into())));
    assert_eq!(
        resolve(&l.btf, &reloc(FieldExists, l.id("task"), "0:0"), &t).err(),
        Some(CoreError::Ambiguous("task".into()))
    );
}

#[test]
fn bad_accesses_are_errors() {
    let l = local();
    for access in ["", ":", "0:", "0:99", "x", "0:0:1", "-1", "0:4:9", "99999999999"] {
        let r = resolve(&l.btf, &reloc(FieldByteOffset, l.id("task"), access), &l.btf);
        assert!(matches!(r, Err(CoreError::BadAccess(_))), "{access}: {r:?}");
    }
    let r = reloc(FieldByteOffset, TypeId(9999), "0:0");
    assert!(resolve(&l.btf, &r, &l.btf).is_err());
    assert_eq!(describe(&l.btf, &reloc(FieldByteOffset, l.id("task"), "0:5:1:0")), "struct task.in[1].a");
    assert_eq!(describe(&l.btf, &reloc(EnumvalValue, l.id("color"), "1")), "enum color::GREEN");
}

#[test]
fn flavours() {
    for (name, essential) in [
        ("a___b", "a"),
        ("task_struct___x___y", "task_struct___x"),
        ("a____b", "a____b"),
        ("___x", "___x"),
        ("a___", "a___"),
        ("ab", "ab"),
    ] {
        assert_eq!(essential_name(name), essential, "{name}");
    }
}

fn insn(code: u8, off: i16, imm: i32) -> Vec<u8> {
    let mut v = vec![code, 0x21];
    v.extend(off.to_le_bytes());
    v.extend(imm.to_le_bytes());
    v
}

#[test]
fn instructions_are_patched() {
    let pid = field(FieldByteOffset, "task", &[Member("pid")]).unwrap();
    let mut code = insn(0x61, 0, 0);
    assert_eq!(apply(&mut code, 0, &pid), Ok(Patched::Done));
    assert_eq!(code, insn(0x61, 56, 0));
    // Applied to the wrong instruction.
    assert!(matches!(apply(&mut code, 0, &pid), Err(CoreError::Unexpected { found: 56, .. })));
    assert!(matches!(apply(&mut code, 4, &pid), Err(CoreError::Instruction { .. })));
    // An unsigned field twice as wide is loaded twice as wide.
    let count = field(FieldByteOffset, "task", &[Member("count")]).unwrap();
    let mut code = insn(0x61, 4, 0);
    assert_eq!(apply(&mut code, 0, &count), Ok(Patched::Done));
    assert_eq!(code, insn(0x79, 48, 0));
    // A signed one can't be: the instruction is poisoned.
    let wide = field(FieldByteOffset, "task", &[Member("signed_wide")]).unwrap();
    let mut code = insn(0x61, 96, 0);
    assert_eq!(apply(&mut code, 0, &wide), Ok(Patched::Poisoned));
    assert_eq!(code, [0x85, 0, 0, 0, 0x10, 0x23, 0xad, 0x0b], "libbpf's own poison");
    // Arithmetic takes the offset as its immediate, whatever the widths.
    let mut code = insn(0x07, 0, 4);
    assert_eq!(apply(&mut code, 0, &count), Ok(Patched::Done));
    assert_eq!(code, insn(0x07, 0, 48));
    // A 64-bit immediate, and its poison, take both slots.
    let mut code = vec![0x18, 1, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(apply(&mut code, 0, &count), Ok(Patched::Done));
    assert_eq!(code[4], 48);
    let gone = field(FieldByteOffset, "task", &[Member("gone")]).unwrap();
    assert_eq!(apply(&mut code, 0, &gone), Ok(Patched::Poisoned));
    assert_eq!((code[0], code[8]), (0x85, 0x85));
}
