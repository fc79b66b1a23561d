//! `Arch::registers` against what kernels say of themselves: this one, and Debian's for arm64 (package
//! `linux-image-6.1.0-56-cloud-arm64`, 6.1.192-2), of whose BTF `data/arm64-pt-regs.btf` is the part that counts.
//!
//! `WHISTLER_ARM64_BTF=FILE` makes that part anew from a whole BTF. It lies in the package's `boot/vmlinuz-…`, which
//! `apt-get download` fetches and which is not compressed, from the bytes `9f eb 01 00 18 00 00 00` on.

use std::path::Path;

use whistler_btf::{Btf, BtfBuilder, TypeKind};
use whistler_isa::{Arch, Registers};

fn extract() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/arm64-pt-regs.btf")
}

/// Offset and size of a member of a struct, also through anonymous members.
fn member(btf: &Btf, of: &str, name: &str) -> (u32, u32) {
    let id = btf.find(of, TypeKind::Struct).expect("sound").unwrap_or_else(|| panic!("struct {of}"));
    let found = btf.find_member(id, name).expect("sound").unwrap_or_else(|| panic!("{of}.{name}"));
    (found.bit_offset / 8, btf.size_of(found.ty).expect("sized"))
}

fn size(btf: &Btf, name: &str) -> u32 {
    btf.size_of(btf.find(name, TypeKind::Struct).expect("sound").expect("there")).expect("sized")
}

#[test]
fn arm64() {
    if let Some(whole) = std::env::var_os("WHISTLER_ARM64_BTF") {
        let whole = Btf::parse(std::fs::read(whole).expect("readable")).expect("BTF");
        let mut part = BtfBuilder::new();
        for name in ["user_pt_regs", "pt_regs"] {
            let id = whole.find(name, TypeKind::Struct).expect("sound").expect("there");
            part.import(&whole, id).expect("taken over");
        }
        std::fs::write(extract(), part.to_bytes()).expect("written");
    }
    let btf = Btf::parse(std::fs::read(extract()).expect("it is kept here")).expect("BTF");
    let Registers { size: whole, parameters, stack_parameters, result, ip, sp } = Arch::Arm64.registers();
    // What a kprobe gets is `struct pt_regs`, whose first part is the one that user space knows.
    for (of, regs) in [("user_pt_regs", "regs"), ("pt_regs", "regs")] {
        assert_eq!(member(&btf, of, regs), (0, 31 * 8));
        assert_eq!(member(&btf, of, "sp"), (*sp as u32, 8));
        assert_eq!(member(&btf, of, "pc"), (*ip as u32, 8));
    }
    assert_eq!(*whole, size(&btf, "user_pt_regs"));
    assert!(size(&btf, "pt_regs") >= *whole);
    // x0 to x7 take the arguments, and x0 the result; the ninth argument lies at the stack pointer.
    let expected: Vec<i32> = (0..8).map(|n| n * 8).collect();
    assert_eq!((*parameters, *result, *stack_parameters), (&expected[..], 0, 0));
}

#[test]
fn x86_64() {
    let Ok(bytes) = std::fs::read("/sys/kernel/btf/vmlinux") else {
        assert!(std::env::var_os("WHISTLER_REQUIRE_KERNEL").is_none(), "no BTF");
        eprintln!("skipped: no BTF");
        return;
    };
    let btf = Btf::parse(bytes).expect("BTF");
    if cfg!(not(target_arch = "x86_64")) {
        eprintln!("skipped: not a kernel for x86-64");
        return;
    }
    let registers = Arch::X86_64.registers();
    let at = |name| member(&btf, "pt_regs", name).0 as i32;
    let parameters: Vec<i32> = ["di", "si", "dx", "cx", "r8", "r9"].into_iter().map(at).collect();
    assert_eq!(registers.parameters, parameters);
    assert_eq!((registers.result, registers.ip, registers.sp), (at("ax"), at("ip"), at("sp")));
    assert!(size(&btf, "pt_regs") >= registers.size);
}
