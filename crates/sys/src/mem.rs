//! Memory shared with the kernel. Invariants: a mapping lives as long as its value; memory that the
//! kernel or another process may write is only read and written through atomics, never by reference.

mod const_file;

use std::os::fd::BorrowedFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering, fence};

use crate::call::{Call, expect_reply};
use crate::{Errno, Reply, SysError};

pub use const_file::{ConstFile, ConstMemory};

/// A mapping of a map's memory, of a file of sysfs, or (for fakes) of nothing.
#[derive(Debug)]
pub struct Mapping {
    ptr: NonNull<u8>,
    len: usize,
    writable: bool,
}

// SAFETY: the memory belongs to no thread, and all access is by atomics or to constant data.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the range is exactly what mmap returned, and no reference into it outlives self.
        unsafe { libc::munmap(self.ptr.as_ptr().cast(), self.len) };
    }
}

/// Orders what follows a relaxed load. On memory that this process can't write, Rust allows only
/// relaxed loads; a fence makes one an acquiring load.
fn fence_after_load(order: Ordering) {
    if order != Ordering::Relaxed {
        fence(order);
    }
}

/// Lets all threads allocate from the process's one heap, which grows in steps of `step` bytes. By default glibc
/// gives each thread a heap that grows page by page, with a system call each time. To be called before the first
/// thread is made; other C libraries are left as they are.
pub fn one_heap(step: usize) {
    #[cfg(target_env = "gnu")]
    {
        let step = libc::c_int::try_from(step).unwrap_or(libc::c_int::MAX);
        // SAFETY: mallopt only sets parameters of the allocator.
        unsafe {
            libc::mallopt(libc::M_ARENA_MAX, 1);
            libc::mallopt(libc::M_TOP_PAD, step);
        }
    }
    #[cfg(not(target_env = "gnu"))]
    let _ = step;
}

/// The size of a page.
pub fn page_size() -> usize {
    rustix::param::page_size()
}

impl Mapping {
    /// Maps `len` bytes of `fd` at `offset`.
    pub fn of(fd: BorrowedFd<'_>, len: usize, offset: u64, writable: bool) -> Result<Mapping, SysError> {
        let mapping: Mapping = expect_reply!(Call::Mmap { fd, len, offset, writable }, Reply::Mapping(m) => m)?;
        if mapping.len < len || mapping.writable != writable {
            return Err(SysError { call: "mmap", errno: Errno::EPROTO });
        }
        Ok(mapping)
    }

    pub(crate) fn perform(fd: BorrowedFd<'_>, len: usize, offset: u64, writable: bool) -> Result<Mapping, Errno> {
        let offset = i64::try_from(offset).map_err(|_| Errno::EINVAL)?;
        Mapping::map(std::os::fd::AsRawFd::as_raw_fd(&fd), libc::MAP_SHARED, len, offset, writable)
    }

    /// Writable memory of no file, zeroed: what a fake kernel answers a mapping with.
    pub fn anonymous(len: usize) -> Result<Mapping, Errno> {
        Mapping::map(-1, libc::MAP_SHARED | libc::MAP_ANONYMOUS, len, 0, true)
    }

    fn map(fd: i32, flags: i32, len: usize, offset: i64, writable: bool) -> Result<Mapping, Errno> {
        let prot = libc::PROT_READ | if writable { libc::PROT_WRITE } else { 0 };
        // SAFETY: no address is asked for, so no existing mapping is touched.
        let ptr = unsafe { libc::mmap(std::ptr::null_mut(), len, prot, flags, fd, offset) };
        if ptr == libc::MAP_FAILED {
            return Err(Errno::last());
        }
        let ptr = NonNull::new(ptr.cast::<u8>()).ok_or(Errno::EFAULT)?;
        Ok(Mapping { ptr, len, writable })
    }

    /// Bytes mapped.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is mapped.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The same mapping as one that was asked for read-only; for fakes.
    pub fn read_only(mut self) -> Mapping {
        self.writable = false;
        self
    }

    /// A pointer to `N` bytes at `offset`, aligned to `N`; `None` outside or unaligned.
    fn at<const N: usize>(&self, offset: usize) -> Option<*mut u8> {
        let end = offset.checked_add(N)?;
        if end > self.len || !offset.is_multiple_of(N) {
            return None;
        }
        // SAFETY: `offset` is within the mapping, as just checked.
        Some(unsafe { self.ptr.as_ptr().add(offset) })
    }

    /// The 64-bit number at `offset`; `None` outside the mapping or off alignment.
    pub fn load_u64(&self, offset: usize, order: Ordering) -> Option<u64> {
        let p = self.at::<8>(offset)?;
        // SAFETY: in bounds, aligned (mappings start on a page), alive while self is; a plain load
        // is allowed on read-only memory.
        let value = unsafe { AtomicU64::from_ptr(p.cast()) }.load(Ordering::Relaxed);
        fence_after_load(order);
        Some(value)
    }

    /// The 32-bit number at `offset`; `None` outside the mapping or off alignment.
    pub fn load_u32(&self, offset: usize, order: Ordering) -> Option<u32> {
        let p = self.at::<4>(offset)?;
        // SAFETY: as in load_u64.
        let value = unsafe { AtomicU32::from_ptr(p.cast()) }.load(Ordering::Relaxed);
        fence_after_load(order);
        Some(value)
    }

    /// Writes the 64-bit number at `offset`; false when outside, off alignment or read-only.
    pub fn store_u64(&self, offset: usize, value: u64, order: Ordering) -> bool {
        let (Some(p), true) = (self.at::<8>(offset), self.writable) else { return false };
        // SAFETY: as in load_u64, and the mapping is writable.
        unsafe { AtomicU64::from_ptr(p.cast()) }.store(value, order);
        true
    }

    /// Writes the 32-bit number at `offset`; false when outside, off alignment or read-only.
    pub fn store_u32(&self, offset: usize, value: u32, order: Ordering) -> bool {
        let (Some(p), true) = (self.at::<4>(offset), self.writable) else { return false };
        // SAFETY: as in store_u64.
        unsafe { AtomicU32::from_ptr(p.cast()) }.store(value, order);
        true
    }

    /// Copies bytes out, in 8-byte steps where both ends allow; false when outside.
    pub fn read(&self, offset: usize, out: &mut [u8]) -> bool {
        if offset.checked_add(out.len()).is_none_or(|end| end > self.len) {
            return false;
        }
        let mut at = offset;
        if offset.is_multiple_of(8) {
            let (words, rest) = out.as_chunks_mut::<8>();
            for word in words {
                *word = self.load_u64(at, Ordering::Relaxed).unwrap_or(0).to_ne_bytes();
                at += 8;
            }
            self.read_bytes(at, rest);
        } else {
            self.read_bytes(at, out);
        }
        true
    }

    fn read_bytes(&self, offset: usize, out: &mut [u8]) {
        for (i, byte) in out.iter_mut().enumerate() {
            if let Some(p) = self.at::<1>(offset + i) {
                // SAFETY: as in load_u64.
                *byte = unsafe { AtomicU8::from_ptr(p) }.load(Ordering::Relaxed);
            }
        }
    }

    /// Copies bytes in (each 8 aligned bytes at once); false when outside or read-only.
    pub fn write(&self, offset: usize, data: &[u8]) -> bool {
        if !self.writable || offset.checked_add(data.len()).is_none_or(|end| end > self.len) {
            return false;
        }
        let (words, rest) = if offset.is_multiple_of(8) { data.as_chunks::<8>() } else { (&[][..], data) };
        let mut at = offset;
        for word in words {
            self.store_u64(at, u64::from_ne_bytes(*word), Ordering::Relaxed);
            at += 8;
        }
        for (i, byte) in rest.iter().enumerate() {
            if let Some(p) = self.at::<1>(at + i) {
                // SAFETY: as in store_u64.
                unsafe { AtomicU8::from_ptr(p) }.store(*byte, Ordering::Relaxed);
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn access_is_checked() {
        let m = Mapping::anonymous(4096).expect("memory");
        assert!(m.store_u64(8, 77, Ordering::Relaxed));
        assert_eq!(m.load_u64(8, Ordering::Relaxed), Some(77));
        assert_eq!(m.load_u32(8, Ordering::Relaxed), Some(77));
        assert!(!m.store_u64(4096, 1, Ordering::Relaxed));
        assert_eq!(m.load_u64(4, Ordering::Relaxed), None);
        assert_eq!(m.load_u64(usize::MAX - 7, Ordering::Relaxed), None);
        assert!(m.write(3, b"whistler runs"));
        let mut out = [0; 13];
        assert!(m.read(3, &mut out));
        assert_eq!(&out, b"whistler runs");
        assert!(!m.read(4090, &mut out));
        assert!(!m.write(4090, &out));
        let ro = m.read_only();
        assert!(!ro.store_u32(0, 1, Ordering::Relaxed) && !ro.write(0, b"x"));
    }
}
