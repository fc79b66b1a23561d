//! Types that the kernel gives a meaning by their name, wherever they stand in a program's own types: locks, timers,
//! dynptrs, iterators. Invariant: sizes and alignments are the kernel's, which a test compares with its BTF.

use std::rc::Rc;

use whistler_diag::Span;
use whistler_lisp::Symbol;

use crate::hir::{Field, IntTy, StructDef, Ty};
use crate::names::norm;

/// The kernel's name, the type of a word, and how many words.
const ROWS: &[(&str, IntTy, u32)] = &[
    ("bpf_spin_lock", IntTy::U32, 1),
    ("bpf_res_spin_lock", IntTy::U32, 1),
    ("bpf_timer", IntTy::U64, 2),
    ("bpf_wq", IntTy::U64, 2),
    ("bpf_task_work", IntTy::U64, 1),
    ("bpf_dynptr", IntTy::U64, 2),
    ("bpf_list_head", IntTy::U64, 2),
    ("bpf_list_node", IntTy::U64, 3),
    ("bpf_rb_root", IntTy::U64, 2),
    ("bpf_rb_node", IntTy::U64, 4),
    ("bpf_refcount", IntTy::U32, 1),
    ("bpf_iter_num", IntTy::U64, 1),
    ("bpf_iter_bits", IntTy::U64, 2),
    ("bpf_iter_task", IntTy::U64, 3),
    ("bpf_iter_task_vma", IntTy::U64, 1),
    ("bpf_iter_css", IntTy::U64, 3),
    ("bpf_iter_css_task", IntTy::U64, 1),
    ("bpf_iter_kmem_cache", IntTy::U64, 1),
    ("bpf_iter_dmabuf", IntTy::U64, 1),
];

fn definition((name, word, count): (&str, IntTy, u32)) -> StructDef {
    let size = u32::from(word.size);
    let ty = if count == 1 { Ty::Int(word) } else { Ty::Array(Rc::new(Ty::Int(word)), count) };
    let field = Field { name: "__opaque".into(), ty, offset: 0, bits: None, big_endian: false, span: Span::NONE };
    StructDef {
        name: name.into(),
        fields: vec![field],
        size: size * count,
        align: size,
        union: false,
        span: Span::NONE,
    }
}

thread_local! {
    static TYPES: Vec<(Symbol, Rc<StructDef>)> = ROWS
        .iter()
        .map(|r| (norm(Symbol::intern(r.0)), Rc::new(definition(*r))))
        .collect();
}

/// Those that the kernel looks for in the values of maps, and that programs touch only by what is made for them.
pub const SPECIAL: &[&str] =
    &["bpf_spin_lock", "bpf_res_spin_lock", "bpf_timer", "bpf_wq", "bpf_list_head", "bpf_rb_root"];

/// Whether one of that name lies in the bytes from `at` on of a type.
pub fn lies_in(ty: &Ty, name: &str, at: i64, len: u32) -> bool {
    if len == 0 || at >= i64::from(ty.size()) || at + i64::from(len) <= 0 {
        return false;
    }
    match ty {
        _ if is(ty, name) => true,
        Ty::Struct(s) => s.fields.iter().any(|f| lies_in(&f.ty, name, at - i64::from(f.offset), len)),
        Ty::Array(t, n) => (0..*n).any(|i| lies_in(t, name, at - i64::from(i * t.size()), len)),
        _ => false,
    }
}

/// The type of this name.
pub fn named(name: Symbol) -> Option<Rc<StructDef>> {
    let key = norm(name);
    TYPES.with(|t| t.iter().find(|(n, _)| *n == key).map(|(_, d)| d.clone()))
}

/// The type of this name of the kernel's.
pub fn of(name: &str) -> Option<Ty> {
    named(Symbol::intern(name)).map(Ty::Struct)
}

/// Whether a type is the one of this name.
pub fn is(ty: &Ty, name: &str) -> bool {
    matches!(ty, Ty::Struct(d) if &*d.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_the_kernels() {
        let Ok(bytes) = std::fs::read("/sys/kernel/btf/vmlinux") else {
            assert!(std::env::var_os("WHISTLER_REQUIRE_KERNEL").is_none(), "no BTF");
            return;
        };
        let btf = whistler_btf::Btf::parse(bytes).expect("the kernel's own");
        let mut seen = 0;
        for name in ROWS.iter().map(|r| r.0) {
            let def = named(Symbol::intern(name)).expect("it is in the table");
            let Some(id) = crate::kernel::find(&btf, name) else { continue };
            assert_eq!(btf.size_of(id), Ok(def.size), "{name}");
            seen += 1;
        }
        assert!(seen > 12, "{seen}");
        // What prints the kernel's types for the language knows the same ones.
        let ours: Vec<_> = ROWS.iter().map(|r| definition(*r)).map(|d| (d.name.to_string(), d.size, d.align)).collect();
        let known = whistler_btf::OWN_STRUCTS.iter().map(|r| (r.0.to_string(), r.1, r.2));
        assert_eq!(ours, known.collect::<Vec<_>>());
        assert!(named(Symbol::intern("bpf-spin-lock")).is_some() && named(Symbol::intern("task_struct")).is_none());
    }
}
