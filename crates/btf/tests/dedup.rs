//! Merging and deduplication against libbpf's (`cargo xtask core` writes its answers), and what must not become one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use whistler_btf::{Btf, BtfBuilder, BtfError, Kind, Linkage, MemberDef, SecVar, TypeId, TypeKind};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dedup")
}

fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    all.retain(|p| p.extension().is_some_and(|e| e == extension));
    all.sort();
    all
}

/// The section `.BTF` of an ELF file of 64 bits.
fn section(elf: &[u8]) -> Vec<u8> {
    let n = |at: usize, len: usize| elf[at..at + len].iter().rev().fold(0usize, |n, b| n << 8 | usize::from(*b));
    let header = |i: usize| n(0x28, 8) + i * n(0x3a, 2);
    let names = n(header(n(0x3e, 2)) + 0x18, 8);
    let btf = (0..n(0x3c, 2)).map(header).find(|h| elf[names + n(*h, 4)..].starts_with(b".BTF\0")).unwrap();
    elf[n(btf + 0x18, 8)..][..n(btf + 0x20, 8)].to_vec()
}

fn read(path: &Path) -> Btf {
    let bytes = std::fs::read(path).unwrap();
    Btf::parse(if bytes.starts_with(b"\x7fELF") { section(&bytes) } else { bytes }).unwrap()
}

fn kinds(btf: &Btf) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for id in btf.own_ids().unwrap() {
        *counts.entry(format!("{:?}", btf.ty(id).unwrap().kind())).or_default() += 1;
    }
    counts
}

/// A type as C; a tag on a declaration, which C has inside others, by what it is on.
fn text(btf: &Btf, id: TypeId) -> String {
    let t = btf.ty(id).unwrap();
    match t.get() {
        Kind::DeclTag { of, component } => format!("{} on {component:?} of {}", t.name, text(btf, of)),
        _ => btf.c_definition(id).unwrap(),
    }
}

/// Every type as C, in any order.
fn texts(btf: &Btf) -> Vec<String> {
    let mut all: Vec<String> = btf.own_ids().unwrap().map(|id| text(btf, id)).collect();
    all.sort();
    all
}

fn merge(inputs: &[PathBuf]) -> (Btf, Btf) {
    let mut all = BtfBuilder::new();
    for input in inputs {
        let before = all.type_count();
        let one = read(input);
        let shift = all.append(&one).unwrap();
        assert_eq!(shift + 1, before);
        assert_eq!(all.type_count(), before + one.type_count().unwrap() - 1);
    }
    let (merged, went) = all.dedup().unwrap();
    let (all, merged) = (Btf::parse(all.to_bytes()).unwrap(), Btf::parse(merged.to_bytes()).unwrap());
    for id in all.own_ids().unwrap() {
        let (was, is) = (all.ty(id).unwrap(), merged.ty(went.get(id).unwrap()).unwrap());
        assert_eq!(was.name, is.name);
        if was.kind() != TypeKind::Fwd {
            assert_eq!(all.size_of(id).ok(), merged.size_of(is.id).ok(), "{}", was.name);
            assert_eq!(text(&all, id), text(&merged, is.id));
        }
    }
    assert_eq!(went.get(TypeId(all.type_count().unwrap())), None);
    (all, merged)
}

fn as_libbpf(name: &str, inputs: &[PathBuf]) {
    let (all, ours) = merge(inputs);
    let theirs = read(&root().join(format!("{name}.expected.btf")));
    assert!(all.type_count().unwrap() > theirs.type_count().unwrap() * 3 / 2);
    assert_eq!(kinds(&ours), kinds(&theirs), "{name}");
    assert_eq!(texts(&ours), texts(&theirs), "{name}");
    // Type by type: written with strings in the same order, the bytes are equal.
    let again = |btf: &Btf| BtfBuilder::from_btf(btf).unwrap().dedup().unwrap().0.to_bytes();
    assert!(again(&theirs) == ours.bytes().unwrap(), "{name}: the types stand in another order or refer to others");
    assert!(again(&ours) == ours.bytes().unwrap(), "{name}: deduplicated twice is not once");
}

#[test]
fn units_that_share_types_merge_as_libbpf_merges_them() {
    as_libbpf("units", &files(&root().join("units"), "btf"));
}

#[test]
fn clangs_objects_merge_as_libbpf_merges_them() {
    as_libbpf("bench", &files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bench/clang/v3"), "o"));
}

#[test]
fn the_order_of_the_units_makes_no_other_types() {
    let mut inputs = files(&root().join("units"), "btf");
    let (_, first) = merge(&inputs);
    for _ in 1..inputs.len() {
        inputs.rotate_left(1);
        let (_, other) = merge(&inputs);
        assert_eq!(texts(&other), texts(&first));
    }
}

/// A list whose nodes hold `what`, and a struct that is only declared behind a pointer.
fn unit(what: &str, size: u32, define: bool) -> Btf {
    let mut b = BtfBuilder::new();
    let int = b.int(what, size, 0);
    let node = b.reserve_struct("node");
    let next = b.ptr(node);
    let owner = match define {
        true => b.structure("owner", 4, &[MemberDef::at("n", int, 0)]),
        false => b.fwd("owner", false),
    };
    let owner = b.ptr(owner);
    let members = [MemberDef::at("next", next, 0), MemberDef::at("value", int, 8), MemberDef::at("owner", owner, 16)];
    b.define(node, 24, &members);
    let var = b.var("head", next, Linkage::Global);
    b.datasec(".data", 8, &[SecVar { var, offset: 0, size: 8 }]);
    Btf::parse(b.to_bytes()).unwrap()
}

fn count(units: &[Btf], name: &str) -> usize {
    let mut b = BtfBuilder::new();
    for u in units {
        b.append(u).unwrap();
    }
    let merged = Btf::parse(b.dedup().unwrap().0.to_bytes()).unwrap();
    merged.find_all(name).unwrap().len()
}

#[test]
fn what_differs_anywhere_stays_two() {
    let (declared, defined) = (unit("int", 4, false), unit("int", 4, true));
    assert_eq!(count(&[declared.clone(), declared.clone()], "node"), 1);
    assert_eq!(count(&[declared.clone(), defined.clone()], "node"), 1);
    assert_eq!(count(&[declared.clone(), defined.clone()], "owner"), 1, "the declaration became the definition");
    assert_eq!(count(&[defined.clone(), declared.clone()], "owner"), 1);
    assert_eq!(count(&[declared.clone(), declared.clone()], "owner"), 1, "declared everywhere, defined nowhere");
    // A member's type that differs only by name or size, seen through a loop of pointers.
    assert_eq!(count(&[defined.clone(), unit("unsigned int", 4, true)], "node"), 2);
    assert_eq!(count(&[defined.clone(), unit("int", 8, true)], "node"), 2);
    // Two definitions of one name, so the declaration can be neither's by its name alone.
    let other = {
        let mut b = BtfBuilder::new();
        b.structure("owner", 16, &[]);
        Btf::parse(b.to_bytes()).unwrap()
    };
    assert_eq!(count(&[declared, other.clone(), defined], "owner"), 2);
    // Variables stay, whatever they are.
    assert_eq!(count(&[unit("int", 4, false), unit("int", 4, false)], "head"), 2);
    assert_eq!(count(&[other.clone(), other], "owner"), 1);
}

#[test]
fn what_refers_to_itself_without_a_struct_is_refused() {
    let mut b = BtfBuilder::new();
    let me = TypeId(b.type_count());
    b.typedef("me", me);
    assert_eq!(b.dedup().unwrap_err(), BtfError::TooDeep(me));
    let mut b = BtfBuilder::new();
    b.ptr(TypeId(77));
    assert_eq!(b.dedup().unwrap_err(), BtfError::NoType(TypeId(77)));
    assert!(matches!(BtfBuilder::split(5, 9).dedup(), Err(BtfError::Header(_))));
}

#[test]
fn the_kernels_own_types_are_unique() {
    let Ok(bytes) = std::fs::read("/sys/kernel/btf/vmlinux") else {
        eprintln!("skipped: no BTF of the running kernel");
        return;
    };
    let kernel = Btf::parse(bytes).unwrap();
    let once = BtfBuilder::from_btf(&kernel).unwrap().dedup().unwrap().0.type_count();
    let were = kernel.type_count().unwrap();
    assert!(once <= were && were - once < were / 1000, "{once} of {were}");
}
