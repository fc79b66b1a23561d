//! Keys to slots, for hash maps of all sorts. Invariant: every occupied slot
//! has its key in both directions, and (for LRU maps) stands in the list once.

use rustc_hash::FxHashMap;

const NONE: u32 = u32::MAX;

#[derive(Debug, Default)]
pub(crate) struct HashIndex {
    slots: FxHashMap<Box<[u8]>, u32>,
    keys: Vec<Option<Box<[u8]>>>,
    free: Vec<u32>,
    lru: Option<Lru>,
}

/// A doubly linked list through the slots, most recently used first.
///
/// The kernel's LRU is approximate (a bit per entry and per-CPU free lists); an exact one is what its callers count on.
#[derive(Debug)]
struct Lru {
    links: Vec<(u32, u32)>,
    head: u32,
    tail: u32,
}

impl HashIndex {
    pub fn new(lru: bool) -> HashIndex {
        let lru = lru.then(|| Lru { links: Vec::new(), head: NONE, tail: NONE });
        HashIndex { lru, ..HashIndex::default() }
    }

    /// The slot of a key; `used` moves it to the front of an LRU list.
    pub fn find(&mut self, key: &[u8], used: bool) -> Option<u32> {
        let slot = *self.slots.get(key)?;
        if used {
            self.touch(slot);
        }
        Some(slot)
    }

    /// Notes a use.
    pub fn touch(&mut self, slot: u32) {
        if let Some(lru) = &mut self.lru {
            lru.unlink(slot);
            lru.push_front(slot);
        }
    }

    /// A slot for a new key: a free one, a new one, or in LRU maps the longest unused; `None` when full.
    pub fn insert(&mut self, key: &[u8], max: usize) -> Option<u32> {
        if self.slots.len() >= max {
            let oldest = self.lru.as_ref().map(|l| l.tail).filter(|t| *t != NONE)?;
            let old = self.keys.get(oldest as usize)?.clone()?;
            self.remove(&old);
        }
        let slot = self.free.pop().unwrap_or(self.keys.len() as u32);
        let key: Box<[u8]> = key.into();
        match self.keys.get_mut(slot as usize) {
            Some(place) => *place = Some(key.clone()),
            None => self.keys.push(Some(key.clone())),
        }
        self.slots.insert(key, slot);
        if let Some(lru) = &mut self.lru {
            lru.push_front(slot);
        }
        Some(slot)
    }

    /// Removes a key and gives the slot it had. The kernel leaves the value's bytes as they are, too.
    pub fn remove(&mut self, key: &[u8]) -> Option<u32> {
        let slot = self.slots.remove(key)?;
        if let Some(place) = self.keys.get_mut(slot as usize) {
            *place = None;
        }
        if let Some(lru) = &mut self.lru {
            lru.unlink(slot);
        }
        self.free.push(slot);
        Some(slot)
    }

    pub fn keys(&self) -> Vec<Vec<u8>> {
        self.keys.iter().flatten().map(|k| k.to_vec()).collect()
    }
}

impl Lru {
    fn link(&mut self, slot: u32) -> &mut (u32, u32) {
        let slot = slot as usize;
        if self.links.len() <= slot {
            self.links.resize(slot + 1, (NONE, NONE));
        }
        &mut self.links[slot]
    }

    fn unlink(&mut self, slot: u32) {
        let (prev, next) = *self.link(slot);
        match prev {
            NONE if self.head == slot => self.head = next,
            NONE => {}
            p => self.link(p).1 = next,
        }
        match next {
            NONE if self.tail == slot => self.tail = prev,
            NONE => {}
            n => self.link(n).0 = prev,
        }
        *self.link(slot) = (NONE, NONE);
    }

    fn push_front(&mut self, slot: u32) {
        let head = self.head;
        *self.link(slot) = (NONE, head);
        match head {
            NONE => self.tail = slot,
            h => self.link(h).0 = slot,
        }
        self.head = slot;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lru_drops_the_longest_unused() {
        let mut h = HashIndex::new(true);
        for k in [b"a", b"b", b"c"] {
            h.insert(k, 3);
        }
        h.find(b"a", true);
        h.find(b"b", false);
        h.insert(b"d", 3);
        let mut keys = h.keys();
        keys.sort();
        assert_eq!(keys, [b"a", b"c", b"d"], "b was looked up by the host only, which is no use");
        h.remove(b"c");
        h.remove(b"a");
        h.insert(b"e", 3);
        h.insert(b"f", 3);
        h.insert(b"g", 3);
        let mut keys = h.keys();
        keys.sort();
        assert_eq!(keys, [b"e", b"f", b"g"]);
    }

    #[test]
    fn full_without_lru() {
        let mut h = HashIndex::new(false);
        assert_eq!(h.insert(b"a", 1), Some(0));
        assert_eq!(h.insert(b"b", 1), None);
        assert_eq!(h.remove(b"a"), Some(0));
        assert_eq!(h.insert(b"b", 1), Some(0), "slots are used again");
    }
}
