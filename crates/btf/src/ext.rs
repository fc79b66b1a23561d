//! `.BTF.ext`: what belongs to single instructions. Invariants: records are
//! grouped by ELF section name and sorted by instruction; offsets are bytes, as in an
//! object file (`bpf(2)` wants slots: divide by 8).

use crate::builder::{BtfBuilder, StrOff};
use crate::core::{CoreKind, CoreReloc};
use crate::error::BtfError;
use crate::raw::{MAGIC, TypeId};
use crate::read::{Btf, word};

/// Which function starts at an instruction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FuncInfo {
    /// The instruction, in bytes from the start of its section.
    pub insn_off: u32,
    /// The type of kind `FUNC`.
    pub type_id: TypeId,
}

/// Which source line an instruction comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LineInfo {
    /// The instruction, in bytes from the start of its section.
    pub insn_off: u32,
    /// The file's name, among the strings of the BTF.
    pub file: StrOff,
    /// The line's text, among the strings of the BTF.
    pub text: StrOff,
    /// The line, counted from 1; at most 22 bits.
    pub line: u32,
    /// The column, counted from 1; at most 10 bits.
    pub col: u32,
}

/// Records of one ELF section.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExtSection<T> {
    /// The section's name.
    pub name: String,
    /// Its records.
    pub records: Vec<T>,
}

/// Everything a `.BTF.ext` holds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BtfExt {
    /// Functions.
    pub funcs: Vec<ExtSection<FuncInfo>>,
    /// Lines.
    pub lines: Vec<ExtSection<LineInfo>>,
    /// CO-RE relocations.
    pub core: Vec<ExtSection<CoreReloc>>,
}

/// Bytes of the header with the CO-RE part.
const HEADER: usize = 32;
const LINE_BITS: u32 = 22;
const COL_BITS: u32 = 10;

impl LineInfo {
    /// Line and column in one word, as the format has it; what does not fit is cut to the largest.
    pub fn line_col(&self) -> u32 {
        (self.line.min((1 << LINE_BITS) - 1) << COL_BITS) | self.col.min((1 << COL_BITS) - 1)
    }
}

/// A record that stands in one of the three tables.
trait Entry: Sized {
    const WORDS: usize;
    fn read(w: &[u32], btf: &Btf) -> Result<Self, BtfError>;
    fn write(&self, out: &mut Vec<u32>, strings: &mut BtfBuilder);
}

impl Entry for FuncInfo {
    const WORDS: usize = 2;
    fn read(w: &[u32], _: &Btf) -> Result<FuncInfo, BtfError> {
        let &[insn_off, ty, ..] = w else { return Err(BtfError::Ext("a function's record is too short")) };
        Ok(FuncInfo { insn_off, type_id: TypeId(ty) })
    }
    fn write(&self, out: &mut Vec<u32>, _: &mut BtfBuilder) {
        out.extend([self.insn_off, self.type_id.0]);
    }
}

impl Entry for LineInfo {
    const WORDS: usize = 4;
    fn read(w: &[u32], _: &Btf) -> Result<LineInfo, BtfError> {
        let &[insn_off, file, text, at, ..] = w else { return Err(BtfError::Ext("a line's record is too short")) };
        let (line, col) = (at >> COL_BITS, at & ((1 << COL_BITS) - 1));
        Ok(LineInfo { insn_off, file: StrOff(file), text: StrOff(text), line, col })
    }
    fn write(&self, out: &mut Vec<u32>, _: &mut BtfBuilder) {
        out.extend([self.insn_off, self.file.0, self.text.0, self.line_col()]);
    }
}

impl Entry for CoreReloc {
    const WORDS: usize = 4;
    fn read(w: &[u32], btf: &Btf) -> Result<CoreReloc, BtfError> {
        let &[insn_off, ty, access, kind, ..] = w else {
            return Err(BtfError::Ext("a relocation's record is too short"));
        };
        let kind = CoreKind::from_number(kind).ok_or(BtfError::Ext("a relocation of unknown kind"))?;
        let access = btf.string(StrOff(access))?.to_owned();
        Ok(CoreReloc { insn_off, type_id: TypeId(ty), access, kind })
    }
    fn write(&self, out: &mut Vec<u32>, strings: &mut BtfBuilder) {
        let access = strings.string(&self.access);
        out.extend([self.insn_off, self.type_id.0, access.0, self.kind as u32]);
    }
}

impl BtfExt {
    /// Reads `.BTF.ext`; names are those of its `.BTF`.
    pub fn parse(bytes: &[u8], btf: &Btf) -> Result<BtfExt, BtfError> {
        if bytes.first_chunk::<2>().map(|m| u16::from_le_bytes(*m)) != Some(MAGIC) {
            return Err(BtfError::Ext("the magic number is wrong"));
        }
        if bytes.get(2) != Some(&1) {
            return Err(BtfError::Ext("its version is not 1"));
        }
        let field = |at: usize| word(bytes, at).map(|w| w as usize).ok_or(BtfError::Ext("its header is cut short"));
        let header = field(4)?;
        let table = |at: usize| -> Result<&[u8], BtfError> {
            // Old headers end before the CO-RE part.
            if header < at + 8 {
                return Ok(&[]);
            }
            let (off, len) = (field(at)?, field(at + 4)?);
            let from = header.checked_add(off).ok_or(BtfError::Ext("a table lies outside"))?;
            let to = from.checked_add(len).ok_or(BtfError::Ext("a table lies outside"))?;
            bytes.get(from..to).ok_or(BtfError::Ext("a table lies outside"))
        };
        Ok(BtfExt {
            funcs: read_table(table(8)?, btf)?,
            lines: read_table(table(16)?, btf)?,
            core: read_table(table(24)?, btf)?,
        })
    }

    /// The bytes of `.BTF.ext`. Names go into `strings`, whose `.BTF` must be written after this.
    pub fn to_bytes(&self, strings: &mut BtfBuilder) -> Vec<u8> {
        let tables =
            [write_table(&self.funcs, strings), write_table(&self.lines, strings), write_table(&self.core, strings)];
        let mut out = Vec::with_capacity(HEADER + tables.iter().map(Vec::len).sum::<usize>());
        out.extend(MAGIC.to_le_bytes());
        out.extend([1, 0]);
        out.extend((HEADER as u32).to_le_bytes());
        let mut at = 0u32;
        for t in &tables {
            out.extend(at.to_le_bytes());
            out.extend((t.len() as u32).to_le_bytes());
            at += t.len() as u32;
        }
        out.extend(tables.concat());
        out
    }
}

fn read_table<T: Entry>(bytes: &[u8], btf: &Btf) -> Result<Vec<ExtSection<T>>, BtfError> {
    let mut sections = Vec::new();
    if bytes.is_empty() {
        return Ok(sections);
    }
    let cut = || BtfError::Ext("a table is cut short");
    let size = word(bytes, 0).ok_or_else(cut)? as usize;
    if size < T::WORDS * 4 || !size.is_multiple_of(4) {
        return Err(BtfError::Ext("a table's records are too short"));
    }
    let mut at = 4;
    while at < bytes.len() {
        let name = btf.string(StrOff(word(bytes, at).ok_or_else(cut)?))?.to_owned();
        let count = word(bytes, at + 4).ok_or_else(cut)? as usize;
        let len = count.checked_mul(size).ok_or_else(cut)?;
        let body = bytes.get(at + 8..).and_then(|b| b.get(..len)).ok_or_else(cut)?;
        let mut records = Vec::with_capacity(count);
        for entry in body.chunks_exact(size) {
            let words: Vec<u32> = (0..T::WORDS).filter_map(|i| word(entry, 4 * i)).collect();
            records.push(T::read(&words, btf)?);
        }
        sections.push(ExtSection { name, records });
        at += 8 + len;
    }
    Ok(sections)
}

fn write_table<T: Entry>(sections: &[ExtSection<T>], strings: &mut BtfBuilder) -> Vec<u8> {
    // libbpf insists on a record size in the function and line tables, empty or not,
    // and takes an empty CO-RE table as absent: a lone size word suits all three.
    let mut words = vec![(T::WORDS * 4) as u32];
    for s in sections.iter().filter(|s| !s.records.is_empty()) {
        words.extend([strings.string(&s.name).0, s.records.len() as u32]);
        for r in &s.records {
            r.write(&mut words, strings);
        }
    }
    if words.len() == 1 {
        return Vec::new();
    }
    words.into_iter().flat_map(u32::to_le_bytes).collect()
}
