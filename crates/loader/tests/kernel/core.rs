//! CO-RE against the running kernel's types.

use std::path::{Path, PathBuf};

use crate::support::*;
use whistler_btf::{
    Btf, BtfBuilder, CoreKind, CoreReloc, FieldPath, Kind, MemberDef, Step, TypeKind, TypeSource, int_encoding,
};
use whistler_isa::ProgType;
use whistler_kernel::Kernel;
use whistler_loader::{LoadError, LoadOptions, Loader, Put, TestRun};
use whistler_object::{CoreRelocation, Object};

/// `return <what the kind asks of member N of our idea of task_struct>`; `orig` is our own answer.
fn asks(kind: CoreKind, member: u32, orig: i32) -> Object {
    let mut b = BtfBuilder::new();
    let int = b.int("int", 4, int_encoding::SIGNED);
    // At offsets that no kernel has.
    let members = [MemberDef::at("tgid", int, 4), MemberDef::at("whistler_has_no_such", int, 8)];
    let task = b.structure("task_struct", 12, &members);
    let mut f = function("prog", vec![Code::I(mov(0, orig)), Code::I(exit())]);
    let reloc = CoreReloc { insn_off: 0, type_id: task, access: format!("0:{member}"), kind };
    f.core.push(CoreRelocation { insn: 0, reloc });
    Object {
        programs: vec![program(ProgType::SocketFilter, None, "socket", f)],
        btf: b.to_bytes(),
        ..Object::default()
    }
}

fn answer(object: &Object) -> u32 {
    let loaded = load(object);
    let out = loaded.program("prog").expect("loaded").test_run(&TestRun { data_in: &[0; 64], ..TestRun::default() });
    out.expect("runs").retval
}

#[test]
fn offsets_are_this_kernels() {
    requires!(kernel >= 5.8, CAP_BPF);
    let btf = kernel().btf().expect("BTF");
    let task = btf.find("task_struct", TypeKind::Struct).expect("sound").expect("there");
    let Kind::Struct(task) = btf.ty(task).expect("there").get() else { panic!("a struct") };
    let tgid = task.members().find(|m| m.name == "tgid").expect("every kernel has it");
    assert_eq!(answer(&asks(CoreKind::FieldByteOffset, 0, 4)), tgid.bit_offset / 8);
    assert_eq!(answer(&asks(CoreKind::FieldExists, 0, 1)), 1);
    assert_eq!(answer(&asks(CoreKind::FieldExists, 1, 1)), 0);
}

#[test]
fn a_field_that_is_not_there_is_named_where_it_is_used() {
    requires!(kernel >= 5.8, CAP_BPF, CAP_PERFMON);
    let object = asks(CoreKind::FieldByteOffset, 1, 8);
    match Loader::new(kernel()).load(&object) {
        Err(LoadError::Verifier(e)) => {
            assert_eq!(e.message, "this kernel has no struct task_struct.whistler_has_no_such", "{}", e.log);
            assert_eq!(e.span, object.programs[0].function.locations[0].span);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_record_that_does_not_fit_its_instruction() {
    requires!(kernel >= 5.8, CAP_BPF);
    let mut object = asks(CoreKind::FieldByteOffset, 0, 4);
    object.programs[0].function.core[0].insn = 99;
    assert!(matches!(Loader::new(kernel()).load(&object), Err(LoadError::Core { .. })));
    object.programs[0].function.core[0].insn = 1;
    assert!(matches!(Loader::new(kernel()).load(&object), Err(LoadError::Core { .. })));
    object.btf.clear();
    assert!(matches!(Loader::new(kernel()).load(&object), Err(LoadError::Core { .. })));
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/core").join(name)
}

/// The programs of `every_form.lisp` that read memory: the field each gives, and what lies in it.
const FAR: [(&str, &[Step<'static>], i64); 21] = [
    ("far_count", &[Step::Member("count")], 40_000),
    ("far_id", &[Step::Member("id")], -3),
    ("far_level", &[Step::Member("level")], -4),
    ("far_small", &[Step::Member("small")], 200),
    ("far_flag", &[Step::Member("flag")], 5),
    ("far_mode", &[Step::Member("mode")], 19),
    ("far_tilt", &[Step::Member("tilt")], -9),
    ("far_color", &[Step::Member("color")], 7),
    ("far_gone", &[Step::Member("gone")], 50_000),
    ("far_x", &[Step::Member("at"), Step::Member("x")], -6),
    ("far_y", &[Step::Member("at"), Step::Member("y")], 60),
    ("far_name3", &[Step::Member("name"), Step::Index(1)], 110),
    ("far_names", &[Step::Member("name"), Step::Index(1)], 110),
    ("far_weight", &[Step::Member("parts"), Step::Index(2), Step::Member("weight")], -50),
    ("far_serial", &[Step::Member("parts"), Step::Index(3), Step::Member("serial")], 77),
    ("far_var", &[Step::Member("parts"), Step::Index(1), Step::Member("serial")], 88),
    ("far_tail", &[Step::Member("tail"), Step::Index(0)], -21),
    ("far_first", &[Step::Member("first")], 1),
    ("far_direct", &[Step::Member("id")], -3),
    ("far_mine", &[Step::Member("id")], -3),
    // Both members of a union hold what was written last.
    ("far_a", &[Step::Member("a")], -5),
];

/// A widget as a target lays it out, with every field's value.
fn widget(btf: &Btf) -> Vec<u8> {
    let root = btf.find("widget", TypeKind::Struct).expect("sound").expect("there");
    let mut memory = vec![0u8; 512];
    for (_, steps, value) in FAR {
        let Some(FieldPath { bit_offset, bits, ty, .. }) = btf.access(root, steps).expect("sound") else { continue };
        let bits = if bits == 0 { btf.size_of(ty).expect("a number") * 8 } else { u32::from(bits) };
        for bit in 0..bits {
            let (at, on) = ((bit_offset + bit) as usize, (value >> bit.min(63)) & 1 == 1);
            memory[at / 8] = memory[at / 8] & !(1 << (at % 8)) | (u8::from(on) << (at % 8));
        }
    }
    memory
}

/// Our own compiler's programs, compiled once, on memory as kernels lay it out in which every field lies elsewhere, is
/// wider, narrower or gone: the field's value, or a refusal that names the field. A relocation left out reads another's.
#[test]
fn fields_are_read_where_and_as_wide_as_the_target_has_them() {
    requires!(kernel >= 5.10, CAP_BPF, CAP_PERFMON);
    let bytes = std::fs::read(data("every_form.o")).expect("compiled by `cargo xtask core`");
    let object = whistler_object::elf::read(&bytes).expect("our object");
    let (mut ran, mut refused) = (0, 0);
    for target in ["same", "moved", "widened", "narrowed", "renamed", "removed"] {
        let path = data(&format!("targets/{target}.btf"));
        let btf = Btf::parse(std::fs::read(&path).expect("the target")).expect("sound");
        let memory = widget(&btf);
        let root = btf.find("widget", TypeKind::Struct).expect("sound").expect("there");
        let saved = Kernel::saved(&path, None);
        for (name, steps, value) in FAR {
            let options = LoadOptions { only: vec![name.to_string()], ..LoadOptions::default() };
            let loaded = Loader::with(&saved, options).load(&object);
            if btf.access(root, steps).expect("sound").is_none() {
                let Some(Step::Member(field)) = steps.iter().rfind(|s| matches!(s, Step::Member(_))) else { continue };
                match loaded {
                    Err(LoadError::Verifier(e)) => {
                        let named = e.message.starts_with("this kernel has no ") && e.message.contains(field)
                            || e.message.contains("struct widget");
                        assert!(named && e.place.is_some(), "{target}, {name}: {}", e.message);
                    }
                    other => panic!("{target}, {name}: {other:?}"),
                }
                refused += 1;
                continue;
            }
            let loaded = loaded.unwrap_or_else(|e| panic!("{target}, {name}: {e}"));
            loaded.maps["memory"].update(&0u32.to_le_bytes(), &memory, Put::Any).expect("filled");
            let ctx: Vec<u8> = [1u64, 0].iter().flat_map(|w| w.to_le_bytes()).collect();
            let run = TestRun { ctx_in: &ctx, ..TestRun::default() };
            let out = loaded.program(name).expect("loaded").test_run(&run).expect("runs");
            assert_eq!(out.retval, value as u32, "{target}, {name}");
            ran += 1;
        }
    }
    assert!(ran > 100 && refused > 12, "{ran} ran, {refused} were refused");
}
