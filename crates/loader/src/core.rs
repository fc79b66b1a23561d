//! CO-RE: instructions that depend on the kernel's types get this kernel's offsets, sizes and numbers.
//!
//! Invariant: an access that this kernel lacks becomes an instruction that the verifier refuses if it
//! can be reached, never a wrong number.

use whistler_btf::{Btf, CoreKind, CoreReloc, Patched, Resolution, apply, describe, resolve};
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
        let resolution = in_kernel(kernel, local, &c.reloc).map_err(fail)?;
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

/// Looks in the kernel's own types, then in those of its modules.
fn in_kernel(kernel: &Kernel, local: &Btf, reloc: &CoreReloc) -> Result<Resolution, String> {
    let Some(btf) = kernel.shared_btf() else {
        return Err(kernel.btf_error().unwrap_or("this kernel has no BTF").to_string());
    };
    let own = resolve(local, reloc, &btf).map_err(|e| e.to_string())?;
    if own.target.is_some() || reloc.kind == CoreKind::TypeIdLocal {
        return Ok(own);
    }
    let modules = kernel.modules();
    let mut others = modules.iter().filter_map(|m| kernel.module_btf(m));
    let found = others.find_map(|m| resolve(local, reloc, &m).ok().filter(|r| r.target.is_some()));
    Ok(found.unwrap_or(own))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;
    use std::path::{Path, PathBuf};

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
