//! `eq`, `eql`, `equal`, `equalp`. Invariant: they end on circular and very deep data, too.

use crate::Value;
use crate::heap::{Heap, Object};

/// The equality of a hash table or sequence function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Test {
    /// The same object.
    Eq,
    /// The same object, number or character.
    Eql,
    /// The same structure.
    Equal,
    /// The same structure without regard to case and kind of number.
    Equalp,
}

/// Comparisons after which two values count as different: they are circular.
const LIMIT: usize = 50_000_000;

/// Whether two values are the same under a test.
#[inline]
pub fn same(heap: &Heap, test: Test, a: Value, b: Value) -> bool {
    match test {
        Test::Eq | Test::Eql => eql(heap, a, b),
        Test::Equal => equal(heap, a, b, false),
        Test::Equalp => equal(heap, a, b, true),
    }
}

/// `eql`
#[inline]
pub fn eql(heap: &Heap, a: Value, b: Value) -> bool {
    match (a, b) {
        (Value::Float(x), Value::Float(y)) => x.to_bits() == y.to_bits(),
        (Value::Object(x), Value::Object(y)) => {
            x == y
                || match (heap.object(a), heap.object(b)) {
                    (Some(Object::Big(x)), Some(Object::Big(y))) => x == y,
                    (Some(Object::Ratio(x)), Some(Object::Ratio(y))) => x == y,
                    _ => false,
                }
        }
        _ => a == b,
    }
}

fn equal(heap: &Heap, a: Value, b: Value, loose: bool) -> bool {
    let mut work = vec![(a, b)];
    let mut steps = 0;
    while let Some((a, b)) = work.pop() {
        steps += 1;
        if steps > LIMIT {
            return false;
        }
        if eql(heap, a, b) {
            continue;
        }
        match (a, b) {
            (Value::Cons(_), Value::Cons(_)) => {
                let (Some((a1, a2)), Some((b1, b2))) = (heap.cons_parts(a), heap.cons_parts(b)) else { return false };
                work.push((a2, b2));
                work.push((a1, b1));
            }
            (Value::Char(x), Value::Char(y)) if loose => {
                if !x.to_lowercase().eq(y.to_lowercase()) {
                    return false;
                }
            }
            _ if loose && crate::arith::is_number(heap, a) && crate::arith::is_number(heap, b) => {
                if crate::arith::compare(heap, a, b) != Some(std::cmp::Ordering::Equal) {
                    return false;
                }
            }
            (Value::Object(_), Value::Object(_)) => match (heap.object(a), heap.object(b)) {
                (Some(Object::Str(x)), Some(Object::Str(y))) => {
                    if x != y && !(loose && x.to_lowercase() == y.to_lowercase()) {
                        return false;
                    }
                }
                (Some(Object::Bytes(x)), Some(Object::Bytes(y))) if loose => {
                    if x != y {
                        return false;
                    }
                }
                (Some(Object::Vector(x)), Some(Object::Vector(y))) if loose => {
                    if x.items.len() != y.items.len() {
                        return false;
                    }
                    work.extend(x.items.iter().copied().zip(y.items.iter().copied()));
                }
                (Some(Object::Record(x)), Some(Object::Record(y))) if loose => {
                    if !std::rc::Rc::ptr_eq(&x.layout, &y.layout) {
                        return false;
                    }
                    work.extend(x.fields.iter().copied().zip(y.fields.iter().copied()));
                }
                (Some(Object::Table(x)), Some(Object::Table(y))) if loose => {
                    if x.len() != y.len() || x.test != y.test {
                        return false;
                    }
                    for (k, v) in (0..x.places()).filter_map(|i| x.entry(i)) {
                        match y.get(heap, k) {
                            Some(w) => work.push((v, w)),
                            None => return false,
                        }
                    }
                }
                _ => return false,
            },
            _ => return false,
        }
    }
    true
}
