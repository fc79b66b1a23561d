//! Objects that clang made.

mod support;

use std::path::Path;

use expect_test::{expect, expect_file};
use whistler_btf::{Btf, Kind, Linkage, TypeId, TypeKind};
use whistler_isa::{AttachType, MapType, ProgType};
use whistler_object::{Object, ObjectError, Registration, Symbol, elf, listing};

fn file(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn features() -> Object {
    elf::read(&file("features.o")).unwrap()
}

#[test]
fn the_whole_listing() {
    expect_file!["data/features.listing"].assert_eq(&listing(&features(), true));
    expect_file!["data/ksyms.listing"].assert_eq(&listing(&elf::read(&file("ksyms.o")).unwrap(), true));
}

#[test]
fn programs_have_what_their_sections_say() {
    let o = features();
    let facts: Vec<_> = o
        .programs
        .iter()
        .map(|p| (p.function.name.as_str(), p.prog_type, p.attach_type, p.attach_target.as_deref(), p.sleepable))
        .collect();
    assert_eq!(
        facts,
        [
            ("parent", ProgType::Tracing, Some(AttachType::TraceRawTp), Some("sched_process_exec"), false),
            ("one", ProgType::RawTracepoint, None, Some("sys_enter"), false),
            ("two", ProgType::RawTracepoint, None, Some("sys_enter"), false),
            ("sleeps", ProgType::Tracing, Some(AttachType::TraceFentry), Some("bpf_fentry_test1"), true),
            ("pass", ProgType::Xdp, Some(AttachType::Xdp), None, false),
        ]
    );
    assert!(o.programs.iter().all(|p| p.license == "Dual BSD/GPL"));
}

#[test]
fn structs_of_operations_have_their_programs() {
    let o = elf::read(&file("struct_ops.o")).unwrap();
    let facts: Vec<_> = o.struct_ops.iter().map(|s| (s.name.as_str(), s.registration, &s.functions)).collect();
    let functions = vec![(16, "grow".to_string()), (32, "undo".to_string()), (40, "halve".to_string())];
    let mut there = facts.iter().map(|(.., f)| {
        let mut f = f.to_vec();
        f.sort();
        f
    });
    assert!(there.len() == 2 && there.all(|f| f == functions), "{facts:?}");
    assert_eq!(facts[0].0, "plain");
    assert_eq!((facts[0].1, facts[1].1), (Registration::Update, Registration::Link));
    assert!(o.struct_ops[1].init.starts_with(b"wh_clang_l\0"), "{:?}", o.struct_ops[1].init);
    // Its types are those of the struct, and the kernel takes the rest.
    let btf = Btf::parse(o.btf.clone()).unwrap();
    let t = btf.ty(TypeId(o.struct_ops[0].type_id)).unwrap();
    assert_eq!((t.name, t.composite().unwrap().len()), ("tcp_congestion_ops", 5));
    for (name, kind) in [(".struct_ops", TypeKind::Datasec), ("plain", TypeKind::Var)] {
        assert_eq!(btf.find(name, kind).unwrap(), None, "{name}");
    }
    let again = elf::read(&elf::write(&o).unwrap()).unwrap();
    let parts = |o: &Object| -> Vec<_> {
        let mut all: Vec<_> =
            o.struct_ops.iter().map(|s| (s.name.clone(), s.init.clone(), s.functions.clone())).collect();
        all.iter_mut().for_each(|(.., f)| f.sort());
        all
    };
    assert_eq!(parts(&again), parts(&o));
}

#[test]
fn static_hidden_and_global_subprograms() {
    let o = features();
    let btf = Btf::parse(o.btf.clone()).unwrap();
    let facts: Vec<_> = o
        .subprograms
        .iter()
        .map(|f| {
            let Kind::Func { linkage, .. } = btf.ty(TypeId(f.type_id.unwrap())).unwrap().get() else { panic!() };
            (f.name.as_str(), f.global, linkage)
        })
        .collect();
    assert_eq!(
        facts,
        [
            ("open_to_all", true, Linkage::Global),
            ("thrice", false, Linkage::Static),
            ("own", false, Linkage::Static),
            ("step", false, Linkage::Static),
            ("twice", false, Linkage::Static),
        ]
    );
    // One is called from its own section by distance alone, without a relocation.
    let thrice = o.subprogram("thrice").unwrap();
    assert_eq!(thrice.relocations[0].symbol, Symbol::Subprogram("twice".into()));
    let names: Vec<_> = o.reachable(&o.program("one").unwrap().function).iter().map(|f| f.name.clone()).collect();
    assert_eq!(names.len(), 5, "{names:?}");
}

#[test]
fn maps_are_read_whole() {
    let o = features();
    let hash = o.map("hash").unwrap();
    assert_eq!(
        (hash.map_type, hash.key_size, hash.value_size, hash.max_entries, hash.flags),
        (MapType::Hash, 4, 8, 64, 1)
    );
    assert_eq!(hash.pin.as_deref(), Some("/sys/fs/bpf/hash"));
    let btf = Btf::parse(o.btf.clone()).unwrap();
    assert_eq!(btf.ty(TypeId(hash.value_type.unwrap())).unwrap().name, "__u64");
    let inner = o.map("outer").unwrap().inner.as_ref().unwrap();
    assert_eq!((inner.map_type, inner.value_size, inner.max_entries), (MapType::Array, 8, 4));
    assert_eq!(o.map("ring").unwrap().max_entries, 4096);
}

#[test]
fn data_sections_have_sizes_and_offsets_that_the_kernel_takes() {
    let o = features();
    let btf = Btf::parse(o.btf.clone()).unwrap();
    let mut text = String::new();
    for g in &o.globals {
        text += &format!("{} {} bytes, {:?}\n", g.name, g.init.len(), g.mutability);
        let Some(Ok(Kind::Datasec(d))) = g.type_id.map(|id| btf.ty(TypeId(id)).map(|t| t.get())) else { continue };
        assert_eq!(d.size as usize, g.init.len());
        for v in d.vars() {
            text += &format!("  {:>2} {} ({} bytes)\n", v.offset, btf.ty(v.var).unwrap().name, v.size);
        }
    }
    expect![[r#"
        .rodata 12 bytes, ReadOnly
           0 limit (4 bytes)
           4 one.____fmt (8 bytes)
        .data 4 bytes, ReadWrite
           0 start (4 bytes)
        .data.kept 4 bytes, ReadWrite
           0 kept (4 bytes)
        .bss 76 bytes, ReadWrite
           0 counter (8 bytes)
           8 seen (64 bytes)
          72 hidden (4 bytes)
        .rodata.cst8 8 bytes, ReadOnly
           0 table (8 bytes)
        .rodata.str1.1 19 bytes, ReadOnly
    "#]]
    .assert_eq(&text);
}

#[test]
fn what_the_kernel_does_not_take_is_gone_from_the_types() {
    for name in ["features.o", "ksyms.o"] {
        let o = elf::read(&file(name)).unwrap();
        let btf = Btf::parse(o.btf.clone()).unwrap();
        for id in btf.own_ids().unwrap() {
            match btf.ty(id).unwrap().get() {
                Kind::Datasec(d) => assert!(d.size > 0 && d.vars().all(|v| v.size > 0)),
                Kind::Func { linkage, .. } | Kind::Var { linkage, .. } => assert_ne!(linkage, Linkage::Extern),
                _ => {}
            }
        }
        for section in [".maps", ".ksyms", "license"] {
            assert_eq!(btf.find(section, TypeKind::Datasec).unwrap(), None);
        }
    }
}

#[test]
fn core_relocations_count_from_their_function() {
    let o = features();
    let f = &o.program("parent").unwrap().function;
    let all: Vec<_> = f.core.iter().map(|c| (c.insn, c.reloc.insn_off, c.reloc.access.as_str())).collect();
    assert!(!all.is_empty());
    for (insn, off, _) in &all {
        assert_eq!(insn * 8, *off);
        assert!((*insn as usize) < f.insns.len());
    }
}

#[test]
fn written_again_they_read_the_same() {
    for name in ["features.o", "ksyms.o"] {
        let first = elf::read(&file(name)).unwrap();
        let second = elf::read(&elf::write(&first).unwrap()).unwrap();
        assert_eq!(format!("{:#?}", first.programs), format!("{:#?}", second.programs));
        assert_eq!(format!("{:#?}", first.subprograms), format!("{:#?}", second.subprograms));
        assert_eq!(format!("{:#?}", first.maps), format!("{:#?}", second.maps));
        assert_eq!(format!("{:#?}", first.globals), format!("{:#?}", second.globals));
    }
}

#[test]
fn what_we_do_not_take_is_refused_by_name() {
    let error = |bytes: &[u8]| elf::read(bytes).map(|_| ()).unwrap_err().to_string();
    let this_program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    let all = [
        error(&file("legacy.o")),
        error(&file("kconfig.o")),
        error(&file("big-endian.o")),
        error(&this_program),
        error(b"#!/bin/sh"),
        error(&[]),
        error(&file("features.o")[..100]),
    ];
    expect![[r#"
        section `maps`: map definitions of the old style (`struct bpf_map_def`) carry no types; define the maps in section `.maps`
        section `xdp`: `LINUX_KERNEL_VERSION` is a kernel configuration variable (`__kconfig`), which is not supported
        this is no eBPF object file: it was made for big-endian machines; compile for `bpfel`
        this is no eBPF object file: it is for machine 62, not for eBPF (247)
        this is no eBPF object file: it does not start as ELF files do
        this is no eBPF object file: it does not start as ELF files do
        this is no eBPF object file: Invalid ELF section header offset/size/alignment
    "#]].assert_eq(&(all.join("\n") + "\n"));
    assert!(matches!(elf::read(&file("legacy.o")), Err(ObjectError::Unsupported { .. })));
}
