//! An ELF file as sections, symbols and relocations, all checked to lie inside
//! it. Invariant: nothing here knows BPF beyond the header; nothing here allocates more than
//! a small multiple of the file's size.

use object::LittleEndian as LE;
use object::elf::{self, FileHeader64};
use object::read::elf::{FileHeader, Rel, SectionHeader, Sym};

use crate::ObjectError;

/// The parts of a file that objects are made of.
pub(super) struct File<'a> {
    pub(super) sections: Vec<Section<'a>>,
    pub(super) symbols: Vec<Symbol<'a>>,
}

/// A section; its index in [`File::sections`] is its number.
pub(super) struct Section<'a> {
    pub(super) name: &'a str,
    pub(super) kind: elf::SectionType,
    pub(super) flags: u64,
    pub(super) size: u64,
    pub(super) align: u64,
    /// Its bytes; none where the file has none (`.bss`).
    pub(super) bytes: &'a [u8],
    pub(super) relocations: Vec<Relocation>,
}

impl Section<'_> {
    pub(super) fn is_code(&self) -> bool {
        self.kind == elf::SHT_PROGBITS && self.flags & elf::SHF_EXECINSTR.0 != 0 && self.size > 0
    }

    pub(super) fn is_allocated(&self) -> bool {
        self.flags & elf::SHF_ALLOC.0 != 0
    }
}

/// A symbol; its index in [`File::symbols`] is its number.
pub(super) struct Symbol<'a> {
    /// Its name; a section's own symbol has the section's.
    pub(super) name: &'a str,
    pub(super) kind: elf::SymbolType,
    pub(super) value: u64,
    pub(super) size: u64,
    /// The section it is defined in.
    pub(super) section: Option<usize>,
    pub(super) undefined: bool,
    /// Whether other files see it: bound globally and not hidden.
    pub(super) local: bool,
    pub(super) hidden: bool,
}

/// A relocation of a section.
#[derive(Clone, Copy)]
pub(super) struct Relocation {
    pub(super) offset: u64,
    pub(super) r_type: u32,
    /// The symbol's number.
    pub(super) symbol: usize,
}

/// The place of `e_machine` and its neighbours in every ELF header.
const CLASS: usize = 4;
const DATA: usize = 5;

fn not_bpf(what: impl Into<String>) -> ObjectError {
    ObjectError::NotBpf(what.into())
}

impl<'a> File<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<File<'a>, ObjectError> {
        if !bytes.starts_with(b"\x7fELF") {
            return Err(not_bpf("it does not start as ELF files do"));
        }
        if bytes.get(CLASS) != Some(&elf::ELFCLASS64.0) {
            return Err(not_bpf("it is not a 64-bit ELF file"));
        }
        match bytes.get(DATA) {
            Some(d) if *d == elf::ELFDATA2LSB.0 => {}
            Some(d) if *d == elf::ELFDATA2MSB.0 => {
                return Err(not_bpf("it was made for big-endian machines; compile for `bpfel`"));
            }
            _ => return Err(not_bpf("its byte order is not known")),
        }
        let broken = |e: object::read::Error| not_bpf(e.to_string());
        let header = FileHeader64::<LE>::parse(bytes).map_err(broken)?;
        let machine = header.e_machine(LE);
        if machine != elf::EM_BPF {
            return Err(not_bpf(format!("it is for machine {}, not for eBPF (247)", machine.0)));
        }
        if header.e_type(LE) != elf::ET_REL {
            return Err(not_bpf("it is not relocatable (an object file as `clang -c` makes them)"));
        }
        let table = header.sections(LE, bytes).map_err(broken)?;
        let mut sections = Vec::with_capacity(table.len());
        for (index, section) in table.enumerate() {
            let name = if index.0 == 0 { &[][..] } else { table.section_name(LE, section).map_err(broken)? };
            let name = std::str::from_utf8(name)
                .map_err(|_| not_bpf(format!("the name of section {} is no text", index.0)))?;
            let outside = |_| ObjectError::section(name, None, "it reaches past the end of the file");
            sections.push(Section {
                name,
                kind: section.sh_type(LE),
                flags: section.sh_flags(LE).0,
                size: section.sh_size(LE),
                align: section.sh_addralign(LE),
                bytes: if index.0 == 0 { &[] } else { section.data(LE, bytes).map_err(outside)? },
                relocations: Vec::new(),
            });
        }
        let mut file = File { sections, symbols: Vec::new() };
        let symbols = table.symbols(LE, bytes, elf::SHT_SYMTAB).map_err(broken)?;
        for (index, symbol) in symbols.enumerate() {
            let name = symbols.symbol_name(LE, symbol).map_err(broken)?;
            let mut name =
                std::str::from_utf8(name).map_err(|_| not_bpf(format!("the name of symbol {} is no text", index.0)))?;
            let section = symbols.symbol_section(LE, symbol, index).map_err(broken)?.map(|s| s.0);
            if let Some(s) = section {
                let known = file
                    .sections
                    .get(s)
                    .ok_or_else(|| not_bpf(format!("symbol `{name}` is in no section of the file")))?;
                if name.is_empty() && symbol.st_type() == elf::STT_SECTION {
                    name = known.name;
                }
            }
            file.symbols.push(Symbol {
                name,
                kind: symbol.st_type(),
                value: symbol.st_value(LE),
                size: symbol.st_size(LE),
                section,
                undefined: symbol.is_undefined(LE),
                local: symbol.is_local(),
                hidden: matches!(symbol.st_visibility(), elf::STV_HIDDEN | elf::STV_INTERNAL),
            });
        }
        for section in table.iter() {
            let target = section.sh_info(LE) as usize;
            if section.rela(LE, bytes).map_err(broken)?.is_some() {
                if file.sections.get(target).is_some_and(Section::is_code) {
                    let name = file.sections[target].name;
                    return Err(ObjectError::section(
                        name,
                        None,
                        "its relocations have addends (SHT_RELA), which eBPF does not use",
                    ));
                }
                continue;
            }
            let Some((rels, _)) = section.rel(LE, bytes).map_err(broken)? else { continue };
            let Some(target) = file.sections.get_mut(target) else {
                return Err(not_bpf(format!("relocations are for section {target}, which does not exist")));
            };
            // Only code and the contents of maps are relocated; what clang relocates elsewhere (DWARF, BTF) needs no
            // linking.
            if !target.is_code() && target.name != super::MAPS && super::registration(target.name).is_none() {
                continue;
            }
            for rel in rels {
                let symbol = rel.r_sym(LE) as usize;
                if symbol >= file.symbols.len() {
                    let what = format!("a relocation names symbol {symbol}, which does not exist");
                    return Err(ObjectError::section(target.name, rel.r_offset(LE), what));
                }
                target.relocations.push(Relocation { offset: rel.r_offset(LE), r_type: rel.r_type(LE).0, symbol });
            }
        }
        Ok(file)
    }

    /// The section of that name that has bytes.
    pub(super) fn section(&self, name: &str) -> Option<&Section<'a>> {
        self.sections.iter().find(|s| s.name == name && s.size > 0)
    }
}
