//! What compilers and kernels wrote, with bits, words and lengths changed: every answer is a value or an error, soon, and
//! without memory that the bytes' size doesn't justify.

mod common;

use common::{Random, ask, exercise};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use whistler_btf::{Btf, BtfBuilder, BtfExt, Kind, TypeId};

fn files(dir: &str, extension: &str) -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join(dir);
    let mut all: Vec<PathBuf> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    all.retain(|p| p.extension().is_some_and(|e| e == extension));
    all.sort();
    all
}

/// A section of an ELF file of 64 bits.
fn section(elf: &[u8], name: &str) -> Vec<u8> {
    let n = |at: usize, len: usize| elf[at..at + len].iter().rev().fold(0usize, |n, b| n << 8 | usize::from(*b));
    let header = |i: usize| n(0x28, 8) + i * n(0x3a, 2);
    let names = n(header(n(0x3e, 2)) + 0x18, 8);
    let name = [name.as_bytes(), b"\0"].concat();
    let found = (0..n(0x3c, 2)).map(header).find(|h| elf[names + n(*h, 4)..].starts_with(&name)).unwrap();
    elf[n(found + 0x18, 8)..][..n(found + 0x20, 8)].to_vec()
}

/// The most memory that this process ever asked for, in megabytes.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmPeak:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() / 1024
}

/// Every word of the header, set to what lies just within, just outside and far out.
fn headers(bytes: &[u8], words: std::ops::Range<usize>) -> Vec<Vec<u8>> {
    let len = bytes.len() as u32;
    let numbers =
        [0, 1, 3, 4, 23, 25, len - 24, len - 1, len, len + 1, 0x7fff_ffff, 0x8000_0000, u32::MAX - 3, u32::MAX];
    let mut all = Vec::new();
    for word in words {
        for number in numbers {
            let mut b = bytes.to_vec();
            b[4 * word..4 * word + 4].copy_from_slice(&number.to_le_bytes());
            all.push(b);
        }
    }
    all
}

#[test]
fn btf_of_clang() {
    let before = peak();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut inputs: Vec<Vec<u8>> =
        files("tests/dedup/units", "btf").iter().map(|p| std::fs::read(p).unwrap()).collect();
    inputs.extend(files("../loader/tests/core/targets", "btf").iter().map(|p| std::fs::read(p).unwrap()));
    assert!(inputs.len() > 10);
    for good in inputs {
        headers(&good, 1..6).into_iter().for_each(exercise);
        for _ in 0..20 {
            let mut bytes = good.clone();
            random.mutate(&mut bytes);
            exercise(bytes);
        }
        for _ in 0..8 {
            exercise(good[..random.next(good.len())].to_vec());
        }
    }
    assert!(peak() < before + 1024, "{} MB", peak());
}

#[test]
fn numbers_of_entries_that_the_bytes_do_not_hold() {
    // The largest number of entries in every record in turn.
    let good = std::fs::read(&files("tests/dedup/units", "btf")[0]).unwrap();
    let types = u32::from_le_bytes(good[12..16].try_into().unwrap()) as usize;
    for at in (24..24 + types).step_by(4) {
        let mut bytes = good.clone();
        bytes[at..at + 2].copy_from_slice(&[0xff, 0xff]);
        if let Ok(btf) = Btf::parse(bytes) {
            let _ = (btf.type_count(), btf.find_all("tree"), BtfBuilder::from_btf(&btf).and_then(|b| b.dedup()));
        }
    }
}

/// A module's types on those of the first unit.
fn split(base: &Btf) -> Vec<u8> {
    let (types, strings) = base.extent().unwrap();
    let mut b = BtfBuilder::split(types, strings);
    let tree = base.find_composite("tree").unwrap().unwrap();
    let to = b.ptr(tree);
    let members = [whistler_btf::MemberDef::at("tree", to, 0), whistler_btf::MemberDef::at("own", TypeId(1), 8)];
    let driver = b.structure("driver", 16, &members);
    let array = b.array(driver, 4);
    b.typedef("drivers", array);
    b.enumeration("driver_state", 4, false, &[("DRIVER_ON", 1)]);
    b.to_bytes()
}

#[test]
fn split_btf_and_its_base() {
    let base = std::fs::read(&files("tests/dedup/units", "btf")[0]).unwrap();
    let good = Arc::new(Btf::parse(base.clone()).unwrap());
    let module = split(&good);
    let btf = Btf::parse_split(module.clone(), good.clone()).unwrap();
    let driver = btf.find_composite("driver").unwrap().unwrap();
    assert!(matches!(btf.ty(driver).unwrap().get(), Kind::Struct(c) if c.len() == 2));
    assert!(btf.c_header(driver).is_ok());
    let mut random = Random(0x0123_4567_89ab_cdef);
    for bytes in headers(&module, 1..6) {
        let _ = Btf::parse_split(bytes, good.clone()).map(|b| ask(&b));
    }
    for _ in 0..200 {
        let mut bytes = module.clone();
        random.mutate(&mut bytes);
        let _ = Btf::parse_split(bytes, good.clone()).map(|b| ask(&b));
    }
    // The module is good, and what it stands on is not what it was made for.
    for _ in 0..60 {
        let mut bytes = base.clone();
        random.mutate(&mut bytes);
        if let Ok(other) = Btf::parse(bytes) {
            let _ = Btf::parse_split(module.clone(), Arc::new(other)).map(|b| ask(&b));
        }
    }
}

#[test]
fn btf_ext_of_clang() {
    let before = peak();
    let mut objects = files("../../bench/clang/v3", "o");
    objects.extend(files("../loader/tests/core", "o"));
    let mut random = Random(0xfeed_face_cafe_beef);
    let (mut records, mut relocations) = (0, 0);
    for object in objects {
        let elf = std::fs::read(object).unwrap();
        let btf = Btf::parse(section(&elf, ".BTF")).unwrap();
        let good = section(&elf, ".BTF.ext");
        let ext = BtfExt::parse(&good, &btf).unwrap();
        records += ext.lines.iter().map(|s| s.records.len()).sum::<usize>();
        records += ext.funcs.iter().map(|s| s.records.len()).sum::<usize>();
        relocations += ext.core.iter().map(|s| s.records.len()).sum::<usize>();
        for bytes in headers(&good, 1..8) {
            let _ = BtfExt::parse(&bytes, &btf);
        }
        // The first words of each table: the size of a record, the section's name, their number.
        for table in [8, 16, 24] {
            let word =
                |at: usize| good.get(at..at + 4).map_or(0, |w| u32::from_le_bytes(w.try_into().unwrap())) as usize;
            let at = (word(4) + word(table)) / 4;
            if word(table + 4) > 0 {
                for bytes in headers(&good, at..(at + 3).min(good.len() / 4)) {
                    let _ = BtfExt::parse(&bytes, &btf);
                }
            }
        }
        for _ in 0..400 {
            let mut bytes = good.clone();
            random.mutate(&mut bytes);
            // What is still read can be written, and is the same when read again.
            if let Ok(ext) = BtfExt::parse(&bytes, &btf) {
                let mut strings = BtfBuilder::from_btf(&btf).unwrap();
                let written = ext.to_bytes(&mut strings);
                let again = BtfExt::parse(&written, &Btf::parse(strings.to_bytes()).unwrap()).unwrap();
                let kept = |n: &BtfExt| n.core.iter().map(|s| s.records.len()).sum::<usize>();
                assert_eq!(kept(&again), kept(&ext));
            }
        }
    }
    assert!(records > 1000 && relocations > 100, "{records} records, {relocations} relocations");
    assert!(peak() < before + 1024, "{} MB", peak());
}
