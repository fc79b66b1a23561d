//! Against the running kernel's own BTF. Skipped, with the reason printed, where there is none
//! (`WHISTLER_REQUIRE_KERNEL=1` makes that a failure).

use std::sync::Arc;
use std::time::Instant;
use whistler_btf::{Btf, BtfBuilder, CoreKind, CoreReloc, Kind, Step, TypeKind, access_string, resolve};

const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

fn vmlinux() -> Option<Vec<u8>> {
    match std::fs::read(VMLINUX) {
        Ok(bytes) => Some(bytes),
        Err(e) => {
            assert!(std::env::var_os("WHISTLER_REQUIRE_KERNEL").is_none(), "{VMLINUX}: {e}");
            eprintln!("skipped: {VMLINUX}: {e}");
            None
        }
    }
}

#[test]
fn finds_structs_members_and_enumerators() {
    let Some(bytes) = vmlinux() else { return };
    let btf = Btf::parse(bytes).unwrap();
    let task = btf.find("task_struct", TypeKind::Struct).unwrap().unwrap();
    let pid = btf.find_member(task, "pid").unwrap().unwrap();
    assert_eq!(btf.size_of(pid.ty).unwrap(), 4);
    assert_eq!(btf.is_signed(pid.ty).unwrap(), Some(true));
    let parent = btf.access(task, &[Step::Member("real_parent")]).unwrap().unwrap();
    assert_eq!(btf.pointee(parent.ty).unwrap(), Some(task));
    let comm = btf.access(task, &[Step::Member("comm"), Step::Index(3)]).unwrap().unwrap();
    let whole = btf.find_member(task, "comm").unwrap().unwrap();
    assert_eq!(comm.bit_offset, whole.bit_offset + 24);
    assert!(btf.access(task, &[Step::Member("comm"), Step::Index(16)]).unwrap().is_none());
    assert!(btf.find_member(task, "no_such_field").unwrap().is_none());
    // A member of an anonymous union inside an anonymous struct.
    let skb = btf.find("sk_buff", TypeKind::Struct).unwrap().unwrap();
    let dev = btf.find_member(skb, "dev").unwrap().unwrap();
    assert!(dev.indices.len() >= 3, "{dev:?}");
    // A bit-field.
    let bit = btf.find_member(skb, "pkt_type").unwrap().unwrap();
    assert_eq!(bit.bits, 3);
    let e = btf.find("bpf_prog_type", TypeKind::Enum).unwrap().unwrap();
    let Kind::Enum(e) = btf.ty(e).unwrap().get() else { panic!("no enum") };
    assert_eq!(e.value("BPF_PROG_TYPE_XDP"), Some(6));
    assert_eq!(btf.find("task_struct", TypeKind::Union).unwrap(), None);
    assert_eq!(btf.find("no_such_type_at_all", TypeKind::Struct).unwrap(), None);
}

#[test]
fn the_scan_and_the_table_agree() {
    let Some(bytes) = vmlinux() else { return };
    let shared: Arc<[u8]> = bytes.into();
    let warm = Btf::parse(shared.clone()).unwrap();
    // More often than lookups are answered by scans.
    for _ in 0..50 {
        warm.find("list_head", TypeKind::Struct).unwrap();
    }
    let names = ["pid_t", "sock", "device", "bpf_map_type", "do_exit", "int", "inode", "u8", "x", "list_head"];
    for name in names {
        let cold = Btf::parse(shared.clone()).unwrap();
        let all = cold.find_all(name).unwrap();
        assert_eq!(all, warm.find_all(name).unwrap(), "{name}");
        for id in &all {
            assert_eq!(cold.ty(*id).unwrap().name, name);
        }
    }
    // The truth, by looking at every type.
    let mut devices = vec![];
    warm.for_each_name(|id, n, _| {
        if n == "device" {
            devices.push(id)
        }
    })
    .unwrap();
    assert_eq!(warm.find_all("device").unwrap(), devices);
}

#[test]
fn every_type_decodes_and_prints() {
    let Some(bytes) = vmlinux() else { return };
    let btf = Btf::parse(bytes).unwrap();
    let mut named = 0;
    for id in btf.own_ids().unwrap() {
        let t = btf.ty(id).unwrap();
        if let Some(c) = t.composite() {
            assert_eq!(c.members().count(), c.len());
            btf.flat_members(id).unwrap();
            btf.align_of(id).unwrap();
        }
        if !matches!(t.kind(), TypeKind::DeclTag | TypeKind::TypeTag) {
            let text = btf.c_definition(id).unwrap();
            assert!(text.contains(t.name), "{text}");
        }
        named += usize::from(!t.name.is_empty());
    }
    assert!(named > 10_000, "{named}");
    let list = btf.find("list_head", TypeKind::Struct).unwrap().unwrap();
    assert_eq!(
        btf.c_definition(list).unwrap(),
        "struct list_head {\n\tstruct list_head *next;\n\tstruct list_head *prev;\n};"
    );
}

#[test]
fn split_btf_continues_the_kernels() {
    let Some(bytes) = vmlinux() else { return };
    let base = Arc::new(Btf::parse(bytes).unwrap());
    let (types, strings) = base.extent().unwrap();
    let task = base.find("task_struct", TypeKind::Struct).unwrap().unwrap();
    let mut b = BtfBuilder::split(types, strings);
    let ptr = b.ptr(task);
    let own = b.structure("whistler_only", 8, &[whistler_btf::MemberDef::at("task", ptr, 0)]);
    assert_eq!(own.0, types + 1);
    let split = Btf::parse_split(b.to_bytes(), base.clone()).unwrap();
    assert_eq!(split.find("whistler_only", TypeKind::Struct).unwrap(), Some(own));
    assert_eq!(split.find("task_struct", TypeKind::Struct).unwrap(), Some(task));
    assert_eq!(base.find("whistler_only", TypeKind::Struct).unwrap(), None);
    let m = split.find_member(own, "task").unwrap().unwrap();
    assert_eq!(split.pointee(m.ty).unwrap(), Some(task));
    assert_eq!(split.type_count().unwrap(), types + 2);
}

/// Prints times (`cargo test --release -- --ignored --nocapture timing`); they are not asserted.
#[test]
#[ignore = "a measurement"]
fn timing() {
    let Some(_) = vmlinux() else { return };
    for round in 0..3 {
        let t = Instant::now();
        let bytes = std::fs::read(VMLINUX).unwrap();
        let read = t.elapsed();
        let btf = Btf::parse(bytes).unwrap();
        let parsed = t.elapsed();
        let task = btf.find("task_struct", TypeKind::Struct).unwrap().unwrap();
        let found = t.elapsed();
        let m = btf.find_member(task, "pid").unwrap().unwrap();
        let member = t.elapsed();
        eprintln!(
            "round {round}: read {read:?}, parsed {parsed:?}, found {found:?}, member {member:?} {}",
            m.bit_offset
        );
        for name in ["sock", "inode", "file", "dentry", "sk_buff", "net_device"] {
            let t = Instant::now();
            btf.find(name, TypeKind::Struct).unwrap().unwrap();
            eprintln!("  {name}: {:?}", t.elapsed());
        }
    }
}

#[test]
fn pictures_of_kernel_types_resolve_to_the_kernels_own_offsets() {
    let Some(bytes) = vmlinux() else { return };
    let kernel = Btf::parse(bytes).unwrap();
    for (name, fields) in [
        ("task_struct", &["pid", "real_parent", "comm", "__state", "se", "sched_reset_on_fork"][..]),
        ("sk_buff", &["dev", "len", "pkt_type", "cb", "transport_header"]),
        ("sock", &["__sk_common", "sk_protocol"]),
    ] {
        let id = kernel.find(name, TypeKind::Struct).unwrap().unwrap();
        let mut b = BtfBuilder::new();
        let picture = b.picture(&kernel, id, fields).unwrap().unwrap();
        assert!(b.picture(&kernel, id, &["no_such_field"]).unwrap().is_none());
        let bytes = b.to_bytes();
        assert!(bytes.len() < 20_000, "{name}: {} bytes", bytes.len());
        let local = Btf::parse(bytes).unwrap();
        for (i, field) in fields.iter().enumerate() {
            let truth = kernel.find_member(id, field).unwrap().unwrap();
            let ask = |kind| {
                let r = CoreReloc { insn_off: 0, type_id: picture, access: access_string(&[0, i as u32]), kind };
                resolve(&local, &r, &kernel).unwrap()
            };
            assert_eq!(ask(CoreKind::FieldExists).value, Some(1), "{name}.{field}");
            let offset = ask(CoreKind::FieldByteOffset);
            assert_eq!(offset.value, Some(offset.orig_value), "{name}.{field}");
            if truth.bits == 0 {
                assert_eq!(offset.value, Some(u64::from(truth.byte_offset())), "{name}.{field}");
                assert!(offset.mem.unwrap().safe, "{name}.{field}");
                assert_eq!(ask(CoreKind::FieldByteSize).value, Some(u64::from(kernel.size_of(truth.ty).unwrap())));
            } else {
                assert_eq!(ask(CoreKind::FieldRShiftU64).value, Some(64 - u64::from(truth.bits)));
            }
        }
    }
}
