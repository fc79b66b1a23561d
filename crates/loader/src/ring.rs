//! Consuming ring buffers: several at once, each with what is to happen to its records.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use whistler_sys::{Epoll, Errno, Ring, SysError};

use crate::Map;

/// Where a program counts the records it could not put into its ring. The kernel itself does not count.
#[derive(Clone, Debug)]
pub struct LostCounter {
    /// The map.
    pub map: Arc<Map>,
    /// The key.
    pub key: Vec<u8>,
    /// Byte offset of the counter in the value: 8 bytes, or what is left of the value when that is less.
    pub offset: usize,
}

impl LostCounter {
    /// What it stands at (over all processors).
    pub fn read(&self) -> Result<u64, SysError> {
        let values = self.map.values(&self.key)?.unwrap_or_default();
        Ok(values.iter().fold(0, |sum, v| {
            let bytes = v.get(self.offset..).unwrap_or_default();
            let mut word = [0; 8];
            for (to, from) in word.iter_mut().zip(bytes) {
                *to = *from;
            }
            sum.wrapping_add(u64::from_le_bytes(word))
        }))
    }
}

#[derive(Debug)]
struct Source {
    map: Arc<Map>,
    ring: Ring,
    lost: Option<LostCounter>,
}

/// Consumers of any number of ring buffers, waiting together.
#[derive(Debug)]
pub struct RingConsumer {
    epoll: Epoll,
    sources: Vec<Source>,
}

impl RingConsumer {
    /// Of no ring yet.
    pub fn new() -> Result<RingConsumer, SysError> {
        Ok(RingConsumer { epoll: Epoll::new()?, sources: Vec::new() })
    }

    /// Adds a ring buffer; its number, which comes with its records. Only one consumer per map may exist.
    pub fn add(&mut self, map: Arc<Map>, lost: Option<LostCounter>) -> Result<usize, SysError> {
        let ring = Ring::new(map.fd())?;
        let number = self.sources.len();
        self.epoll.add(std::os::fd::AsFd::as_fd(&*map), number as u64)?;
        self.sources.push(Source { map, ring, lost });
        Ok(number)
    }

    /// The map behind a number.
    pub fn map(&self, number: usize) -> Option<&Arc<Map>> {
        self.sources.get(number).map(|s| &s.map)
    }

    /// Hands out `(number, record)` of what is there, without waiting; how many.
    pub fn consume(&mut self, mut each: impl FnMut(usize, &[u8]) -> ControlFlow<()>) -> Result<usize, SysError> {
        let (mut count, mut stop) = (0, false);
        for (number, source) in self.sources.iter_mut().enumerate() {
            count += source.ring.consume(|record| {
                let flow = each(number, record);
                stop = flow.is_break();
                flow
            })?;
            if stop {
                break;
            }
        }
        Ok(count)
    }

    /// The same, waiting for at most `timeout` (`None`: for ever) when there is nothing. 0 when the
    /// time is over or a signal came.
    pub fn poll(
        &mut self,
        timeout: Option<Duration>,
        mut each: impl FnMut(usize, &[u8]) -> ControlFlow<()>,
    ) -> Result<usize, SysError> {
        let end = timeout.map(|t| Instant::now() + t);
        loop {
            let count = self.consume(&mut each)?;
            if count > 0 {
                return Ok(count);
            }
            let left = end.map(|e| e.saturating_duration_since(Instant::now()));
            if left.is_some_and(|l| l.is_zero()) {
                return Ok(0);
            }
            // Rounded up: a wait of less than a millisecond must not become a busy loop.
            let ms = left.map(|l| u32::try_from(l.as_micros().div_ceil(1000)).unwrap_or(u32::MAX));
            match self.epoll.wait(ms) {
                Err(e) if e.errno == Errno::EINTR => return Ok(0),
                other => other?,
            };
        }
    }

    /// Records that did not fit, of all rings that have a counter.
    pub fn lost(&self) -> Result<u64, SysError> {
        self.sources.iter().filter_map(|s| s.lost.as_ref()).try_fold(0u64, |sum, l| Ok(sum.wrapping_add(l.read()?)))
    }
}
