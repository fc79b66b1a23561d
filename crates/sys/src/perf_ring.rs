//! Perf buffers as their consumer sees them: one for each processor, into which `bpf_perf_event_output` writes
//! (include/uapi/linux/perf_event.h).
//!
//! Memory: a page of positions, then the data. Invariants: the position that the kernel sees is never past a record
//! that was not handed out; a record is copied out before anybody looks at it.

use std::ops::ControlFlow;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::Ordering;

use crate::mem::{Mapping, page_size};
use crate::{Errno, PerfEvent, PerfKind, SysError, perf_enable};

/// Where `struct perf_event_mmap_page` has the producer's and the consumer's position.
const HEAD: usize = 1024;
const TAIL: usize = 1032;
/// Bytes of `struct perf_event_header`.
const HEADER: usize = 8;
const PERF_RECORD_LOST: u32 = 2;
const PERF_RECORD_SAMPLE: u32 = 9;
/// Pages of data of a buffer.
const PAGES: usize = 64;

/// One processor's buffer.
#[derive(Debug)]
pub struct PerfRing {
    event: OwnedFd,
    mapping: Mapping,
    page: usize,
    size: u64,
    lost: u64,
}

impl AsFd for PerfRing {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}

impl PerfRing {
    /// Opens and maps the buffer of a processor.
    pub fn new(cpu: i32) -> Result<PerfRing, SysError> {
        let event = PerfEvent { kind: PerfKind::Output, pid: -1, cpu }.open()?;
        let page = page_size();
        let mapping = Mapping::of(event.as_fd(), (PAGES + 1) * page, 0, true)?;
        perf_enable(event.as_fd())?;
        Ok(PerfRing { event, mapping, page, size: (PAGES * page) as u64, lost: 0 })
    }

    /// Records that did not fit, as the kernel told so far.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Bytes at a position of the endless stream; they may lie around the buffer's end.
    fn read(&self, at: u64, out: &mut [u8]) -> bool {
        let start = (at & (self.size - 1)) as usize;
        let first = out.len().min(self.size as usize - start);
        let (a, b) = out.split_at_mut(first);
        self.mapping.read(self.page + start, a) && self.mapping.read(self.page, b)
    }

    /// Hands out the records that are there, in order, until `each` breaks; how many. A record has up to seven bytes
    /// more than the program gave, to a multiple of eight.
    pub fn consume(&mut self, mut each: impl FnMut(&[u8]) -> ControlFlow<()>) -> Result<usize, SysError> {
        let broken = SysError { call: "perf buffer", errno: Errno::EPROTO };
        let head = self.mapping.load_u64(HEAD, Ordering::Acquire).ok_or(broken)?;
        let mut tail = self.mapping.load_u64(TAIL, Ordering::Relaxed).ok_or(broken)?;
        if head.wrapping_sub(tail) > self.size {
            return Err(broken);
        }
        let mut count = 0;
        while tail != head {
            let mut header = [0; HEADER];
            if !self.read(tail, &mut header) {
                return Err(broken);
            }
            let [a, b, c, d, _, _, lo, hi] = header;
            let (kind, len) = (u32::from_le_bytes([a, b, c, d]), usize::from(u16::from_le_bytes([lo, hi])));
            if len < HEADER || len as u64 > head.wrapping_sub(tail) {
                return Err(broken);
            }
            let mut body = vec![0; len - HEADER];
            if !self.read(tail.wrapping_add(HEADER as u64), &mut body) {
                return Err(broken);
            }
            tail = tail.wrapping_add(len as u64);
            self.mapping.store_u64(TAIL, tail, Ordering::Release);
            match kind {
                PERF_RECORD_SAMPLE => {
                    let Some((size, data)) = body.split_first_chunk::<4>() else { return Err(broken) };
                    let Some(data) = data.get(..u32::from_le_bytes(*size) as usize) else { return Err(broken) };
                    count += 1;
                    if each(data).is_break() {
                        break;
                    }
                }
                PERF_RECORD_LOST => {
                    let lost = body.get(8..16).and_then(|b| b.first_chunk::<8>()).ok_or(broken)?;
                    self.lost = self.lost.wrapping_add(u64::from_le_bytes(*lost));
                }
                _ => {}
            }
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(at: u64) -> PerfRing {
        let page = page_size();
        let mapping = Mapping::anonymous((PAGES + 1) * page).expect("memory");
        mapping.store_u64(HEAD, at, Ordering::Relaxed);
        mapping.store_u64(TAIL, at, Ordering::Relaxed);
        let event = std::fs::File::open("/dev/null").expect("there is one").into();
        PerfRing { event, mapping, page, size: (PAGES * page) as u64, lost: 0 }
    }

    fn produce(r: &PerfRing, kind: u32, body: &[u8]) {
        let at = r.mapping.load_u64(HEAD, Ordering::Relaxed).expect("mapped");
        let mut record = kind.to_le_bytes().to_vec();
        record.extend([0, 0]);
        record.extend(((body.len() + HEADER) as u16).to_le_bytes());
        record.extend(body);
        for (i, b) in record.iter().enumerate() {
            let offset = ((at + i as u64) & (r.size - 1)) as usize;
            assert!(r.mapping.write(r.page + offset, &[*b]));
        }
        r.mapping.store_u64(HEAD, at + record.len() as u64, Ordering::Release);
    }

    fn sample(data: &[u8]) -> Vec<u8> {
        [&(data.len() as u32).to_le_bytes()[..], data].concat()
    }

    fn take(r: &mut PerfRing) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        r.consume(|d| {
            out.push(d.to_vec());
            ControlFlow::Continue(())
        })
        .expect("sound");
        out
    }

    #[test]
    fn samples_come_in_order_and_losses_are_counted() {
        let mut r = ring(0);
        produce(&r, PERF_RECORD_SAMPLE, &sample(b"one."));
        produce(&r, PERF_RECORD_LOST, &[[0u8; 8], 3u64.to_le_bytes()].concat());
        produce(&r, PERF_RECORD_SAMPLE, &sample(b"two and more"));
        assert_eq!(take(&mut r), [b"one.".to_vec(), b"two and more".to_vec()]);
        assert_eq!((r.lost(), take(&mut r).len()), (3, 0));
    }

    #[test]
    fn a_record_around_the_end_is_whole() {
        let size = (PAGES * page_size()) as u64;
        let mut r = ring(size - 10);
        produce(&r, PERF_RECORD_SAMPLE, &sample(b"around the end"));
        assert_eq!(take(&mut r), [b"around the end".to_vec()]);
    }

    #[test]
    fn breaking_keeps_the_rest_and_nonsense_is_an_error() {
        let mut r = ring(0);
        produce(&r, PERF_RECORD_SAMPLE, &sample(b"a..."));
        produce(&r, PERF_RECORD_SAMPLE, &sample(b"b..."));
        assert_eq!(r.consume(|_| ControlFlow::Break(())).expect("sound"), 1);
        assert_eq!(take(&mut r), [b"b...".to_vec()]);
        produce(&r, PERF_RECORD_SAMPLE, &1000u32.to_le_bytes());
        assert!(r.consume(|_| ControlFlow::Continue(())).is_err());
    }
}
