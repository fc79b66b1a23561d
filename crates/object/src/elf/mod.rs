//! Objects as ELF files, as libbpf, aya and cilium/ebpf know them: relocatable,
//! little-endian, `EM_BPF`, maps and types in BTF.
//!
//! Invariant: what [`write()`] makes, [`read()`] gives back, up to what the format can't hold (spans,
//! variables' places, how globals share a section, paths of pins).

mod code;
mod data;
mod file;
mod functions;
mod lines;
mod mapdef;
mod read;
mod struct_ops;
mod types;
mod write;

pub use read::read;
pub use write::write;

use crate::Registration;

pub(crate) const TEXT: &str = ".text";
pub(crate) const MAPS: &str = ".maps";
/// Structs of operations, by how they are registered.
pub(crate) const STRUCT_OPS: [(&str, Registration); 2] =
    [(".struct_ops", Registration::Update), (".struct_ops.link", Registration::Link)];
pub(crate) const LICENSE: &str = "license";
pub(crate) const BTF: &str = ".BTF";
pub(crate) const BTF_EXT: &str = ".BTF.ext";
pub(crate) const KSYMS: &str = ".ksyms";
pub(crate) const KCONFIG: &str = ".kconfig";

/// Relocation of an `ld_imm64` (LLVM: BPFELFObjectWriter).
pub(crate) const R_BPF_64_64: u32 = 1;
/// Relocation of an address in data.
pub(crate) const R_BPF_64_ABS64: u32 = 2;
/// Relocation of a call.
pub(crate) const R_BPF_64_32: u32 = 10;

/// Where libbpf pins a map that asks to be pinned by its name.
pub(crate) const PIN_ROOT: &str = "/sys/fs/bpf";

/// The largest data section that is taken: the kernel's maps, which hold them, can't be larger
/// (`KMALLOC_MAX_SIZE` on any machine we know).
pub(crate) const MAX_DATA: u64 = 32 << 20;
/// The most that all data sections of a file may take together: a small file can announce many large ones.
pub(crate) const MAX_ALL_DATA: u64 = 2 * MAX_DATA;

/// Whether a section holds global variables, by its name (libbpf: `.data`, `.rodata`, `.bss` and what follows a dot).
pub(crate) fn data_kind(name: &str) -> Option<DataKind> {
    [(".rodata", DataKind::ReadOnly), (".data", DataKind::ReadWrite), (".bss", DataKind::Zero)]
        .into_iter()
        .find(|(stem, _)| name.strip_prefix(stem).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
        .map(|(_, kind)| kind)
}

/// How what a section holds is registered, if it holds structs of operations; a `?` before its name is libbpf's, and
/// says that it is made on demand only.
pub(crate) fn registration(section: &str) -> Option<Registration> {
    let name = section.strip_prefix('?').unwrap_or(section);
    STRUCT_OPS.iter().find(|(n, _)| *n == name).map(|(_, r)| *r)
}

/// What kind of data a section holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum DataKind {
    ReadOnly,
    ReadWrite,
    Zero,
}
