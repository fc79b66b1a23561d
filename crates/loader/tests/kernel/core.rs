//! CO-RE against the running kernel's types.

use crate::support::*;
use whistler_btf::{BtfBuilder, CoreKind, CoreReloc, Kind, MemberDef, TypeKind, TypeSource, int_encoding};
use whistler_isa::ProgType;
use whistler_loader::{LoadError, Loader, TestRun};
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
