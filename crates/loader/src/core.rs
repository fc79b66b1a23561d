//! CO-RE: instructions that depend on the kernel's types get this kernel's offsets, sizes and numbers.
//!
//! Invariant: an access that this kernel lacks becomes an instruction that the verifier refuses if it
//! can be reached, never a wrong number.

use whistler_btf::{Btf, Patched, Resolution, apply, describe, resolve_in};
use whistler_isa::Insn;
use whistler_kernel::Kernel;
use whistler_object::Function;

use crate::error::LoadError;

/// Slots that can't run, and why.
pub(crate) type Poisoned = Vec<(usize, String)>;

/// The function's slots for this kernel, and those that can't run, with the reason.
pub(crate) fn relocate(
    function: &Function,
    kernel: &Kernel,
    types: Option<&Btf>,
) -> Result<(Vec<Insn>, Poisoned), LoadError> {
    if function.core.is_empty() {
        return Ok((function.insns.clone(), Vec::new()));
    }
    let mut poisoned = Vec::new();
    let mut code = Insn::encode_all(&function.insns);
    for c in &function.core {
        let at = c.insn as usize;
        let span = function.location(at).map_or(function.span, |l| l.span);
        let what = || types.map_or_else(|| "a kernel type".to_string(), |t| describe(t, &c.reloc));
        let fail = |why: String| LoadError::Core { function: function.name.clone(), what: what(), why, span };
        let Some(local) = types else {
            return Err(fail("the object has no types of its own that say what it means".to_string()));
        };
        let resolution = resolve_in(local, &c.reloc, kernel).map_err(fail)?;
        match apply(&mut code, at.saturating_mul(8), &resolution) {
            Ok(Patched::Done) => {}
            Ok(Patched::Poisoned) => poisoned.push((at, reason(&what(), &resolution))),
            Err(e) => return Err(fail(e.to_string())),
        }
    }
    let insns = code.as_chunks::<8>().0.iter().map(|slot| Insn::from_bytes(*slot)).collect();
    Ok((insns, poisoned))
}

/// Why a poisoned instruction can't run.
fn reason(what: &str, resolution: &Resolution) -> String {
    match (resolution.value, resolution.mem) {
        (Some(_), Some(m)) => format!(
            "{what} has {} bytes in this kernel and {} in the program, and it is signed or no number: a load of another \
             size would not give its value",
            m.target, m.local
        ),
        _ => format!("this kernel has no {what}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;
    use std::path::{Path, PathBuf};
    use whistler_btf::{CoreKind, CoreReloc};

    fn data(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/core").join(name)
    }

    /// What we make of every program of an object for a kernel with these types, as `libbpf_insns.c` prints it.
    fn ours(object: &whistler_object::Object, btf: &Path) -> String {
        let kernel = Kernel::saved(btf, None);
        let types = Btf::parse(object.btf.clone()).expect("clang's types");
        let mut out = String::new();
        for p in &object.programs {
            out.push_str(&p.function.name);
            match relocate(&p.function, &kernel, Some(&types)) {
                Ok((insns, _)) => {
                    for slot in Insn::encode_all(&insns).as_chunks::<8>().0 {
                        let _ = write!(out, " {}", slot.iter().map(|b| format!("{b:02x}")).collect::<String>());
                    }
                }
                Err(_) => out.push_str(" error"),
            }
            out.push('\n');
        }
        out
    }

    const TARGETS: [&str; 8] = ["same", "moved", "widened", "narrowed", "renamed", "removed", "nested", "two"];

    /// That an object's programs come out instruction by instruction as libbpf 1.7 makes them, poisoned ones included
    /// (`cargo xtask core` asks it again); how many programs were changed, and how many poisoned, by target.
    fn as_libbpf_does(object: &str, whose: &str) -> Vec<(usize, usize)> {
        let bytes = std::fs::read(data(object)).expect("compiled by `cargo xtask core`");
        let object = whistler_object::elf::read(&bytes).expect("an object");
        let mut seen = Vec::new();
        let mut unchanged = String::new();
        for target in TARGETS {
            let expected = data(&format!("expected/{whose}{target}.insns"));
            let expected = std::fs::read_to_string(expected).expect("libbpf's answers");
            let ours = ours(&object, &data(&format!("targets/{target}.btf")));
            let mut expected: Vec<&str> = expected.lines().collect();
            let mut lines: Vec<&str> = ours.lines().collect();
            expected.sort_unstable();
            lines.sort_unstable();
            assert_eq!(lines.len(), expected.len(), "{target}");
            for (ours, theirs) in lines.iter().zip(expected) {
                assert_eq!(*ours, theirs, "{object:?} against {target}", object = whose);
            }
            if target == "same" {
                unchanged.clone_from(&ours);
            }
            let changed = ours.lines().zip(unchanged.lines()).filter(|(a, b)| a != b).count();
            // The call of a helper that does not exist: POISON_HELPER in the immediate.
            let call =
                format!("85000000{}", whistler_btf::POISON_HELPER.to_le_bytes().map(|b| format!("{b:02x}")).concat());
            seen.push((changed, ours.lines().filter(|l| l.contains(&call)).count()));
        }
        seen
    }

    /// Objects by clang, every kind of relocation, against kernels whose types are as they were, moved, widened,
    /// narrowed, renamed, removed, nested and ambiguous.
    #[test]
    fn what_clang_asks() {
        as_libbpf_does("every_kind.o", "");
    }

    /// A type that only a module has: its split BTF continues the kernel's, in ids and in strings.
    #[test]
    fn a_modules_types_are_found_behind_the_kernels() {
        use whistler_btf::{BtfBuilder, MemberDef, int_encoding};
        let dir = std::env::temp_dir().join(format!("whistler-module-btf-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a scratch directory");
        std::fs::copy(data("targets/moved.btf"), dir.join("vmlinux")).expect("the kernel's");
        let base = Btf::parse(std::fs::read(data("targets/moved.btf")).expect("a target")).expect("sound");
        let part = base.find("part", whistler_btf::TypeKind::Struct).expect("sound").expect("there");
        let (types, strings) = base.extent().expect("sound");
        let module = |bytes: u32| {
            let mut b = BtfBuilder::split(types, strings);
            let int = b.int("__u32", bytes, 0);
            // A member of a type of the kernel's, and one of the module's own.
            b.structure("driver_state", 64, &[MemberDef::at("part", part, 8), MemberDef::at("speed", int, 48)]);
            // One that the kernel has, too, with a field that only this has.
            b.structure("part", 16, &[MemberDef::at("extra", int, 0), MemberDef::at("weight", int, 12)]);
            b.structure("twice", 16, &[MemberDef::at("same", int, 4), MemberDef::at("other", int, bytes)]);
            b.to_bytes()
        };
        std::fs::write(dir.join("driver"), module(4)).expect("the module's");
        let mut another = BtfBuilder::split(types, strings);
        let int = another.int("__u32", 4, 0);
        another.structure("twice", 16, &[MemberDef::at("same", int, 4), MemberDef::at("other", int, 12)]);
        std::fs::write(dir.join("another"), another.to_bytes()).expect("the module's");
        std::fs::write(dir.join("broken"), [7; 40]).expect("no BTF");
        let mut b = BtfBuilder::new();
        let int = b.int("int", 4, int_encoding::SIGNED);
        let inner = b.structure("part___x", 4, &[MemberDef::at("weight", int, 0)]);
        let local = b.structure("driver_state", 8, &[MemberDef::at("speed", int, 0), MemberDef::at("part", inner, 4)]);
        let kernels = b.structure("part", 8, &[MemberDef::at("extra", int, 0), MemberDef::at("weight", int, 4)]);
        let twice = b.structure("twice", 8, &[MemberDef::at("same", int, 0), MemberDef::at("other", int, 4)]);
        let gone = b.structure("of_no_module", 8, &[MemberDef::at("speed", int, 0)]);
        let local_types = Btf::parse(b.to_bytes()).expect("ours");
        let kernel = Kernel::saved(&dir, None);
        assert_eq!(kernel.modules(), ["another", "broken", "driver"]);
        let asked = |type_id, access: &str, kind| {
            let reloc = CoreReloc { insn_off: 0, type_id, access: access.to_string(), kind };
            resolve_in(&local_types, &reloc, &kernel)
        };
        let ask = |type_id, access: &str, kind| asked(type_id, access, kind).expect("resolved").value;
        let weight = base.find_member(part, "weight").expect("sound").expect("there").byte_offset();
        assert_eq!(ask(local, "0:0", CoreKind::FieldByteOffset), Some(48));
        assert_eq!(ask(local, "0:1:0", CoreKind::FieldByteOffset), Some(u64::from(8 + weight)));
        assert_eq!(ask(local, "0", CoreKind::TypeSize), Some(64));
        assert_eq!(ask(local, "0", CoreKind::TypeExists), Some(1));
        assert_eq!(ask(local, "0", CoreKind::TypeIdTarget), Some(u64::from(types) + 1));
        assert_eq!(ask(gone, "0", CoreKind::TypeExists), Some(0));
        assert_eq!(ask(gone, "0:0", CoreKind::FieldByteOffset), None);
        // The kernel's own comes first, and nobody looks further when it has not the field.
        assert_eq!(ask(kernels, "0:1", CoreKind::FieldByteOffset), Some(weight.into()));
        assert_eq!(ask(kernels, "0:0", CoreKind::FieldByteOffset), None);
        assert_eq!(ask(kernels, "0:0", CoreKind::FieldExists), Some(0));
        // Of two modules neither comes first: they agree, or it is an error.
        assert_eq!(ask(twice, "0:0", CoreKind::FieldByteOffset), Some(4));
        let differ = asked(twice, "0:1", CoreKind::FieldByteOffset);
        assert_eq!(differ.unwrap_err(), "the modules `another` and `driver` have such types, which do not agree");
        std::fs::remove_dir_all(&dir).expect("the scratch directory");
    }

    /// The same of our own compiler's object: every form that asks the kernel something (`every_form.lisp`).
    #[test]
    fn what_our_forms_ask() {
        let seen = as_libbpf_does("every_form.o", "forms-");
        // Offsets, sizes and numbers are other ones in a kernel where everything moved; where most is gone, most is poisoned.
        assert!(seen[1].0 > 40, "{seen:?}");
        assert!(seen[5].1 > 40, "{seen:?}");
        let bytes = std::fs::read(data("every_form.o")).expect("compiled");
        let object = whistler_object::elf::read(&bytes).expect("our object");
        let kinds =
            |k: CoreKind| object.programs.iter().flat_map(|p| &p.function.core).filter(|c| c.reloc.kind == k).count();
        for k in 0..=12 {
            let kind = CoreKind::from_number(k).expect("a kind");
            assert!(kinds(kind) > 0, "no relocation asks for {kind}");
        }
    }
}
