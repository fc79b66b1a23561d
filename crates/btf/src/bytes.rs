//! Where the bytes of BTF are: in memory, or in a file that is read in parts. Invariant: a part is read once and stays as
//! it was then, so that what was handed out stays good; of the types, as much is read as was asked for, and some more.

use crate::error::BtfError;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// Bytes that are kept.
pub type Memory = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// Bytes of BTF that are read in parts, as they are needed: the strings at once, the types from their start on.
pub trait Parts: Send + Sync {
    /// How many bytes there are.
    fn size(&self) -> usize;

    /// Some of them; an error says why they can't be read.
    fn part(&self, range: Range<usize>) -> Result<Memory, String>;
}

/// The first reading of types in bytes; each further one is larger by [`LARGER`]. The structs that everybody asks for
/// come early in a kernel's types.
const FIRST: usize = 32 << 10;
const LARGER: usize = 4;
/// Readings until all is there, whatever the size.
const READINGS: usize = 10;

/// The bytes of one BTF (base or split part), with the places of its sections.
pub(crate) struct Bytes {
    pub(crate) types: Range<usize>,
    pub(crate) strings: Range<usize>,
    store: Store,
}

enum Store {
    Whole(Memory),
    Parts { parts: Box<dyn Parts>, strings: Memory, types: Box<[OnceLock<Part>; READINGS]>, whole: OnceLock<Part> },
}

type Part = Result<Memory, BtfError>;

/// Where sections lie, as a header says.
pub(crate) type Layout = (Range<usize>, Range<usize>);

impl Bytes {
    pub(crate) fn whole(all: Memory, (types, strings): Layout) -> Bytes {
        Bytes { types, strings, store: Store::Whole(all) }
    }

    pub(crate) fn parts(parts: Box<dyn Parts>, (types, strings): Layout) -> Result<Bytes, BtfError> {
        let text = part(&*parts, strings.clone())?;
        let store = Store::Parts { parts, strings: text, types: Default::default(), whole: OnceLock::new() };
        Ok(Bytes { types, strings, store })
    }

    pub(crate) fn string_bytes(&self) -> &[u8] {
        match &self.store {
            Store::Whole(all) => (**all).as_ref().get(self.strings.clone()).unwrap_or_default(),
            Store::Parts { strings, .. } => (**strings).as_ref(),
        }
    }

    /// The types from the first byte to `end` at least, where they reach so far.
    pub(crate) fn types_to(&self, end: usize) -> Result<&[u8], BtfError> {
        match &self.store {
            Store::Whole(all) => Ok((**all).as_ref().get(self.types.clone()).unwrap_or_default()),
            Store::Parts { parts, types, .. } => {
                let mut len = FIRST;
                for (n, reading) in types.iter().enumerate() {
                    if n + 1 == types.len() || len >= self.types.len() {
                        len = self.types.len();
                    }
                    if len >= end || len == self.types.len() {
                        let start = self.types.start;
                        let read = reading.get_or_init(|| part(&**parts, start..start + len));
                        return read.as_ref().map(|m| (**m).as_ref()).map_err(Clone::clone);
                    }
                    len *= LARGER;
                }
                Ok(&[])
            }
        }
    }

    /// All bytes, header included.
    pub(crate) fn all(&self) -> Result<&[u8], BtfError> {
        match &self.store {
            Store::Whole(all) => Ok((**all).as_ref()),
            Store::Parts { parts, whole, .. } => {
                let read = whole.get_or_init(|| part(&**parts, 0..parts.size()));
                read.as_ref().map(|m| (**m).as_ref()).map_err(Clone::clone)
            }
        }
    }
}

/// A part of the length that was asked for.
pub(crate) fn part(parts: &dyn Parts, range: Range<usize>) -> Part {
    let wanted = range.len();
    let read = parts.part(range).map_err(BtfError::Unread)?;
    match (*read).as_ref().len() {
        n if n == wanted => Ok(read),
        n => Err(BtfError::Unread(format!("{n} of {wanted} bytes are there"))),
    }
}
