//! Longest-prefix match. A key is a 4-byte prefix length in host order and
//! then the data, most significant bit first. Invariant: entries are found by keys with the bits behind
//! their prefix cleared; listed they are with those bits as they were last written, as the kernel keeps them.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use crate::errno;

#[derive(Debug)]
pub(crate) struct LpmIndex {
    data_len: usize,
    entries: FxHashMap<(u32, Box<[u8]>), u32>,
    /// The data of each slot's key as it was written last.
    written: FxHashMap<u32, Box<[u8]>>,
    /// How many entries have each prefix length.
    lengths: BTreeMap<u32, usize>,
    free: Vec<u32>,
    next: u32,
}

impl LpmIndex {
    pub fn new(data_len: usize) -> LpmIndex {
        LpmIndex {
            data_len,
            entries: FxHashMap::default(),
            written: FxHashMap::default(),
            lengths: BTreeMap::new(),
            free: Vec::new(),
            next: 0,
        }
    }

    fn parse<'k>(&self, key: &'k [u8]) -> Option<(u32, &'k [u8])> {
        let (len, data) = key.split_first_chunk::<4>()?;
        let len = u32::from_le_bytes(*len);
        (data.len() == self.data_len && len as usize <= self.data_len * 8).then_some((len, data))
    }

    /// The slot of the longest stored prefix that covers the key's own prefix.
    pub fn find(&self, key: &[u8]) -> Option<u32> {
        let (len, data) = self.parse(key)?;
        self.lengths.range(..=len).rev().find_map(|(l, _)| self.entries.get(&(*l, masked(data, *l))).copied())
    }

    /// The slot of exactly this prefix; an error when the length is impossible.
    pub fn exact(&self, key: &[u8]) -> Result<Option<u32>, i64> {
        let (len, data) = self.parse(key).ok_or(errno::EINVAL)?;
        Ok(self.entries.get(&(len, masked(data, len))).copied())
    }

    /// Keeps the bits behind the prefix as this key, which has the slot, has them.
    pub fn rewrite(&mut self, slot: u32, key: &[u8]) {
        if let Some((_, data)) = self.parse(key) {
            self.written.insert(slot, data.into());
        }
    }

    pub fn insert(&mut self, key: &[u8], max: usize) -> Result<u32, i64> {
        let (len, data) = self.parse(key).ok_or(errno::EINVAL)?;
        if self.entries.len() >= max {
            return Err(errno::ENOSPC);
        }
        let slot = self.free.pop().unwrap_or_else(|| {
            self.next += 1;
            self.next - 1
        });
        self.entries.insert((len, masked(data, len)), slot);
        self.written.insert(slot, data.into());
        *self.lengths.entry(len).or_default() += 1;
        Ok(slot)
    }

    pub fn remove(&mut self, key: &[u8]) -> Result<(), i64> {
        let (len, data) = self.parse(key).ok_or(errno::EINVAL)?;
        let slot = self.entries.remove(&(len, masked(data, len))).ok_or(errno::ENOENT)?;
        self.written.remove(&slot);
        self.free.push(slot);
        if let Some(n) = self.lengths.get_mut(&len) {
            *n -= 1;
            if *n == 0 {
                self.lengths.remove(&len);
            }
        }
        Ok(())
    }

    pub fn keys(&self) -> Vec<Vec<u8>> {
        let mut all: Vec<_> = self.entries.iter().collect();
        all.sort_by_key(|(_, slot)| **slot);
        let key = |((len, masked), slot): (&(u32, Box<[u8]>), &u32)| {
            [&len.to_le_bytes(), &self.written.get(slot).unwrap_or(masked)[..]].concat()
        };
        all.into_iter().map(key).collect()
    }
}

fn masked(data: &[u8], len: u32) -> Box<[u8]> {
    let byte = |(i, b): (usize, &u8)| match (len as usize).saturating_sub(i * 8) {
        0 => 0,
        n if n >= 8 => *b,
        n => *b & !(0xff >> n),
    };
    data.iter().enumerate().map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(len: u32, data: [u8; 4]) -> Vec<u8> {
        [len.to_le_bytes(), data].concat()
    }

    #[test]
    fn the_longest_prefix_wins() {
        let mut t = LpmIndex::new(4);
        let net = t.insert(&key(8, [10, 9, 9, 9]), 8);
        let sub = t.insert(&key(17, [10, 1, 0x80, 0]), 8);
        let any = t.insert(&key(0, [0; 4]), 8);
        assert_eq!(t.find(&key(32, [10, 1, 0x81, 5])), sub.ok());
        assert_eq!(t.find(&key(32, [10, 1, 0x7f, 5])), net.ok());
        assert_eq!(t.find(&key(32, [11, 1, 0x7f, 5])), any.ok());
        assert_eq!(t.find(&key(16, [10, 1, 0x80, 0])), net.ok(), "a /17 does not cover a /16");
        assert_eq!(t.find(&key(33, [10, 1, 0x80, 0])), None);
        assert_eq!(t.remove(&key(8, [10, 0, 0, 0])), Ok(()));
        assert_eq!(t.find(&key(32, [10, 1, 0x7f, 5])), any.ok());
        assert_eq!(t.remove(&key(8, [10, 0, 0, 0])), Err(errno::ENOENT));
        assert_eq!(t.insert(&key(40, [0; 4]), 8), Err(errno::EINVAL));
    }
}
