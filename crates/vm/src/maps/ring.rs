//! Ring buffers. Invariant: records are handed out in the order they were
//! reserved, and one that is still open holds back those behind it.

use std::collections::VecDeque;

/// Bytes in front of each record: `BPF_RINGBUF_HDR_SZ` in linux/bpf.h.
const HEADER: u64 = 8;
/// The largest record: `RINGBUF_MAX_RECORD_SZ` in kernel/bpf/ringbuf.c.
const MAX_RECORD: u64 = (u32::MAX / 4) as u64;

#[derive(Debug)]
enum State {
    Open,
    Committed(Vec<u8>),
    Discarded,
}

#[derive(Debug)]
pub(crate) struct Ring {
    size: u64,
    records: VecDeque<(u64, State)>,
    /// Number of the first record in `records`.
    first: u64,
    consumer: u64,
    producer: u64,
}

impl Ring {
    pub fn new(size: usize) -> Result<Ring, String> {
        if !size.is_power_of_two() {
            return Err(format!("a ring buffer's size must be a power of two, and {size} is none"));
        }
        Ok(Ring { size: size as u64, records: VecDeque::new(), first: 0, consumer: 0, producer: 0 })
    }

    /// Opens a record and gives its number; `None` when there is no room.
    pub fn reserve(&mut self, size: u64) -> Option<u64> {
        let len = (size.min(MAX_RECORD + 1) + HEADER).next_multiple_of(8);
        if size > MAX_RECORD || len > self.size || self.producer + len - self.consumer > self.size - 1 {
            return None;
        }
        self.producer += len;
        self.records.push_back((len, State::Open));
        Some(self.first + self.records.len() as u64 - 1)
    }

    /// Ends a record: with bytes it is submitted, without it is discarded.
    pub fn end(&mut self, ticket: u64, bytes: Option<Vec<u8>>) {
        let at = ticket.checked_sub(self.first).and_then(|i| usize::try_from(i).ok());
        if let Some((_, state)) = at.and_then(|i| self.records.get_mut(i)) {
            *state = bytes.map_or(State::Discarded, State::Committed);
        }
    }

    /// Takes the next record that is ready.
    pub fn pop(&mut self) -> Option<Vec<u8>> {
        loop {
            if let (_, State::Open) = self.records.front()? {
                return None;
            }
            let (len, state) = self.records.pop_front()?;
            self.first += 1;
            self.consumer += len;
            if let State::Committed(bytes) = state {
                return Some(bytes);
            }
        }
    }

    /// `bpf_ringbuf_query`.
    pub fn query(&self, what: u64) -> u64 {
        match what {
            0 => self.producer - self.consumer,
            1 => self.size,
            2 => self.consumer,
            3 => self.producer,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_room() {
        let mut r = Ring::new(64).unwrap();
        let a = r.reserve(8).unwrap();
        let b = r.reserve(8).unwrap();
        let c = r.reserve(8).unwrap();
        assert_eq!(r.reserve(8), None, "16 bytes are left, and the kernel never fills a ring to the last");
        r.end(b, Some(vec![2]));
        assert_eq!(r.pop(), None, "the first is still open");
        r.end(a, None);
        r.end(c, Some(vec![3]));
        assert_eq!((r.pop(), r.pop(), r.pop()), (Some(vec![2]), Some(vec![3]), None));
        assert_eq!([r.query(0), r.query(1), r.query(2), r.query(3)], [0, 64, 48, 48]);
        assert_eq!(r.reserve(57), None);
    }
}
