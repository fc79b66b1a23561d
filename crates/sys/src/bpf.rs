//! The commands of bpf(2), typed. Invariant: a buffer that the kernel fills is as long as the kernel
//! was told, and a map's keys and values have the sizes that the map was made with ([`MapFd`]).

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;

use crate::attr::{LinkInfoRaw, MapInfoRaw, ProgInfoRaw};
use crate::call::{Call, IdKind, Reply, expect_reply};
use crate::real::from_bytes;
use crate::{Errno, SysError};

mod info;
mod requests;

pub use info::{
    LinkInfo, MapInfo, ProgInfo, btf_data, fd_by_id, ids, link_info, map_ids, map_info, prog_info, prog_query,
};
pub use requests::{
    AttachBtf, BtfLoad, KernelValue, LinkCreate, LinkExtra, LinkTarget, LoadFailure, Loaded, MapBtf, MapCreate,
    ProgLoad, TestRun, TestRunOut,
};

/// The number of processors that could ever be there: how many values a per-CPU map has per key.
pub fn possible_cpus() -> usize {
    static COUNT: OnceLock<usize> = OnceLock::new();
    *COUNT.get_or_init(|| {
        let text = std::fs::read_to_string("/sys/devices/system/cpu/possible").unwrap_or_default();
        cpu_count(&text).unwrap_or(MAX_CPUS)
    })
}

/// Without the file the value buffers must be long enough for any kernel: NR_CPUS is at most this.
const MAX_CPUS: usize = 8192;

/// How many a list such as `0-3,5` names.
fn cpu_count(text: &str) -> Option<usize> {
    let number = |n: &str| n.parse::<usize>().ok().filter(|n| *n < MAX_CPUS);
    text.trim().split(',').try_fold(0, |count, part| {
        let (lo, hi) = part.split_once('-').unwrap_or((part, part));
        Some(count + (number(hi)? + 1).checked_sub(number(lo)?)?)
    })
}

/// Whether values of a map type come once per processor.
pub const fn is_per_cpu(map_type: u32) -> bool {
    // BPF_MAP_TYPE_PERCPU_HASH, PERCPU_ARRAY, LRU_PERCPU_HASH, PERCPU_CGROUP_STORAGE
    matches!(map_type, 5 | 6 | 10 | 21)
}

/// The sizes of a map.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MapShape {
    /// BPF_MAP_TYPE_…
    pub map_type: u32,
    /// Bytes of a key.
    pub key_size: u32,
    /// Bytes of a value (of one processor's).
    pub value_size: u32,
    /// Entries, or bytes of a ring buffer.
    pub max_entries: u32,
    /// BPF_F_…
    pub flags: u32,
}

impl MapShape {
    /// Bytes of what a lookup returns: for a per-CPU map, every processor's value, each padded to 8.
    pub fn lookup_len(&self) -> usize {
        let one = self.value_size as usize;
        if is_per_cpu(self.map_type) { one.next_multiple_of(8) * possible_cpus() } else { one }
    }

    /// What the kernel really writes and reads as the value, whatever the map was declared with.
    fn kernel_value_len(&self) -> usize {
        match self.map_type {
            // Maps of programs, maps, sockets and devices return 4 bytes (an id) or 8 (a cookie), and
            // may write up to the declared size.
            3 | 4 | 8 | 12 | 13 | 15 | 18 | 20 => (self.value_size as usize).max(8),
            _ => self.lookup_len(),
        }
    }
}

/// A map with its sizes. Invariant: the sizes are the kernel's for this descriptor.
#[derive(Debug)]
pub struct MapFd {
    fd: OwnedFd,
    shape: MapShape,
}

impl AsFd for MapFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// `lookup` and others found nothing where that is an answer, not an error.
fn missing_is_none<T>(result: Result<T, SysError>) -> Result<Option<T>, SysError> {
    match result {
        Ok(v) => Ok(Some(v)),
        Err(e) if e.errno == Errno::ENOENT => Ok(None),
        Err(e) => Err(e),
    }
}

impl MapFd {
    /// Makes a map.
    pub fn create(request: &MapCreate<'_>) -> Result<MapFd, SysError> {
        let fd = expect_reply!(Call::MapCreate(request), Reply::Fd(fd) => fd)?;
        let shape = MapShape {
            map_type: request.map_type,
            key_size: request.key_size,
            value_size: request.value_size,
            max_entries: request.max_entries,
            flags: request.flags,
        };
        Ok(MapFd { fd, shape })
    }

    /// Takes a descriptor of a map, asking the kernel for its sizes.
    pub fn from_fd(fd: OwnedFd) -> Result<MapFd, SysError> {
        let info = map_info(fd.as_fd())?;
        Ok(MapFd { fd, shape: info.shape })
    }

    /// A second descriptor of the same map.
    pub fn try_clone(&self) -> Result<MapFd, SysError> {
        let fd = self.fd.try_clone().map_err(|e| SysError { call: "dup", errno: e.into() })?;
        Ok(MapFd { fd, shape: self.shape })
    }

    /// The sizes.
    pub fn shape(&self) -> MapShape {
        self.shape
    }

    fn check(&self, call: &'static str, got: usize, wanted: usize) -> Result<(), SysError> {
        if got == wanted { Ok(()) } else { Err(SysError { call, errno: Errno::EINVAL }) }
    }

    /// The value under a key (all processors' in a per-CPU map); `None` when there is none.
    pub fn lookup(&self, key: &[u8], flags: u64) -> Result<Option<Vec<u8>>, SysError> {
        self.check("bpf(BPF_MAP_LOOKUP_ELEM)", key.len(), self.shape.key_size as usize)?;
        let call = Call::MapLookup { map: self.as_fd(), key, value_len: self.shape.kernel_value_len(), flags };
        self.cut(missing_is_none(expect_reply!(call, Reply::Bytes(b) => b)))
    }

    /// Takes a value out (hash maps from 5.14, queues, stacks); `None` when there is none.
    pub fn lookup_and_delete(&self, key: &[u8]) -> Result<Option<Vec<u8>>, SysError> {
        self.check("bpf(BPF_MAP_LOOKUP_AND_DELETE_ELEM)", key.len(), self.shape.key_size as usize)?;
        let call = Call::MapLookupAndDelete { map: self.as_fd(), key, value_len: self.shape.kernel_value_len() };
        self.cut(missing_is_none(expect_reply!(call, Reply::Bytes(b) => b)))
    }

    fn cut(&self, value: Result<Option<Vec<u8>>, SysError>) -> Result<Option<Vec<u8>>, SysError> {
        let mut value = value?;
        if let Some(v) = &mut value {
            v.resize(self.shape.lookup_len(), 0);
        }
        Ok(value)
    }

    /// Puts a value under a key; `flags` is BPF_ANY (0), BPF_NOEXIST (1) or BPF_EXIST (2).
    pub fn update(&self, key: &[u8], value: &[u8], flags: u64) -> Result<(), SysError> {
        self.check("bpf(BPF_MAP_UPDATE_ELEM)", key.len(), self.shape.key_size as usize)?;
        self.check("bpf(BPF_MAP_UPDATE_ELEM)", value.len(), self.shape.lookup_len())?;
        expect_reply!(Call::MapUpdate { map: self.as_fd(), key, value, flags }, Reply::Done => ())
    }

    /// Puts a descriptor (of a program, map or socket) under a key of a map that holds those.
    pub fn update_fd(&self, key: &[u8], value: BorrowedFd<'_>, flags: u64) -> Result<(), SysError> {
        let fd = std::os::fd::AsRawFd::as_raw_fd(&value) as u32;
        let mut bytes = fd.to_ne_bytes().to_vec();
        bytes.resize(self.shape.lookup_len(), 0);
        self.update(key, &bytes, flags)
    }

    /// Removes an entry; whether there was one.
    pub fn delete(&self, key: &[u8]) -> Result<bool, SysError> {
        self.check("bpf(BPF_MAP_DELETE_ELEM)", key.len(), self.shape.key_size as usize)?;
        let call = Call::MapDelete { map: self.as_fd(), key };
        Ok(missing_is_none(expect_reply!(call, Reply::Done => ()))?.is_some())
    }

    /// The key after `key` in the map's own order, the first for `None` (and, in a hash map, for a
    /// key that is gone); `None` at the end.
    pub fn next_key(&self, key: Option<&[u8]>) -> Result<Option<Vec<u8>>, SysError> {
        let key_len = self.shape.key_size as usize;
        if let Some(key) = key {
            self.check("bpf(BPF_MAP_GET_NEXT_KEY)", key.len(), key_len)?;
        }
        let call = Call::MapNextKey { map: self.as_fd(), key, key_len };
        missing_is_none(expect_reply!(call, Reply::Bytes(b) => b))
    }

    /// Forbids user space to write from now on; the verifier then knows the values of a map made
    /// with BPF_F_RDONLY_PROG.
    pub fn freeze(&self) -> Result<(), SysError> {
        expect_reply!(Call::MapFreeze { map: self.as_fd() }, Reply::Done => ())
    }
}

impl ProgLoad<'_> {
    /// Loads the program, once: log and its size come with success and failure.
    pub fn load(&self) -> Result<Loaded, LoadFailure> {
        loaded(Call::ProgLoad(self))
    }
}

impl BtfLoad<'_> {
    /// Loads the BTF.
    pub fn load(&self) -> Result<Loaded, LoadFailure> {
        loaded(Call::BtfLoad(self))
    }
}

fn loaded(call: Call<'_>) -> Result<Loaded, LoadFailure> {
    let name = call.name();
    let failure = |error, log, log_true_size| LoadFailure { error, log, log_true_size };
    let (result, log, true_size) = match crate::call::call(call) {
        Ok(Reply::Loaded { result, log, log_true_size }) => (result, log, log_true_size),
        Ok(_) => (Err(Errno::EPROTO), Vec::new(), 0),
        Err(e) => return Err(failure(e, String::new(), 0)),
    };
    let log = String::from_utf8_lossy(&log).into_owned();
    match result {
        Ok(fd) => Ok(Loaded { fd, log, log_true_size: true_size }),
        Err(errno) => Err(failure(SysError { call: name, errno }, log, true_size)),
    }
}

impl TestRun<'_> {
    /// Runs the program.
    pub fn run(&self) -> Result<TestRunOut, SysError> {
        expect_reply!(Call::TestRun(self), Reply::TestRun(out) => out)
    }
}

impl LinkCreate<'_> {
    /// Attaches.
    pub fn create(&self) -> Result<OwnedFd, SysError> {
        expect_reply!(Call::LinkCreate(self), Reply::Fd(fd) => fd)
    }
}

/// Attaches a raw tracepoint program by name (`None` where the program knows its target: tp_btf,
/// fentry, LSM). A cookie other than 0 needs 6.10.
pub fn raw_tracepoint_open(prog: BorrowedFd<'_>, name: Option<&CStr>, cookie: u64) -> Result<OwnedFd, SysError> {
    expect_reply!(Call::RawTracepointOpen { prog, name, cookie }, Reply::Fd(fd) => fd)
}

/// Puts another program into a link, only if it holds `old` where that is given.
pub fn link_update(link: BorrowedFd<'_>, new: BorrowedFd<'_>, old: Option<BorrowedFd<'_>>) -> Result<(), SysError> {
    expect_reply!(Call::LinkUpdate { link, new, old }, Reply::Done => ())
}

/// Takes a link off its target while it stays open.
pub fn link_detach(link: BorrowedFd<'_>) -> Result<(), SysError> {
    expect_reply!(Call::LinkDetach { link }, Reply::Done => ())
}

/// Attaches the old way: it outlives us. For kinds that have no link.
pub fn prog_attach(target: BorrowedFd<'_>, prog: BorrowedFd<'_>, attach_type: u32, flags: u32) -> Result<(), SysError> {
    expect_reply!(Call::ProgAttach { target, prog, attach_type, flags }, Reply::Done => ())
}

/// Undoes [`prog_attach`].
pub fn prog_detach(target: BorrowedFd<'_>, prog: BorrowedFd<'_>, attach_type: u32) -> Result<(), SysError> {
    expect_reply!(Call::ProgDetach { target, prog, attach_type }, Reply::Done => ())
}

/// Pins a map, program or link into a bpf file system.
pub fn obj_pin(fd: BorrowedFd<'_>, path: &CStr) -> Result<(), SysError> {
    expect_reply!(Call::ObjPin { fd, path }, Reply::Done => ())
}

/// Opens a pin.
pub fn obj_get(path: &CStr) -> Result<OwnedFd, SysError> {
    expect_reply!(Call::ObjGet { path }, Reply::Fd(fd) => fd)
}

/// Counts runs and their time of all programs while the descriptor is open (kernel-wide).
pub fn enable_run_stats() -> Result<OwnedFd, SysError> {
    const BPF_STATS_RUN_TIME: u32 = 0;
    expect_reply!(Call::EnableStats { kind: BPF_STATS_RUN_TIME }, Reply::Fd(fd) => fd)
}

/// A reader of an iterator link.
pub fn iter_create(link: BorrowedFd<'_>) -> Result<OwnedFd, SysError> {
    expect_reply!(Call::IterCreate { link }, Reply::Fd(fd) => fd)
}

/// Keeps a map alive as long as the program lives (its `.rodata` of metadata).
pub fn prog_bind_map(prog: BorrowedFd<'_>, map: BorrowedFd<'_>) -> Result<(), SysError> {
    expect_reply!(Call::ProgBindMap { prog, map }, Reply::Done => ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_lists() {
        assert_eq!(cpu_count("0\n"), Some(1));
        assert_eq!(cpu_count("0-3,8-11\n"), Some(8));
        assert_eq!(cpu_count("3-1"), None);
        assert_eq!(cpu_count(""), None);
    }

    /// A value buffer shorter than the map's would let the kernel write past it.
    #[test]
    fn wrong_sizes_never_reach_the_kernel() {
        use std::rc::Rc;
        let fake = |call: &Call<'_>| match call {
            Call::MapCreate(_) => Some(Ok(Reply::Fd(std::fs::File::open("/dev/null").expect("null").into()))),
            other => panic!("{} was called", other.name()),
        };
        crate::with_fake(Rc::new(fake), || {
            let map = MapFd::create(&MapCreate {
                map_type: 1,
                key_size: 4,
                value_size: 8,
                max_entries: 1,
                ..MapCreate::default()
            })
            .expect("fake");
            assert_eq!(map.lookup(&[0; 3], 0).map_err(|e| e.errno), Err(Errno::EINVAL));
            assert_eq!(map.update(&[0; 4], &[0; 7], 0).map_err(|e| e.errno), Err(Errno::EINVAL));
            assert_eq!(map.delete(&[0; 5]).map_err(|e| e.errno), Err(Errno::EINVAL));
            assert_eq!(map.next_key(Some(&[])).map_err(|e| e.errno), Err(Errno::EINVAL));
        });
    }
}
