//! The kernel that the tests run on, and copies saved from it.

use whistler_btf::{
    Btf, BtfBuilder, MemberDef, TracepointFieldKind, TypeKind, TypeSource, TypeSourceError, int_encoding,
};
use whistler_kernel::{Feature, Kernel, parse_format, save_formats};

/// Skips with a reason, or fails where the environment says that nothing may be skipped.
macro_rules! or_skip {
    ($result:expr, $need:literal) => {
        match $result {
            Ok(v) => v,
            Err(e) if std::env::var_os("WHISTLER_REQUIRE_KERNEL").is_some() => panic!("needs {}: {e}", $need),
            Err(e) => {
                eprintln!("skipped: needs {}: {e}", $need);
                return;
            }
        }
    };
}

#[test]
fn the_types_of_the_running_kernel() {
    let kernel = Kernel::running();
    let btf = or_skip!(kernel.btf().ok_or_else(|| kernel.btf_problem().unwrap_or_default()), "BTF");
    let task = btf.find("task_struct", TypeKind::Struct).expect("sound BTF");
    assert!(task.is_some(), "every kernel has struct task_struct");
    assert!(kernel.version().is_some(), "{:?}", kernel.release());
    for module in kernel.modules() {
        assert!(kernel.module_btf(&module).is_some(), "{module}");
    }
}

#[test]
fn a_tracepoint_with_a_located_string() {
    let kernel = Kernel::running();
    let exec = or_skip!(kernel.tracepoint("sched", "sched_process_exec"), "tracefs");
    assert!(exec.id > 0);
    let filename = exec.field("filename").expect("the file's name is in the record");
    assert_eq!((filename.kind, filename.size), (TracepointFieldKind::DataLoc, 4));
    assert!(exec.field("common-pid").is_some());
}

#[test]
fn an_unknown_tracepoint_comes_with_names_like_it() {
    let kernel = Kernel::running();
    let _ = or_skip!(kernel.tracefs(), "tracefs");
    for (category, event, want) in
        [("sched", "sched_proces_exec", "sched/sched_process_exec"), ("shed", "sched_switch", "sched/sched_switch")]
    {
        match kernel.tracepoint(category, event) {
            Err(TypeSourceError::NoTracepoint { near, .. }) => assert_eq!(near.first().map(String::as_str), Some(want)),
            other => panic!("{other:?}"),
        }
    }
    // A name must not lead out of tracefs.
    assert!(kernel.tracepoint("..", "x").is_err());
    assert!(kernel.tracepoint("sched", "../sched/sched_switch").is_err());
}

#[test]
fn every_format_of_this_kernel_is_understood() {
    let kernel = Kernel::running();
    let tracefs = or_skip!(kernel.tracefs(), "tracefs");
    let names = kernel.tracepoint_names(tracefs).expect("listed");
    assert!(names.len() > 500, "{}", names.len());
    let mut fields = 0;
    for name in names {
        let (category, event) = name.split_once('/').expect("category/name");
        if category == "ftrace" {
            // Not tracepoints: ftrace's own records, some without a format to read.
            continue;
        }
        let text = tracefs.format_text(category, event).expect("readable");
        let format = parse_format(category, &text).unwrap_or_else(|| panic!("{name}: {text}"));
        assert_eq!(format.name, event);
        let lines = text.lines().filter(|l| l.starts_with("\tfield:")).count();
        assert_eq!(format.fields.len(), lines, "{name}");
        for f in &format.fields {
            if let TracepointFieldKind::Array { len, elem_size } = f.kind {
                assert!(f.size == 0 || len * elem_size == f.size, "{name}: {f:?}");
            }
            fields += 1;
        }
    }
    assert!(fields > 5000);
}

#[test]
fn saved_copies_answer_like_the_kernel_but_without_its_numbers() {
    let kernel = Kernel::running();
    let live = or_skip!(kernel.tracepoint("sched", "sched_switch"), "tracefs");
    let dir = std::env::temp_dir().join(format!("whistler-kernel-{}", std::process::id()));
    save_formats(&kernel, &[("sched", "sched_switch")], &dir).expect("saved");
    std::fs::write(dir.join("vmlinux"), kernel.btf().map(|b| b.bytes().expect("readable")).unwrap_or_default())
        .expect("written");
    let saved = Kernel::saved(dir.join("vmlinux"), Some(dir.clone()));
    let copy = saved.tracepoint("sched", "sched_switch").expect("saved");
    assert_eq!(copy.fields, live.fields);
    assert_eq!(copy.id, 0);
    assert!(!saved.has(Feature::PerfLink), "a saved kernel can't be probed");
    assert_eq!(saved.btf().is_some(), kernel.btf().is_some());
    std::fs::remove_dir_all(&dir).expect("ours");
}

#[test]
fn probes_agree_with_the_version() {
    let kernel = Kernel::running();
    let missing = kernel.missing(&[whistler_sys::Cap::Bpf, whistler_sys::Cap::NetAdmin]);
    or_skip!(if missing.is_empty() { Ok(()) } else { Err(format!("{missing:?} missing")) }, "capabilities");
    let version = kernel.version().expect("known");
    let at_least = |major, minor| version >= whistler_isa::KernelVersion::new(major, minor);
    assert_eq!(kernel.has(Feature::PerfLink), at_least(5, 15));
    assert_eq!(kernel.has(Feature::Tcx), at_least(6, 6));
    assert_eq!(kernel.has(Feature::UprobeMulti), at_least(6, 6));
}

#[test]
fn symbols_are_found() {
    let kernel = Kernel::running();
    let symbols = or_skip!(kernel.symbols(), "/proc/kallsyms");
    assert!(symbols.address("bpf_prog_alloc").is_some());
    if symbols.has_addresses() {
        let address = symbols.address("bpf_prog_alloc").expect("there");
        assert!(symbols.at(address + 1).is_some());
    }
}

/// A directory as saved from a kernel, whose files are then not what they were: answers or reasons, never a panic.
#[test]
fn a_saved_directory_of_foreign_bytes() {
    let mut b = BtfBuilder::new();
    let int = b.int("int", 4, int_encoding::SIGNED);
    let base = Btf::parse({
        b.structure("task_struct", 8, &[MemberDef::at("pid", int, 0), MemberDef::at("tgid", int, 4)]);
        b.to_bytes()
    })
    .expect("sound");
    let (types, strings) = base.extent().expect("sound");
    let mut m = BtfBuilder::split(types, strings);
    m.structure("driver", 8, &[MemberDef::at("speed", int, 0)]);
    let (base, module) = (base.bytes().expect("readable").to_vec(), m.to_bytes());
    let dir = std::env::temp_dir().join(format!("whistler-foreign-{}", std::process::id()));
    std::fs::create_dir_all(dir.join("a_directory")).expect("made");
    std::fs::write(dir.join("empty"), b"").expect("written");
    let (mut sound, mut refused) = (0, 0);
    for round in 0..(base.len() + module.len()) * 3 {
        // Each byte of both files in turn: one bit, all bits, or nothing from there on.
        let mut files = [base.clone(), module.clone()];
        let (file, at) = match round / 3 {
            at if at < base.len() => (0, at),
            at => (1, at - base.len()),
        };
        match round % 3 {
            0 => files[file][at] ^= 1 << (at % 8),
            1 => files[file][at] ^= 0xff,
            _ => files[file].truncate(at),
        }
        std::fs::write(dir.join("vmlinux"), &files[0]).expect("written");
        std::fs::write(dir.join("driver"), &files[1]).expect("written");
        let kernel = Kernel::saved(&dir, None);
        assert_eq!(kernel.modules(), ["a_directory", "driver", "empty"]);
        for name in ["a_directory", "empty", "vmlinux", "..", "no such", "driver"] {
            let found = kernel.module_btf(name).map(|m| {
                m.find_composite("driver").and_then(|id| m.flat_members(id.unwrap_or_default()).map(|f| f.len()))
            });
            assert!(name == "driver" || found.is_none(), "{name}");
        }
        match kernel.btf().map(|btf| btf.find("task_struct", TypeKind::Struct)) {
            Some(Ok(_)) => sound += 1,
            Some(Err(_)) => refused += 1,
            None => {
                assert!(kernel.btf_problem().is_some_and(|why| !why.is_empty()));
                refused += 1;
            }
        }
    }
    assert!(sound > 100 && refused > 100, "{sound} sound, {refused} refused");
    std::fs::remove_dir_all(&dir).expect("ours");
}
