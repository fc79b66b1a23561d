//! Lists as sets and as tables of pairs.

use super::Entry::Many;
use super::searching::{Match, Pick};
use super::seqs::{elements, same_kind};
use super::{ANY, Table, keys};
use crate::Value;
use crate::error::{LispError, LispResult};
use crate::interp::Interp;

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

pub(super) const TABLE: Table = &[
    ("remove-duplicates", "sequence &key test key from-end", Many(1, ANY, remove_duplicates)),
    ("delete-duplicates", "sequence &key test key from-end", Many(1, ANY, remove_duplicates)),
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
