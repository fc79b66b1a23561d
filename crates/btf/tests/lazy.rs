//! Few lookups search, many have tables, and bytes may come in parts: what is found is the same, and the same as when all
//! types are looked at one by one.

mod common;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use whistler_btf::{Btf, BtfBuilder, BtfError, Memory, Parts, TypeId, TypeKind};

/// Bytes that are given in parts, and what was asked for.
#[derive(Clone)]
struct Given {
    bytes: Arc<Vec<u8>>,
    asked: Arc<Mutex<Vec<Range<usize>>>>,
    /// Parts that are given before reading fails.
    left: Arc<AtomicUsize>,
}

impl Given {
    fn new(bytes: &[u8]) -> Given {
        Given { bytes: Arc::new(bytes.to_vec()), asked: Arc::default(), left: Arc::new(AtomicUsize::new(usize::MAX)) }
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().iter().map(ExactSizeIterator::len).sum()
    }
}

impl Parts for Given {
    fn size(&self) -> usize {
        self.bytes.len()
    }

    fn part(&self, range: Range<usize>) -> Result<Memory, String> {
        let left = |n: usize| n.checked_sub(1);
        if self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left).is_err() {
            return Err("the disk is gone".to_string());
        }
        self.asked.lock().unwrap().push(range.clone());
        Ok(Arc::new(self.bytes[range].to_vec()))
    }
}

/// The ids of each name and kind, found by looking at every type of this part.
fn one_by_one(btf: &Btf) -> BTreeMap<String, Vec<(TypeId, TypeKind)>> {
    let mut all: BTreeMap<String, Vec<(TypeId, TypeKind)>> = BTreeMap::new();
    for id in btf.own_ids().unwrap() {
        let t = btf.ty(id).unwrap();
        if !t.name.is_empty() {
            all.entry(t.name.to_string()).or_default().push((id, t.kind()));
        }
    }
    all
}

/// The kinds that lookups ask for.
const ASKED: &[&[TypeKind]] = &[
    &[TypeKind::Struct, TypeKind::Union],
    &[TypeKind::Func],
    &[TypeKind::Typedef],
    &[TypeKind::Enum, TypeKind::Enum64],
    &[TypeKind::Int],
    &[TypeKind::Func, TypeKind::Var],
];

/// Every `step`th name, some that are there in no way, and some that are only parts of others.
fn names(all: &BTreeMap<String, Vec<(TypeId, TypeKind)>>, step: usize) -> Vec<String> {
    let mut names: Vec<String> = all.keys().step_by(step).cloned().collect();
    let parts: Vec<String> =
        names.iter().step_by(7).flat_map(|n| [n.get(1..), n.get(..n.len() - 1)]).flatten().map(String::from).collect();
    names.extend(parts);
    names.extend(["no_such_name".to_string(), String::new(), "nul\0in_it".to_string()]);
    names
}

/// Asks for names in the BTF that `open` makes, anew for every few names and once for them all.
fn same_as_one_by_one(open: impl Fn() -> Btf, step: usize) {
    let reference = open();
    let own = one_by_one(&reference);
    let of_base = reference.base().map(|b| one_by_one(b)).unwrap_or_default();
    let first = |all: &BTreeMap<String, Vec<(TypeId, TypeKind)>>, name: &str, kinds: &[TypeKind]| {
        all.get(name).and_then(|ids| ids.iter().find(|(_, k)| kinds.contains(k)).map(|(id, _)| *id))
    };
    let mut names = names(&own, step);
    names.extend(of_base.keys().step_by(step).cloned());
    let once = open();
    for few in names.chunks(4) {
        let fresh = open();
        for name in few {
            for kinds in ASKED {
                let expected = first(&own, name, kinds).or_else(|| first(&of_base, name, kinds));
                for btf in [&fresh, &once, &fresh] {
                    assert_eq!(btf.find_any(name, kinds).unwrap(), expected, "{name} {kinds:?}");
                }
            }
            let ids = |all: &BTreeMap<String, Vec<(TypeId, TypeKind)>>| -> Vec<TypeId> {
                all.get(name).into_iter().flatten().map(|(id, _)| *id).collect()
            };
            let expected = [ids(&of_base), ids(&own)].concat();
            assert_eq!((fresh.find_all(name).unwrap(), once.find_all(name).unwrap()), (expected.clone(), expected));
        }
    }
    for id in reference.own_ids().unwrap().step_by(97) {
        let (a, b) = (reference.ty(id).unwrap(), open());
        let b = b.ty(id).unwrap();
        assert_eq!((a.name, a.kind()), (b.name, b.kind()));
    }
    let end = TypeId(reference.type_count().unwrap());
    assert_eq!(open().ty(end).map(|t| t.id), Err(BtfError::NoType(end)));
}

fn unit() -> Vec<u8> {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dedup/units");
    let mut files: Vec<_> = std::fs::read_dir(dir).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    std::fs::read(files.iter().find(|f| f.extension().is_some_and(|e| e == "btf")).unwrap()).unwrap()
}

#[test]
fn what_clang_wrote() {
    let bytes = unit();
    same_as_one_by_one(|| Btf::parse(bytes.clone()).unwrap(), 1);
    same_as_one_by_one(|| Btf::parse_parts(Given::new(&bytes)).unwrap(), 1);
}

/// A module's types, some named like its base's, many of them, of every kind.
fn module(base: &Btf, names: &[&str]) -> Vec<u8> {
    let (types, strings) = base.extent().unwrap();
    let mut b = BtfBuilder::split(types, strings);
    for (n, name) in names.iter().enumerate() {
        match n % 4 {
            0 => b.structure(name, 8, &[]),
            1 => b.union(name, 8, &[]),
            2 => b.typedef(name, TypeId(1)),
            _ => b.enumeration(name, 4, false, &[("ON", 1)]),
        };
        b.structure(&format!("own_{name}"), 4, &[]);
        b.structure(name, 4, &[]);
    }
    b.to_bytes()
}

#[test]
fn split_btf() {
    let base = Arc::new(Btf::parse(unit()).unwrap());
    let named = one_by_one(&base);
    let names: Vec<&str> = named.keys().map(String::as_str).step_by(3).chain(["tree", "leaf", "new"]).collect();
    let bytes = module(&base, &names);
    same_as_one_by_one(|| Btf::parse_split(bytes.clone(), base.clone()).unwrap(), 1);
    // The base is asked for the first time through the module.
    let fresh = || Arc::new(Btf::parse_parts(Given::new(&unit())).unwrap());
    same_as_one_by_one(|| Btf::parse_split(bytes.clone(), fresh()).unwrap(), 1);
}

/// BTF whose second and third struct share the bytes of the first one's name.
fn shared_tails() -> Vec<u8> {
    let strings = b"\0my_long_name\0name\0";
    let mut types: Vec<u8> = Vec::new();
    for (name, kind) in [(1u32, 4u32), (4, 4), (9, 4), (14, 4), (9, 5), (14, 8)] {
        types.extend([name.to_le_bytes(), (kind << 24).to_le_bytes(), 0u32.to_le_bytes()].concat());
    }
    let mut bytes = vec![0x9f, 0xeb, 1, 0];
    for word in [24, 0, types.len() as u32, types.len() as u32, strings.len() as u32] {
        bytes.extend(word.to_le_bytes());
    }
    [bytes, types, strings.to_vec()].concat()
}

#[test]
fn names_that_share_their_bytes() {
    let btf = Btf::parse(shared_tails()).unwrap();
    assert_eq!(btf.find("long_name", TypeKind::Struct), Ok(Some(TypeId(2))));
    assert_eq!(btf.find("name", TypeKind::Struct), Ok(Some(TypeId(3))));
    assert_eq!(btf.find("name", TypeKind::Union), Ok(Some(TypeId(5))));
    assert_eq!(btf.find_all("name"), Ok([3, 4, 5, 6].map(TypeId).to_vec()));
    same_as_one_by_one(|| Btf::parse(shared_tails()).unwrap(), 1);
}

#[test]
fn what_lies_behind_a_broken_type() {
    // The third type's kind becomes one that there is not.
    let mut bytes = shared_tails();
    bytes[24 + 2 * 12 + 7] = 31;
    for _ in 0..2 {
        let btf = Btf::parse(bytes.clone()).unwrap();
        // However often it is asked, what comes before is found, and what comes behind is an error.
        for _ in 0..200 {
            assert_eq!(btf.find("my_long_name", TypeKind::Struct), Ok(Some(TypeId(1))));
            assert_eq!(btf.ty(TypeId(2)).map(|t| t.name), Ok("long_name"));
            let broken = BtfError::UnknownKind { id: TypeId(3), kind: 31 };
            assert_eq!(btf.find("name", TypeKind::Struct), Err(broken.clone()));
            assert_eq!(btf.find_all("long_name"), Err(broken.clone()));
            assert_eq!(btf.ty(TypeId(4)).map(|t| t.name), Err(broken.clone()));
            assert_eq!(btf.type_count(), Err(broken));
            // No string, no type to look for.
            assert_eq!(btf.find("other", TypeKind::Struct), Ok(None));
        }
    }
}

#[test]
fn parts_that_can_not_be_read() {
    let bytes = unit();
    for good in 0..4 {
        let given = Given::new(&bytes);
        given.left.store(good, Ordering::Relaxed);
        let why = BtfError::Unread("the disk is gone".to_string());
        match Btf::parse_parts(given) {
            Err(e) => assert!(good < 2 && e == why, "{good}: {e}"),
            Ok(btf) if good == 2 => {
                assert_eq!(btf.find("tree", TypeKind::Struct), Err(why.clone()));
                assert_eq!(btf.ty(TypeId(1)).map(|t| t.id), Err(why.clone()));
                assert_eq!(btf.bytes().map(<[u8]>::len), Err(why));
            }
            Ok(btf) => assert!(btf.find("tree", TypeKind::Struct).unwrap().is_some() && btf.bytes().is_err()),
        }
    }
    let whole = Btf::parse_parts(Given::new(&bytes)).unwrap();
    assert_eq!(whole.bytes(), Ok(&bytes[..]));
}

#[test]
fn foreign_bytes_in_parts() {
    let good = unit();
    let mut random = common::Random(0x5eed_0f1a_2b3c_4d5e);
    for _ in 0..150 {
        let mut bytes = good.clone();
        random.mutate(&mut bytes);
        let (whole, parts) = (Btf::parse(bytes.clone()), Btf::parse_parts(Given::new(&bytes)));
        assert_eq!(whole.as_ref().err(), parts.as_ref().err());
        let (Ok(whole), Ok(parts)) = (whole, parts) else { continue };
        for name in ["tree", "node", "int", "nothing"] {
            assert_eq!(whole.find_all(name), parts.find_all(name));
            assert_eq!(whole.find_composite(name), parts.find_composite(name));
        }
        common::ask(&parts);
    }
}

#[test]
fn the_kernels_types() {
    let bytes = match std::fs::read("/sys/kernel/btf/vmlinux") {
        Ok(bytes) => Arc::new(bytes),
        Err(e) => {
            assert!(std::env::var_os("WHISTLER_REQUIRE_KERNEL").is_none(), "vmlinux: {e}");
            return eprintln!("skipped: vmlinux: {e}");
        }
    };
    struct Shared(Arc<Vec<u8>>);
    impl AsRef<[u8]> for Shared {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    let whole = Btf::parse(Shared(bytes.clone())).unwrap();
    let own = one_by_one(&whole);
    let all: Vec<&String> = own.keys().collect();
    // Tables for all of them, searches for some.
    for name in &all {
        let kinds = [TypeKind::Struct, TypeKind::Union];
        let expected = own[*name].iter().find(|(_, k)| kinds.contains(k)).map(|(id, _)| *id);
        assert_eq!(whole.find_any(name, &kinds), Ok(expected), "{name}");
        let function = own[*name].iter().find(|(_, k)| *k == TypeKind::Func).map(|(id, _)| *id);
        assert_eq!(whole.find(name, TypeKind::Func), Ok(function), "{name}");
    }
    for few in all.iter().step_by(all.len() / 1000).collect::<Vec<_>>().chunks(8) {
        let fresh = Btf::parse(Shared(bytes.clone())).unwrap();
        for name in few {
            let composite = fresh.find_any(name, &[TypeKind::Struct, TypeKind::Union]);
            assert_eq!(composite, whole.find_any(name, &[TypeKind::Struct, TypeKind::Union]), "{name}");
            assert_eq!(fresh.find_all(name).unwrap(), own[**name].iter().map(|(id, _)| *id).collect::<Vec<_>>());
        }
    }
    // A struct that everybody asks for takes the strings and not much of the types.
    let given = Given::new(&bytes);
    let btf = Btf::parse_parts(given.clone()).unwrap();
    let task = btf.find("task_struct", TypeKind::Struct).unwrap().unwrap();
    assert!(btf.find_member(task, "pid").unwrap().is_some());
    assert!(given.asked() < bytes.len() * 2 / 3, "{} of {} bytes read", given.asked(), bytes.len());
}
