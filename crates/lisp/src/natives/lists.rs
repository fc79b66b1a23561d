//! Conses and lists.

use super::Entry::{F1, F2, F3, Many};
use super::{ANY, Table, index, keys, list, seqs, wrong};
use crate::error::LispResult;
use crate::interp::Interp;
use crate::{Symbol, Value};

macro_rules! path {
    ($name:literal, $($step:ident)*) => {
        ($name, "list", F1(|i, v| { $(let v = part(i, v, stringify!($step))?;)* Ok(v) }))
    };
}

fn part(i: &mut Interp, v: Value, which: &str) -> LispResult {
    let p = if which == "a" { i.heap.car(v) } else { i.heap.cdr(v) };
    match p {
        Some(p) => Ok(p),
        None => Err(wrong(i, v, "a list")),
    }
}

fn nthcdr(i: &mut Interp, n: usize, mut v: Value) -> LispResult {
    for _ in 0..n {
        if v.is_nil() {
            break;
        }
        v = part(i, v, "d")?;
    }
    Ok(v)
}

macro_rules! nth {
    ($name:literal, $n:literal) => {
        (
            $name,
            "list",
            F1(|i, v| {
                let c = nthcdr(i, $n, v)?;
                part(i, c, "a")
            }),
        )
    };
}

pub(super) const TABLE: Table = &[
    ("cons", "car cdr", F2(|i, a, b| Ok(i.heap.cons(a, b)))),
    path!("car", a),
    path!("cdr", d),
    path!("caar", a a),
    path!("cadr", d a),
    path!("cdar", a d),
    path!("cddr", d d),
    path!("caaar", a a a),
    path!("caadr", d a a),
    path!("cadar", a d a),
    path!("caddr", d d a),
    path!("cdaar", a a d),
    path!("cdadr", d a d),
    path!("cddar", a d d),
    path!("cdddr", d d d),
    path!("cadddr", d d d a),
    path!("cddddr", d d d d),
    path!("rest", d),
    nth!("first", 0),
    nth!("second", 1),
    nth!("third", 2),
    nth!("fourth", 3),
    nth!("fifth", 4),
    nth!("sixth", 5),
    nth!("seventh", 6),
    nth!("eighth", 7),
    nth!("ninth", 8),
    nth!("tenth", 9),
    (
        "nth",
        "n list",
        F2(|i, n, l| {
            let n = index(i, n)?;
            let c = nthcdr(i, n, l)?;
            part(i, c, "a")
        }),
    ),
    (
        "nthcdr",
        "n list",
        F2(|i, n, l| {
            let n = index(i, n)?;
            nthcdr(i, n, l)
        }),
    ),
    ("list", "&rest values", Many(0, ANY, |i, a| Ok(i.heap.list(a)))),
    (
        "list*",
        "value &rest values",
        Many(1, ANY, |i, a| match a.split_last() {
            Some((last, rest)) => Ok(i.heap.list_with_tail(rest, *last)),
            None => Ok(Value::NIL),
        }),
    ),
    (
        "make-list",
        "n &key initial-element",
        Many(1, ANY, |i, a| {
            let n = seqs::size(i, a[0])?;
            let [v] = keys(i, &a[1..], ["initial-element"])?;
            Ok(i.heap.list(&vec![v.unwrap_or(Value::NIL); n]))
        }),
    ),
    (
        "append",
        "&rest lists",
        Many(0, ANY, |i, a| match a.split_last() {
            None => Ok(Value::NIL),
            Some((last, rest)) => {
                let mut out = *last;
                for l in rest.iter().rev() {
                    // The cells of all but the last list are copied with what they know of their places.
                    let mut cells = Vec::new();
                    let mut at = *l;
                    while let Some((car, cdr)) = i.heap.cons_parts(at) {
                        cells.push((car, i.heap.spans_of(at)));
                        at = cdr;
                        if cells.len() > i.heap.live() {
                            return Err(wrong(i, *l, "a proper list"));
                        }
                    }
                    if !at.is_nil() {
                        return Err(wrong(i, at, "a list"));
                    }
                    for (car, spans) in cells.into_iter().rev() {
                        out = match spans {
                            Some(s) => i.heap.cons_at(car, out, s),
                            None => i.heap.cons(car, out),
                        };
                    }
                }
                Ok(out)
            }
        }),
    ),
    (
        "nconc",
        "&rest lists",
        Many(0, ANY, |i, a| {
            let mut out = Value::NIL;
            for l in a.iter().rev() {
                if l.is_nil() {
                    continue;
                }
                let last = last_cell(i, *l)?;
                if !out.is_nil() {
                    i.heap.set_cdr(last, out);
                }
                out = *l;
            }
            Ok(out)
        }),
    ),
    (
        "revappend",
        "list tail",
        F2(|i, l, tail| {
            let items = list(i, l)?;
            Ok(items.into_iter().fold(tail, |t, v| i.heap.cons(v, t)))
        }),
    ),
    (
        "last",
        "list &optional n",
        Many(1, 2, |i, a| {
            let items = count(i, a[0])?;
            let n = match a.get(1) {
                Some(n) => index(i, *n)?,
                None => 1,
            };
            nthcdr(i, items.saturating_sub(n), a[0])
        }),
    ),
    (
        "butlast",
        "list &optional n",
        Many(1, 2, |i, a| {
            let items = list(i, a[0])?;
            let n = match a.get(1) {
                Some(n) => index(i, *n)?,
                None => 1,
            };
            Ok(i.heap.list(&items[..items.len().saturating_sub(n)]))
        }),
    ),
    (
        "copy-list",
        "list",
        F1(|i, l| {
            let l = list(i, l)?;
            Ok(i.heap.list(&l))
        }),
    ),
    (
        "copy-alist",
        "list",
        F1(|i, l| {
            let l = list(i, l)?;
            let l: Vec<Value> = l
                .into_iter()
                .map(|v| match i.heap.cons_parts(v) {
                    Some((a, d)) => i.heap.cons(a, d),
                    None => v,
                })
                .collect();
            Ok(i.heap.list(&l))
        }),
    ),
    (
        "copy-tree",
        "tree",
        F1(|i, t| {
            let mut out = Vec::new();
            let mut work = vec![(t, false)];
            while let Some((v, join)) = work.pop() {
                if join {
                    let (d, a) = (out.pop().unwrap_or(Value::NIL), out.pop().unwrap_or(Value::NIL));
                    let c = i.heap.cons(a, d);
                    out.push(c);
                } else if let Some((a, d)) = i.heap.cons_parts(v) {
                    work.push((v, true));
                    work.push((d, false));
                    work.push((a, false));
                    if work.len() > 10_000_000 {
                        return Err(wrong(i, t, "a finite tree"));
                    }
                } else {
                    out.push(v);
                }
            }
            Ok(out.pop().unwrap_or(Value::NIL))
        }),
    ),
    ("%set-car", "cons value", F2(|i, c, v| if i.heap.set_car(c, v) { Ok(v) } else { Err(wrong(i, c, "a cons")) })),
    ("%set-cdr", "cons value", F2(|i, c, v| if i.heap.set_cdr(c, v) { Ok(v) } else { Err(wrong(i, c, "a cons")) })),
    ("rplaca", "cons value", F2(|i, c, v| if i.heap.set_car(c, v) { Ok(c) } else { Err(wrong(i, c, "a cons")) })),
    ("rplacd", "cons value", F2(|i, c, v| if i.heap.set_cdr(c, v) { Ok(c) } else { Err(wrong(i, c, "a cons")) })),
    (
        "%set-nth",
        "n list value",
        F3(|i, n, l, v| {
            let at = index(i, n)?;
            let c = nthcdr(i, at, l)?;
            if i.heap.set_car(c, v) { Ok(v) } else { Err(wrong(i, n, "an index of this list")) }
        }),
    ),
    ("list-length", "list", F1(|i, l| Ok(i.heap.list_items(l).map_or(Value::NIL, |l| Value::Int(l.len() as i64))))),
    (
        "getf",
        "plist key &optional default",
        Many(2, 3, |i, a| {
            let p = list(i, a[0])?;
            let found = p.chunks_exact(2).find(|kv| kv[0] == a[1]).map(|kv| kv[1]);
            Ok(found.or(a.get(2).copied()).unwrap_or(Value::NIL))
        }),
    ),
    (
        "%putf",
        "plist key value",
        F3(|i, p, k, v| {
            let mut items = list(i, p)?;
            match items.chunks_exact_mut(2).find(|kv| kv[0] == k) {
                Some(kv) => {
                    kv[1] = v;
                    Ok(i.heap.list(&items))
                }
                None => {
                    let rest = i.heap.cons(v, p);
                    Ok(i.heap.cons(k, rest))
                }
            }
        }),
    ),
    (
        "%remf",
        "plist key",
        F2(|i, p, k| {
            let items = list(i, p)?;
            let kept: Vec<Value> = items.chunks_exact(2).filter(|kv| kv[0] != k).flatten().copied().collect();
            Ok(i.heap.list(&kept))
        }),
    ),
    (
        "acons",
        "key value alist",
        F3(|i, k, v, l| {
            let pair = i.heap.cons(k, v);
            Ok(i.heap.cons(pair, l))
        }),
    ),
    (
        "pairlis",
        "keys values &optional alist",
        Many(2, 3, |i, a| {
            let (k, v) = (list(i, a[0])?, list(i, a[1])?);
            let pairs: Vec<Value> = k.into_iter().zip(v).map(|(k, v)| i.heap.cons(k, v)).collect();
            Ok(i.heap.list_with_tail(&pairs, a.get(2).copied().unwrap_or(Value::NIL)))
        }),
    ),
    (
        "%required",
        "list what pattern whole",
        Many(4, 4, |i, a| match i.heap.cons_parts(a[0]) {
            Some((car, _)) => Ok(car),
            None => Err(mismatch(i, a, "has too few elements")),
        }),
    ),
    (
        "%no-more",
        "list what pattern whole",
        Many(4, 4, |i, a| match a[0].is_nil() {
            true => Ok(Value::NIL),
            false => Err(mismatch(i, a, "has too many elements")),
        }),
    ),
    (
        "%loop-part",
        "list pattern whole",
        F3(|i, l, pattern, whole| match i.heap.cons_parts(l) {
            Some((car, _)) => Ok(car),
            // A pattern of `loop` takes what there is.
            None if l.is_nil() => Ok(Value::NIL),
            None => {
                let what = i.heap.string("");
                Err(mismatch(i, &[l, what, pattern, whole], "has too few elements"))
            }
        }),
    ),
    (
        "%find-key",
        "list key",
        F2(|i, l, key| {
            let mut at = l;
            while let Some((k, rest)) = i.heap.cons_parts(at) {
                let same = match (k, key) {
                    (Value::Symbol(a), Value::Symbol(b)) => a.same_folded(b),
                    _ => false,
                };
                if same {
                    return Ok(rest);
                }
                at = i.heap.cdr(rest).unwrap_or(Value::NIL);
            }
            Ok(Value::NIL)
        }),
    ),
    (
        "%check-keys",
        "list keys what",
        F3(|i, l, known, what| {
            let (items, known) = (list(i, l)?, list(i, known)?);
            for pair in items.chunks(2) {
                let ok = known.iter().any(|k| match (*k, pair[0]) {
                    (Value::Symbol(a), Value::Symbol(b)) => a.same_folded(b),
                    _ => false,
                });
                let allow = pair[0].as_symbol().is_some_and(|s| s == Symbol::keyword("allow-other-keys"));
                if (!ok && !allow) || pair.len() < 2 {
                    let shown = i.show(pair[0]);
                    let what = i.heap.str(what).unwrap_or("the list").to_string();
                    let why = if ok { "has no value for" } else { "has an unknown keyword" };
                    return Err(crate::LispError::new(
                        "program-error",
                        crate::error::ARGUMENT_COUNT,
                        format!("{what} {why} {shown}"),
                    ));
                }
            }
            Ok(Value::NIL)
        }),
    ),
];

/// The error for a list that a pattern doesn't match; `args` are what was left of it, whose arguments they are (if of a macro),
/// the pattern, and all of the list.
fn mismatch(i: &mut Interp, args: &[Value], how: &str) -> crate::LispError {
    let [_, what, pattern, whole] = args else { return crate::LispError::simple(how) };
    let what = i.heap.str(*what).unwrap_or_default().to_string();
    let pattern = i.heap.str(*pattern).unwrap_or_default().to_string();
    let error = |text: String| crate::LispError::new("program-error", crate::error::ARGUMENT_COUNT, text);
    let end = std::iter::successors(Some(*whole), |v| i.heap.cons_parts(*v).map(|(_, cdr)| cdr)).last();
    let pair = end.is_some_and(|v| !v.is_nil()) && i.heap.cons_parts(*whole).is_some();
    let shown = crate::printer::cut(i.show(*whole));
    if !what.is_empty() {
        return error(format!("{what} {how}")).help(format!("it has to match `{pattern}`"));
    }
    if pair {
        let names: Vec<&str> = pattern.trim_start_matches('(').trim_end_matches(')').split_whitespace().collect();
        let e = error(format!("got {shown}, a pair, where `{pattern}` takes a list"));
        return match names[..] {
            [a, b] => e.help(format!("write ({a} . {b}): a pair's second part stands behind a dot")),
            _ => e.help("a pair's second part stands behind a dot: (a . b)"),
        };
    }
    match i.heap.cons_parts(*whole).is_some() || whole.is_nil() {
        true => error(format!("got {shown}, which {how}")).help(format!("it has to match `{pattern}`")),
        false => error(format!("got {shown}, which is no list")).help(format!("it has to match `{pattern}`")),
    }
}

fn count(i: &mut Interp, v: Value) -> Result<usize, crate::LispError> {
    let (mut n, mut at) = (0, v);
    while let Some((_, cdr)) = i.heap.cons_parts(at) {
        n += 1;
        at = cdr;
        if n > i.heap.live() {
            return Err(wrong(i, v, "a list with an end"));
        }
    }
    Ok(n)
}

fn last_cell(i: &mut Interp, l: Value) -> LispResult {
    let n = count(i, l)?;
    if n == 0 {
        return Err(wrong(i, l, "a list"));
    }
    nthcdr(i, n - 1, l)
}
