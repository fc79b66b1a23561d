//! Source lines for the kernel: an object's BTF with the lines' texts added, and for every program the
//! records that say which function and which line a slot belongs to.
//!
//! The kernel wants (kernel/bpf/verifier.c, check_btf_func, check_btf_line): a function record for
//! every function or for none; a line record at the first slot of every function; slots ascending; no
//! record at the second half of a 64-bit load.

use rustc_hash::FxHashMap;
use whistler_btf::{Btf, BtfBuilder, Kind, Linkage, int_encoding};
use whistler_object::{Function, Object};

use crate::layout::Layout;

const HEADER: usize = 24;
const LINE_BITS: u32 = 22;
const COL_BITS: u32 = 10;

/// A BTF that grows by strings.
#[derive(Debug)]
pub(crate) struct Lines {
    /// Types, without header and strings.
    types: Vec<u8>,
    strings: Vec<u8>,
    known: FxHashMap<String, u32>,
    /// The types made for functions, by name, where the object brought none of its own.
    made: Option<FxHashMap<String, u32>>,
}

/// The records of one program.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Records {
    pub(crate) func_info: Vec<u8>,
    pub(crate) line_info: Vec<u8>,
}

fn word(bytes: &[u8], at: usize) -> Option<usize> {
    bytes.get(at..at + 4)?.try_into().ok().map(|b| u32::from_le_bytes(b) as usize)
}

/// Types and strings of BTF bytes; `None` when they make no sense.
fn split(bytes: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let header = word(bytes, 4)?;
    let section = |at: usize| {
        let (start, len) = (header.checked_add(word(bytes, at)?)?, word(bytes, at + 4)?);
        Some(bytes.get(start..start.checked_add(len)?)?.to_vec())
    };
    Some((section(8)?, section(16)?))
}

/// The types with what stands outside of the object (kernel functions, kernel variables) as if it stood in it: the
/// kernel takes no BTF that says `extern` (btf_func_check_meta, btf_var_check_meta). `None` when there is nothing of that.
#[expect(clippy::option_option, reason = "nothing to do is not the same as nothing to be done")]
fn without_externs(btf: &Btf) -> Option<Option<(Vec<u8>, Vec<u8>)>> {
    let mut found = Vec::new();
    for id in btf.own_ids().ok()? {
        match btf.ty(id).ok()?.get() {
            Kind::Func { linkage: Linkage::Extern, .. } => found.push((id, Some(Linkage::Static))),
            Kind::Var { linkage: Linkage::Extern, .. } => found.push((id, Some(Linkage::Global))),
            Kind::Datasec(_) if btf.ty(id).ok()?.name == ".ksyms" => found.push((id, None)),
            _ => {}
        }
    }
    if found.is_empty() {
        return None;
    }
    let mut b = BtfBuilder::from_btf(btf).ok()?;
    for (id, linkage) in found {
        match linkage {
            Some(l) => b.set_linkage(id, l),
            None => b.forget(id),
        };
    }
    Some(split(&b.to_bytes()))
}

/// A name as BTF takes it.
fn identifier(name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut out: String = name.chars().map(|c| if fits(c) { c } else { '_' }).collect();
    if !out.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        out.insert(0, '_');
    }
    out
}

impl Lines {
    pub(crate) fn new(object: &Object) -> Lines {
        let btf = Btf::parse(object.btf.clone()).ok().filter(|_| !object.btf.is_empty());
        let own = btf.and_then(|b| without_externs(&b).unwrap_or_else(|| split(&object.btf)));
        match own {
            Some((types, strings)) => Lines { types, strings, known: FxHashMap::default(), made: None },
            None => Lines::with_functions(object),
        }
    }

    /// For an object without types: the names of its functions, which the kernel wants for callbacks
    /// and shows in its listings. (It takes no BTF without a type.)
    fn with_functions(object: &Object) -> Lines {
        let mut b = BtfBuilder::new();
        let int = b.int("int", 4, int_encoding::SIGNED);
        let proto = b.func_proto(int, &[]);
        let mut made = FxHashMap::default();
        let functions = object.programs.iter().map(|p| &p.function).chain(&object.subprograms);
        for f in functions {
            let name = identifier(&f.name);
            made.insert(f.name.clone(), b.func(&name, proto, Linkage::Static).0);
        }
        let (types, strings) = split(&b.to_bytes()).unwrap_or_default();
        Lines { types, strings, known: FxHashMap::default(), made: Some(made) }
    }

    /// Whether the object's own type ids mean something here.
    pub(crate) fn is_typed(&self) -> bool {
        self.made.is_none()
    }

    fn string(&mut self, text: &str) -> u32 {
        if let Some(at) = self.known.get(text) {
            return *at;
        }
        let at = self.strings.len() as u32;
        // A zero byte would end the string early.
        self.strings.extend(text.bytes().filter(|b| *b != 0));
        self.strings.push(0);
        self.known.insert(text.to_string(), at);
        at
    }

    /// The records of a program.
    pub(crate) fn records(&mut self, layout: &Layout<'_>) -> Records {
        Records { func_info: self.func_info(layout), line_info: self.line_info(layout).unwrap_or_default() }
    }

    fn func_info(&self, layout: &Layout<'_>) -> Vec<u8> {
        let id = |f: &Function| match &self.made {
            Some(made) => made.get(&f.name).copied(),
            None => f.type_id,
        };
        let all: Option<Vec<_>> = layout.parts.iter().map(|(start, f)| Some((*start as u32, id(f)?))).collect();
        let records = all.unwrap_or_default();
        records.into_iter().flat_map(|(at, id)| [at.to_le_bytes(), id.to_le_bytes()].concat()).collect()
    }

    fn line_info(&mut self, layout: &Layout<'_>) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        for (start, f) in &layout.parts {
            let mut last = None;
            let mut second_half = false;
            for (i, insn) in f.insns.iter().enumerate() {
                if second_half {
                    second_half = false;
                    continue;
                }
                second_half = insn.is_wide();
                // The first slot needs a record: one without a source takes the first that there is.
                let here = f.location(i).or_else(|| (i == 0).then(|| f.locations.first()).flatten());
                let Some(here) = here else {
                    if i == 0 {
                        return None;
                    }
                    continue;
                };
                if last == Some(here) {
                    continue;
                }
                last = Some(here);
                let (file, text) = (self.string(&here.file), self.string(here.text.trim()));
                let line = here.line.min((1 << LINE_BITS) - 1) << COL_BITS | here.col.min((1 << COL_BITS) - 1);
                for w in [(start + i) as u32, file, text, line] {
                    out.extend(w.to_le_bytes());
                }
            }
        }
        Some(out)
    }

    /// The whole BTF, with every text that records speak of.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut out = vec![0x9f, 0xeb, 1, 0];
        for w in [HEADER, 0, self.types.len(), self.types.len(), self.strings.len()] {
            out.extend((w as u32).to_le_bytes());
        }
        out.extend(&self.types);
        out.extend(&self.strings);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use whistler_isa::{Insn, op};
    use whistler_object::Location;

    fn location(line: u32, text: &str) -> Location {
        Location { file: Arc::from("a.lisp"), line, col: 3, text: Arc::from(text), ..Location::default() }
    }

    #[test]
    fn one_record_where_the_line_changes_and_none_inside_a_wide_load() {
        let [a, b] = Insn::ld_imm64(1, 0, 7);
        let exit = Insn::new(op::JMP | op::EXIT, 0, 0, 0, 0);
        let f = Function {
            name: "f".into(),
            insns: vec![a, b, exit, exit],
            locations: vec![location(1, "(one)"), location(2, "(two)")],
            locs: vec![u32::MAX, 1, 1, 1],
            ..Function::default()
        };
        let mut lines = Lines::new(&Object::default());
        let layout = Layout { parts: vec![(0, &f)] };
        let records = lines.records(&layout);
        let words: Vec<u32> = records.line_info.as_chunks::<4>().0.iter().map(|w| u32::from_le_bytes(*w)).collect();
        assert_eq!(words.len(), 8);
        assert_eq!((words[0], words[3] >> COL_BITS, words[3] & 1023), (0, 1, 3));
        assert_eq!((words[4], words[7] >> COL_BITS), (2, 2));
        assert!(records.func_info.is_empty(), "a function that the object does not have");
        let btf = Btf::parse(lines.to_bytes()).expect("sound");
        assert_eq!(btf.string(whistler_btf::StrOff(words[1])), Ok("a.lisp"));
        assert_eq!(btf.string(whistler_btf::StrOff(words[6])), Ok("(two)"));
    }
}
