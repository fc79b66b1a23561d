//! Broken files: every one is an error or an object that keeps the model's promises; none is a
//! panic, and none takes much memory. The seed is fixed; a failing case is printed.

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use whistler_object::{Object, Symbol, elf, listing};

/// xorshift64*: enough to choose bytes with.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

fn corpus() -> Vec<Vec<u8>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut files: Vec<_> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|p| p.extension().is_some_and(|x| x == "o"));
    files.sort();
    let mut all: Vec<Vec<u8>> = files.iter().map(|f| std::fs::read(f).unwrap()).collect();
    assert_eq!(all.len(), 6);
    all.push(elf::write(&support::rich()).unwrap());
    all.push(elf::write(&support::pass()).unwrap());
    all
}

/// Reads, and checks of what comes out that every name and index holds.
fn try_one(bytes: &[u8]) -> bool {
    let Ok(o) = elf::read(bytes) else { return false };
    check(&o);
    // It may say what can't be written, but not panic.
    let _ = elf::write(&o);
    let _ = listing(&o, true);
    true
}

fn check(o: &Object) {
    for s in &o.struct_ops {
        assert!(s.functions.iter().all(|(at, p)| (*at as usize) < s.init.len() && o.program(p).is_some()));
    }
    let functions = o.programs.iter().map(|p| &p.function).chain(&o.subprograms);
    for f in functions {
        assert_eq!(f.locs.len(), f.insns.len());
        assert!(f.locs.iter().all(|l| *l == u32::MAX || (*l as usize) < f.locations.len()));
        assert!(f.core.iter().all(|c| (c.insn as usize) < f.insns.len()));
        for r in &f.relocations {
            let insn = f.insns[r.insn as usize];
            assert!(!insn.is_wide() || r.insn as usize + 1 < f.insns.len());
            match &r.symbol {
                Symbol::Map(name) => assert!(o.map(name).is_some()),
                Symbol::Global { name, offset } => assert!(*offset as usize <= o.global(name).unwrap().init.len()),
                Symbol::Subprogram(name) => assert!(o.subprogram(name).is_some()),
                Symbol::Kfunc(name) | Symbol::Ksym(name) => assert!(!name.is_empty()),
            }
        }
    }
    assert!(o.globals.iter().map(|g| g.init.len()).sum::<usize>() <= 64 << 20);
}

fn must_not_panic(bytes: &[u8], what: &str) -> bool {
    match catch_unwind(AssertUnwindSafe(|| try_one(bytes))) {
        Ok(read) => read,
        Err(_) => panic!("panicked on {what}"),
    }
}

#[test]
fn cut_anywhere() {
    for (i, file) in corpus().iter().enumerate() {
        for len in (0..file.len()).step_by(7).chain(file.len().saturating_sub(70)..file.len()) {
            must_not_panic(&file[..len], &format!("file {i} cut to {len}"));
        }
    }
}

#[test]
fn bytes_changed_at_random() {
    let mut random = Random(0x5eed_0001);
    let mut read = 0;
    let corpus = corpus();
    for round in 0..6000 {
        let i = random.below(corpus.len());
        let mut bytes = corpus[i].clone();
        let mut what = format!("round {round}, file {i}:");
        for _ in 0..1 + random.below(6) {
            let at = random.below(bytes.len());
            let to = match random.below(4) {
                0 => 0,
                1 => 0xff,
                2 => bytes[at] ^ (1 << random.below(8)),
                _ => random.next() as u8,
            };
            bytes[at] = to;
            what += &format!(" [{at}]={to:#x}");
        }
        read += usize::from(must_not_panic(&bytes, &what));
    }
    // Most changes hit bytes that stay readable: else the test would see only the first check.
    assert!(read > 1000, "only {read} were read");
}

#[test]
fn words_replaced_by_extremes() {
    const EXTREMES: [u32; 8] = [0, 1, 7, 0x7fff_ffff, 0x8000_0000, 0xffff_fff8, 0xffff_ffff, 0x0100_0000];
    for (i, file) in corpus().iter().enumerate() {
        // Section headers and symbols lie at the end, BTF before them: all are counted in words.
        let mut random = Random(0x5eed_0100 + i as u64);
        for _ in 0..1500 {
            let at = random.below(file.len() / 4 - 1) * 4;
            let word = EXTREMES[random.below(EXTREMES.len())];
            let mut bytes = file.clone();
            bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
            must_not_panic(&bytes, &format!("file {i}: word at {at} = {word:#x}"));
        }
    }
}

/// A section without bytes in the file may claim any size: what it claims must not be believed.
#[test]
fn a_small_file_cannot_ask_for_much_memory() {
    let write = |sizes: &[u64]| {
        use object::write::Object;
        use object::{Architecture, BinaryFormat, Endianness, SectionKind};
        let mut o = Object::new(BinaryFormat::Elf, Architecture::Bpf, Endianness::Little);
        for (i, size) in sizes.iter().enumerate() {
            let id = o.add_section(Vec::new(), format!(".bss.{i}").into(), SectionKind::UninitializedData);
            o.append_section_bss(id, *size, 8);
        }
        o.write().unwrap()
    };
    let error = |sizes: &[u64]| elf::read(&write(sizes)).unwrap_err().to_string();
    assert_eq!(error(&[1 << 40]), "section `.bss.0`: 1099511627776 bytes are more than a map can hold (33554432)");
    let message = error(&[32 << 20; 100]);
    assert!(message.starts_with("section `.bss.2`: with it, all data sections have"), "{message}");
    assert_eq!(elf::read(&write(&[64])).unwrap().globals[0].init, [0; 64]);
}
