//! Sequences: lists, vectors, byte vectors and strings alike. What they are made of, their elements and parts.

use super::Entry::{F1, F2, F3, Many};
use super::{ANY, Table, index, keys, wrong};
use crate::Value;
use crate::error::{LispError, LispResult};
use crate::heap::{Object, Vector};
use crate::interp::Interp;

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
pub(super) fn same_kind(i: &mut Interp, like: Value, items: Vec<Value>) -> LispResult {
    let kind = match i.heap.object(like) {
        Some(Object::Vector(_)) => "vector",
        Some(Object::Bytes(_)) => "bytes",
        Some(Object::Str(_)) => "string",
        _ => "list",
    };
    make(i, kind, items)
}

pub(super) fn make(i: &mut Interp, kind: &str, items: Vec<Value>) -> LispResult {
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

pub(super) fn bounds(
    i: &mut Interp,
    start: Option<Value>,
    end: Option<Value>,
    len: usize,
) -> Result<(usize, usize), LispError> {
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

/// Writes elements back into a sequence that is changed in place.
pub(super) fn write_back(i: &mut Interp, seq: Value, items: Vec<Value>) -> LispResult {
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
];
