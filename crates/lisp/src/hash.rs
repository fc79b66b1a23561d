//! Hash tables. Invariant: entries keep the order they were put in, so walking
//! a table while it changes is defined: what is added is seen, what is removed isn't.

use rustc_hash::{FxHashMap, FxHasher};
use smallvec::SmallVec;
use std::hash::{Hash, Hasher};

use crate::Value;
use crate::equality::{self, Test};
use crate::heap::{Heap, Object};
use crate::value::{ConsRef, ObjRef};

/// How deep `equal` hashes look.
const HASH_DEPTH: usize = 4;

/// A table from values to values.
#[derive(Debug, Clone)]
pub struct HashTable {
    pub(crate) test: Test,
    index: FxHashMap<u64, SmallVec<[u32; 1]>>,
    entries: Vec<Option<(Value, Value)>>,
    count: usize,
}

impl HashTable {
    /// An empty table with a key test.
    pub fn new(test: Test) -> HashTable {
        HashTable { test, index: FxHashMap::default(), entries: Vec::new(), count: 0 }
    }

    /// How many entries it has.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The entry at a place, for walking: `None` when it was removed.
    pub fn entry(&self, at: usize) -> Option<(Value, Value)> {
        self.entries.get(at).copied().flatten()
    }

    /// How many places there are to walk.
    pub fn places(&self) -> usize {
        self.entries.len()
    }

    fn find(&self, heap: &Heap, key: Value, hash: u64) -> Option<u32> {
        let candidates = self.index.get(&hash)?;
        candidates.iter().copied().find(|i| {
            self.entries
                .get(*i as usize)
                .copied()
                .flatten()
                .is_some_and(|(k, _)| equality::same(heap, self.test, k, key))
        })
    }

    /// The value at a key.
    pub fn get(&self, heap: &Heap, key: Value) -> Option<Value> {
        let at = self.find(heap, key, hash(heap, self.test, key))?;
        self.entry(at as usize).map(|(_, v)| v)
    }

    /// Puts a value at a key.
    pub fn put(&mut self, heap: &Heap, key: Value, value: Value) {
        let h = hash(heap, self.test, key);
        if let Some(at) = self.find(heap, key, h) {
            self.entries[at as usize] = Some((key, value));
            return;
        }
        self.index.entry(h).or_default().push(self.entries.len() as u32);
        self.entries.push(Some((key, value)));
        self.count += 1;
    }

    /// Removes a key; whether it was there.
    pub fn remove(&mut self, heap: &Heap, key: Value) -> bool {
        let h = hash(heap, self.test, key);
        let Some(at) = self.find(heap, key, h) else { return false };
        self.entries[at as usize] = None;
        if let Some(list) = self.index.get_mut(&h) {
            list.retain(|i| *i != at);
            if list.is_empty() {
                self.index.remove(&h);
            }
        }
        self.count -= 1;
        if self.count == 0 {
            self.clear();
        } else if self.entries.len() > 32 && self.count * 4 < self.entries.len() {
            self.compact(heap);
        }
        true
    }

    fn compact(&mut self, heap: &Heap) {
        let entries = std::mem::take(&mut self.entries);
        self.clear();
        for (k, v) in entries.into_iter().flatten() {
            self.put(heap, k, v);
        }
    }

    /// Removes everything.
    pub fn clear(&mut self) {
        self.index.clear();
        self.entries.clear();
        self.count = 0;
    }

    pub(crate) fn trace(&self, visit: &mut dyn FnMut(Value)) {
        for (k, v) in self.entries.iter().flatten() {
            visit(*k);
            visit(*v);
        }
    }
}

fn hash(heap: &Heap, test: Test, key: Value) -> u64 {
    let mut h = FxHasher::default();
    feed(heap, test, key, HASH_DEPTH, &mut h);
    h.finish()
}

fn feed(heap: &Heap, test: Test, v: Value, depth: usize, h: &mut FxHasher) {
    match v {
        Value::Symbol(s) => s.hash(h),
        // `equalp` takes 1 and 1.0 for the same, so under it all numbers hash by their nearest float.
        Value::Int(i) if test == Test::Equalp => (i as f64).to_bits().hash(h),
        Value::Int(i) => i.hash(h),
        Value::Float(f) => (if f == 0.0 { 0.0 } else { f }).to_bits().hash(h),
        Value::Char(c) if test == Test::Equalp => c.to_lowercase().for_each(|c| c.hash(h)),
        Value::Char(c) => c.hash(h),
        Value::Native(n) => n.hash(h),
        Value::Unbound => 0.hash(h),
        Value::Cons(ConsRef(i)) => {
            if test == Test::Eql || test == Test::Eq {
                i.hash(h);
            } else if depth > 0
                && let Some((car, cdr)) = heap.cons_parts(v)
            {
                feed(heap, test, car, depth - 1, h);
                feed(heap, test, cdr, depth - 1, h);
            }
        }
        Value::Object(ObjRef(i)) => match heap.object(v) {
            Some(Object::Big(b)) if test == Test::Equalp => {
                num_traits::ToPrimitive::to_f64(b).unwrap_or(0.0).to_bits().hash(h);
            }
            Some(Object::Big(b)) => b.hash(h),
            Some(Object::Ratio(r)) if test != Test::Equalp => r.hash(h),
            Some(Object::Ratio(_)) => 1.hash(h),
            Some(Object::Str(s)) if test == Test::Equal => s.hash(h),
            Some(_) if test == Test::Equalp => 2.hash(h),
            _ => i.hash(h),
        },
    }
}
