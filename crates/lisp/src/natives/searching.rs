//! Functions that choose or order elements of sequences by `:test` and `:key`.

use super::Entry::Many;
use super::seqs::{bounds, elements, kind_of, make, same_kind, write_back};
use super::{ANY, Table, index, keys};
use crate::equality::{self, Test};
use crate::error::{LispError, LispResult};
use crate::interp::Interp;
use crate::{Symbol, Value};

/// `:test`, `:test-not` and `:key` of sequence functions.
pub(super) struct Match {
    test: Option<Value>,
    negate: bool,
    key: Option<Value>,
    quick: Option<Test>,
}

impl Match {
    pub(super) fn new(i: &mut Interp, test: Option<Value>, test_not: Option<Value>, key: Option<Value>) -> Match {
        let f = test.or(test_not).filter(|t| t.is_true());
        let quick = match f {
            None => Some(Test::Eql),
            Some(f) => super::hash::test_of(i, f).ok().filter(|_| !is_number_test(i, f)),
        };
        Match { test: f, negate: test.is_none() && test_not.is_some(), key: key.filter(|k| k.is_true()), quick }
    }

    pub(super) fn key(&self, i: &mut Interp, v: Value) -> LispResult {
        match self.key {
            Some(k) => i.call(k, &[v]),
            None => Ok(v),
        }
    }

    /// Whether `item` matches an element whose key was taken.
    pub(super) fn same(&self, i: &mut Interp, item: Value, v: Value) -> Result<bool, LispError> {
        let r = match (self.quick, self.test) {
            (Some(t), _) => equality::same(&i.heap, t, item, v),
            (None, Some(f)) => i.call(f, &[item, v])?.is_true(),
            (None, None) => equality::eql(&i.heap, item, v),
        };
        Ok(r != self.negate)
    }
}

fn is_number_test(i: &Interp, f: Value) -> bool {
    let name = match f {
        Value::Symbol(s) => s.name(),
        Value::Native(n) => i.natives.get(n as usize).map_or("", |d| d.name),
        _ => "",
    };
    matches!(name, "=" | "string=" | "char=")
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Pick {
    Item,
    If,
    IfNot,
}

struct Search {
    items: Vec<Value>,
    hits: Vec<bool>,
    start: usize,
    end: usize,
    from_end: bool,
    count: Option<Value>,
    seq: Value,
}

/// The arguments of `find`, `remove`, `count` and their kin: which elements are meant.
fn search(i: &mut Interp, what: Value, a: &[Value], pick: Pick, stop_at_first: bool) -> Result<Search, LispError> {
    let [test, test_not, key, start, end, from_end, count] =
        keys(i, &a[1..], ["test", "test-not", "key", "start", "end", "from-end", "count"])?;
    let items = elements(i, a[0])?;
    let (start, end) = bounds(i, start, end, items.len())?;
    let m = Match::new(i, test, test_not, key);
    let from_end = from_end.is_some_and(Value::is_true);
    let mut hits = vec![false; items.len()];
    for n in 0..end - start {
        let at = if from_end { end - 1 - n } else { start + n };
        let v = m.key(i, items[at])?;
        let hit = match pick {
            Pick::Item => m.same(i, what, v)?,
            Pick::If => i.call(what, &[v])?.is_true(),
            Pick::IfNot => i.call(what, &[v])?.is_nil(),
        };
        hits[at] = hit;
        if hit && stop_at_first {
            break;
        }
    }
    Ok(Search { items, hits, start, end, from_end, count, seq: a[0] })
}

impl Search {
    fn position(&self) -> Option<usize> {
        if self.from_end { self.hits.iter().rposition(|h| *h) } else { self.hits.iter().position(|h| *h) }
    }
}

fn find(i: &mut Interp, a: &[Value], pick: Pick) -> LispResult {
    let s = search(i, a[0], &a[1..], pick, true)?;
    Ok(s.position().map_or(Value::NIL, |n| s.items[n]))
}

fn position(i: &mut Interp, a: &[Value], pick: Pick) -> LispResult {
    let s = search(i, a[0], &a[1..], pick, true)?;
    Ok(s.position().map_or(Value::NIL, |n| Value::Int(n as i64)))
}

fn count(i: &mut Interp, a: &[Value], pick: Pick) -> LispResult {
    let s = search(i, a[0], &a[1..], pick, false)?;
    Ok(Value::Int(s.hits.iter().filter(|h| **h).count() as i64))
}

/// Limits the hits to `:count`.
fn limit(i: &mut Interp, s: &mut Search) -> Result<(), LispError> {
    if let Some(c) = s.count.filter(|c| c.is_true()) {
        let mut left = index(i, c)?;
        let order: Vec<usize> = if s.from_end { (s.start..s.end).rev().collect() } else { (s.start..s.end).collect() };
        for n in order.into_iter().filter(|n| s.hits[*n]).collect::<Vec<_>>() {
            if left == 0 {
                s.hits[n] = false;
            } else {
                left -= 1;
            }
        }
    }
    Ok(())
}

fn remove(i: &mut Interp, a: &[Value], pick: Pick) -> LispResult {
    let mut s = search(i, a[0], &a[1..], pick, false)?;
    limit(i, &mut s)?;
    let kept = s.items.iter().zip(&s.hits).filter(|(_, h)| !**h).map(|(v, _)| *v).collect();
    same_kind(i, s.seq, kept)
}

fn substitute(i: &mut Interp, a: &[Value], pick: Pick) -> LispResult {
    let mut s = search(i, a[1], &a[2..], pick, false)?;
    limit(i, &mut s)?;
    let out = s.items.iter().zip(&s.hits).map(|(v, h)| if *h { a[0] } else { *v }).collect();
    same_kind(i, s.seq, out)
}

/// A stable merge sort whose comparison may fail.
fn merge_sort(i: &mut Interp, items: Vec<Value>, less: Value, m: &Match) -> Result<Vec<Value>, LispError> {
    let mut keyed = Vec::with_capacity(items.len());
    for v in items {
        let k = m.key(i, v)?;
        i.heap.keep_fresh(k);
        keyed.push((k, v));
    }
    let mut width = 1;
    while width < keyed.len() {
        let mut out = Vec::with_capacity(keyed.len());
        for part in keyed.chunks(2 * width) {
            let (mut l, mut r) = (0, width.min(part.len()));
            let mid = r;
            while l < mid && r < part.len() {
                if i.call(less, &[part[r].0, part[l].0])?.is_true() {
                    out.push(part[r]);
                    r += 1;
                } else {
                    out.push(part[l]);
                    l += 1;
                }
            }
            out.extend_from_slice(&part[l..mid]);
            out.extend_from_slice(&part[r..]);
        }
        keyed = out;
        width *= 2;
    }
    Ok(keyed.into_iter().map(|(_, v)| v).collect())
}

fn sort(i: &mut Interp, a: &[Value]) -> LispResult {
    let [key] = keys(i, &a[2..], ["key"])?;
    let m = Match::new(i, None, None, key);
    let items = elements(i, a[0])?;
    let sorted = merge_sort(i, items, a[1], &m)?;
    if a[0] == Value::Symbol(Symbol::NIL) {
        return Ok(Value::NIL);
    }
    write_back(i, a[0], sorted)
}

pub(super) const TABLE: Table = &[
    ("find", "item sequence &key test key start end from-end", Many(2, ANY, |i, a| find(i, a, Pick::Item))),
    ("find-if", "function sequence &key key start end from-end", Many(2, ANY, |i, a| find(i, a, Pick::If))),
    ("find-if-not", "function sequence &key key start end from-end", Many(2, ANY, |i, a| find(i, a, Pick::IfNot))),
    ("position", "item sequence &key test key start end from-end", Many(2, ANY, |i, a| position(i, a, Pick::Item))),
    ("position-if", "function sequence &key key start end from-end", Many(2, ANY, |i, a| position(i, a, Pick::If))),
    (
        "position-if-not",
        "function sequence &key key start end from-end",
        Many(2, ANY, |i, a| position(i, a, Pick::IfNot)),
    ),
    ("count", "item sequence &key test key start end", Many(2, ANY, |i, a| count(i, a, Pick::Item))),
    ("count-if", "function sequence &key key start end", Many(2, ANY, |i, a| count(i, a, Pick::If))),
    ("count-if-not", "function sequence &key key start end", Many(2, ANY, |i, a| count(i, a, Pick::IfNot))),
    ("remove", "item sequence &key test key start end count", Many(2, ANY, |i, a| remove(i, a, Pick::Item))),
    ("remove-if", "function sequence &key key start end count", Many(2, ANY, |i, a| remove(i, a, Pick::If))),
    ("remove-if-not", "function sequence &key key start end count", Many(2, ANY, |i, a| remove(i, a, Pick::IfNot))),
    ("delete", "item sequence &key test key start end count", Many(2, ANY, |i, a| remove(i, a, Pick::Item))),
    ("delete-if", "function sequence &key key start end count", Many(2, ANY, |i, a| remove(i, a, Pick::If))),
    ("delete-if-not", "function sequence &key key start end count", Many(2, ANY, |i, a| remove(i, a, Pick::IfNot))),
    ("substitute", "new old sequence &key test key start end count", Many(3, ANY, |i, a| substitute(i, a, Pick::Item))),
    (
        "substitute-if",
        "new function sequence &key key start end count",
        Many(3, ANY, |i, a| substitute(i, a, Pick::If)),
    ),
    ("sort", "sequence predicate &key key", Many(2, ANY, sort)),
    ("stable-sort", "sequence predicate &key key", Many(2, ANY, sort)),
    (
        "merge",
        "type sequence sequence predicate &key key",
        Many(4, ANY, |i, a| {
            let kind = kind_of(i, a[0])?;
            let [key] = keys(i, &a[4..], ["key"])?;
            let m = Match::new(i, None, None, key);
            let mut all = elements(i, a[1])?;
            all.extend(elements(i, a[2])?);
            let all = merge_sort(i, all, a[3], &m)?;
            make(i, kind, all)
        }),
    ),
    (
        "search",
        "pattern sequence &key test key start2 end2 from-end",
        Many(2, ANY, |i, a| {
            let [test, key, s, e, from_end] = keys(i, &a[2..], ["test", "key", "start2", "end2", "from-end"])?;
            let m = Match::new(i, test, None, key);
            let (p, items) = (elements(i, a[0])?, elements(i, a[1])?);
            let (s, e) = bounds(i, s, e, items.len())?;
            let mut found = Value::NIL;
            for at in s..=e {
                if at + p.len() > e {
                    break;
                }
                let mut all = true;
                for (x, y) in p.iter().zip(&items[at..]) {
                    let (x, y) = (m.key(i, *x)?, m.key(i, *y)?);
                    if !m.same(i, x, y)? {
                        all = false;
                        break;
                    }
                }
                if all {
                    found = Value::Int(at as i64);
                    if !from_end.is_some_and(Value::is_true) {
                        break;
                    }
                }
            }
            Ok(found)
        }),
    ),
    (
        "mismatch",
        "sequence sequence &key test key",
        Many(2, ANY, |i, a| {
            let [test, key] = keys(i, &a[2..], ["test", "key"])?;
            let m = Match::new(i, test, None, key);
            let (x, y) = (elements(i, a[0])?, elements(i, a[1])?);
            for (n, (p, q)) in x.iter().zip(&y).enumerate() {
                let (p, q) = (m.key(i, *p)?, m.key(i, *q)?);
                if !m.same(i, p, q)? {
                    return Ok(Value::Int(n as i64));
                }
            }
            Ok(if x.len() == y.len() { Value::NIL } else { Value::Int(x.len().min(y.len()) as i64) })
        }),
    ),
];
