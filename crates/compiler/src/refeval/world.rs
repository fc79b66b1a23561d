//! What a program meets: maps, globals, a packet, a context, and the answers of helpers.

use std::collections::BTreeMap;

use whistler_isa::MapType;

use super::dynptrs::{Dynptr, Timer};
use super::kinds::prefix;
use super::memory::Memory;
use crate::hir::{MapId, Unit};

/// Errors as helpers return them.
pub(super) const ENOENT: i64 = -2;
pub(super) const E2BIG: i64 = -7;
pub(super) const EAGAIN: i64 = -11;
pub(super) const EEXIST: i64 = -17;
pub(super) const EINVAL: i64 = -22;
pub(super) const ENOSPC: i64 = -28;

/// A map: entries by key, each an object in memory.
#[derive(Clone, Debug)]
pub struct RefMap {
    kind: Kind,
    key_size: usize,
    pub(super) value_size: usize,
    pub(super) max_entries: usize,
    /// Whether its values hold a spin lock.
    locked: bool,
    pub(super) entries: BTreeMap<Vec<u8>, u64>,
    /// Values of a queue or stack, oldest first.
    pub(super) line: Vec<Vec<u8>>,
    /// Whether these are what a bloom filter has seen.
    pub(super) bloom: bool,
    /// Whether the youngest of them comes first.
    pub(super) last_first: bool,
    /// Records of a ring buffer in the order they were reserved; `None` for those that were not submitted.
    pub(super) records: Vec<Option<Vec<u8>>>,
    /// Bytes of the ring that they take; nobody consumes while programs run.
    taken: usize,
}

impl RefMap {
    /// Opens a record and gives its number. None when the ring has no room: each takes eight bytes and its length
    /// in eights, and one byte of the ring stays free (kernel/bpf/ringbuf.c).
    pub(super) fn reserve(&mut self, len: usize) -> Option<usize> {
        let taken = len.checked_add(8)?.checked_next_multiple_of(8)?.checked_add(self.taken)?;
        if taken >= self.max_entries {
            return None;
        }
        self.taken = taken;
        self.records.push(None);
        Some(self.records.len() - 1)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Hash,
    Array,
    Ring,
    Trie,
    Maps,
    Other,
}

/// The state that runs read and change. Cloneable, so that one start can serve several runs.
#[derive(Clone, Debug)]
pub struct World {
    pub(super) memory: Memory,
    pub(super) maps: Vec<RefMap>,
    pub(super) globals: Vec<u64>,
    /// Address and length of the packet.
    pub(super) packet: (u64, u64),
    /// The bytes of the context, where it is not made of the packet.
    pub(super) ctx: u64,
    /// Dynptrs by the address of what stands for them.
    pub(super) dynptrs: BTreeMap<i64, Dynptr>,
    /// Timers by their address.
    pub(super) timers: BTreeMap<i64, Timer>,
    /// Iterators by their address: what they still give.
    pub(super) iterators: BTreeMap<i64, Vec<i64>>,
    /// What program arrays hold: array, index, program.
    pub(super) programs: BTreeMap<(u32, u32), String>,
    /// What `ktime_get_ns` says; moves on by itself with every call.
    pub clock: u64,
    /// What `get_current_pid_tgid` says.
    pub pid_tgid: u64,
    /// What `get_current_uid_gid` says.
    pub uid_gid: u64,
    /// What `get_smp_processor_id` says.
    pub cpu: u32,
    /// Rounds and calls a run may make before it is a fault.
    pub steps: u64,
}

impl World {
    /// Fresh maps and globals of a unit, no packet, an empty context.
    pub fn new(unit: &Unit) -> World {
        let mut memory = Memory::default();
        let globals = unit.globals.iter().map(|g| memory.add(g.init.clone(), g.writable)).collect();
        let maps = unit
            .maps
            .iter()
            .map(|m| {
                let kind = match m.map_type {
                    MapType::Hash | MapType::LruHash | MapType::PercpuHash | MapType::LruPercpuHash => Kind::Hash,
                    MapType::Array | MapType::PercpuArray => Kind::Array,
                    MapType::Ringbuf => Kind::Ring,
                    MapType::LpmTrie => Kind::Trie,
                    MapType::ArrayOfMaps | MapType::HashOfMaps => Kind::Maps,
                    _ => Kind::Other,
                };
                let mut entries = BTreeMap::new();
                if kind == Kind::Maps {
                    for (index, name) in &m.contents {
                        if let Some(inner) = unit.maps.iter().position(|m| m.name == *name) {
                            entries.insert(index.to_le_bytes().to_vec(), World::handle(MapId(inner as u32)));
                        }
                    }
                }
                if kind == Kind::Array {
                    for i in 0..m.max_entries {
                        let object = memory.add(vec![0; m.value_size as usize], true);
                        entries.insert(i.to_le_bytes().to_vec(), object);
                    }
                }
                RefMap {
                    kind,
                    key_size: m.key_size as usize,
                    value_size: m.value_size as usize,
                    max_entries: m.max_entries as usize,
                    locked: m.holds("bpf_spin_lock"),
                    entries,
                    line: Vec::new(),
                    bloom: m.map_type == MapType::BloomFilter,
                    last_first: m.map_type == MapType::Stack,
                    records: Vec::new(),
                    taken: 0,
                }
            })
            .collect();
        let packet = memory.add(Vec::new(), true);
        let ctx = memory.add(Vec::new(), true);
        World {
            memory,
            maps,
            globals,
            packet: (packet, 0),
            ctx,
            dynptrs: BTreeMap::new(),
            timers: BTreeMap::new(),
            iterators: BTreeMap::new(),
            programs: BTreeMap::new(),
            clock: 1_000_000_000,
            pid_tgid: 0,
            uid_gid: 0,
            cpu: 0,
            steps: 10_000_000,
        }
    }

    /// Puts a packet before the program.
    pub fn set_packet(&mut self, bytes: &[u8]) {
        self.packet = (self.memory.add(bytes.to_vec(), true), bytes.len() as u64);
    }

    /// The packet as it is now.
    pub fn packet(&self) -> &[u8] {
        self.memory.object(self.packet.0).unwrap_or(&[])
    }

    /// Puts a context of these bytes before the program.
    pub fn set_ctx(&mut self, bytes: &[u8]) {
        self.ctx = self.memory.add(bytes.to_vec(), true);
    }

    /// The context's bytes as they are now.
    pub fn ctx(&self) -> &[u8] {
        self.memory.object(self.ctx).unwrap_or(&[])
    }

    /// Puts a program into a program array, for tail calls.
    pub fn set_program(&mut self, map: MapId, index: u32, program: &str) {
        self.programs.insert((map.0, index), program.to_string());
    }

    /// A map's entries, keys in order.
    pub fn entries(&self, map: MapId) -> Vec<(Vec<u8>, Vec<u8>)> {
        let map = &self.maps[map.0 as usize];
        map.entries.iter().map(|(k, v)| (k.clone(), self.memory.object(*v).unwrap_or(&[]).to_vec())).collect()
    }

    /// The records submitted to a ring buffer, in the order they were reserved.
    pub fn records(&self, map: MapId) -> Vec<Vec<u8>> {
        self.maps[map.0 as usize].records.iter().flatten().cloned().collect()
    }

    /// The values in a queue or stack, in the order in which they would be taken out.
    pub fn line(&self, map: MapId) -> Vec<Vec<u8>> {
        let m = &self.maps[map.0 as usize];
        if m.last_first { m.line.iter().rev().cloned().collect() } else { m.line.clone() }
    }

    /// A global's bytes.
    pub fn global(&self, index: usize) -> &[u8] {
        self.globals.get(index).and_then(|g| self.memory.object(*g)).unwrap_or(&[])
    }

    /// Sets an entry from outside.
    pub fn set_entry(&mut self, map: MapId, key: &[u8], value: &[u8]) -> Result<(), i64> {
        match self.update(map, key.to_vec(), value.to_vec(), 0) {
            0 => Ok(()),
            e => Err(e),
        }
    }

    pub(super) fn keys(&self, map: MapId) -> Vec<Vec<u8>> {
        self.maps[map.0 as usize].entries.keys().cloned().collect()
    }

    pub(super) fn lookup(&self, map: MapId, key: &[u8]) -> u64 {
        let m = &self.maps[map.0 as usize];
        let found = match m.kind {
            Kind::Trie => m.longest_prefix(key).and_then(|k| m.entries.get(&k)),
            _ => m.entries.get(key),
        };
        found.copied().unwrap_or(0)
    }

    pub(super) fn update(&mut self, map: MapId, key: Vec<u8>, value: Vec<u8>, flags: u64) -> i64 {
        const NOEXIST: u64 = 1;
        const EXIST: u64 = 2;
        // `BPF_F_LOCK` means nothing more here: nobody else runs.
        const LOCK: u64 = 4;
        let m = &mut self.maps[map.0 as usize];
        let lockless = flags & LOCK != 0 && !m.locked;
        let flags = flags & !LOCK;
        if flags > EXIST || (lockless && m.kind != Kind::Array) {
            return EINVAL;
        }
        if m.kind == Kind::Trie && prefix(&key) as usize > 8 * (m.key_size - 4) {
            return EINVAL;
        }
        // Of keys with the same prefix the last one's other bits are kept.
        let same = if m.kind == Kind::Trie { m.same_prefix(&key) } else { None };
        let old = m.entries.get(same.as_ref().unwrap_or(&key)).copied();
        if m.kind == Kind::Array {
            return match old {
                None => E2BIG,
                Some(_) if flags == NOEXIST => EEXIST,
                Some(_) if lockless => EINVAL,
                Some(address) => {
                    if let Some(bytes) = self.memory.write(address, value.len()) {
                        bytes.copy_from_slice(&value);
                    }
                    0
                }
            };
        }
        match (old, flags) {
            (Some(_), NOEXIST) => return EEXIST,
            (None, EXIST) => return ENOENT,
            (None, _) if m.entries.len() >= m.max_entries => return if m.kind == Kind::Trie { ENOSPC } else { E2BIG },
            _ => {}
        }
        // As in the kernel, a new value is a new object: an old pointer keeps seeing the old one.
        let object = self.memory.add(value, true);
        if let Some(same) = same {
            m.entries.remove(&same);
        }
        m.entries.insert(key, object);
        0
    }

    pub(super) fn delete(&mut self, map: MapId, key: &[u8]) -> i64 {
        let m = &mut self.maps[map.0 as usize];
        if m.kind == Kind::Array {
            return EINVAL;
        }
        let same = if m.kind == Kind::Trie { m.same_prefix(key) } else { None };
        match m.entries.remove(same.as_deref().unwrap_or(key)) {
            Some(_) => 0,
            None => ENOENT,
        }
    }

    pub(super) fn key_size(&self, map: MapId) -> usize {
        self.maps[map.0 as usize].key_size
    }

    pub(super) fn value_size(&self, map: MapId) -> usize {
        self.maps[map.0 as usize].value_size
    }
}
