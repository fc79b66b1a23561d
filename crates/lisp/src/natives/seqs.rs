//! Sequences: lists, vectors, byte vectors and strings alike.

use super::Entry::{F1, F2, F3, Many};
use super::{ANY, Table, index, keys, wrong};
use crate::equality::{self, Test};
use crate::error::{LispError, LispResult};
use crate::heap::{Object, Vector};
use crate::interp::Interp;
use crate::{Symbol, Value};

/// The largest sequence that may be asked for by number.
const MAX_SIZE: usize = 50_000_000;

pub(super) fn size(i: &mut Interp, v: Value) -> Result<usize, LispError> {
    match index(i, v)? {
        n if n <= MAX_SIZE => Ok(n),
        _ => Err(wrong(i, v, "a size that fits memory")),
    }
}

/// The elements of any sequence.
pub(crate) fn elements(i: &mut Interp, v: Value) -> Result<Vec<Value>, LispError> {
    let out = match i.heap.object(v) {
        Some(Object::Vector(x)) => Some(x.items.clone()),
        Some(Object::Bytes(b)) => Some(b.iter().map(|b| Value::Int(i64::from(*b))).collect()),
        Some(Object::Str(s)) => Some(s.chars().map(Value::Char).collect()),
        _ => i.heap.list_items(v),
    };
    match out {
        Some(v) => Ok(v),
        None => Err(wrong(i, v, "a sequence")),
    }
}

/// A sequence of the same kind as `like`.
fn same_kind(i: &mut Interp, like: Value, items: Vec<Value>) -> LispResult {
    let kind = match i.heap.object(like) {
        Some(Object::Vector(_)) => "vector",
        Some(Object::Bytes(_)) => "bytes",
        Some(Object::Str(_)) => "string",
        _ => "list",
    };
    make(i, kind, items)
}

fn make(i: &mut Interp, kind: &str, items: Vec<Value>) -> LispResult {
    match kind {
        "vector" => Ok(i.heap.vector(items)),
        "bytes" => {
            let mut out = Vec::with_capacity(items.len());
            for v in items {
                match v {
                    Value::Int(n @ 0..=255) => out.push(n as u8),
                    v => return Err(wrong(i, v, "an integer from 0 to 255")),
                }
            }
            Ok(i.heap.bytes(out))
        }
        "string" => {
            let mut out = String::with_capacity(items.len());
            for v in items {
                match v {
                    Value::Char(c) => out.push(c),
                    v => return Err(wrong(i, v, "a character")),
                }
            }
            Ok(i.heap.string(out))
        }
        _ => Ok(i.heap.list(&items)),
    }
}

/// The kind of sequence that a type specifier means.
pub(super) fn kind_of(i: &mut Interp, t: Value) -> Result<&'static str, LispError> {
    let head = i.heap.car(t).filter(|_| matches!(t, Value::Cons(_))).unwrap_or(t);
    let second = i.heap.cdr(t).and_then(|c| i.heap.car(c)).filter(|_| matches!(t, Value::Cons(_)));
    let name = head.as_symbol().map_or("", |s| s.fold().name());
    Ok(match name {
        "list" | "cons" | "null" => "list",
        "string" | "simple-string" | "base-string" => "string",
        "vector" | "simple-vector" | "array" | "simple-array" | "sequence" => match second {
            Some(e) => element_kind(i, e),
            None => "vector",
        },
        _ => return Err(wrong(i, t, "a type of sequence")),
    })
}

fn element_kind(i: &Interp, e: Value) -> &'static str {
    let head = i.heap.car(e).filter(|_| matches!(e, Value::Cons(_))).unwrap_or(e);
    match head.as_symbol().map_or("", |s| s.fold().name()) {
        "unsigned-byte" => match i.heap.cdr(e).and_then(|c| i.heap.car(c)) {
            Some(Value::Int(n)) if n <= 8 => "bytes",
            _ => "vector",
        },
        "character" | "base-char" => "string",
        _ => "vector",
    }
}

/// `:test`, `:test-not` and `:key` of sequence functions.
struct Match {
    test: Option<Value>,
    negate: bool,
    key: Option<Value>,
    quick: Option<Test>,
}

impl Match {
    fn new(i: &mut Interp, test: Option<Value>, test_not: Option<Value>, key: Option<Value>) -> Match {
        let f = test.or(test_not).filter(|t| t.is_true());
        let quick = match f {
            None => Some(Test::Eql),
            Some(f) => super::hash::test_of(i, f).ok().filter(|_| !is_number_test(i, f)),
        };
        Match { test: f, negate: test.is_none() && test_not.is_some(), key: key.filter(|k| k.is_true()), quick }
    }

    fn key(&self, i: &mut Interp, v: Value) -> LispResult {
        match self.key {
            Some(k) => i.call(k, &[v]),
            None => Ok(v),
        }
    }

    /// Whether `item` matches an element whose key was taken.
    fn same(&self, i: &mut Interp, item: Value, v: Value) -> Result<bool, LispError> {
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

fn bounds(i: &mut Interp, start: Option<Value>, end: Option<Value>, len: usize) -> Result<(usize, usize), LispError> {
    let s = match start.filter(|v| v.is_true()) {
        Some(v) => index(i, v)?,
        None => 0,
    };
    let e = match end.filter(|v| v.is_true()) {
        Some(v) => index(i, v)?,
        None => len,
    };
    if s > e || e > len {
        return Err(LispError::simple(format!("the range {s} to {e} is outside of a sequence of length {len}")));
    }
    Ok((s, e))
}

#[derive(Clone, Copy, PartialEq)]
enum Pick {
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

/// Calls `f` with the n-th elements of all lists or sequences, until one ends or `each` says stop.
fn walk(
    i: &mut Interp,
    f: Value,
    seqs: &[Value],
    mut each: impl FnMut(&mut Interp, Value) -> Result<bool, LispError>,
) -> Result<(), LispError> {
    let columns: Vec<Vec<Value>> = seqs.iter().map(|s| elements(i, *s)).collect::<Result<_, _>>()?;
    let n = columns.iter().map(Vec::len).min().unwrap_or(0);
    let mut args = Vec::with_capacity(columns.len());
    for row in 0..n {
        args.clear();
        args.extend(columns.iter().map(|c| c[row]));
        let v = i.call(f, &args)?;
        if !each(i, v)? {
            break;
        }
    }
    Ok(())
}

fn tails(i: &mut Interp, f: Value, lists: &[Value], out: &mut Vec<Value>) -> Result<(), LispError> {
    let mut at = lists.to_vec();
    while at.iter().all(|l| matches!(l, Value::Cons(_))) {
        let v = i.call(f, &at)?;
        out.push(v);
        for l in &mut at {
            *l = i.heap.cdr(*l).unwrap_or(Value::NIL);
        }
    }
    Ok(())
}

fn append_all(i: &mut Interp, lists: &[Value]) -> LispResult {
    let mut all = Vec::new();
    for l in lists {
        all.extend(super::list(i, *l)?);
    }
    Ok(i.heap.list(&all))
}

fn member_in(i: &mut Interp, m: &Match, v: Value, items: &[Value]) -> Result<bool, LispError> {
    let k = m.key(i, v)?;
    for x in items {
        let x = m.key(i, *x)?;
        if m.same(i, k, x)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn set_operation(i: &mut Interp, a: &[Value], op: &str) -> LispResult {
    let [test, test_not, key] = keys(i, &a[2..], ["test", "test-not", "key"])?;
    let m = Match::new(i, test, test_not, key);
    let (x, y) = (super::list(i, a[0])?, super::list(i, a[1])?);
    let mut out = Vec::new();
    match op {
        "union" => {
            out.extend_from_slice(&x);
            for v in y {
                if !member_in(i, &m, v, &x)? {
                    out.push(v);
                }
            }
        }
        "subset" => {
            for v in x {
                if !member_in(i, &m, v, &y)? {
                    return Ok(Value::NIL);
                }
            }
            return Ok(Value::T);
        }
        "xor" => {
            for v in &x {
                if !member_in(i, &m, *v, &y)? {
                    out.push(*v);
                }
            }
            for v in &y {
                if !member_in(i, &m, *v, &x)? {
                    out.push(*v);
                }
            }
        }
        _ => {
            for v in x {
                if member_in(i, &m, v, &y)? == (op == "intersection") {
                    out.push(v);
                }
            }
        }
    }
    Ok(i.heap.list(&out))
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

/// Writes elements back into a sequence that is changed in place.
fn write_back(i: &mut Interp, seq: Value, items: Vec<Value>) -> LispResult {
    match seq {
        Value::Cons(_) => {
            let mut at = seq;
            for v in items {
                i.heap.set_car(at, v);
                at = i.heap.cdr(at).unwrap_or(Value::NIL);
            }
        }
        _ => {
            let copy = same_kind(i, seq, items)?;
            let new = i.heap.object_mut(copy).map(|o| std::mem::replace(o, Object::Str(String::new())));
            if let (Some(new), Some(old)) = (new, i.heap.object_mut(seq)) {
                let resizable = matches!(old, Object::Vector(Vector { resizable: true, .. }));
                *old = new;
                if let Object::Vector(v) = old {
                    v.resizable = resizable;
                }
            }
        }
    }
    Ok(seq)
}

pub(super) fn elt(i: &mut Interp, seq: Value, n: Value) -> LispResult {
    let at = index(i, n)?;
    let found = match i.heap.object(seq) {
        Some(Object::Vector(v)) => v.items.get(at).copied(),
        Some(Object::Bytes(b)) => b.get(at).map(|b| Value::Int(i64::from(*b))),
        Some(Object::Str(s)) if s.is_ascii() => s.as_bytes().get(at).map(|b| Value::Char(char::from(*b))),
        Some(Object::Str(s)) => s.chars().nth(at).map(Value::Char),
        _ => match elements(i, seq) {
            Ok(l) => l.get(at).copied(),
            Err(e) => return Err(e),
        },
    };
    match found {
        Some(v) => Ok(v),
        None => {
            let len = elements(i, seq)?.len();
            Err(LispError::simple(format!("there is no element {at} in a sequence of length {len}")))
        }
    }
}

fn set_elt(i: &mut Interp, seq: Value, n: Value, v: Value) -> LispResult {
    let at = index(i, n)?;
    if let Some(Object::Vector(x)) = i.heap.object_mut(seq)
        && let Some(place) = x.items.get_mut(at)
    {
        *place = v;
        return Ok(v);
    }
    if let (Some(Object::Bytes(b)), Value::Int(x @ 0..=255)) = (i.heap.object_mut(seq), v)
        && let Some(place) = b.get_mut(at)
    {
        *place = x as u8;
        return Ok(v);
    }
    let mut items = elements(i, seq)?;
    match items.get_mut(at) {
        Some(place) => *place = v,
        None => {
            return Err(LispError::simple(format!("there is no element {at} in a sequence of length {}", items.len())));
        }
    }
    write_back(i, seq, items)?;
    Ok(v)
}

fn reduce(i: &mut Interp, a: &[Value]) -> LispResult {
    let [key, from_end, initial, start, end] = keys(i, &a[2..], ["key", "from-end", "initial-value", "start", "end"])?;
    let items = elements(i, a[1])?;
    let (s, e) = bounds(i, start, end, items.len())?;
    let m = Match::new(i, None, None, key);
    let from_end = from_end.is_some_and(Value::is_true);
    let mut items: Vec<Value> = items[s..e].to_vec();
    if from_end {
        items.reverse();
    }
    let mut items = items.into_iter();
    let mut acc = match initial {
        Some(v) => v,
        None => match items.next() {
            Some(v) => m.key(i, v)?,
            None => return i.call(a[0], &[]),
        },
    };
    for v in items {
        let v = m.key(i, v)?;
        acc = if from_end { i.call(a[0], &[v, acc])? } else { i.call(a[0], &[acc, v])? };
    }
    Ok(acc)
}

fn find_pair(i: &mut Interp, a: &[Value], reverse: bool, pick: Pick) -> LispResult {
    let [test, test_not, key] = keys(i, &a[2..], ["test", "test-not", "key"])?;
    let m = Match::new(i, test, test_not, key);
    for pair in super::list(i, a[1])? {
        let Some((car, cdr)) = i.heap.cons_parts(pair) else { continue };
        let k = m.key(i, if reverse { cdr } else { car })?;
        let hit = match pick {
            Pick::Item => m.same(i, a[0], k)?,
            _ => i.call(a[0], &[k])?.is_true(),
        };
        if hit {
            return Ok(pair);
        }
    }
    Ok(Value::NIL)
}

fn member(i: &mut Interp, a: &[Value], pick: Pick) -> LispResult {
    let [test, test_not, key] = keys(i, &a[2..], ["test", "test-not", "key"])?;
    let m = Match::new(i, test, test_not, key);
    super::list(i, a[1])?;
    let mut at = a[1];
    while let Some((car, cdr)) = i.heap.cons_parts(at) {
        let k = m.key(i, car)?;
        let hit = match pick {
            Pick::Item => m.same(i, a[0], k)?,
            _ => i.call(a[0], &[k])?.is_true(),
        };
        if hit {
            return Ok(at);
        }
        at = cdr;
    }
    Ok(Value::NIL)
}

fn remove_duplicates(i: &mut Interp, a: &[Value]) -> LispResult {
    let [test, test_not, key, from_end] = keys(i, &a[1..], ["test", "test-not", "key", "from-end"])?;
    let m = Match::new(i, test, test_not, key);
    let mut items = elements(i, a[0])?;
    let forward = from_end.is_some_and(Value::is_true);
    if !forward {
        items.reverse();
    }
    let mut kept: Vec<Value> = Vec::new();
    for v in items {
        if !member_in(i, &m, v, &kept)? {
            kept.push(v);
        }
    }
    if !forward {
        kept.reverse();
    }
    same_kind(i, a[0], kept)
}

fn make_array(i: &mut Interp, a: &[Value]) -> LispResult {
    let [element, initial, contents, fill, adjustable] =
        keys(i, &a[1..], ["element-type", "initial-element", "initial-contents", "fill-pointer", "adjustable"])?;
    let dims = if matches!(a[0], Value::Cons(_)) { super::list(i, a[0])? } else { vec![a[0]] };
    let [dim] = dims.as_slice() else { return Err(LispError::simple("arrays have one dimension here")) };
    let mut n = size(i, *dim)?;
    match fill {
        Some(Value::Int(f)) => n = (f.max(0) as usize).min(n),
        Some(Value::NIL) | None => {}
        Some(_) => {}
    }
    let kind = element.map_or("vector", |e| element_kind(i, e));
    let default = match kind {
        "bytes" => Value::Int(0),
        "string" => Value::Char(' '),
        _ => Value::NIL,
    };
    let items = match contents {
        Some(c) => elements(i, c)?,
        None => vec![initial.unwrap_or(default); n],
    };
    let v = make(i, kind, items)?;
    if let Some(Object::Vector(x)) = i.heap.object_mut(v) {
        x.resizable = fill.is_some_and(Value::is_true) || adjustable.is_some_and(Value::is_true);
    }
    Ok(v)
}

fn vector_push(i: &mut Interp, v: Value, vector: Value) -> LispResult {
    let n = match (i.heap.object_mut(vector), v) {
        (Some(Object::Vector(x)), v) => {
            x.items.push(v);
            x.items.len()
        }
        (Some(Object::Str(s)), Value::Char(c)) => {
            s.push(c);
            s.chars().count()
        }
        (Some(Object::Bytes(b)), Value::Int(n @ 0..=255)) => {
            b.push(n as u8);
            b.len()
        }
        _ => return Err(wrong(i, vector, "a vector that can grow by this")),
    };
    Ok(Value::Int(n as i64 - 1))
}

pub(super) const TABLE: Table = &[
    (
        "length",
        "sequence",
        F1(|i, v| {
            let n = match i.heap.object(v) {
                Some(Object::Vector(x)) => x.items.len(),
                Some(Object::Bytes(b)) => b.len(),
                Some(Object::Str(s)) => s.chars().count(),
                _ => elements(i, v)?.len(),
            };
            Ok(Value::Int(n as i64))
        }),
    ),
    ("elt", "sequence index", F2(elt)),
    ("aref", "vector index", F2(elt)),
    ("svref", "vector index", F2(elt)),
    ("char", "string index", F2(elt)),
    ("schar", "string index", F2(elt)),
    ("%set-elt", "sequence index value", F3(set_elt)),
    (
        "subseq",
        "sequence start &optional end",
        Many(2, 3, |i, a| {
            let items = elements(i, a[0])?;
            let (s, e) = bounds(i, Some(a[1]), a.get(2).copied(), items.len())?;
            same_kind(i, a[0], items[s..e].to_vec())
        }),
    ),
    (
        "%set-subseq",
        "value sequence start &optional end",
        Many(3, 4, |i, a| {
            let mut items = elements(i, a[1])?;
            let (s, e) = bounds(i, Some(a[2]), a.get(3).copied(), items.len())?;
            let new = elements(i, a[0])?;
            for (place, v) in items[s..e].iter_mut().zip(new) {
                *place = v;
            }
            write_back(i, a[1], items)?;
            Ok(a[0])
        }),
    ),
    (
        "copy-seq",
        "sequence",
        F1(|i, v| {
            let items = elements(i, v)?;
            same_kind(i, v, items)
        }),
    ),
    (
        "reverse",
        "sequence",
        F1(|i, v| {
            let mut items = elements(i, v)?;
            items.reverse();
            same_kind(i, v, items)
        }),
    ),
    (
        "nreverse",
        "sequence",
        F1(|i, v| {
            let mut items = elements(i, v)?;
            items.reverse();
            same_kind(i, v, items)
        }),
    ),
    (
        "concatenate",
        "type &rest sequences",
        Many(1, ANY, |i, a| {
            let kind = kind_of(i, a[0])?;
            let mut all = Vec::new();
            for s in &a[1..] {
                all.extend(elements(i, *s)?);
            }
            make(i, kind, all)
        }),
    ),
    (
        "%coerce-sequence",
        "value type",
        F2(|i, v, t| {
            let kind = kind_of(i, t)?;
            let items = elements(i, v)?;
            make(i, kind, items)
        }),
    ),
    ("vector", "&rest values", Many(0, ANY, |i, a| Ok(i.heap.vector(a.to_vec())))),
    (
        "make-array",
        "size &key element-type initial-element initial-contents fill-pointer adjustable",
        Many(1, ANY, make_array),
    ),
    (
        "make-sequence",
        "type size &key initial-element",
        Many(2, ANY, |i, a| {
            let [init] = keys(i, &a[2..], ["initial-element"])?;
            let (kind, n) = (kind_of(i, a[0])?, size(i, a[1])?);
            let default = match kind {
                "bytes" => Value::Int(0),
                "string" => Value::Char(' '),
                _ => Value::NIL,
            };
            make(i, kind, vec![init.unwrap_or(default); n])
        }),
    ),
    ("vector-push-extend", "value vector &optional extension", Many(2, 3, |i, a| vector_push(i, a[0], a[1]))),
    ("vector-push", "value vector", F2(vector_push)),
    (
        "vector-pop",
        "vector",
        F1(|i, v| match i.heap.object_mut(v) {
            Some(Object::Vector(x)) => x.items.pop().ok_or_else(|| LispError::simple("the vector is empty")),
            _ => Err(wrong(i, v, "a vector")),
        }),
    ),
    ("fill-pointer", "vector", F1(|i, v| Ok(Value::Int(elements(i, v)?.len() as i64)))),
    (
        "%set-fill-pointer",
        "vector length",
        F2(|i, v, n| {
            let n = size(i, n)?;
            match i.heap.object_mut(v) {
                Some(Object::Vector(x)) => x.items.resize(n, Value::NIL),
                Some(Object::Str(s)) => *s = s.chars().chain(std::iter::repeat(' ')).take(n).collect(),
                _ => return Err(wrong(i, v, "a vector")),
            }
            Ok(Value::Int(n as i64))
        }),
    ),
    ("array-dimension", "vector axis", F2(|i, v, _| Ok(Value::Int(elements(i, v)?.len() as i64)))),
    (
        "fill",
        "sequence value &key start end",
        Many(2, ANY, |i, a| {
            let [s, e] = keys(i, &a[2..], ["start", "end"])?;
            let mut items = elements(i, a[0])?;
            let (s, e) = bounds(i, s, e, items.len())?;
            items[s..e].fill(a[1]);
            write_back(i, a[0], items)
        }),
    ),
    (
        "replace",
        "target source &key start1 end1 start2 end2",
        Many(2, ANY, |i, a| {
            let [s1, e1, s2, e2] = keys(i, &a[2..], ["start1", "end1", "start2", "end2"])?;
            let (mut to, from) = (elements(i, a[0])?, elements(i, a[1])?);
            let (s1, e1) = bounds(i, s1, e1, to.len())?;
            let (s2, e2) = bounds(i, s2, e2, from.len())?;
            for (place, v) in to[s1..e1].iter_mut().zip(&from[s2..e2]) {
                *place = *v;
            }
            write_back(i, a[0], to)
        }),
    ),
    (
        "mapcar",
        "function list &rest lists",
        Many(2, ANY, |i, a| {
            let mut out = Vec::new();
            walk(i, a[0], &a[1..], |_, v| {
                out.push(v);
                Ok(true)
            })?;
            Ok(i.heap.list(&out))
        }),
    ),
    (
        "mapc",
        "function list &rest lists",
        Many(2, ANY, |i, a| {
            walk(i, a[0], &a[1..], |_, _| Ok(true))?;
            Ok(a[1])
        }),
    ),
    (
        "mapcan",
        "function list &rest lists",
        Many(2, ANY, |i, a| {
            let mut out = Vec::new();
            walk(i, a[0], &a[1..], |_, v| {
                out.push(v);
                Ok(true)
            })?;
            append_all(i, &out)
        }),
    ),
    (
        "maplist",
        "function list &rest lists",
        Many(2, ANY, |i, a| {
            let mut out = Vec::new();
            tails(i, a[0], &a[1..], &mut out)?;
            Ok(i.heap.list(&out))
        }),
    ),
    (
        "mapl",
        "function list &rest lists",
        Many(2, ANY, |i, a| {
            tails(i, a[0], &a[1..], &mut Vec::new())?;
            Ok(a[1])
        }),
    ),
    (
        "mapcon",
        "function list &rest lists",
        Many(2, ANY, |i, a| {
            let mut out = Vec::new();
            tails(i, a[0], &a[1..], &mut out)?;
            append_all(i, &out)
        }),
    ),
    (
        "map",
        "type function sequence &rest sequences",
        Many(3, ANY, |i, a| {
            let mut out = Vec::new();
            walk(i, a[1], &a[2..], |_, v| {
                out.push(v);
                Ok(true)
            })?;
            if a[0].is_nil() {
                return Ok(Value::NIL);
            }
            let kind = kind_of(i, a[0])?;
            make(i, kind, out)
        }),
    ),
    (
        "map-into",
        "target function &rest sequences",
        Many(2, ANY, |i, a| {
            let mut items = elements(i, a[0])?;
            let mut out = Vec::new();
            walk(i, a[1], &a[2..], |_, v| {
                out.push(v);
                Ok(true)
            })?;
            for (place, v) in items.iter_mut().zip(out) {
                *place = v;
            }
            write_back(i, a[0], items)
        }),
    ),
    (
        "every",
        "function sequence &rest sequences",
        Many(2, ANY, |i, a| {
            let mut r = Value::T;
            walk(i, a[0], &a[1..], |_, v| {
                r = v;
                Ok(v.is_true())
            })?;
            Ok(r)
        }),
    ),
    (
        "some",
        "function sequence &rest sequences",
        Many(2, ANY, |i, a| {
            let mut r = Value::NIL;
            walk(i, a[0], &a[1..], |_, v| {
                r = v;
                Ok(v.is_nil())
            })?;
            Ok(r)
        }),
    ),
    (
        "notany",
        "function sequence &rest sequences",
        Many(2, ANY, |i, a| {
            let mut r = true;
            walk(i, a[0], &a[1..], |_, v| {
                r = v.is_nil();
                Ok(r)
            })?;
            Ok(r.into())
        }),
    ),
    (
        "notevery",
        "function sequence &rest sequences",
        Many(2, ANY, |i, a| {
            let mut r = false;
            walk(i, a[0], &a[1..], |_, v| {
                r = v.is_nil();
                Ok(!r)
            })?;
            Ok(r.into())
        }),
    ),
    ("reduce", "function sequence &key key from-end initial-value start end", Many(2, ANY, reduce)),
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
    ("remove-duplicates", "sequence &key test key from-end", Many(1, ANY, remove_duplicates)),
    ("delete-duplicates", "sequence &key test key from-end", Many(1, ANY, remove_duplicates)),
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
    ("assoc", "item alist &key test key", Many(2, ANY, |i, a| find_pair(i, a, false, Pick::Item))),
    ("assoc-if", "function alist &key key", Many(2, ANY, |i, a| find_pair(i, a, false, Pick::If))),
    ("rassoc", "item alist &key test key", Many(2, ANY, |i, a| find_pair(i, a, true, Pick::Item))),
    ("member", "item list &key test key", Many(2, ANY, |i, a| member(i, a, Pick::Item))),
    ("member-if", "function list &key key", Many(2, ANY, |i, a| member(i, a, Pick::If))),
    (
        "adjoin",
        "item list &key test key",
        Many(2, ANY, |i, a| {
            let [test, test_not, key] = keys(i, &a[2..], ["test", "test-not", "key"])?;
            let m = Match::new(i, test, test_not, key);
            let items = super::list(i, a[1])?;
            Ok(if member_in(i, &m, a[0], &items)? { a[1] } else { i.heap.cons(a[0], a[1]) })
        }),
    ),
    ("union", "list list &key test key", Many(2, ANY, |i, a| set_operation(i, a, "union"))),
    ("intersection", "list list &key test key", Many(2, ANY, |i, a| set_operation(i, a, "intersection"))),
    ("set-difference", "list list &key test key", Many(2, ANY, |i, a| set_operation(i, a, "difference"))),
    ("set-exclusive-or", "list list &key test key", Many(2, ANY, |i, a| set_operation(i, a, "xor"))),
    ("subsetp", "list list &key test key", Many(2, ANY, |i, a| set_operation(i, a, "subset"))),
];

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
