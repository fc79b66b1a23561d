//! Functions that call a function with the elements of sequences, in turn.

use super::Entry::Many;
use super::searching::Match;
use super::seqs::{bounds, elements, kind_of, make, write_back};
use super::{ANY, Table, keys};
use crate::Value;
use crate::error::{LispError, LispResult};
use crate::interp::Interp;

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

/// What `f` gives for the n-th elements of all sequences, in order.
fn collect(i: &mut Interp, f: Value, seqs: &[Value]) -> Result<Vec<Value>, LispError> {
    let mut out = Vec::new();
    walk(i, f, seqs, |_, v| {
        out.push(v);
        Ok(true)
    })?;
    Ok(out)
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

pub(super) const TABLE: Table = &[
    (
        "mapcar",
        "function list &rest lists",
        Many(2, ANY, |i, a| {
            let out = collect(i, a[0], &a[1..])?;
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
            let out = collect(i, a[0], &a[1..])?;
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
            let out = collect(i, a[1], &a[2..])?;
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
            let out = collect(i, a[1], &a[2..])?;
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
];
