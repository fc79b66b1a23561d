//! Maps: what they hold and the errors they give, as the kernel's do.
//! Invariant: values lie in one vector per map, in slots of equal size, so that
//! a pointer to a value is a slot number and stays good as long as the map does.

mod hash;
mod lpm;
mod ring;

use std::collections::VecDeque;

use rustc_hash::FxHashSet;
use whistler_isa::{MapType, map_flags};
use whistler_object as object;

use crate::errno;
use crate::fault::Access;
pub(crate) use hash::HashIndex;
pub(crate) use lpm::LpmIndex;
pub(crate) use ring::Ring;

/// The most bytes of values that one map may ask for here.
const MAX_BYTES: u64 = 4 << 30;

/// What an update asks of the entry: `BPF_ANY`, `BPF_NOEXIST`, `BPF_EXIST`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UpdateFlags {
    /// Create or replace.
    Any,
    /// Only create.
    NoExist,
    /// Only replace.
    Exist,
}

impl UpdateFlags {
    /// The kernel's number.
    pub fn bits(self) -> u64 {
        match self {
            UpdateFlags::Any => 0,
            UpdateFlags::NoExist => 1,
            UpdateFlags::Exist => 2,
        }
    }
}

/// `BPF_F_LOCK`: the value is written while its lock is held.
pub(crate) const LOCK: u64 = 4;

/// Why the host could not do something with a map.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MapError {
    /// No map of that name.
    #[error("there is no map `{0}`")]
    NoMap(String),
    /// A key or value of the wrong length.
    #[error("map `{map}` has {what}s of {want} bytes, not {got}")]
    Size {
        /// The map.
        map: String,
        /// `key` or `value`.
        what: &'static str,
        /// Bytes it has.
        want: usize,
        /// Bytes given.
        got: usize,
    },
    /// What the kernel would have answered.
    #[error("map `{map}`: {} ({errno})", errno::name(i64::from(*errno)))]
    Errno {
        /// The map.
        map: String,
        /// The negative error number.
        errno: i32,
    },
    /// An operation that this kind of map does not have.
    #[error("map `{map}` ({map_type}) has no {operation}")]
    Unsupported {
        /// The map.
        map: String,
        /// Its type.
        map_type: MapType,
        /// What was asked.
        operation: &'static str,
    },
}

/// The values of a map. The address of slot `n` is `n` times a power of two that is larger than a value.
#[derive(Debug)]
pub(crate) struct Values {
    bytes: Vec<u8>,
    size: usize,
    shift: u32,
}

impl Values {
    fn new(size: usize, slots: usize) -> Values {
        // Wide gaps, so that running off a value on either side does not reach its neighbour.
        let shift = (2 * size + 16).next_power_of_two().trailing_zeros();
        Values { bytes: vec![0; size * slots], size, shift }
    }

    /// Offset within the map's region of the first byte of a slot.
    pub fn offset_of(&self, slot: usize) -> u64 {
        (slot as u64) << self.shift
    }

    fn range(&self, off: usize, len: usize) -> Option<std::ops::Range<usize>> {
        let (slot, within) = (off >> self.shift, off & ((1 << self.shift) - 1));
        let end = within.checked_add(len)?;
        (end <= self.size).then(|| slot * self.size + within..slot * self.size + end)
    }

    pub fn get(&self, off: usize, len: usize) -> Option<&[u8]> {
        self.bytes.get(self.range(off, len)?)
    }

    pub fn get_mut(&mut self, off: usize, len: usize) -> Option<&mut [u8]> {
        let range = self.range(off, len)?;
        self.bytes.get_mut(range)
    }

    /// The bytes of a slot; empty for one that does not exist.
    pub fn slot(&self, slot: usize) -> &[u8] {
        self.bytes.get(slot * self.size..(slot + 1) * self.size).unwrap_or(&[])
    }

    pub fn slot_mut(&mut self, slot: usize) -> &mut [u8] {
        self.bytes.get_mut(slot * self.size..(slot + 1) * self.size).unwrap_or(&mut [])
    }

    /// Makes sure that slots up to `count` exist.
    fn grow(&mut self, count: usize) {
        if self.bytes.len() < count * self.size {
            self.bytes.resize(count * self.size, 0);
        }
    }
}

/// What makes the kinds of maps different.
#[derive(Debug)]
pub(crate) enum Kind {
    Array,
    Hash(HashIndex),
    Lpm(LpmIndex),
    Ring(Ring),
    /// Records with the CPU they were written for.
    Perf(VecDeque<(u32, Vec<u8>)>),
    Queue(VecDeque<Vec<u8>>),
    Stack(VecDeque<Vec<u8>>),
    Bloom(FxHashSet<Box<[u8]>>),
    /// Programs or inner maps by index.
    Objects(Vec<Option<usize>>),
    /// Inner maps by key.
    HashOfMaps(HashIndex, Vec<Option<usize>>),
    /// Values that belong to kernel objects, by their addresses.
    Storage(HashIndex),
    /// A kind that has no meaning outside a kernel; any use is a fault.
    Unsupported,
}

/// Which CPUs' values an update writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cpus {
    /// One; the others of a new entry are zero.
    One(u32),
    /// All get the same bytes.
    All,
}

/// A map of a machine.
#[derive(Debug)]
pub(crate) struct Map {
    pub name: String,
    pub map_type: MapType,
    pub key_size: usize,
    pub value_size: usize,
    pub max_entries: usize,
    pub flags: u32,
    pub values: Values,
    pub kind: Kind,
    /// Values per entry: the number of CPUs for per-CPU maps, 1 for others.
    pub copies: usize,
    /// Whether its values hold a `bpf_spin_lock`, which updates may be asked to take.
    pub locked: bool,
}

impl Map {
    pub fn new(def: &object::Map, cpus: u32) -> Result<Map, String> {
        use MapType::*;
        let (key_size, value_size) = (def.key_size as usize, def.value_size as usize);
        let max_entries = match (def.map_type, def.max_entries) {
            (PerfEventArray, 0) => cpus as usize,
            (_, n) => n as usize,
        };
        let copies = match def.map_type {
            PercpuHash | PercpuArray | LruPercpuHash | PercpuCgroupStorage => cpus as usize,
            _ => 1,
        };
        let kind = match def.map_type {
            Array | PercpuArray => Kind::Array,
            Hash | PercpuHash => Kind::Hash(HashIndex::new(false)),
            LruHash | LruPercpuHash => Kind::Hash(HashIndex::new(true)),
            // What a device, CPU or AF_XDP map does is redirect; here only whether an entry is there matters.
            Devmap | DevmapHash | Cpumap | Xskmap => Kind::Hash(HashIndex::new(false)),
            LpmTrie => {
                let data = key_size.checked_sub(4).filter(|n| *n > 0);
                Kind::Lpm(LpmIndex::new(data.ok_or("its key must be longer than the 4 bytes of the prefix length")?))
            }
            Ringbuf => Kind::Ring(Ring::new(max_entries)?),
            PerfEventArray => Kind::Perf(VecDeque::new()),
            Queue => Kind::Queue(VecDeque::new()),
            Stack => Kind::Stack(VecDeque::new()),
            BloomFilter => Kind::Bloom(FxHashSet::default()),
            ProgArray | ArrayOfMaps => Kind::Objects(vec![None; max_entries]),
            HashOfMaps => Kind::HashOfMaps(HashIndex::new(false), Vec::new()),
            StackTrace => Kind::Hash(HashIndex::new(false)),
            TaskStorage | SkStorage | InodeStorage | CgrpStorage | CgroupStorage | PercpuCgroupStorage => {
                Kind::Storage(HashIndex::new(false))
            }
            _ => Kind::Unsupported,
        };
        let slots = if matches!(kind, Kind::Array) { max_entries * copies } else { 0 };
        if (slots as u64).saturating_mul(value_size as u64) > MAX_BYTES || value_size as u64 > MAX_BYTES {
            return Err(format!("{max_entries} values of {value_size} bytes are more than this machine gives a map"));
        }
        let values = Values::new(value_size, slots);
        if (values.offset_of(1)).saturating_mul((max_entries * copies) as u64) > 1 << 39 {
            return Err(format!("{max_entries} values of {value_size} bytes do not fit into the address space"));
        }
        Ok(Map {
            name: def.name.clone(),
            map_type: def.map_type,
            key_size,
            value_size,
            max_entries,
            flags: def.flags,
            values,
            kind,
            copies,
            locked: false,
        })
    }

    /// Whether programs may store through pointers to its values.
    pub fn program_may_write(&self) -> bool {
        self.flags & map_flags::RDONLY_PROG == 0
    }

    fn slot(&self, entry: u32, cpu: u32) -> usize {
        entry as usize * self.copies + if self.copies > 1 { cpu as usize % self.copies } else { 0 }
    }

    fn entry(&mut self, key: &[u8], from_program: bool) -> Option<u32> {
        match &mut self.kind {
            Kind::Array => {
                let index = u32::from_le_bytes(key.try_into().ok()?);
                ((index as usize) < self.max_entries).then_some(index)
            }
            Kind::Hash(index) | Kind::Storage(index) => index.find(key, from_program),
            Kind::Lpm(index) => index.find(key),
            _ => None,
        }
    }

    /// Offset of the value that belongs to a key, on a CPU. Programs' lookups count as use for LRU maps.
    pub fn lookup(&mut self, key: &[u8], cpu: u32, from_program: bool) -> Option<u64> {
        let entry = self.entry(key, from_program)?;
        Some(self.values.offset_of(self.slot(entry, cpu)))
    }

    /// The value bytes that belong to a key, on a CPU.
    pub fn value(&mut self, key: &[u8], cpu: u32) -> Option<&[u8]> {
        let entry = self.entry(key, false)?;
        Some(self.values.slot(self.slot(entry, cpu)))
    }

    /// The inner map or program that belongs to a key.
    pub fn object(&mut self, key: &[u8]) -> Option<usize> {
        match &mut self.kind {
            Kind::Objects(all) => *all.get(u32::from_le_bytes(key.try_into().ok()?) as usize)?,
            Kind::HashOfMaps(index, all) => *all.get(index.find(key, false)? as usize)?,
            _ => None,
        }
    }

    /// Sets or clears the inner map or program that belongs to a key.
    pub fn set_object(&mut self, key: &[u8], object: Option<usize>) -> Result<(), i64> {
        let max = self.max_entries;
        match &mut self.kind {
            Kind::Objects(all) => {
                let index = key.try_into().map_err(|_| errno::EINVAL).map(u32::from_le_bytes)?;
                *all.get_mut(index as usize).ok_or(errno::E2BIG)? = object;
                Ok(())
            }
            Kind::HashOfMaps(index, all) => match object {
                Some(_) => {
                    let slot = match index.find(key, false) {
                        Some(slot) => slot,
                        None => index.insert(key, max).ok_or(errno::E2BIG)?,
                    } as usize;
                    if all.len() <= slot {
                        all.resize(slot + 1, None);
                    }
                    if let Some(o) = all.get_mut(slot) {
                        *o = object;
                    }
                    Ok(())
                }
                None => index.remove(key).map(|_| ()).ok_or(errno::ENOENT),
            },
            _ => Err(errno::EINVAL),
        }
    }

    /// `bpf_map_update_elem`: 0 or a negative error number, as in the kernel's map implementations.
    pub fn update(&mut self, key: &[u8], value: &[u8], flags: u64, cpus: Cpus) -> Result<(), i64> {
        const NOEXIST: u64 = UpdateFlags::NoExist as u64;
        const EXIST: u64 = UpdateFlags::Exist as u64;
        // Arrays look at the index before they ask whether there is a lock; others never take the flag without one.
        let array = matches!(self.kind, Kind::Array);
        if flags & !LOCK > EXIST || (flags & LOCK != 0 && !self.locked && !array) {
            return Err(errno::EINVAL);
        }
        let lockless = flags & LOCK != 0 && !self.locked;
        let flags = flags & !LOCK;
        let max = self.max_entries;
        let bounded = matches!(self.map_type, MapType::Devmap | MapType::Cpumap | MapType::Xskmap);
        if bounded && key.try_into().map(u32::from_le_bytes).is_ok_and(|k| k as usize >= max) {
            return Err(errno::E2BIG);
        }
        let known = self.entry(key, false);
        let (entry, fresh) = match (&mut self.kind, known) {
            (Kind::Array, None) => return Err(errno::E2BIG),
            (Kind::Array, Some(_)) if flags == NOEXIST => return Err(errno::EEXIST),
            (Kind::Array, Some(_)) if lockless => return Err(errno::EINVAL),
            (Kind::Array, Some(entry)) => (entry, false),
            (Kind::Hash(index) | Kind::Storage(index), known) => match known {
                Some(_) if flags == NOEXIST => return Err(errno::EEXIST),
                Some(entry) => {
                    index.touch(entry);
                    (entry, false)
                }
                None if flags == EXIST => return Err(errno::ENOENT),
                None => (index.insert(key, max).ok_or(errno::E2BIG)?, true),
            },
            (Kind::Lpm(index), _) => match index.exact(key)? {
                Some(_) if flags == NOEXIST => return Err(errno::EEXIST),
                Some(entry) => {
                    index.rewrite(entry, key);
                    (entry, false)
                }
                None if flags == EXIST => return Err(errno::ENOENT),
                None => (index.insert(key, max)?, true),
            },
            _ => return Err(errno::EINVAL),
        };
        self.write_value(entry, fresh, value, cpus);
        Ok(())
    }

    fn write_value(&mut self, entry: u32, fresh: bool, value: &[u8], cpus: Cpus) {
        self.values.grow((entry as usize + 1) * self.copies);
        for cpu in 0..self.copies {
            let slot = entry as usize * self.copies + cpu;
            let mine = self.copies == 1 || cpus == Cpus::All || cpus == Cpus::One(cpu as u32);
            let to = self.values.slot_mut(slot);
            if mine && to.len() == value.len() {
                to.copy_from_slice(value);
            } else if fresh {
                to.fill(0);
            }
        }
    }

    /// `bpf_map_delete_elem`.
    pub fn delete(&mut self, key: &[u8]) -> Result<(), i64> {
        match &mut self.kind {
            Kind::Hash(index) | Kind::Storage(index) => index.remove(key).map(|_| ()).ok_or(errno::ENOENT),
            Kind::Lpm(index) => index.remove(key),
            Kind::HashOfMaps(..) => self.set_object(key, None),
            Kind::Objects(_) => {
                let had = self.object(key).is_some();
                self.set_object(key, None)?;
                if had { Ok(()) } else { Err(errno::ENOENT) }
            }
            _ => Err(errno::EINVAL),
        }
    }

    /// All keys: of arrays every index, of others in the order of their slots.
    pub fn keys(&self) -> Vec<Vec<u8>> {
        match &self.kind {
            Kind::Array => (0..self.max_entries as u32).map(|i| i.to_le_bytes().to_vec()).collect(),
            Kind::Hash(index) | Kind::HashOfMaps(index, _) | Kind::Storage(index) => index.keys(),
            Kind::Lpm(index) => index.keys(),
            Kind::Objects(all) => {
                let present = all.iter().enumerate().filter(|(_, o)| o.is_some());
                present.map(|(i, _)| (i as u32).to_le_bytes().to_vec()).collect()
            }
            _ => Vec::new(),
        }
    }

    /// `bpf_map_push_elem` of queues, stacks and bloom filters.
    pub fn push(&mut self, value: &[u8], flags: u64) -> Result<(), i64> {
        const EXIST: u64 = UpdateFlags::Exist as u64;
        match &mut self.kind {
            Kind::Queue(all) | Kind::Stack(all) => {
                if flags & !EXIST != 0 {
                    return Err(errno::EINVAL);
                }
                if all.len() >= self.max_entries {
                    if flags & EXIST == 0 {
                        return Err(errno::E2BIG);
                    }
                    all.pop_front();
                }
                all.push_back(value.to_vec());
                Ok(())
            }
            Kind::Bloom(all) => {
                if flags != 0 {
                    return Err(errno::EINVAL);
                }
                all.insert(value.into());
                Ok(())
            }
            _ => Err(errno::EINVAL),
        }
    }

    /// The element that a pop or peek yields; a pop takes it out.
    pub fn take(&mut self, remove: bool) -> Result<Vec<u8>, i64> {
        let taken = match &mut self.kind {
            Kind::Queue(all) if remove => all.pop_front(),
            Kind::Queue(all) => all.front().cloned(),
            Kind::Stack(all) if remove => all.pop_back(),
            Kind::Stack(all) => all.back().cloned(),
            _ => return Err(errno::EINVAL),
        };
        taken.ok_or(errno::ENOENT)
    }

    /// What an address within the map's values is, and why an access to it is refused.
    pub fn describe_value(&self, off: u64, access: Access) -> String {
        let within = off & ((1 << self.values.shift) - 1);
        if access == Access::Write && !self.program_may_write() {
            return format!("programs can't write the values of map `{}`", self.name);
        }
        let stride = 1 << self.values.shift;
        let before = stride - within;
        if within < (self.value_size as u64 + stride) / 2 {
            return format!(
                "this is byte {within} of a value of map `{}`, which has {} bytes",
                self.name, self.value_size
            );
        }
        format!("this is {before} bytes before a value of map `{}`, which has {} bytes", self.name, self.value_size)
    }
}
