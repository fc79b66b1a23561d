//! Types that only a module of the kernel has, and fields that a kernel lacks: a saved directory of BTF made here stands
//! for each kernel. Programs are compiled for one and loaded for another.

mod support;

use std::path::Path;

use support::{Ran, Scratch, can_use_kernel, run, whistler};
use whistler_btf::{Btf, BtfBuilder, MemberDef, TypeKind, int_encoding};
use whistler_kernel::Kernel;
use whistler_loader::{LoadError, LoadOptions, Loader, Put, TestRun};

/// A kernel with `device`, and the modules `gadget` and `other`. In each, where `speed` of gadget's `gadget_state` lies.
fn kernel(dir: &Path, speed: u32, wide: u32) {
    std::fs::create_dir_all(dir).expect("made");
    let mut b = BtfBuilder::new();
    let int = b.int("int", 4, int_encoding::SIGNED);
    let device = b.structure("device", 32, &[MemberDef::at("id", int, 12)]);
    b.structure("shadowed", 8, &[MemberDef::at("id", int, 4)]);
    std::fs::write(dir.join("vmlinux"), b.to_bytes()).expect("written");
    let base = Btf::parse(b.to_bytes()).expect("sound");
    let (types, strings) = base.extent().expect("sound");

    let mut other = BtfBuilder::split(types, strings);
    let int64 = other.int("u64", 8, 0);
    other.structure("other_state", 24, &[MemberDef::at("sum", int64, 16)]);
    other.structure("both_have", 8, &[MemberDef::at("of_other", int64, 0)]);
    std::fs::write(dir.join("a_module"), other.to_bytes()).expect("written");

    let mut m = BtfBuilder::split(types, strings);
    let number = m.int("speed_t", wide, 0);
    let state = m.reserve_struct("gadget_state");
    let next = m.ptr(state);
    let mut members =
        vec![MemberDef::at("next", next, 0), MemberDef::at("device", device, 8), MemberDef::at("speed", number, speed)];
    if speed == 0 {
        members.pop();
    }
    m.define(state, 128, &members);
    m.structure("both_have", 8, &[MemberDef::at("of_gadget", int, 4)]);
    m.structure("shadowed", 32, &[MemberDef::at("id", int, 24), MemberDef::at("more", int, 28)]);
    std::fs::write(dir.join("gadget"), m.to_bytes()).expect("written");
    assert!(base.find("gadget_state", TypeKind::Struct).expect("sound").is_none());
}

const PROGRAM: &str = "\
(import-kernel-struct gadget-state speed)
(import-kernel-struct other_state :module a-module sum)
(import-kernel-struct both_have of_gadget :module gadget)
(import-kernel-struct shadowed id)
(defmap memory :type :array :key u32 :value (array u8 256) :max-entries 1)
(defmacro in-memory (name result)
  `(defprog ,name (:type :raw-tracepoint :section \"raw_tp/sys_enter\" :license \"GPL\")
     (if-let (p (map-lookup memory 0))
       (let ((w (as-gadget-state (cast u64 p))))
         ,result)
       77)))
(in-memory speed (gadget-state-speed w))
(in-memory device (-> w device id))
(in-memory other (other_state-sum (as-other_state (cast u64 p))))
(in-memory own (shadowed-id (as-shadowed (cast u64 p))))
(in-memory size (+ +gadget-state-size+ (field-size both_have of_gadget)))
";

fn compile(scratch: &Scratch, name: &str, text: &str, kernel: &Path) -> Ran {
    let (source, object) = (scratch.file(&format!("{name}.lisp"), text), scratch.path().join(format!("{name}.o")));
    let mut command = whistler(["compile"]);
    command.arg(source).arg("--btf").arg(kernel).arg("-o").arg(object);
    run(&mut command)
}

#[test]
fn a_struct_of_a_module_is_compiled_and_relocated() {
    let scratch = Scratch::new();
    let (here, there) = (scratch.path().join("here"), scratch.path().join("there"));
    kernel(&here, 48, 4);
    kernel(&there, 88, 8);
    compile(&scratch, "gadget", PROGRAM, &here).ok();
    if !can_use_kernel(&[]) {
        return;
    }
    let bytes = std::fs::read(scratch.path().join("gadget.o")).expect("compiled");
    let object = whistler_object::elf::read(&bytes).expect("ours");
    for (dir, speed, wide) in [(&here, 48, 4), (&there, 88, 8)] {
        let mut memory = vec![0xeeu8; 256];
        memory[speed..speed + wide].copy_from_slice(&7_000u64.to_le_bytes()[..wide]);
        memory[4..8].copy_from_slice(&9u32.to_le_bytes());
        memory[20..24].copy_from_slice(&55u32.to_le_bytes());
        memory[16..24].copy_from_slice(&[55, 0, 0, 0, 55, 0, 0, 0]);
        let saved = Kernel::saved(dir.clone(), None);
        let loaded = Loader::with(&saved, LoadOptions::default()).load(&object).expect("loads");
        loaded.maps["memory"].update(&0u32.to_le_bytes(), &memory, Put::Any).expect("filled");
        for (name, value) in [("speed", 7_000), ("device", 55), ("other", 55), ("own", 9), ("size", 132)] {
            let ctx = [0u8; 16];
            let ran = loaded.program(name).expect("loaded").test_run(&TestRun { ctx_in: &ctx, ..TestRun::default() });
            assert_eq!(ran.expect("runs").retval, value, "{name} in {}", dir.display());
        }
    }
}

#[test]
fn what_no_module_has_is_said() {
    let scratch = Scratch::new();
    let here = scratch.path().join("here");
    kernel(&here, 48, 4);
    for (form, want) in [
        ("(import-kernel-struct gadget_stat)", "the kernel has no struct `gadget_stat`"),
        ("(import-kernel-struct gadget_stat)", "2 of its modules have types of their own, and none has it either"),
        ("(import-kernel-struct gadget_state :module gadgets)", "the kernel has no types of a module `gadgets`"),
        ("(import-kernel-struct gadget_state :module gadgets)", "did you mean `gadget`?"),
        ("(import-kernel-struct gadget_state :module a_module)", "the module `a_module` has no struct `gadget_state`"),
        ("(import-kernel-struct gadget_state :module)", ":module is followed by the name of a module"),
        ("(import-kernel-struct gadget_state sped)", "gadget_state has no field `sped` in this kernel"),
        ("(import-kernel-struct shadowed id :module gadget)", "the kernel itself has a struct `shadowed`"),
        ("(import-kernel-struct gadget_state)\n(import-kernel-struct shadowed more)", "shadowed has no field `more`"),
        ("(import-kernel-struct both_have of_gadget)", "both_have has no field `of_gadget` in this kernel"),
    ] {
        let ran = compile(&scratch, "wrong", form, &here).exits(1);
        assert!(ran.err.contains(want), "{form}\n{}", ran.err);
    }
}

/// An object is loaded for a kernel that lacks one of its fields: the field and its struct are named.
#[test]
fn a_field_that_went_is_named() {
    let scratch = Scratch::new();
    let (here, there) = (scratch.path().join("here"), scratch.path().join("there"));
    kernel(&here, 48, 4);
    kernel(&there, 0, 4);
    compile(&scratch, "gadget", PROGRAM, &here).ok();
    if !can_use_kernel(&[]) {
        return;
    }
    let bytes = std::fs::read(scratch.path().join("gadget.o")).expect("compiled");
    let object = whistler_object::elf::read(&bytes).expect("ours");
    let saved = Kernel::saved(there, None);
    let only = LoadOptions { only: vec!["speed".to_string()], ..LoadOptions::default() };
    let refused = Loader::with(&saved, only).load(&object).err();
    let Some(LoadError::Verifier(e)) = refused else { panic!("{refused:?}") };
    assert_eq!(e.message, "this kernel has no struct gadget_state.speed");
    assert_eq!(e.place.expect("the program's own code").0, "speed");
    // What doesn't ask for it loads all the same.
    let only = LoadOptions { only: vec!["device".to_string()], ..LoadOptions::default() };
    Loader::with(&saved, only).load(&object).expect("the others");
}

/// A program asks for a field that the kernel lacks: the field, its struct and the line are named.
#[test]
fn a_field_that_is_not_there_is_named_with_its_line() {
    let scratch = Scratch::new();
    let here = scratch.path().join("here");
    kernel(&here, 48, 4);
    let text = "\
(import-kernel-struct device___later (parent (ptr device)) (name_of_none u32))
(import-kernel-struct gadget_state next)
(defmap memory :type :array :key u32 :value (array u8 256) :max-entries 1)
(defprog names (:type :raw-tracepoint :section \"raw_tp/sys_enter\" :license \"GPL\")
  (if-let (p (map-lookup memory 0))
    (+ 1
       (device___later-name_of_none (as-device___later (cast u64 p))))
    0))
(load names)
";
    let source = scratch.file("later.lisp", text);
    if !can_use_kernel(&[]) {
        return;
    }
    let mut command = whistler(["run"]);
    let ran = run(command.arg(source).arg("--btf").arg(&here)).exits(1);
    for words in [
        "later.lisp:7:8",
        "this kernel has no struct device___later.name_of_none",
        "the kernel does not accept `names`",
    ] {
        assert!(ran.err.contains(words), "{words}\n{}", ran.err);
    }
}

/// In the virtual machine there is no kernel to ask: the types that were given answer.
#[test]
fn what_exists_is_answered_by_the_types_given() {
    let scratch = Scratch::new();
    let (here, there) = (scratch.path().join("here"), scratch.path().join("there"));
    kernel(&here, 48, 4);
    kernel(&there, 0, 4);
    for (dir, has) in [(&here, 1), (&there, 0)] {
        let text = format!(
            "(import-kernel-struct gadget_state next)
             (defprog asks (:type :xdp)
               (+ (if (field-exists? gadget_state speed) 1 0)
                  (if (type-exists? of_no_kernel) 10 0)
                  (if (field-exists? device id) 100 0)
                  (if (type-exists? gadget_state) 1000 0)))
             (deftest by-the-types (is (= (run-prog asks (packet)) {})))",
            1100 + has
        );
        let file = scratch.file("asks.lisp", &text);
        let ran = run(whistler(["test"]).arg(file).arg("--btf").arg(dir)).ok();
        assert!(ran.out.contains("1 passed") || ran.out.contains("1 test"), "{}", ran.out);
    }
}
