//! Strings, characters and symbols.

use std::cmp::Ordering;

use super::Entry::{F1, F2, F3, Many};
use super::{ANY, Table, index, keys, list, seqs, text, wrong};
use crate::error::{LispError, LispResult};
use crate::interp::Interp;
use crate::{Symbol, Value};

fn compare(i: &mut Interp, a: &[Value], fold: bool) -> Result<Ordering, LispError> {
    let [s1, e1, s2, e2] = keys(i, &a[2..], ["start1", "end1", "start2", "end2"])?;
    let part = |i: &mut Interp, v: Value, s: Option<Value>, e: Option<Value>| -> Result<String, LispError> {
        let t = text(i, v)?;
        let start = match s {
            Some(v) if v.is_true() => index(i, v)?,
            _ => 0,
        };
        let end = match e {
            Some(v) if v.is_true() => index(i, v)?,
            _ => usize::MAX,
        };
        let t: String = t.chars().skip(start).take(end.saturating_sub(start)).collect();
        Ok(if fold { t.to_lowercase() } else { t })
    };
    let (x, y) = (part(i, a[0], s1, e1)?, part(i, a[1], s2, e2)?);
    Ok(x.cmp(&y))
}

macro_rules! strcmp {
    ($name:literal, $fold:literal, $pat:pat) => {
        (
            $name,
            "string string &key start1 end1 start2 end2",
            Many(2, ANY, |i, a| Ok(matches!(compare(i, a, $fold)?, $pat).into())),
        )
    };
}

fn chars_of(i: &mut Interp, a: &[Value], fold: bool) -> Result<Vec<char>, LispError> {
    a.iter()
        .map(|v| match v {
            Value::Char(c) if fold => Ok(c.to_lowercase().next().unwrap_or(*c)),
            Value::Char(c) => Ok(*c),
            v => Err(wrong(i, *v, "a character")),
        })
        .collect()
}

macro_rules! charcmp {
    ($name:literal, $fold:literal, $op:tt) => {
        ($name, "char &rest chars", Many(1, ANY, |i, a| Ok(chars_of(i, a, $fold)?.windows(2).all(|w| w[0] $op w[1]).into())))
    };
}

fn ch(i: &mut Interp, v: Value) -> Result<char, LispError> {
    match v {
        Value::Char(c) => Ok(c),
        v => Err(wrong(i, v, "a character")),
    }
}

fn capitalize(s: &str) -> String {
    let mut start = true;
    s.chars()
        .map(|c| {
            let out = if start { c.to_uppercase().next() } else { c.to_lowercase().next() }.unwrap_or(c);
            start = !c.is_alphanumeric();
            out
        })
        .collect()
}

fn trim(i: &mut Interp, bag: Value, s: Value, left: bool, right: bool) -> LispResult {
    let bag = chars_of_bag(i, bag)?;
    let s = text(i, s)?;
    let mut t = s.as_str();
    if left {
        t = t.trim_start_matches(|c| bag.contains(&c));
    }
    if right {
        t = t.trim_end_matches(|c| bag.contains(&c));
    }
    Ok(i.heap.string(t))
}

fn chars_of_bag(i: &mut Interp, bag: Value) -> Result<Vec<char>, LispError> {
    let items = seqs::elements(i, bag)?;
    chars_of(i, &items, false)
}

fn mapped(i: &mut Interp, v: Value, f: fn(&str) -> String) -> LispResult {
    let s = text(i, v)?;
    Ok(i.heap.string(f(&s)))
}

pub(super) const TABLE: Table = &[
    strcmp!("string=", false, Ordering::Equal),
    strcmp!("string/=", false, Ordering::Less | Ordering::Greater),
    strcmp!("string<", false, Ordering::Less),
    strcmp!("string>", false, Ordering::Greater),
    strcmp!("string<=", false, Ordering::Less | Ordering::Equal),
    strcmp!("string>=", false, Ordering::Greater | Ordering::Equal),
    strcmp!("string-equal", true, Ordering::Equal),
    strcmp!("string-lessp", true, Ordering::Less),
    strcmp!("string-greaterp", true, Ordering::Greater),
    charcmp!("char=", false, ==),
    charcmp!("char/=", false, !=),
    charcmp!("char<", false, <),
    charcmp!("char>", false, >),
    charcmp!("char<=", false, <=),
    charcmp!("char>=", false, >=),
    charcmp!("char-equal", true, ==),
    ("string", "value", F1(|i, v| mapped(i, v, str::to_string))),
    ("string-upcase", "string", F1(|i, v| mapped(i, v, str::to_uppercase))),
    ("string-downcase", "string", F1(|i, v| mapped(i, v, str::to_lowercase))),
    ("string-capitalize", "string", F1(|i, v| mapped(i, v, capitalize))),
    ("string-trim", "characters string", F2(|i, b, s| trim(i, b, s, true, true))),
    ("string-left-trim", "characters string", F2(|i, b, s| trim(i, b, s, true, false))),
    ("string-right-trim", "characters string", F2(|i, b, s| trim(i, b, s, false, true))),
    (
        "make-string",
        "size &key initial-element element-type",
        Many(1, ANY, |i, a| {
            let [init, _] = keys(i, &a[1..], ["initial-element", "element-type"])?;
            let n = seqs::size(i, a[0])?;
            let c = match init {
                Some(v) => ch(i, v)?,
                None => ' ',
            };
            Ok(i.heap.string(c.to_string().repeat(n)))
        }),
    ),
    (
        "parse-integer",
        "string &key start end radix junk-allowed",
        Many(1, ANY, |i, a| {
            let [start, end, radix, junk] = keys(i, &a[1..], ["start", "end", "radix", "junk-allowed"])?;
            let s = text(i, a[0])?;
            let start = match start {
                Some(v) => index(i, v)?,
                None => 0,
            };
            let end = match end {
                Some(v) if v.is_true() => index(i, v)?,
                _ => usize::MAX,
            };
            let radix = match radix {
                Some(v) => index(i, v)?,
                None => 10,
            };
            if !(2..=36).contains(&radix) {
                return Err(LispError::simple("a radix is from 2 to 36"));
            }
            let part: String = s.chars().skip(start).take(end.saturating_sub(start)).collect();
            let t = part.trim();
            let lead = part.len() - part.trim_start().len();
            let sign = usize::from(t.starts_with(['+', '-']));
            let digits = t.chars().skip(sign).take_while(|c| c.is_digit(radix as u32)).count();
            let number: String = t.chars().take(sign + digits).collect();
            let whole = digits > 0 && number.chars().count() == t.chars().count();
            let allowed = junk.is_some_and(Value::is_true);
            let stop = Value::Int((start + if whole { part.chars().count() } else { lead + sign + digits }) as i64);
            if digits == 0 || (!whole && !allowed) {
                if allowed {
                    i.set_values(&[Value::NIL, stop]);
                    return Ok(Value::NIL);
                }
                let shown = i.show(a[0]);
                return Err(LispError::new(
                    "parse-error",
                    crate::error::HOST_ERROR,
                    format!("{shown} is not an integer"),
                ));
            }
            let n = crate::number::parse_rational(&number, radix as u32);
            let v = n.map_or(Value::NIL, |n| i.heap.number(n));
            i.set_values(&[v, stop]);
            Ok(v)
        }),
    ),
    ("char-code", "char", F1(|i, v| Ok(Value::Int(i64::from(ch(i, v)? as u32))))),
    ("char-int", "char", F1(|i, v| Ok(Value::Int(i64::from(ch(i, v)? as u32))))),
    (
        "code-char",
        "code",
        F1(|i, v| {
            let n = index(i, v)?;
            Ok(u32::try_from(n).ok().and_then(char::from_u32).map_or(Value::NIL, Value::Char))
        }),
    ),
    ("char-upcase", "char", F1(|i, v| Ok(Value::Char(ch(i, v)?.to_uppercase().next().unwrap_or(' '))))),
    ("char-downcase", "char", F1(|i, v| Ok(Value::Char(ch(i, v)?.to_lowercase().next().unwrap_or(' '))))),
    (
        "char-name",
        "char",
        F1(|i, v| {
            let n = crate::chars::name_of(ch(i, v)?);
            Ok(i.heap.string(n))
        }),
    ),
    ("name-char", "name", F1(|i, v| Ok(crate::chars::char_named(&text(i, v)?).map_or(Value::NIL, Value::Char)))),
    ("alpha-char-p", "char", F1(|i, v| Ok(ch(i, v)?.is_alphabetic().into()))),
    ("alphanumericp", "char", F1(|i, v| Ok(ch(i, v)?.is_alphanumeric().into()))),
    ("upper-case-p", "char", F1(|i, v| Ok(ch(i, v)?.is_uppercase().into()))),
    ("lower-case-p", "char", F1(|i, v| Ok(ch(i, v)?.is_lowercase().into()))),
    ("graphic-char-p", "char", F1(|i, v| Ok((!ch(i, v)?.is_control()).into()))),
    (
        "digit-char-p",
        "char &optional radix",
        Many(1, 2, |i, a| {
            let c = ch(i, a[0])?;
            let r = match a.get(1) {
                Some(v) => index(i, *v)?,
                None => 10,
            };
            Ok(c.to_digit(r.clamp(2, 36) as u32).map_or(Value::NIL, |d| Value::Int(i64::from(d))))
        }),
    ),
    (
        "digit-char",
        "digit &optional radix",
        Many(1, 2, |i, a| {
            let n = index(i, a[0])?;
            let r = match a.get(1) {
                Some(v) => index(i, *v)?,
                None => 10,
            };
            let c = u32::try_from(n).ok().and_then(|n| char::from_digit(n, r.clamp(2, 36) as u32));
            Ok(c.map_or(Value::NIL, |c| Value::Char(c.to_ascii_uppercase())))
        }),
    ),
    (
        "symbol-name",
        "symbol",
        F1(|i, v| match v {
            Value::Symbol(s) => Ok(i.heap.string(s.name())),
            v => Err(wrong(i, v, "a symbol")),
        }),
    ),
    (
        "symbol-package",
        "symbol",
        F1(|i, v| match v {
            Value::Symbol(s) => Ok(s.package().map_or(Value::NIL, |p| i.heap.string(p))),
            v => Err(wrong(i, v, "a symbol")),
        }),
    ),
    (
        "intern",
        "name &optional package",
        Many(1, 2, |i, a| {
            let name = text(i, a[0])?;
            let package = match a.get(1) {
                Some(p) if p.is_true() => i.heap.designator(*p).unwrap_or_default(),
                _ => String::new(),
            };
            Ok(Value::Symbol(Symbol::with_prefix(&package, &name)))
        }),
    ),
    ("find-symbol", "name &optional package", Many(1, 2, |i, a| Ok(Value::Symbol(Symbol::intern(&text(i, a[0])?))))),
    ("make-symbol", "name", F1(|i, v| Ok(Value::Symbol(Symbol::uninterned(&text(i, v)?))))),
    ("copy-symbol", "symbol", F1(|i, v| Ok(Value::Symbol(Symbol::uninterned(&text(i, v)?))))),
    (
        "gensym",
        "&optional prefix",
        Many(0, 1, |i, a| {
            let prefix = match a.first() {
                Some(v) => i.heap.designator(*v).unwrap_or_else(|| "g".into()),
                None => "g".into(),
            };
            Ok(Value::Symbol(Symbol::gensym(&prefix)))
        }),
    ),
    (
        "string-join",
        "strings &optional separator",
        Many(1, 2, |i, a| {
            let mut parts = Vec::new();
            for v in list(i, a[0])? {
                parts.push(text(i, v)?);
            }
            let sep = match a.get(1) {
                Some(v) => text(i, *v)?,
                None => String::new(),
            };
            Ok(i.heap.string(parts.join(&sep)))
        }),
    ),
    (
        "%string-index",
        "string char start",
        F3(|i, s, c, n| {
            let (s, c, n) = (text(i, s)?, ch(i, c)?, index(i, n)?);
            Ok(s.chars().skip(n).position(|x| x == c).map_or(Value::NIL, |p| Value::Int((p + n) as i64)))
        }),
    ),
];
