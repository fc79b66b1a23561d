//! CO-RE: instructions that depend on the kernel's types get this kernel's offsets, sizes and numbers.
//!
//! Invariant: an access that this kernel lacks becomes an instruction that the verifier refuses if it
//! can be reached, never a wrong number.

use whistler_btf::{Btf, CoreKind, CoreReloc, Patched, Resolution, apply, describe, resolve};
use whistler_isa::Insn;
use whistler_kernel::Kernel;
use whistler_object::Function;

use crate::error::LoadError;

/// Slots that can't run, and what each asks for.
pub(crate) type Poisoned = Vec<(usize, String)>;

/// The function's slots for this kernel, and those that can't run, with what they ask for.
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
            Ok(Patched::Poisoned) => poisoned.push((at, what())),
            Err(e) => return Err(fail(e.to_string())),
        }
    }
    let insns = code.as_chunks::<8>().0.iter().map(|slot| Insn::from_bytes(*slot)).collect();
    Ok((insns, poisoned))
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

    /// Objects by clang, every kind of relocation, against kernels whose types are as they were, moved, widened,
    /// narrowed, renamed, removed, nested and ambiguous: instruction by instruction what libbpf 1.7 makes of them
    /// (`cargo xtask core` asks it again).
    #[test]
    fn as_libbpf_does() {
        let bytes = std::fs::read(data("every_kind.o")).expect("compiled by clang");
        let object = whistler_object::elf::read(&bytes).expect("clang's object");
        assert!(object.programs.len() > 60, "{} programs", object.programs.len());
        for target in ["same", "moved", "widened", "narrowed", "renamed", "removed", "nested", "two"] {
            let expected =
                std::fs::read_to_string(data(&format!("expected/{target}.insns"))).expect("libbpf's answers");
            let seen = ours(&object, &data(&format!("targets/{target}.btf")));
            let mut expected: Vec<&str> = expected.lines().collect();
            let mut seen: Vec<&str> = seen.lines().collect();
            expected.sort_unstable();
            seen.sort_unstable();
            assert_eq!(seen.len(), expected.len(), "{target}");
            for (ours, theirs) in seen.iter().zip(expected) {
                assert_eq!(*ours, theirs, "against {target}");
            }
        }
    }
}
