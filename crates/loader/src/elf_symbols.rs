//! Where a function of a program or library lies in its file.

use std::path::{Path, PathBuf};

use object::read::elf::{FileHeader, ProgramHeader};
use object::{Object as _, ObjectSymbol as _, SymbolKind};

/// Why there is no offset.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SymbolError {
    /// The file can't be read.
    #[error("`{0}` can't be read: {1}")]
    File(String, String),
    /// It is no ELF file, or a damaged one.
    #[error("`{0}` is no program or library: {1}")]
    NotElf(String, String),
    /// No function of that name.
    #[error("there is no such function")]
    NoSymbol {
        /// Names like it.
        near: Vec<String>,
    },
    /// The function is one of several the loader chooses from.
    #[error("`{0}` is chosen among several functions when the program starts (IFUNC); name the chosen one")]
    Indirect(String),
    /// The function's address is in no part that is loaded from the file.
    #[error("`{0}` is not in the file's code")]
    NoSegment(String),
}

/// A file by path, or by name alone: a program on PATH or a library in the usual directories.
pub fn find_file(file: &Path) -> Option<PathBuf> {
    if file.components().count() != 1 || file.is_absolute() {
        return file.is_file().then(|| file.to_path_buf());
    }
    let arch = std::env::consts::ARCH;
    let libraries = [
        format!("/lib/{arch}-linux-gnu"),
        format!("/usr/lib/{arch}-linux-gnu"),
        "/lib64".to_string(),
        "/usr/lib64".to_string(),
        "/lib".to_string(),
        "/usr/lib".to_string(),
    ];
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_library = file.to_string_lossy().contains(".so");
    let (first, second): (Vec<PathBuf>, Vec<PathBuf>) = if is_library {
        (libraries.iter().map(PathBuf::from).collect(), std::env::split_paths(&path).collect())
    } else {
        (std::env::split_paths(&path).collect(), libraries.iter().map(PathBuf::from).collect())
    };
    first.into_iter().chain(second).map(|d| d.join(file)).find(|p| p.is_file())
}

/// The offset in the file of a function's first byte.
pub fn file_offset(path: &Path, function: &str) -> Result<u64, SymbolError> {
    let shown = path.display().to_string();
    let data = std::fs::read(path).map_err(|e| SymbolError::File(shown.clone(), e.to_string()))?;
    offset_in(&data, function).map_err(|e| match e {
        SymbolError::NotElf(_, why) => SymbolError::NotElf(shown, why),
        other => other,
    })
}

fn offset_in(data: &[u8], function: &str) -> Result<u64, SymbolError> {
    let bad = |e: object::Error| SymbolError::NotElf(String::new(), e.to_string());
    match object::FileKind::parse(data).map_err(bad)? {
        object::FileKind::Elf64 => find::<object::elf::FileHeader64<object::Endianness>>(data, function),
        object::FileKind::Elf32 => find::<object::elf::FileHeader32<object::Endianness>>(data, function),
        _ => Err(SymbolError::NotElf(String::new(), "not ELF".to_string())),
    }
}

fn find<E: FileHeader<Endian = object::Endianness>>(data: &[u8], function: &str) -> Result<u64, SymbolError> {
    let bad = |e: object::Error| SymbolError::NotElf(String::new(), e.to_string());
    let file = object::read::elf::ElfFile::<E>::parse(data).map_err(bad)?;
    let defined = || {
        file.symbols().chain(file.dynamic_symbols()).filter(|s| s.is_definition() || s.kind() == SymbolKind::Unknown)
    };
    let candidates = || defined().filter(|s| s.address() != 0);
    let Some(symbol) = candidates().find(|s| s.name() == Ok(function)) else {
        let names: Vec<&str> = candidates().filter_map(|s| s.name().ok()).filter(|n| !n.is_empty()).collect();
        let near = whistler_kernel::nearest(function, names.into_iter(), 3);
        return Err(SymbolError::NoSymbol { near: near.into_iter().map(str::to_string).collect() });
    };
    if let object::SymbolFlags::Elf { st_info, .. } = symbol.flags()
        && st_info.0 & 0xf == object::elf::STT_GNU_IFUNC.0
    {
        return Err(SymbolError::Indirect(function.to_string()));
    }
    let address = symbol.address();
    let endian = file.endian();
    let segments = file.elf_header().program_headers(endian, data).map_err(bad)?;
    for segment in segments {
        let (start, size): (u64, u64) = (segment.p_vaddr(endian).into(), segment.p_filesz(endian).into());
        let loads = segment.p_type(endian) == object::elf::PT_LOAD;
        if loads && address >= start && address - start < size {
            let offset: u64 = segment.p_offset(endian).into();
            return Ok(offset.wrapping_add(address - start));
        }
    }
    Err(SymbolError::NoSegment(function.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_at_the_offset_are_the_function() {
        let Some(libc) = find_file(Path::new("libc.so.6")) else {
            eprintln!("skipped: no libc.so.6 here");
            return;
        };
        let offset = file_offset(&libc, "malloc").expect("libc has malloc");
        let data = std::fs::read(&libc).expect("readable");
        assert!((offset as usize) < data.len());
        match file_offset(&libc, "malloca") {
            Err(SymbolError::NoSymbol { near }) => assert_eq!(near.first().map(String::as_str), Some("malloc")),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn damaged_files_are_errors() {
        let exe = std::fs::read("/proc/self/exe").expect("ourselves");
        let head = &exe[..exe.len().min(4096)];
        let mut state = 88_172_645_463_325_252_u64;
        for _ in 0..500 {
            let mut bytes = head.to_vec();
            for _ in 0..4 {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                let at = (state % 256) as usize;
                bytes[at] = (state >> 32) as u8;
            }
            assert!(offset_in(&bytes, "no_such_function_here").is_err());
        }
        assert!(offset_in(b"", "x").is_err());
        assert!(file_offset(Path::new("/"), "x").is_err());
    }
}
