//! BTF in files: bare, as in `/sys/kernel/btf`, or in the `.BTF` section of an ELF file (`vmlinux`, a module, an object
//! of programs). Invariant: of an ELF file only what is needed is read, whatever its size, and no length that it claims
//! is believed before the file has it.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use whistler_btf::{Btf, BtfError, Memory, Parts};
use whistler_sys::{ConstFile, Errno};

/// What a file says of types.
#[derive(Debug)]
pub(crate) struct BtfFile {
    file: ConstFile,
    /// Where the BTF lies in it.
    range: Range<usize>,
    /// Whether it only continues another one, as a module's does.
    pub split: bool,
    /// What it continues, where that came with it (`.BTF.base`).
    pub base: Option<Vec<u8>>,
    /// The release of the kernel that the module was built for, where it says one.
    pub release: Option<String>,
}

/// BTF in a file that is read as it is asked for.
struct InParts {
    file: ConstFile,
    range: Range<usize>,
}

impl Parts for InParts {
    fn size(&self) -> usize {
        self.range.len()
    }

    fn part(&self, range: Range<usize>) -> Result<Memory, String> {
        let at = |n: usize| self.range.start.saturating_add(n).min(self.range.end);
        match self.file.part(at(range.start)..at(range.end)) {
            Ok(part) => Ok(Arc::new(part)),
            Err(Errno::ESTALE) => Err("its file was changed after it was opened".to_string()),
            Err(e) => Err(e.to_string()),
        }
    }
}

/// The kernel's BTF in a file. Most of it is never asked for.
pub(crate) fn parse(file: ConstFile) -> Result<Btf, BtfError> {
    match file.in_memory() {
        Ok(bytes) => Btf::parse(bytes),
        Err(file) => {
            let range = 0..file.len();
            Btf::parse_parts(InParts { file, range })
        }
    }
}

/// A module's BTF in a file. It is small, and the module may go away.
pub(crate) fn parse_module(file: ConstFile, base: Arc<Btf>) -> Option<Arc<Btf>> {
    let bytes = file.part(0..file.len()).ok()?;
    Btf::parse_split(bytes, base).ok().map(Arc::new)
}

impl BtfFile {
    /// The types, when they continue no other ones.
    pub(crate) fn whole(self) -> Result<Btf, BtfError> {
        if self.range == (0..self.file.len()) {
            return parse(self.file);
        }
        Btf::parse_parts(InParts { file: self.file, range: self.range })
    }

    /// The types that continue others, and those.
    pub(crate) fn continuing(
        self,
        kernels: impl FnOnce() -> Result<Arc<Btf>, String>,
    ) -> Result<(Arc<Btf>, Arc<Btf>), String> {
        let broken = |e: BtfError| format!("the module's BTF makes no sense: {e}");
        let base = match self.base {
            Some(base) => Arc::new(Btf::parse(base).map_err(broken)?),
            None => kernels()?,
        };
        let bytes = self.file.part(self.range).map_err(|e| format!("the module's BTF can't be read: {e}"))?;
        let module = Btf::parse_split(bytes, base.clone()).map_err(broken)?;
        Ok((base, Arc::new(module)))
    }
}

/// How a file begins that can't be read as it is, what packed it, and what unpacks it.
const PACKED: &[(&[u8], &str, &str)] = &[
    (b"\xfd7zXZ\0", "xz", "unxz"),
    (b"\x1f\x8b", "gzip", "gunzip"),
    (b"\x28\xb5\x2f\xfd", "zstd", "unzstd"),
    (b"BZh", "bzip2", "bunzip2"),
    (b"\x04\x22\x4d\x18", "lz4", "unlz4"),
];

/// Opens a file and finds its BTF; the text says what is wrong with it.
pub(crate) fn open(path: &Path) -> Result<BtfFile, String> {
    let file = ConstFile::open(path).map_err(|e| e.to_string())?;
    let start = bytes(&file, 0, 0x208.min(file.len()))?;
    if start.starts_with(b"\x7fELF") {
        return in_elf(file);
    }
    if let Some((_, by, with)) = PACKED.iter().find(|(magic, ..)| start.starts_with(magic)) {
        return Err(format!("it is packed with {by}: `{with}` makes the file that has the types"));
    }
    if start.get(0x202..0x206) == Some(b"HdrS") {
        return Err("it is a kernel to boot, whose types are packed: the file `vmlinux` that it was made of has them \
                    (the kernel's scripts/extract-vmlinux unpacks it)"
            .to_string());
    }
    let range = 0..file.len();
    Ok(BtfFile { split: is_split(&file, &range), file, range, base: None, release: None })
}

fn bytes(file: &ConstFile, at: usize, len: usize) -> Result<Vec<u8>, String> {
    let end = at.checked_add(len).ok_or_else(cut)?;
    let part = file.part(at..end).map_err(|e| e.to_string())?;
    let part: &[u8] = part.as_ref();
    if part.len() < len { Err(cut()) } else { Ok(part.to_vec()) }
}

fn cut() -> String {
    "the ELF file ends before what it says it has".to_string()
}

/// Whether BTF continues another one: its strings don't begin with the empty one.
fn is_split(file: &ConstFile, range: &Range<usize>) -> bool {
    let Ok(header) = bytes(file, range.start, 24.min(range.len())) else { return false };
    let word = |at: usize| header.get(at..at + 4).and_then(|b| Some(u32::from_le_bytes(b.try_into().ok()?)));
    let (Some(magic), Some(header), Some(at), Some(len)) = (word(0), word(4), word(16), word(20)) else { return false };
    let first = u64::from(header) + u64::from(at);
    let first = usize::try_from(first).ok().filter(|at| *at < range.len() && len > 0);
    let first = first.and_then(|at| bytes(file, range.start + at, 1).ok());
    magic & 0xffff == 0xeb9f && first.is_some_and(|b| b != [0])
}

struct Elf<'f> {
    file: &'f ConstFile,
    order: Order,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Little,
    Big,
}

/// A section as its header has it.
struct Section {
    name: u32,
    kind: u32,
    flags: u64,
    at: u64,
    size: u64,
    link: u32,
}

impl Elf<'_> {
    fn number(&self, bytes: &[u8], at: usize, size: usize) -> u64 {
        let bytes = bytes.get(at..at + size).unwrap_or_default();
        let add = |n: u64, b: &u8| n << 8 | u64::from(*b);
        match self.order {
            Order::Big => bytes.iter().fold(0, add),
            Order::Little => bytes.iter().rev().fold(0, add),
        }
    }

    fn range(&self, at: u64, len: u64) -> Result<Range<usize>, String> {
        let end = at.checked_add(len).filter(|end| *end <= self.file.len() as u64).ok_or_else(cut)?;
        match (usize::try_from(at), usize::try_from(end)) {
            (Ok(at), Ok(end)) => Ok(at..end),
            _ => Err(cut()),
        }
    }

    fn bytes(&self, at: u64, len: u64) -> Result<Vec<u8>, String> {
        let range = self.range(at, len)?;
        bytes(self.file, range.start, range.len())
    }

    fn section(&self, header: &[u8]) -> Section {
        let n = |at, size| self.number(header, at, size);
        Section {
            name: n(0, 4) as u32,
            kind: n(4, 4) as u32,
            flags: n(8, 8),
            at: n(24, 8),
            size: n(32, 8),
            link: n(40, 4) as u32,
        }
    }

    fn place(&self, s: &Section, name: &str) -> Result<Range<usize>, String> {
        const COMPRESSED: u64 = 0x800;
        const NOBITS: u32 = 8;
        match (s.flags & COMPRESSED, s.kind) {
            (0, NOBITS) => Err(format!("its section {name} has been taken out (it is a file of debugging data)")),
            (0, _) => self.range(s.at, s.size),
            _ => Err(format!("its section {name} is compressed: `objcopy --decompress-debug-sections` unpacks it")),
        }
    }
}

fn in_elf(file: ConstFile) -> Result<BtfFile, String> {
    const HEADER: usize = 64;
    let header = bytes(&file, 0, HEADER)?;
    if header.get(4) != Some(&2) {
        return Err("it is an ELF file of 32 bits, and programs are for kernels of 64".to_string());
    }
    let elf = Elf { file: &file, order: if header.get(5) == Some(&2) { Order::Big } else { Order::Little } };
    let (at, entry) = (elf.number(&header, 0x28, 8), elf.number(&header, 0x3a, 2));
    let (mut count, mut names) = (elf.number(&header, 0x3c, 2), elf.number(&header, 0x3e, 2));
    let none = "it is an ELF file without a section .BTF: built without types \
                (CONFIG_DEBUG_INFO_BTF, `pahole -J`, `clang -g`), or stripped of them";
    if at == 0 {
        return Err(none.to_string());
    }
    if entry < 64 {
        return Err("it is a damaged ELF file: its section headers are too short".to_string());
    }
    // More than 65279 sections, or names in one beyond: the first header says so.
    let first = elf.section(&elf.bytes(at, 64)?);
    if count == 0 {
        count = first.size;
    }
    if names == 0xffff {
        names = first.link.into();
    }
    let table = elf.bytes(at, count.checked_mul(entry).ok_or_else(cut)?)?;
    let sections: Vec<Section> = table.chunks_exact(entry as usize).map(|h| elf.section(h)).collect();
    let strings = usize::try_from(names).ok().and_then(|n| sections.get(n));
    let strings = strings.ok_or("it is a damaged ELF file: its sections have no names")?;
    let strings = elf.bytes(strings.at, strings.size)?;
    let find = |name: &str| {
        let is = |s: &&Section| {
            let rest = strings.get(s.name as usize..).unwrap_or_default();
            rest.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.first() == Some(&0))
        };
        sections.iter().find(is).map(|s| elf.place(s, name)).transpose()
    };
    let read = |range: Range<usize>| bytes(&file, range.start, range.len());
    let range = find(".BTF")?.ok_or(none)?;
    let base = find(".BTF.base")?.map(read).transpose()?;
    let info = find(".modinfo")?.map(read).transpose()?;
    let release = info.and_then(|info| {
        let magic = info.split(|b| *b == 0).find_map(|line| line.strip_prefix(b"vermagic="))?;
        String::from_utf8_lossy(magic).split_whitespace().next().map(str::to_string)
    });
    Ok(BtfFile { split: is_split(&file, &range), file, range, base, release })
}
