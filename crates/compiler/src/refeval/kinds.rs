//! Maps that are no plain tables: queues and stacks, tries of prefixes, maps of maps. Invariant: what the kernel's
//! own documentation of the map type says, by the plainest means.

use super::world::{E2BIG, EINVAL, ENOENT, RefMap, World};
use crate::hir::MapId;

/// What an inner map's address is made of: no object lies there.
const MAP_HANDLE: u64 = 0x00aa_0000_0000_0000;

impl World {
    /// The address that stands for a map.
    pub(super) fn handle(map: MapId) -> u64 {
        MAP_HANDLE + u64::from(map.0)
    }

    /// The map of an address.
    pub(super) fn of_handle(&self, address: i64) -> Option<MapId> {
        let n = (address as u64).checked_sub(MAP_HANDLE)?;
        (n < self.maps.len() as u64).then_some(MapId(n as u32))
    }

    /// Puts a value into a queue or stack. With `BPF_EXIST` the oldest one makes room.
    pub(super) fn push(&mut self, map: MapId, value: Vec<u8>, flags: u64) -> i64 {
        let m = &mut self.maps[map.0 as usize];
        if !matches!(flags, 0 | 2) {
            return EINVAL;
        }
        if m.line.len() >= m.max_entries {
            if flags == 0 {
                return E2BIG;
            }
            m.line.remove(0);
        }
        m.line.push(value);
        0
    }

    /// Puts a value into a bloom filter.
    pub(super) fn add_seen(&mut self, map: MapId, value: Vec<u8>, flags: u64) -> i64 {
        if flags != 0 {
            return EINVAL;
        }
        self.maps[map.0 as usize].line.push(value);
        0
    }

    /// Whether a value was put into a bloom filter, as the error of the helper.
    pub(super) fn seen(&self, map: MapId, value: &[u8]) -> i64 {
        if self.maps[map.0 as usize].line.iter().any(|v| v == value) { 0 } else { ENOENT }
    }

    /// Whether it is a bloom filter. One here never takes a value for another.
    pub(super) fn is_bloom(&self, map: MapId) -> bool {
        self.maps[map.0 as usize].bloom
    }

    /// The next value of a queue or stack, taken out or not; zeros and an error when there is none.
    pub(super) fn next(&mut self, map: MapId, take: bool) -> (Vec<u8>, i64) {
        let m = &mut self.maps[map.0 as usize];
        if m.line.is_empty() {
            return (vec![0; m.value_size], ENOENT);
        }
        let at = if m.last_first { m.line.len() - 1 } else { 0 };
        let value = m.line[at].clone();
        if take {
            m.line.remove(at);
        }
        (value, 0)
    }
}

impl RefMap {
    /// The key in a trie of prefixes that a longest-prefix lookup of `key` finds.
    pub(super) fn longest_prefix(&self, key: &[u8]) -> Option<Vec<u8>> {
        let found = self.entries.keys().filter(|k| prefix(k) <= prefix(key) && same_bits(k, key, prefix(k)));
        found.max_by_key(|k| prefix(k)).cloned()
    }

    /// The key in a trie of prefixes that is the same prefix as `key`.
    pub(super) fn same_prefix(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.entries.keys().find(|k| prefix(k) == prefix(key) && same_bits(k, key, prefix(k))).cloned()
    }
}

/// How many bits of a trie's key count.
pub(super) fn prefix(key: &[u8]) -> u32 {
    key.iter().take(4).rev().fold(0, |n, b| (n << 8) | u32::from(*b))
}

/// Whether the first `count` bits behind the prefix length are equal.
fn same_bits(a: &[u8], b: &[u8], count: u32) -> bool {
    let bit = |k: &[u8], i: u32| k.get(4 + i as usize / 8).map(|byte| (byte >> (7 - i % 8)) & 1);
    (0..count).all(|i| bit(a, i) == bit(b, i))
}
