//! Consuming perf buffers: a perf event array has one for each processor.

use std::ops::ControlFlow;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use whistler_sys::{Epoll, Errno, PerfRing, SysError};

use crate::{Map, Put};

/// The buffers behind a perf event array. While it lives, what programs output on any processor reaches it.
#[derive(Debug)]
pub struct PerfConsumer {
    map: Arc<Map>,
    epoll: Epoll,
    rings: Vec<(u32, PerfRing)>,
}

impl PerfConsumer {
    /// Opens a buffer on every processor that is on and that the map has an entry for.
    pub fn new(map: Arc<Map>) -> Result<PerfConsumer, SysError> {
        let epoll = Epoll::new()?;
        let mut rings = Vec::new();
        for cpu in crate::link::perf_event::online() {
            let number = u32::try_from(cpu).unwrap_or(0);
            if number >= map.shape().max_entries {
                continue;
            }
            let ring = PerfRing::new(cpu)?;
            map.update(&number.to_le_bytes(), &ring.as_fd().as_raw_fd().to_le_bytes(), Put::Any)?;
            epoll.add(ring.as_fd(), u64::from(number))?;
            rings.push((number, ring));
        }
        Ok(PerfConsumer { map, epoll, rings })
    }

    /// The map.
    pub fn map(&self) -> &Arc<Map> {
        &self.map
    }

    /// Hands out `(processor, record)` of what is there, waiting for at most `timeout` when there is nothing. 0 when
    /// the time is over or a signal came. A record has up to seven bytes more than the program gave.
    pub fn poll(
        &mut self,
        timeout: Duration,
        mut each: impl FnMut(u32, &[u8]) -> ControlFlow<()>,
    ) -> Result<usize, SysError> {
        let end = Instant::now() + timeout;
        loop {
            let (mut count, mut stop) = (0, false);
            for (cpu, ring) in &mut self.rings {
                count += ring.consume(|record| {
                    let flow = each(*cpu, record);
                    stop = flow.is_break();
                    flow
                })?;
                if stop {
                    break;
                }
            }
            let left = end.saturating_duration_since(Instant::now());
            if count > 0 || left.is_zero() {
                return Ok(count);
            }
            let ms = u32::try_from(left.as_micros().div_ceil(1000)).unwrap_or(u32::MAX);
            match self.epoll.wait(Some(ms)) {
                Err(e) if e.errno == Errno::EINTR => return Ok(0),
                other => other?,
            };
        }
    }

    /// Records that did not fit, over all processors.
    pub fn lost(&self) -> u64 {
        self.rings.iter().map(|(_, r)| r.lost()).sum()
    }
}
