//! The C text of kernel types, compiled: sizes and offsets as BTF has them. Skipped, with the reason printed, where there
//! is no BTF or no C compiler (`WHISTLER_REQUIRE_KERNEL=1` makes that a failure).

use std::fmt::Write as _;
use std::process::Command;

use whistler_btf::{Btf, Kind};

/// Types tried: as many as this, from all over the kernel.
const TYPES: usize = 320;

#[test]
fn what_is_written_in_c_compiles_with_the_kernels_layout() {
    let strict = std::env::var_os("WHISTLER_REQUIRE_KERNEL").is_some();
    let cc = ["clang-22", "clang-19", "clang-14", "clang", "gcc"];
    let cc = cc.into_iter().find(|c| Command::new(c).arg("--version").output().is_ok_and(|o| o.status.success()));
    let (Some(cc), Ok(bytes)) = (cc, std::fs::read("/sys/kernel/btf/vmlinux")) else {
        assert!(!strict, "needs a C compiler and the kernel's BTF");
        eprintln!("skipped: no C compiler, or no BTF");
        return;
    };
    let btf = Btf::parse(bytes).expect("sound");
    let mut structs = Vec::new();
    for id in btf.own_ids().expect("sound") {
        let t = btf.ty(id).expect("sound");
        if let Kind::Struct(c) | Kind::Union(c) = t.get()
            && !t.name.is_empty()
            && !c.is_empty()
        {
            structs.push(id);
        }
    }
    let step = (structs.len() / TYPES).max(1);
    let dir = std::env::temp_dir().join(format!("whistler-c-header-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a scratch directory");
    let mut command = Command::new(cc);
    command.args(["-fsyntax-only", "-w", "-std=gnu11", "-Wno-everything"]);
    if cc == "gcc" {
        command = Command::new(cc);
        command.args(["-fsyntax-only", "-w", "-std=gnu11"]);
    }
    let mut tried = 0;
    for id in structs.iter().step_by(step) {
        let t = btf.ty(*id).expect("sound");
        let mut text = btf.c_header(*id).expect("written");
        let whole = format!("{} {}", t.kind().word(), t.name);
        let size = btf.size_of(*id).expect("sound");
        let _ = writeln!(text, "_Static_assert(sizeof({whole}) == {size}, \"size of {}\");", t.name);
        for (name, path) in btf.flat_members(*id).expect("sound") {
            if path.bits == 0 {
                let at = path.byte_offset();
                let _ = writeln!(
                    text,
                    "_Static_assert(__builtin_offsetof({whole}, {name}) == {at}, \"{}.{name}\");",
                    t.name
                );
            }
        }
        let file = dir.join(format!("{}.c", id.0));
        std::fs::write(&file, text).expect("a scratch file");
        command.arg(&file);
        tried += 1;
    }
    let said = command.output().expect("the compiler runs");
    let errors = String::from_utf8_lossy(&said.stderr);
    let wrong: Vec<&str> = errors.lines().filter(|l| l.contains("error:")).take(20).collect();
    assert!(
        said.status.success(),
        "{} of {tried}: {wrong:#?}",
        errors.lines().filter(|l| l.contains("error:")).count()
    );
    assert!(tried >= 300, "only {tried} types");
    std::fs::remove_dir_all(&dir).expect("the scratch directory");
}
