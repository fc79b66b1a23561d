//! Dynptrs and timers, by what the kernel's documentation says of them. Invariant: a dynptr is known by the address of
//! the sixteen bytes that a program gives for it; what those bytes hold is nobody's business. Time stands still, so a
//! timer never fires.

use super::eval::{Fault, Reserved, Run};
use super::world::{E2BIG, EINVAL};
use crate::hir::MapId;

/// `-EBUSY`.
const EBUSY: i64 = -16;
/// `-ERANGE`.
const ERANGE: i64 = -34;
/// What the kernel gives a dynptr at most.
const MOST: i64 = (1 << 24) - 1;
/// Bytes of a `bpf_timer`.
const TIMER: usize = 16;

/// What a dynptr points to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dynptr {
    /// The address of its first byte.
    at: u64,
    len: i64,
}

/// A timer that was set up.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Timer {
    /// Whether it has a function.
    ready: bool,
    /// Whether it was started.
    runs: bool,
}

/// The low half: sizes and offsets are 32-bit numbers.
fn low(n: i64) -> i64 {
    n & 0xffff_ffff
}

impl Run<'_> {
    /// A dynptr of `len` bytes of memory.
    pub(super) fn dynptr_of(&mut self, at: i64, len: i64, flags: i64, dynptr: i64) -> i64 {
        self.world.dynptrs.remove(&dynptr);
        if flags != 0 {
            return EINVAL;
        }
        if low(len) > MOST {
            return E2BIG;
        }
        self.world.dynptrs.insert(dynptr, Dynptr { at: at as u64, len: low(len) });
        0
    }

    /// A dynptr of a new record.
    pub(super) fn dynptr_reserve(&mut self, ring: MapId, len: i64, flags: i64, dynptr: i64) -> i64 {
        self.world.dynptrs.remove(&dynptr);
        if flags != 0 {
            return EINVAL;
        }
        let size = low(len) as usize;
        let Some(at) = self.world.maps[ring.0 as usize].reserve(size) else { return EINVAL };
        let address = self.world.memory.add(vec![0; size], true);
        self.reserved.push(Reserved { address, ring, at, len: size });
        self.world.dynptrs.insert(dynptr, Dynptr { at: address, len: low(len) });
        0
    }

    /// The address of the record that a dynptr of a ring buffer has, which it has no more.
    pub(super) fn dynptr_end(&mut self, dynptr: i64) -> Option<u64> {
        self.world.dynptrs.remove(&dynptr).map(|d| d.at)
    }

    /// Where `len` bytes at an offset are, or an error.
    fn within(&self, dynptr: i64, off: i64, len: i64) -> Result<u64, i64> {
        let d = self.world.dynptrs.get(&dynptr).ok_or(EINVAL)?;
        if low(off) + low(len) > d.len { Err(E2BIG) } else { Ok(d.at.wrapping_add(low(off) as u64)) }
    }

    pub(super) fn dynptr_read(&mut self, to: i64, len: i64, dynptr: i64, off: i64) -> Result<i64, Fault> {
        match self.within(dynptr, off, len) {
            Err(e) => Ok(e),
            Ok(from) => self.copy(to as u64, from, low(len)),
        }
    }

    pub(super) fn dynptr_write(&mut self, dynptr: i64, off: i64, from: i64, len: i64) -> Result<i64, Fault> {
        match self.within(dynptr, off, len) {
            Err(e) => Ok(e),
            Ok(to) => self.copy(to, from as u64, low(len)),
        }
    }

    fn copy(&mut self, to: u64, from: u64, len: i64) -> Result<i64, Fault> {
        let bytes = self.bytes(from as i64, len)?;
        match self.world.memory.write(to, bytes.len()) {
            Some(place) => place.copy_from_slice(&bytes),
            None => return Err(Fault(format!("write of {len} bytes at {to:#x}"))),
        }
        Ok(0)
    }

    /// The address of `len` bytes, or null.
    pub(super) fn dynptr_data(&self, dynptr: i64, off: i64, len: i64) -> i64 {
        self.within(dynptr, off, len).unwrap_or(0) as i64
    }

    /// A dynptr of the packet.
    pub(super) fn dynptr_of_packet(&mut self, flags: i64, dynptr: i64) -> i64 {
        let (at, len) = self.world.packet;
        self.dynptr_of(at as i64, len as i64, flags, dynptr)
    }

    pub(super) fn dynptr_size(&self, dynptr: i64) -> i64 {
        self.world.dynptrs.get(&dynptr).map_or(low(EINVAL), |d| d.len)
    }

    pub(super) fn dynptr_is_null(&self, dynptr: i64) -> i64 {
        i64::from(!self.world.dynptrs.contains_key(&dynptr))
    }

    /// Makes it the part from `start` up to `end`.
    pub(super) fn dynptr_adjust(&mut self, dynptr: i64, start: i64, end: i64) -> i64 {
        let Some(d) = self.world.dynptrs.get_mut(&dynptr) else { return EINVAL };
        if low(start) > low(end) {
            return EINVAL;
        }
        if low(end) > d.len {
            return ERANGE;
        }
        *d = Dynptr { at: d.at.wrapping_add(low(start) as u64), len: low(end) - low(start) };
        0
    }

    pub(super) fn timer_init(&mut self, timer: i64, clock: i64) -> Result<i64, Fault> {
        self.bytes(timer, TIMER as i64)?;
        if !matches!(clock, 0 | 1 | 7) {
            return Ok(EINVAL);
        }
        if self.world.timers.contains_key(&timer) {
            return Ok(EBUSY);
        }
        self.world.timers.insert(timer, Timer::default());
        Ok(0)
    }

    pub(super) fn timer_function(&mut self, timer: i64) -> i64 {
        let Some(t) = self.world.timers.get_mut(&timer) else { return EINVAL };
        t.ready = true;
        0
    }

    pub(super) fn timer_start(&mut self, timer: i64, flags: i64) -> i64 {
        match self.world.timers.get_mut(&timer) {
            Some(t) if t.ready && flags & !3 == 0 => {
                t.runs = true;
                0
            }
            _ => EINVAL,
        }
    }

    /// A timer that is cancelled has lost its function, too.
    pub(super) fn timer_cancel(&mut self, timer: i64) -> i64 {
        match self.world.timers.get_mut(&timer) {
            Some(t) => i64::from(std::mem::take(t).runs),
            None => EINVAL,
        }
    }
}
