//! Hash tables.

use super::Entry::{F1, F2, Many};
use super::{ANY, Table, keys, wrong};
use crate::Value;
use crate::equality::Test;
use crate::error::LispError;
use crate::hash::HashTable;
use crate::heap::Object;
use crate::interp::Interp;

pub(super) const TABLE: Table = &[
    (
        "make-hash-table",
        "&key test size",
        Many(0, ANY, |i, a| {
            let [test, ..] =
                keys(i, a, ["test", "size", "rehash-size", "rehash-threshold", "weakness", "synchronized"])?;
            let test = match test {
                Some(t) => test_of(i, t)?,
                None => Test::Eql,
            };
            Ok(i.heap.table(HashTable::new(test)))
        }),
    ),
    (
        "gethash",
        "key table &optional default",
        Many(2, 3, |i, a| {
            table(i, a[1])?;
            let found = match i.heap.object(a[1]) {
                Some(Object::Table(t)) => t.get(&i.heap, a[0]),
                _ => None,
            };
            let v = found.or(a.get(2).copied()).unwrap_or(Value::NIL);
            i.set_values(&[v, found.is_some().into()]);
            Ok(v)
        }),
    ),
    (
        "%puthash",
        "value key table &optional default",
        Many(3, 4, |i, a| {
            with_table(i, a[2], |heap, t| t.put(heap, a[1], a[0]))?;
            Ok(a[0])
        }),
    ),
    ("remhash", "key table", F2(|i, key, t| Ok(with_table(i, t, |heap, t| t.remove(heap, key))?.into()))),
    (
        "clrhash",
        "table",
        F1(|i, t| {
            with_table(i, t, |_, t| t.clear())?;
            Ok(t)
        }),
    ),
    ("hash-table-count", "table", F1(|i, t| Ok(Value::Int(table(i, t)?.len() as i64)))),
    ("hash-table-p", "value", F1(|i, t| Ok(matches!(i.heap.object(t), Some(Object::Table(_))).into()))),
    (
        "maphash",
        "function table",
        F2(|i, f, t| {
            let mut at = 0;
            loop {
                let entries = table(i, t)?;
                if at >= entries.places() {
                    return Ok(Value::NIL);
                }
                if let Some((k, v)) = entries.entry(at) {
                    i.call(f, &[k, v])?;
                }
                at += 1;
            }
        }),
    ),
    (
        "%hash-entries",
        "table",
        F1(|i, t| {
            let t = table(i, t)?;
            let entries: Vec<(Value, Value)> = (0..t.places()).filter_map(|n| t.entry(n)).collect();
            let pairs: Vec<Value> = entries.into_iter().map(|(k, v)| i.heap.cons(k, v)).collect();
            Ok(i.heap.list(&pairs))
        }),
    ),
];

pub(super) fn test_of(i: &mut Interp, v: Value) -> Result<Test, LispError> {
    let name = match v {
        Value::Symbol(s) => Some(s.fold().name()),
        Value::Native(n) => i.natives.get(n as usize).map(|d| d.name),
        _ => None,
    };
    Ok(match name {
        Some("eq") => Test::Eq,
        Some("eql" | "=" | "char=") => Test::Eql,
        Some("equal" | "string=") => Test::Equal,
        Some("equalp") => Test::Equalp,
        _ => return Err(wrong(i, v, "`eq`, `eql`, `equal` or `equalp`")),
    })
}

fn table(i: &mut Interp, v: Value) -> Result<&HashTable, LispError> {
    if !matches!(i.heap.object(v), Some(Object::Table(_))) {
        return Err(wrong(i, v, "a hash table"));
    }
    match i.heap.object(v) {
        Some(Object::Table(t)) => Ok(t),
        _ => Err(LispError::simple("not a hash table")),
    }
}

/// Changes a table: it is taken out of the heap meanwhile, since comparing keys needs that.
fn with_table<T>(
    i: &mut Interp,
    v: Value,
    f: impl FnOnce(&crate::heap::Heap, &mut HashTable) -> T,
) -> Result<T, LispError> {
    table(i, v)?;
    let mut taken = match i.heap.object_mut(v) {
        Some(Object::Table(t)) => std::mem::replace(t, Box::new(HashTable::new(Test::Eq))),
        _ => return Err(LispError::simple("not a hash table")),
    };
    let out = f(&i.heap, &mut taken);
    if let Some(Object::Table(t)) = i.heap.object_mut(v) {
        *t = taken;
    }
    Ok(out)
}
