//! Maps in the kernel. Invariant: keys and values go in and out as bytes of exactly the map's sizes;
//! a per-CPU value is one value per possible processor, without the kernel's padding.

use std::os::fd::{AsFd, BorrowedFd};

use whistler_isa::MapType;
use whistler_sys::{Errno, MapFd, MapShape, SysError, is_per_cpu, possible_cpus};

/// BPF_ANY, BPF_NOEXIST, BPF_EXIST.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Put {
    /// Make or replace.
    #[default]
    Any,
    /// Only make.
    New,
    /// Only replace.
    Existing,
}

impl Put {
    const fn flag(self) -> u64 {
        match self {
            Put::Any => 0,
            Put::New => 1,
            Put::Existing => 2,
        }
    }
}

/// A map.
#[derive(Debug)]
pub struct Map {
    name: String,
    fd: MapFd,
}

impl AsFd for Map {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Map {
    /// A map that is there, under the name our side calls it.
    pub fn new(name: impl Into<String>, fd: MapFd) -> Map {
        Map { name: name.into(), fd }
    }

    /// Its name (whole; the kernel keeps 15 bytes of it).
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its sizes.
    pub fn shape(&self) -> MapShape {
        self.fd.shape()
    }

    /// Its type, where the table has it.
    pub fn map_type(&self) -> Option<MapType> {
        MapType::from_number(self.shape().map_type)
    }

    /// The kernel's number of it.
    pub fn id(&self) -> Result<u32, SysError> {
        whistler_sys::bpf::map_info(self.as_fd()).map(|i| i.id)
    }

    /// The descriptor with its sizes.
    pub fn fd(&self) -> &MapFd {
        &self.fd
    }

    /// Whether a key has one value per processor.
    pub fn is_per_cpu(&self) -> bool {
        is_per_cpu(self.shape().map_type)
    }

    /// The value under a key; `None` when there is none, or the map has one per processor (see
    /// [`Map::lookup_per_cpu`]).
    pub fn lookup(&self, key: &[u8]) -> Result<Option<Vec<u8>>, SysError> {
        if self.is_per_cpu() {
            return Err(SysError { call: "bpf(BPF_MAP_LOOKUP_ELEM)", errno: Errno::EINVAL });
        }
        self.fd.lookup(key, 0)
    }

    /// Every processor's value under a key.
    pub fn lookup_per_cpu(&self, key: &[u8]) -> Result<Option<Vec<Vec<u8>>>, SysError> {
        Ok(self.fd.lookup(key, 0)?.map(|all| self.split(&all)))
    }

    /// All values under a key: of a per-CPU map one per processor, else one.
    pub fn values(&self, key: &[u8]) -> Result<Option<Vec<Vec<u8>>>, SysError> {
        self.lookup_per_cpu(key)
    }

    fn split(&self, all: &[u8]) -> Vec<Vec<u8>> {
        if !self.is_per_cpu() {
            return vec![all.to_vec()];
        }
        let size = self.shape().value_size as usize;
        let padded = size.next_multiple_of(8).max(8);
        all.chunks(padded).map(|c| c.get(..size).unwrap_or(c).to_vec()).collect()
    }

    /// Puts a value under a key; in a per-CPU map, the same for every processor.
    pub fn update(&self, key: &[u8], value: &[u8], put: Put) -> Result<(), SysError> {
        if !self.is_per_cpu() {
            return self.fd.update(key, value, put.flag());
        }
        self.update_per_cpu(key, &vec![value.to_vec(); possible_cpus()], put)
    }

    /// Puts every processor's value under a key.
    pub fn update_per_cpu(&self, key: &[u8], values: &[Vec<u8>], put: Put) -> Result<(), SysError> {
        let size = self.shape().value_size as usize;
        let fits = values.len() == possible_cpus() && values.iter().all(|v| v.len() == size) && self.is_per_cpu();
        if !fits {
            return Err(SysError { call: "bpf(BPF_MAP_UPDATE_ELEM)", errno: Errno::EINVAL });
        }
        let mut all = Vec::with_capacity(self.shape().lookup_len());
        for value in values {
            all.extend_from_slice(value);
            all.resize(all.len().next_multiple_of(8), 0);
        }
        self.fd.update(key, &all, put.flag())
    }

    /// Removes an entry; whether there was one.
    pub fn delete(&self, key: &[u8]) -> Result<bool, SysError> {
        self.fd.delete(key)
    }

    /// The key after this one (`None`: the first) in the map's own order.
    pub fn next_key(&self, key: Option<&[u8]>) -> Result<Option<Vec<u8>>, SysError> {
        self.fd.next_key(key)
    }

    /// The keys, one after another. Entries that come and go meanwhile may be seen or not; at most
    /// twice the map's size is handed out, for a walk over a busy hash map can start again.
    pub fn keys(&self) -> Keys<'_> {
        Keys { map: self, last: None, left: u64::from(self.shape().max_entries) * 2 + 1, done: false }
    }

    /// Every key with its values (see [`Map::values`]); those that vanish meanwhile are left out.
    pub fn entries(&self) -> impl Iterator<Item = Result<(Vec<u8>, Vec<Vec<u8>>), SysError>> + '_ {
        self.keys().filter_map(|key| match key {
            Err(e) => Some(Err(e)),
            Ok(key) => match self.values(&key) {
                Err(e) => Some(Err(e)),
                Ok(None) => None,
                Ok(Some(values)) => Some(Ok((key, values))),
            },
        })
    }

    /// Puts a program, map or socket into a slot of a map that holds those.
    pub fn update_fd(&self, key: &[u8], value: BorrowedFd<'_>) -> Result<(), SysError> {
        self.fd.update_fd(key, value, 0)
    }

    /// Pins the map to a path of a bpf file system.
    pub fn pin(&self, path: &std::path::Path) -> Result<(), SysError> {
        whistler_sys::bpf::obj_pin(self.as_fd(), &crate::c_path(path)?)
    }

    /// A map that was pinned.
    pub fn from_pin(name: &str, path: &std::path::Path) -> Result<Map, SysError> {
        let fd = whistler_sys::bpf::obj_get(&crate::c_path(path)?)?;
        Ok(Map::new(name, MapFd::from_fd(fd)?))
    }
}

/// The walk of [`Map::keys`].
#[derive(Debug)]
pub struct Keys<'a> {
    map: &'a Map,
    last: Option<Vec<u8>>,
    left: u64,
    done: bool,
}

impl Iterator for Keys<'_> {
    type Item = Result<Vec<u8>, SysError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done || self.left == 0 {
            return None;
        }
        self.left -= 1;
        match self.map.next_key(self.last.as_deref()) {
            Ok(Some(key)) => {
                self.last = Some(key.clone());
                Some(Ok(key))
            }
            Ok(None) => {
                self.done = true;
                None
            }
            Err(e) => {
                self.done = true;
                Some(Err(e))
            }
        }
    }
}
