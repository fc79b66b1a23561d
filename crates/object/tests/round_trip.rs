//! What is written is read back; what is written is what the field's tools expect.

mod support;

use expect_test::expect;
use support::{function, global, map, pass, program, rich};
use whistler_btf::{Btf, Kind, Linkage, TypeId, TypeKind};
use whistler_isa::{MapType, ProgType};
use whistler_object::{Mutability, Object, ObjectError, Symbol, elf, listing};

/// What a file can't hold, taken out: variables become parts of sections.
fn as_in_a_file(o: &mut Object) {
    let place = |name: &str| match name {
        "limit" => (".rodata", 0),
        "table" => (".rodata", 8),
        "total" => (".bss", 0),
        "start" => (".data", 0),
        other => panic!("{other}"),
    };
    let functions = o.programs.iter_mut().map(|p| &mut p.function).chain(&mut o.subprograms);
    for r in functions.flat_map(|f| &mut f.relocations) {
        if let Symbol::Global { name, offset } = &mut r.symbol {
            let (section, at) = place(name);
            (*name, *offset) = (section.to_string(), *offset + at);
        }
    }
}

#[test]
fn functions_maps_and_lines_come_back() {
    let mut before = rich();
    let after = elf::read(&elf::write(&before).unwrap()).unwrap();
    as_in_a_file(&mut before);
    assert_eq!(format!("{:#?}", before.programs), format!("{:#?}", after.programs));
    assert_eq!(format!("{:#?}", before.subprograms), format!("{:#?}", after.subprograms));
    assert_eq!(format!("{:#?}", before.maps), format!("{:#?}", after.maps));
    let globals: Vec<_> = after.globals.iter().map(|g| (g.name.as_str(), g.init.clone(), g.mutability)).collect();
    let rodata = [&9u64.to_le_bytes()[..], &[1, 2, 3, 4, 5]].concat();
    assert_eq!(
        globals,
        [
            (".rodata", rodata, Mutability::ReadOnly),
            (".bss", vec![0; 8], Mutability::ReadWrite),
            (".data", 5u64.to_le_bytes().to_vec(), Mutability::ReadWrite),
        ]
    );
}

#[test]
fn writing_is_deterministic_and_reading_then_writing_changes_nothing_more() {
    let first = elf::write(&rich()).unwrap();
    assert_eq!(first, elf::write(&rich()).unwrap());
    let once = elf::read(&first).unwrap();
    let twice = elf::read(&elf::write(&once).unwrap()).unwrap();
    assert_eq!(format!("{:#?}", once.programs), format!("{:#?}", twice.programs));
    assert_eq!(format!("{:#?}", once.subprograms), format!("{:#?}", twice.subprograms));
    assert_eq!(format!("{:#?}", once.maps), format!("{:#?}", twice.maps));
    assert_eq!(format!("{:#?}", once.globals), format!("{:#?}", twice.globals));
    // What describes the file is made anew and not piled up: only the maps' definitions remain as types without use.
    let count = |o: &Object| Btf::parse(o.btf.clone()).unwrap().type_count().unwrap();
    assert!(count(&twice) < count(&once) + 16, "{} {}", count(&once), count(&twice));
}

/// The file as another reader of ELF sees it: what libbpf, aya and cilium/ebpf rely on.
#[test]
fn the_shape_of_the_file() {
    use object::read::elf::ElfFile64;
    use object::{LittleEndian, Object as _, ObjectSection as _, ObjectSymbol as _, RelocationFlags, RelocationTarget};
    let bytes = elf::write(&rich()).unwrap();
    let file = ElfFile64::<LittleEndian>::parse(&*bytes).unwrap();
    let mut text = String::new();
    for s in file.sections().filter(|s| !s.name().unwrap().starts_with(".rel")) {
        text += &format!("{} {:?} {} bytes\n", s.name().unwrap(), s.kind(), s.size());
        for (at, r) in s.relocations() {
            let RelocationFlags::Elf { r_type } = r.flags() else { panic!() };
            let RelocationTarget::Symbol(symbol) = r.target() else { panic!() };
            let symbol = file.symbol_by_index(symbol).unwrap();
            let imm = &s.data().unwrap()[at as usize + 4..at as usize + 8];
            let imm = i32::from_le_bytes(imm.try_into().unwrap());
            let name = match symbol.name().unwrap() {
                "" => file.section_by_index(symbol.section_index().unwrap()).unwrap().name().unwrap(),
                name => name,
            };
            text += &format!("    {at:#x}: type {} {name} and {imm}\n", r_type.0);
        }
    }
    for s in file.symbols().filter(|s| !s.name().unwrap().is_empty()) {
        let section = file.section_by_index(s.section_index().unwrap()).unwrap();
        let scope = if s.is_global() { "global" } else { "local" };
        let (name, kind) = (s.name().unwrap(), s.kind());
        text +=
            &format!("{scope} {kind:?} {name}: {} {:#x}, {} bytes\n", section.name().unwrap(), s.address(), s.size());
    }
    expect![[r#"
        .text Text 120 bytes
            0x18: type 10 .text and -1
            0x28: type 1 .data and 0
        raw_tp/sys_enter Text 304 bytes
            0x20: type 1 flows and 0
            0x58: type 1 .rodata and 0
            0x70: type 1 .bss and 0
            0x88: type 1 .rodata and 12
            0xa8: type 10 .text and -1
            0xb8: type 10 shared and -1
            0xd0: type 1 .text and 80
            0x118: type 10 shared and -1
        tp_btf/sched_process_exec Text 48 bytes
        .rodata ReadOnlyData 13 bytes
        .bss UninitializedData 8 bytes
        .data Data 8 bytes
        .maps Data 160 bytes
        license Data 4 bytes
        .BTF Other 2087 bytes
        .BTF.ext Other 324 bytes
        .symtab Metadata 504 bytes
        .strtab Metadata 102 bytes
        .shstrtab Metadata 131 bytes
        local Text half: .text 0x0, 24 bytes
        local Text step: .text 0x50, 40 bytes
        global Text shared: .text 0x18, 56 bytes
        global Text count: raw_tp/sys_enter 0x0, 272 bytes
        global Text again: raw_tp/sys_enter 0x110, 32 bytes
        global Text parent: tp_btf/sched_process_exec 0x0, 48 bytes
        global Data limit: .rodata 0x0, 8 bytes
        global Data table: .rodata 0x8, 5 bytes
        global Data total: .bss 0x0, 8 bytes
        global Data start: .data 0x0, 8 bytes
        global Data flows: .maps 0x0, 40 bytes
        global Data events: .maps 0x28, 16 bytes
        global Data outer: .maps 0x38, 32 bytes
        global Data pinned: .maps 0x58, 40 bytes
        global Data bloom: .maps 0x80, 32 bytes
        global Data _license: license 0x0, 4 bytes
    "#]]
    .assert_eq(&text);
}

#[test]
fn a_file_is_read_at_any_address() {
    let file = elf::write(&rich()).unwrap();
    for shift in 1..8 {
        let moved = [vec![0; shift], file.clone()].concat();
        elf::read(&moved[shift..]).unwrap();
    }
}

#[test]
fn types_stay_and_describe_the_file() {
    let object = rich();
    let file = elf::write(&object).unwrap();
    let read = elf::read(&file).unwrap();
    let (before, after) = (Btf::parse(object.btf).unwrap(), Btf::parse(read.btf).unwrap());
    for id in before.own_ids().unwrap() {
        assert_eq!(before.ty(id).unwrap().name, after.ty(id).unwrap().name);
        assert_eq!(before.ty(id).unwrap().kind(), after.ty(id).unwrap().kind());
    }
    // The section of maps is the file's; those of variables are the loader's too.
    assert_eq!(after.find(".maps", TypeKind::Datasec).unwrap(), None);
    let rodata = read.globals.iter().find(|g| g.name == ".rodata").unwrap().type_id.unwrap();
    let Kind::Datasec(section) = after.ty(TypeId(rodata)).unwrap().get() else { panic!() };
    let vars: Vec<_> = section.vars().map(|v| (after.ty(v.var).unwrap().name.to_string(), v.offset, v.size)).collect();
    assert_eq!((section.size, vars), (13, vec![("limit".into(), 0, 8), ("table".into(), 8, 5)]));
}

#[test]
fn linkage_follows_the_functions() {
    let read = elf::read(&elf::write(&rich()).unwrap()).unwrap();
    let btf = Btf::parse(read.btf.clone()).unwrap();
    let linkage = |id: Option<u32>| match btf.ty(TypeId(id.unwrap())).unwrap().get() {
        Kind::Func { linkage, .. } => linkage,
        _ => panic!("no function"),
    };
    assert_eq!(linkage(read.program("count").unwrap().function.type_id), Linkage::Global);
    assert_eq!(linkage(read.subprogram("half").unwrap().type_id), Linkage::Static);
    assert_eq!(linkage(read.subprogram("shared").unwrap().type_id), Linkage::Global);
}

#[test]
fn an_object_without_types_gets_those_that_loaders_need() {
    let mut o = pass();
    o.subprograms.push(function("sub", "r0 = 1\nexit"));
    o.programs[0].function = function("pass", "@call sub\nr0 = 2\nexit");
    o.maps.push(map("m", MapType::Array, 4, 4, 1));
    let read = elf::read(&elf::write(&o).unwrap()).unwrap();
    assert!(read.programs[0].function.type_id.is_some());
    assert!(read.subprograms[0].type_id.is_some());
    assert_eq!((read.maps[0].key_size, read.maps[0].value_size, read.maps[0].value_type), (4, 4, None));
}

#[test]
fn kernel_functions_and_variables() {
    let mut o = pass();
    let mut b = whistler_btf::BtfBuilder::new();
    let task = b.fwd("task_struct", false);
    let (task, int) = (b.ptr(task), b.int("int", 4, 1));
    let proto = b.func_proto(task, &[("pid", int)]);
    b.func("bpf_task_from_pid", proto, Linkage::Extern);
    o.btf = b.to_bytes();
    o.programs[0].function = function("pass", "r1 = 1\n@kfunc bpf_task_from_pid\nr1 @ksym jiffies\nr0 = 2\nexit");
    let read = elf::read(&elf::write(&o).unwrap()).unwrap();
    let f = &read.programs[0].function;
    assert_eq!(f.relocations, o.programs[0].function.relocations);
    assert_eq!(f.insns, o.programs[0].function.insns);
    // The kernel knows no function that is declared only.
    let btf = Btf::parse(read.btf.clone()).unwrap();
    let id = btf.find("bpf_task_from_pid", TypeKind::Func).unwrap().unwrap();
    assert!(matches!(btf.ty(id).unwrap().get(), Kind::Func { linkage: Linkage::Global, .. }));
    // And what was read can be written again.
    let again = elf::read(&elf::write(&read).unwrap()).unwrap();
    assert_eq!(again.programs[0].function.relocations, f.relocations);

    o.btf.clear();
    let e = elf::write(&o).unwrap_err().to_string();
    assert_eq!(
        e,
        "`pass`, instruction 1: kernel function `bpf_task_from_pid` has no prototype in the object's types, so loaders \
         could not check it"
    );
}

#[test]
fn an_object_of_maps_alone() {
    let o = Object { maps: vec![map("m", MapType::Array, 4, 4, 1)], ..Object::default() };
    let read = elf::read(&elf::write(&o).unwrap()).unwrap();
    assert_eq!((read.maps.len(), read.programs.len()), (1, 0));
    assert_eq!(elf::read(&elf::write(&Object::default()).unwrap()).unwrap().maps.len(), 0);
}

#[test]
fn long_lines_and_columns_are_cut_to_what_the_format_holds() {
    let mut o = pass();
    let f = &mut o.programs[0].function;
    *f = function("pass", "; 7\nr0 = 2\n; 9\nexit");
    (f.locations[0].line, f.locations[0].col) = (u32::MAX, 5000);
    let read = elf::read(&elf::write(&o).unwrap()).unwrap();
    let places: Vec<_> = read.programs[0].function.locations.iter().map(|l| (l.line, l.col)).collect();
    assert_eq!(places, [((1 << 22) - 1, 1023), (9, 3)]);
}

#[test]
fn a_function_without_lines_among_others_with() {
    let mut o = pass();
    o.programs.push(program(function("other", "; 3\nr0 = 1\nexit"), "xdp", ProgType::Xdp));
    let read = elf::read(&elf::write(&o).unwrap()).unwrap();
    assert_eq!(read.program("pass").unwrap().function.locs, [u32::MAX, u32::MAX]);
    assert_eq!(read.program("other").unwrap().function.location(1).map(|l| l.line), Some(3));
}

#[test]
fn what_a_file_cannot_say_is_an_error() {
    let error = |change: fn(&mut Object)| {
        let mut o = rich();
        change(&mut o);
        elf::write(&o).unwrap_err().to_string()
    };
    let all = [
        error(|o| o.programs[1].license = "Proprietary".into()),
        error(|o| o.maps[3].pin = Some("/sys/fs/bpf/elsewhere".into())),
        error(|o| o.maps[0].value_size = 12),
        error(|o| o.maps[0].name = "a-b".into()),
        error(|o| o.maps[1].name = "flows".into()),
        error(|o| o.globals[0].init.push(0)),
        error(|o| o.globals[1].name = "limit".into()),
        error(|o| o.programs[0].section = ".text".into()),
        error(|o| o.programs[0].function.insns.clear()),
        error(|o| o.programs[0].function.type_id = Some(1)),
        error(|o| o.programs[0].function.relocations[0].symbol = Symbol::Map("none".into())),
        error(|o| o.programs[0].function.relocations[0].insn = 0),
        error(|o| o.programs[0].function.relocations[0].insn = 4000),
        error(|o| o.subprograms[0].name = "count".into()),
        error(|o| o.btf = vec![1, 2, 3]),
    ];
    expect![[r#"
        programs `count` (licence "GPL") and `again` (licence "Proprietary") can't be in one object file: an ELF object has one licence for all its programs
        map `pinned`: it is pinned at `/sys/fs/bpf/elsewhere`, but an ELF object can only say that a map is pinned under its own name
        map `flows`: its value has 12 bytes, but the value's type 16 bytes
        map `a-b`: BTF takes only letters, digits and `_` in a name
        map `flows`: it is defined twice
        global `limit`: it has 9 bytes, its type 8 bytes
        global `limit`: it is defined twice
        program `count`: `.text` is no section for programs
        program `count`: it has no instructions
        program `count`: BTF type [1] is not that of a function
        `count`, instruction 4: there is no map `none`
        `count`, instruction 0: only a 64-bit immediate load or a call can name something
        `count`, instruction 4000: only a 64-bit immediate load or a call can name something
        program `count`: two functions have this name
        section `.BTF`: this is no BTF: the magic number is wrong
    "#]]
    .assert_eq(&(all.join("\n") + "\n"));
    assert!(matches!(elf::read(b""), Err(ObjectError::NotBpf(_))));
}

#[test]
fn names_that_c_does_not_have_are_bytes_without_a_variable() {
    let mut o = pass();
    o.globals.push(global(".str.1", b"hello\0", Mutability::ReadOnly, None));
    o.programs[0].function = function("pass", "r1 @data .str.1 2\nr0 = 2\nexit");
    let read = elf::read(&elf::write(&o).unwrap()).unwrap();
    assert_eq!(read.globals[0].init, b"hello\0");
    assert_eq!(read.globals[0].type_id, None);
    assert_eq!(read.programs[0].function.relocations[0].symbol, Symbol::Global { name: ".rodata".into(), offset: 2 });
}

#[test]
fn listings() {
    let mut o = rich();
    o.programs.remove(1);
    expect![[r#"
        map flows: hash, key 4 bytes, value 16 bytes, 1024 entries, flags 0x1
        map events: ringbuf, 4096 entries
        map outer: array-of-maps, key 4 bytes, value 4 bytes, 2 entries, of array
        map pinned: percpu-array, key 4 bytes, value 8 bytes, 1 entries, pinned at /sys/fs/bpf/pinned
        map bloom: bloom-filter, value 4 bytes, 100 entries
        global limit: 8 bytes, read-only
        global table: 5 bytes, read-only
        global total: 8 bytes, read-write
        global start: 8 bytes, read-write

        program count (section "raw_tp/sys_enter", raw-tracepoint, licence "GPL"): 34 instructions
        ; test.lisp:10: (line 10)
            0: r1 = 7
            1: *(u32 *)(r10 -4) = 1
            2: r2 = r10
            3: r2 += -4
        ; test.lisp:11: (line 11)
            4: r1 = map flows ll
            6: call bpf_map_lookup_elem#1
            7: if r0 == 0x0 goto L11
            8: r1 = *(u64 *)(r0 +8)
            9: r1 += 1
           10: *(u64 *)(r0 +8) = r1
        L11:
        ; test.lisp:12: (line 12)
           11: r1 = &limit ll
           13: r1 = *(u64 *)(r1 +0)
           14: r2 = &total ll
           16: *(u64 *)(r2 +0) = r1
           17: r2 = &table + 4 ll
           19: r2 = *(u8 *)(r2 +0)
        ; test.lisp:13: (line 13)
           20: r1 = 3
           21: call half
           22: r1 = r0
           23: call shared
           24: *(u64 *)(r10 -16) = 0
           25: r1 = 4
           26: r2 = step ll
           28: r3 = r10
           29: r3 += -16
           30: r4 = 0
           31: call bpf_loop#181
        ; test.lisp:14: (line 14)
           32: r0 = 0
           33: exit

        program parent (section "tp_btf/sched_process_exec", tracing, BPF_TRACE_RAW_TP, licence "GPL"): 6 instructions
        ; test.lisp:30: (line 30)
            0: r1 = *(u64 *)(r1 +0)
            1: r2 = 8                                    ; CO-RE byte_off struct task_struct.real_parent
            2: r1 += r2
            3: *(u32 *)(r10 -8) = 0
            4: r0 = 0
            5: exit

        subprogram half: 3 instructions
        ; test.lisp:40: (line 40)
            0: r0 = r1
            1: r0 >>= 1
            2: exit

        global subprogram shared: 7 instructions
        ; test.lisp:50: (line 50)
            0: call half
            1: r0 += 1
            2: r1 = &start ll
            4: r1 = *(u64 *)(r1 +0)
            5: r0 += r1
            6: exit

        subprogram step: 5 instructions
        ; test.lisp:60: (line 60)
            0: r3 = *(u64 *)(r2 +0)
            1: r3 += 1
            2: *(u64 *)(r2 +0) = r3
            3: r0 = 0
            4: exit
    "#]]
    .assert_eq(&listing(&o, true));
    let bare = listing(&pass(), false);
    expect![[r#"
        program pass (section "xdp", xdp, BPF_XDP, licence "GPL"): 2 instructions
            0: r0 = 2
            1: exit
    "#]]
    .assert_eq(&bare);
}
