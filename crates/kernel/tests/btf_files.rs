//! BTF in ELF files: a kernel's `vmlinux`, a module, an object of programs; and files that have none or are damaged.

use std::path::{Path, PathBuf};

use whistler_btf::{Btf, BtfBuilder, MemberDef, TypeKind, TypeSource as _, int_encoding};
use whistler_kernel::Kernel;

struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Directory {
        let dir = std::env::temp_dir().join(format!("whistler-btf-files-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("made");
        Directory(dir)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).expect("written");
        path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // What stays is in the directory for temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Little,
    Big,
}

/// An ELF file with these sections: name, type, flags, contents.
fn elf(order: Order, sections: &[(&str, u32, u64, &[u8])]) -> Vec<u8> {
    let put = |out: &mut Vec<u8>, n: u64, size: usize| match order {
        Order::Little => out.extend(&n.to_le_bytes()[..size]),
        Order::Big => out.extend(&n.to_be_bytes()[8 - size..]),
    };
    let mut names = vec![0u8];
    let mut data: Vec<u8> = Vec::new();
    let mut headers = vec![0u8; 64];
    let last = [(".shstrtab", 3u32, 0u64, &[][..])];
    for (name, kind, flags, bytes) in sections.iter().chain(&last) {
        let at = names.len() as u64;
        names.extend(name.as_bytes());
        names.push(0);
        let bytes = if *name == ".shstrtab" { &names[..] } else { bytes };
        put(&mut headers, at, 4);
        put(&mut headers, (*kind).into(), 4);
        put(&mut headers, *flags, 8);
        put(&mut headers, 0, 8);
        put(&mut headers, 64 + data.len() as u64, 8);
        put(&mut headers, bytes.len() as u64, 8);
        put(&mut headers, 0, 8);
        put(&mut headers, 1, 8);
        put(&mut headers, 0, 8);
        data.extend(bytes);
    }
    let mut out = b"\x7fELF".to_vec();
    out.extend([2, if order == Order::Big { 2 } else { 1 }, 1, 0]);
    out.resize(16, 0);
    for (n, size) in [(1u64, 2), (62, 2), (1, 4), (0, 8), (0, 8), (64 + data.len() as u64, 8), (0, 4), (64, 2)] {
        put(&mut out, n, size);
    }
    for n in [0, 0, 64, sections.len() as u64 + 2, sections.len() as u64 + 1] {
        put(&mut out, n, 2);
    }
    assert_eq!(out.len(), 64);
    out.extend(data);
    out.extend(headers);
    out
}

const PROGBITS: u32 = 1;

fn kernels() -> Vec<u8> {
    let mut b = BtfBuilder::new();
    let int = b.int("int", 4, int_encoding::SIGNED);
    b.structure("task_struct", 8, &[MemberDef::at("pid", int, 0), MemberDef::at("tgid", int, 4)]);
    b.to_bytes()
}

/// A module's: `driver`, which has a `task_struct` in it.
fn modules(base: &[u8]) -> Vec<u8> {
    let base = Btf::parse(base.to_vec()).expect("sound");
    let task = base.find("task_struct", TypeKind::Struct).expect("sound").expect("there");
    let (types, strings) = base.extent().expect("sound");
    let mut m = BtfBuilder::split(types, strings);
    m.structure("driver", 16, &[MemberDef::at("owner", task, 8)]);
    m.to_bytes()
}

fn struct_size(kernel: &Kernel, name: &str) -> Option<u32> {
    let btf = kernel.btf()?;
    let id = btf.find(name, TypeKind::Struct).expect("sound")?;
    Some(btf.size_of(id).expect("sound"))
}

fn problem(path: &Path) -> String {
    Kernel::saved(path, None).btf_problem().expect("it has no types")
}

#[test]
fn vmlinux_and_modules() {
    let dir = Directory::new("vmlinux");
    let kernels = kernels();
    let modules = modules(&kernels);
    for order in [Order::Little, Order::Big] {
        let vmlinux = elf(order, &[(".text", PROGBITS, 6, &[0x90; 100]), (".BTF", PROGBITS, 2, &kernels)]);
        let path = dir.file("vmlinux", &vmlinux);
        assert_eq!(struct_size(&Kernel::saved(&path, None), "task_struct"), Some(8));
    }
    // Beside it, in the same directory: a module as an ELF file, one as the kernel shows it, and what has no types.
    dir.file("fast-driver.ko", &elf(Order::Little, &[(".BTF", PROGBITS, 2, &modules)]));
    dir.file("bare", &modules);
    dir.file("none.ko", &elf(Order::Little, &[(".text", PROGBITS, 6, &[0x90; 100])]));
    let kernel = Kernel::saved(&dir.0, None);
    assert_eq!(kernel.modules(), ["bare", "fast-driver", "none"]);
    for name in ["fast-driver", "bare"] {
        let module = kernel.module_btf(name).expect("it has types");
        let id = module.find("driver", TypeKind::Struct).expect("sound").expect("there");
        let member = module.find_member(id, "owner").expect("sound").expect("there");
        assert_eq!((module.size_of(id), module.ty(member.ty).map(|t| t.name)), (Ok(16), Ok("task_struct")));
    }
    assert!(kernel.module_btf("none").is_none());
}

/// A module alone, whose types continue those it brings (`.BTF.base`), or those of the running kernel.
#[test]
fn a_module_in_place_of_a_kernel() {
    let dir = Directory::new("module");
    let kernels = kernels();
    let modules = modules(&kernels);
    let with_base = elf(Order::Little, &[(".BTF.base", PROGBITS, 0, &kernels), (".BTF", PROGBITS, 2, &modules)]);
    let kernel = Kernel::saved(dir.file("a-driver.ko", &with_base), None);
    assert_eq!((kernel.own_module(), kernel.modules()), (Some("a_driver"), vec!["a_driver".to_string()]));
    assert_eq!((struct_size(&kernel, "task_struct"), struct_size(&kernel, "driver")), (Some(8), None));
    let module = kernel.module_btf("a_driver").expect("its own");
    assert!(module.find("driver", TypeKind::Struct).expect("sound").is_some());
    assert!(kernel.module_btf("another").is_none());

    let info = b"license=GPL\0vermagic=2.6.0-other SMP mod_unload \0";
    let foreign = elf(Order::Little, &[(".modinfo", PROGBITS, 2, info), (".BTF", PROGBITS, 2, &modules)]);
    let why = problem(&dir.file("foreign.ko", &foreign));
    assert!(why.contains("is a module of kernel 2.6.0-other") && why.contains("name the directory"), "{why}");
}

/// A module of the running kernel's own types, in a file.
#[test]
fn a_module_of_the_running_kernel() {
    let running = Kernel::running();
    let Some(base) = running.shared_btf() else {
        assert!(std::env::var_os("WHISTLER_REQUIRE_KERNEL").is_none(), "needs the kernel's BTF");
        eprintln!("skipped: this kernel has no BTF");
        return;
    };
    let task = base.find("task_struct", TypeKind::Struct).expect("sound").expect("there");
    let (types, strings) = base.extent().expect("sound");
    let mut m = BtfBuilder::split(types, strings);
    m.structure("driver", 16, &[MemberDef::at("owner", task, 8)]);
    let dir = Directory::new("running");
    let magic = format!("vermagic={} SMP \0", running.release());
    let file = elf(Order::Little, &[(".modinfo", PROGBITS, 2, magic.as_bytes()), (".BTF", PROGBITS, 2, &m.to_bytes())]);
    let kernel = Kernel::saved(dir.file("driver.ko", &file), None);
    assert_eq!(kernel.own_module(), Some("driver"), "{:?}", kernel.btf_problem());
    assert_eq!(struct_size(&kernel, "task_struct"), struct_size(&running, "task_struct"));
}

#[test]
fn what_has_no_types_says_so() {
    let dir = Directory::new("without");
    let nothing = elf(Order::Little, &[(".text", PROGBITS, 6, &[0x90; 8])]);
    let mut short = nothing.clone();
    short[4] = 1;
    let kernels = kernels();
    let compressed = elf(Order::Little, &[(".BTF", PROGBITS, 0x800, &kernels)]);
    let taken_out = elf(Order::Little, &[(".BTF", 8, 2, &kernels)]);
    let mut boot = vec![0; 0x400];
    boot[0x202..0x206].copy_from_slice(b"HdrS");
    for (name, bytes, want) in [
        ("stripped", &nothing[..], "an ELF file without a section .BTF"),
        ("narrow", &short, "an ELF file of 32 bits"),
        ("compressed", &compressed, "its section .BTF is compressed"),
        ("debug", &taken_out, "its section .BTF has been taken out"),
        ("driver.ko.xz", b"\xfd7zXZ\0\0\x04\xe6\xd6", "it is packed with xz: `unxz` makes the file that has the types"),
        ("driver.ko.gz", b"\x1f\x8b\x08\0", "it is packed with gzip: `gunzip`"),
        ("driver.ko.zst", b"\x28\xb5\x2f\xfd\x24", "it is packed with zstd: `unzstd`"),
        ("vmlinuz", &boot, "it is a kernel to boot"),
        ("cut", &nothing[..40], "the ELF file ends before what it says it has"),
        ("text", b"(defstruct x)", "makes no sense"),
        ("empty", b"", "makes no sense"),
    ] {
        let path = dir.file(name, bytes);
        let why = problem(&path);
        assert!(why.contains(want), "{name}: {why}");
        assert!(why.contains(&path.display().to_string()), "{name}: {why}");
    }
    let why = problem(&dir.0.join("not-there"));
    assert!(why.contains("not-there can't be read"), "{why}");
}

/// Every byte in turn changed, and the file cut there: types or a reason, and no panic.
#[test]
fn damaged_files() {
    let dir = Directory::new("damaged");
    let kernels = kernels();
    let modules = modules(&kernels);
    let sound = elf(
        Order::Little,
        &[
            (".BTF.base", PROGBITS, 0, &kernels),
            (".modinfo", PROGBITS, 2, b"vermagic=1 "),
            (".BTF", PROGBITS, 2, &modules),
        ],
    );
    let (mut read, mut refused) = (0, 0);
    for at in 0..sound.len() {
        for change in 0..4 {
            let mut file = sound.clone();
            match change {
                0 => file[at] ^= 1,
                1 => file[at] ^= 0x80,
                2 => file[at] = 0xff,
                _ => file.truncate(at),
            }
            let kernel = Kernel::saved(dir.file("it", &file), None);
            match kernel.btf() {
                Some(btf) => {
                    // Whatever it says, it can be asked.
                    let _ =
                        btf.find("task_struct", TypeKind::Struct).and_then(|id| btf.size_of(id.unwrap_or_default()));
                    if let Some(module) = kernel.own_module().and_then(|m| kernel.module_btf(m)) {
                        let _ = module
                            .find("driver", TypeKind::Struct)
                            .and_then(|id| module.flat_members(id.unwrap_or_default()).map(|m| m.len()));
                    }
                    read += 1;
                }
                None => {
                    assert!(kernel.btf_problem().is_some_and(|why| why.len() > 10));
                    refused += 1;
                }
            }
        }
    }
    assert!(read > 200 && refused > 500, "{read} read, {refused} refused");
}
