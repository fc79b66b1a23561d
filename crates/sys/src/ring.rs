//! BPF ring buffers as their consumer sees them, and waiting for several at once
//! (kernel/bpf/ringbuf.c, Documentation/bpf/ringbuf.rst).
//!
//! Memory: one writable page with the consumer's position, one page with the producer's, then the
//! data twice in a row, so that a record that wraps around still lies in one piece. Invariants: the
//! position that the kernel sees is never past a record that was not handed out yet; a record is
//! copied out by atomic loads before anybody looks at it, so whatever else maps the ring can spoil
//! a record but not our memory.

use std::ops::ControlFlow;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{Ordering, fence};

use crate::bpf::MapFd;
use crate::call::{Call, expect_reply};
use crate::mem::{Mapping, page_size};
use crate::{Errno, Reply, SysError};

/// The record is reserved, not written to the end yet.
const BUSY: u32 = 1 << 31;
/// The record was given up by the program.
const DISCARD: u32 = 1 << 30;
/// Bytes before each record: its length with the two bits, and the kernel's own offset.
const HEADER: usize = 8;

/// The consuming end of one ring buffer.
#[derive(Debug)]
pub struct Ring {
    consumer: Mapping,
    producer: Mapping,
    size: u64,
    page: usize,
    scratch: Vec<u8>,
}

impl Ring {
    /// Maps the ring buffer. `max_entries` of the map is its size in bytes.
    pub fn new(map: &MapFd) -> Result<Ring, SysError> {
        const BPF_MAP_TYPE_RINGBUF: u32 = 27;
        let shape = map.shape();
        if shape.map_type != BPF_MAP_TYPE_RINGBUF || !shape.max_entries.is_power_of_two() {
            return Err(SysError { call: "mmap", errno: Errno::EINVAL });
        }
        let (page, size) = (page_size(), shape.max_entries as usize);
        Ok(Ring {
            consumer: Mapping::of(map.as_fd(), page, 0, true)?,
            producer: Mapping::of(map.as_fd(), page + 2 * size, page as u64, false)?,
            size: size as u64,
            page,
            scratch: Vec::new(),
        })
    }

    /// Bytes that wait (reserved ones too).
    pub fn pending(&self) -> u64 {
        self.produced(Ordering::Relaxed).wrapping_sub(self.consumed())
    }

    fn produced(&self, order: Ordering) -> u64 {
        self.producer.load_u64(0, order).unwrap_or(0)
    }

    fn consumed(&self) -> u64 {
        self.consumer.load_u64(0, Ordering::Relaxed).unwrap_or(0)
    }

    /// Hands out the records that are there, in order, until `each` breaks; how many. A record that
    /// is still being written ends the call: those after it come later.
    ///
    /// The position is published after a quarter of the ring and at the end, also when `each` panics.
    pub fn consume(&mut self, mut each: impl FnMut(&[u8]) -> ControlFlow<()>) -> Result<usize, SysError> {
        let broken = SysError { call: "ring buffer", errno: Errno::EPROTO };
        let mut scratch = std::mem::take(&mut self.scratch);
        let mut at = Position { ring: self, here: self.consumed(), published: self.consumed() };
        let mut count = 0;
        'again: loop {
            let produced = self.produced(Ordering::Acquire);
            if produced.wrapping_sub(at.here) > self.size {
                return Err(broken);
            }
            while at.here != produced {
                let offset = self.page + (at.here & (self.size - 1)) as usize;
                let header = self.producer.load_u32(offset, Ordering::Acquire).ok_or(broken)?;
                if header & BUSY != 0 {
                    break 'again;
                }
                let len = (header & !DISCARD) as usize;
                if (len + HEADER).next_multiple_of(8) as u64 > produced.wrapping_sub(at.here) {
                    return Err(broken);
                }
                if header & DISCARD == 0 {
                    scratch.resize(len, 0);
                    if !self.producer.read(offset + HEADER, &mut scratch) {
                        return Err(broken);
                    }
                }
                at.here = at.here.wrapping_add((len + HEADER).next_multiple_of(8) as u64);
                if at.here.wrapping_sub(at.published) > self.size / 4 {
                    at.publish();
                }
                if header & DISCARD == 0 {
                    count += 1;
                    if each(&scratch).is_break() {
                        break 'again;
                    }
                }
            }
            // A producer wakes us only if it sees that we have caught up; so it must see that
            // before we look for the last time.
            at.publish();
            fence(Ordering::SeqCst);
            if self.produced(Ordering::Relaxed) == at.here {
                break;
            }
        }
        drop(at);
        self.scratch = scratch;
        Ok(count)
    }
}

/// The consumer's position during one call, published when it goes out of scope.
struct Position<'a> {
    ring: &'a Ring,
    here: u64,
    published: u64,
}

impl Position<'_> {
    fn publish(&mut self) {
        if self.here != self.published {
            self.ring.consumer.store_u64(0, self.here, Ordering::Release);
            self.published = self.here;
        }
    }
}

impl Drop for Position<'_> {
    fn drop(&mut self) {
        self.publish();
    }
}

/// Waits for descriptors.
#[derive(Debug)]
pub struct Epoll(OwnedFd);

impl AsFd for Epoll {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Epoll {
    /// Waits for nothing yet.
    pub fn new() -> Result<Epoll, SysError> {
        expect_reply!(Call::EpollCreate, Reply::Fd(fd) => Epoll(fd))
    }

    /// Waits for input on `fd` too; `data` comes back with its events.
    pub fn add(&self, fd: BorrowedFd<'_>, data: u64) -> Result<(), SysError> {
        expect_reply!(Call::EpollAdd { epoll: self.0.as_fd(), fd, data }, Reply::Done => ())
    }

    /// The data of those that have input, after at most `timeout_ms` (`None`: for ever). A signal
    /// ends it with EINTR, so that Ctrl-C is noticed.
    pub fn wait(&self, timeout_ms: Option<u32>) -> Result<Vec<u64>, SysError> {
        let call = Call::EpollWait { epoll: self.0.as_fd(), max: 64, timeout_ms };
        expect_reply!(call, Reply::Events(e) => e.into_iter().map(|(data, _)| data).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ring whose producer is the test: 4096 bytes of data.
    fn ring(consumed: u64) -> Ring {
        let page = page_size();
        let ring = Ring {
            consumer: Mapping::anonymous(page).expect("memory"),
            producer: Mapping::anonymous(page + 2 * 4096).expect("memory"),
            size: 4096,
            page,
            scratch: Vec::new(),
        };
        ring.consumer.store_u64(0, consumed, Ordering::Relaxed);
        ring.producer.store_u64(0, consumed, Ordering::Relaxed);
        ring
    }

    /// Writes a record as the kernel would, in both copies of the data.
    fn produce(ring: &Ring, bits: u32, data: &[u8]) {
        let at = ring.produced(Ordering::Relaxed);
        let mut record = (data.len() as u32 | bits).to_ne_bytes().to_vec();
        record.extend([0; 4]);
        record.extend(data);
        record.resize(record.len().next_multiple_of(8), 0);
        for (i, byte) in record.iter().enumerate() {
            let offset = ((at + i as u64) & (ring.size - 1)) as usize;
            assert!(ring.producer.write(ring.page + offset, &[*byte]));
            assert!(ring.producer.write(ring.page + 4096 + offset, &[*byte]));
        }
        ring.producer.store_u64(0, at + record.len() as u64, Ordering::Release);
    }

    fn take(ring: &mut Ring) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        ring.consume(|r| {
            out.push(r.to_vec());
            ControlFlow::Continue(())
        })
        .expect("a sound ring");
        out
    }

    #[test]
    fn records_come_in_order_without_the_discarded() {
        let mut r = ring(0);
        produce(&r, 0, b"one");
        produce(&r, DISCARD, b"gone");
        produce(&r, 0, b"three and more");
        assert_eq!(take(&mut r), [b"one".to_vec(), b"three and more".to_vec()]);
        assert_eq!((r.pending(), take(&mut r).len()), (0, 0));
    }

    #[test]
    fn a_busy_record_holds_back_those_after_it() {
        let mut r = ring(0);
        produce(&r, 0, b"first");
        produce(&r, BUSY, b"busy");
        produce(&r, 0, b"last");
        assert_eq!(take(&mut r), [b"first".to_vec()]);
        assert_eq!(r.consumed(), 16);
        let page = r.page;
        assert!(r.producer.store_u32(page + 16, 4, Ordering::Release));
        assert_eq!(take(&mut r), [b"busy".to_vec(), b"last".to_vec()]);
    }

    #[test]
    fn a_record_over_the_end_is_in_one_piece() {
        for start in [4088, 4080, u64::MAX - 15 - 4096 + 1] {
            let mut r = ring(start & !7);
            produce(&r, 0, b"a record that does not fit before the end");
            assert_eq!(take(&mut r), [b"a record that does not fit before the end".to_vec()]);
        }
    }

    #[test]
    fn breaking_keeps_the_rest() {
        let mut r = ring(0);
        produce(&r, 0, b"a");
        produce(&r, 0, b"b");
        let n = r.consume(|_| ControlFlow::Break(())).expect("sound");
        assert_eq!((n, take(&mut r)), (1, vec![b"b".to_vec()]));
    }

    #[test]
    fn a_panicking_callback_does_not_see_its_record_again() {
        let mut r = ring(0);
        produce(&r, 0, b"a");
        produce(&r, 0, b"b");
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| r.consume(|_| panic!("callback"))));
        assert!(panicked.is_err());
        assert_eq!(take(&mut r), [b"b".to_vec()]);
    }

    #[test]
    fn nonsense_in_the_ring_is_an_error() {
        let mut r = ring(0);
        produce(&r, 0, b"x");
        r.producer.store_u32(r.page, 100_000, Ordering::Relaxed);
        assert!(r.consume(|_| ControlFlow::Continue(())).is_err());
        let mut r = ring(0);
        r.producer.store_u64(0, 1 << 40, Ordering::Relaxed);
        assert!(r.consume(|_| ControlFlow::Continue(())).is_err());
    }
}
