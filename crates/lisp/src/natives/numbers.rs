//! Functions of numbers.

use std::cmp::Ordering;

use num_bigint::BigInt;
use num_integer::{Integer, Roots};
use num_traits::{Signed, ToPrimitive, Zero};

use super::Entry::{F0, F1, F2, F3, Many};
use super::{ANY, Table, index, wrong};
use crate::Value;
use crate::arith::{self, Rounding, number, to_f64};
use crate::error::LispResult;
use crate::heap::Object;
use crate::interp::Interp;
use crate::number::Number;

pub(super) const TABLE: Table = &[
    ("+", "&rest numbers", Many(0, ANY, |i, a| a.iter().try_fold(Value::Int(0), |x, y| arith::add(i, x, *y)))),
    ("*", "&rest numbers", Many(0, ANY, |i, a| a.iter().try_fold(Value::Int(1), |x, y| arith::mul(i, x, *y)))),
    (
        "-",
        "number &rest numbers",
        Many(1, ANY, |i, a| match a {
            [x] => arith::sub(i, Value::Int(0), *x),
            [x, rest @ ..] => rest.iter().try_fold(*x, |x, y| arith::sub(i, x, *y)),
            [] => Ok(Value::Int(0)),
        }),
    ),
    (
        "/",
        "number &rest numbers",
        Many(1, ANY, |i, a| match a {
            [x] => arith::div(i, Value::Int(1), *x),
            [x, rest @ ..] => rest.iter().try_fold(*x, |x, y| arith::div(i, x, *y)),
            [] => Ok(Value::Int(1)),
        }),
    ),
    ("1+", "number", F1(|i, x| arith::add(i, x, Value::Int(1)))),
    ("1-", "number", F1(|i, x| arith::sub(i, x, Value::Int(1)))),
    ("=", "number &rest numbers", Many(1, ANY, |i, a| chain(i, a, |o| o == Ordering::Equal))),
    ("<", "number &rest numbers", Many(1, ANY, |i, a| chain(i, a, |o| o == Ordering::Less))),
    (">", "number &rest numbers", Many(1, ANY, |i, a| chain(i, a, |o| o == Ordering::Greater))),
    ("<=", "number &rest numbers", Many(1, ANY, |i, a| chain(i, a, |o| o != Ordering::Greater))),
    (">=", "number &rest numbers", Many(1, ANY, |i, a| chain(i, a, |o| o != Ordering::Less))),
    (
        "/=",
        "number &rest numbers",
        Many(1, ANY, |i, a| {
            for (n, x) in a.iter().enumerate() {
                for y in &a[n + 1..] {
                    if arith::order(i, *x, *y)? == Some(Ordering::Equal) {
                        return Ok(Value::NIL);
                    }
                }
            }
            Ok(Value::T)
        }),
    ),
    ("max", "number &rest numbers", Many(1, ANY, |i, a| best(i, a, Ordering::Greater))),
    ("min", "number &rest numbers", Many(1, ANY, |i, a| best(i, a, Ordering::Less))),
    (
        "%best",
        "best value max",
        F3(|i, old, v, max| {
            if old.is_nil() {
                number(i, v)?;
                return Ok(v);
            }
            best(i, &[old, v], if max.is_true() { Ordering::Greater } else { Ordering::Less })
        }),
    ),
    ("floor", "number &optional divisor", Many(1, 2, |i, a| rounded(i, a, Rounding::Floor, false))),
    ("ceiling", "number &optional divisor", Many(1, 2, |i, a| rounded(i, a, Rounding::Ceiling, false))),
    ("truncate", "number &optional divisor", Many(1, 2, |i, a| rounded(i, a, Rounding::Truncate, false))),
    ("round", "number &optional divisor", Many(1, 2, |i, a| rounded(i, a, Rounding::Round, false))),
    ("ffloor", "number &optional divisor", Many(1, 2, |i, a| rounded(i, a, Rounding::Floor, true))),
    ("fround", "number &optional divisor", Many(1, 2, |i, a| rounded(i, a, Rounding::Round, true))),
    ("mod", "number divisor", F2(|i, a, b| Ok(arith::divide(i, a, b, Rounding::Floor)?.1))),
    ("rem", "number divisor", F2(|i, a, b| Ok(arith::divide(i, a, b, Rounding::Truncate)?.1))),
    (
        "abs",
        "number",
        F1(|i, a| match number(i, a)? {
            Number::Float(f) => Ok(Value::Float(f.abs())),
            _ if arith::compare(&i.heap, a, Value::Int(0)) == Some(Ordering::Less) => arith::sub(i, Value::Int(0), a),
            _ => Ok(a),
        }),
    ),
    (
        "signum",
        "number",
        F1(|i, a| {
            Ok(match arith::order(i, a, Value::Int(0))? {
                Some(Ordering::Less) => Value::Int(-1),
                Some(Ordering::Greater) => Value::Int(1),
                _ => Value::Int(0),
            })
        }),
    ),
    ("gcd", "&rest integers", Many(0, ANY, |i, a| integers(i, a, BigInt::from(0), |x, y| x.gcd(&y)))),
    ("lcm", "&rest integers", Many(0, ANY, |i, a| integers(i, a, BigInt::from(1), |x, y| x.lcm(&y)))),
    ("logand", "&rest integers", Many(0, ANY, |i, a| integers(i, a, BigInt::from(-1), |x, y| x & y))),
    ("logior", "&rest integers", Many(0, ANY, |i, a| integers(i, a, BigInt::from(0), |x, y| x | y))),
    ("logxor", "&rest integers", Many(0, ANY, |i, a| integers(i, a, BigInt::from(0), |x, y| x ^ y))),
    (
        "lognot",
        "integer",
        F1(|i, a| {
            let n = arith::integer(i, a)?;
            Ok(i.heap.integer(-n - 1))
        }),
    ),
    (
        "logtest",
        "integer integer",
        F2(|i, a, b| Ok((!(arith::integer(i, a)? & arith::integer(i, b)?).is_zero()).into())),
    ),
    (
        "logbitp",
        "index integer",
        F2(|i, n, a| {
            let n = index(i, n)?;
            let b = arith::integer(i, a)?;
            Ok((!((b >> n) & BigInt::from(1)).is_zero()).into())
        }),
    ),
    (
        "logcount",
        "integer",
        F1(|i, a| {
            let n = arith::integer(i, a)?;
            let n = if n.is_negative() { -n - 1 } else { n };
            Ok(Value::Int(n.iter_u64_digits().map(|d| i64::from(d.count_ones())).sum()))
        }),
    ),
    (
        "ash",
        "integer count",
        F2(|i, a, n| {
            let x = arith::integer(i, a)?;
            let Value::Int(n) = n else { return Err(wrong(i, n, "a small integer")) };
            if n >= 0 {
                arith::check_bits(x.bits().saturating_add(n as u64))?;
                Ok(i.heap.integer(x << n))
            } else {
                let n = n.unsigned_abs().min(100_000_000);
                Ok(i.heap.integer(x >> n))
            }
        }),
    ),
    (
        "byte",
        "size position",
        F2(|i, a, b| {
            index(i, a)?;
            index(i, b)?;
            Ok(i.heap.cons(a, b))
        }),
    ),
    (
        "ldb",
        "byte integer",
        F2(|i, spec, a| {
            let (size, pos) = byte_spec(i, spec)?;
            let x = arith::integer(i, a)?;
            let mask = (BigInt::from(1) << size) - 1;
            Ok(i.heap.integer((x >> pos) & mask))
        }),
    ),
    (
        "dpb",
        "new byte integer",
        F3(|i, new, spec, a| {
            let (size, pos) = byte_spec(i, spec)?;
            let (n, x) = (arith::integer(i, new)?, arith::integer(i, a)?);
            let mask: BigInt = ((BigInt::from(1) << size) - 1) << pos;
            let kept = &x - (&x & &mask);
            Ok(i.heap.integer(kept | ((n << pos) & mask)))
        }),
    ),
    (
        "integer-length",
        "integer",
        F1(|i, a| {
            let n = arith::integer(i, a)?;
            let n = if n.is_negative() { -n - 1 } else { n };
            Ok(Value::Int(n.bits() as i64))
        }),
    ),
    ("evenp", "integer", F1(|i, a| Ok(arith::integer(i, a)?.is_even().into()))),
    ("oddp", "integer", F1(|i, a| Ok(arith::integer(i, a)?.is_odd().into()))),
    ("zerop", "number", F1(|i, a| Ok((arith::order(i, a, Value::Int(0))? == Some(Ordering::Equal)).into()))),
    ("plusp", "number", F1(|i, a| Ok((arith::order(i, a, Value::Int(0))? == Some(Ordering::Greater)).into()))),
    ("minusp", "number", F1(|i, a| Ok((arith::order(i, a, Value::Int(0))? == Some(Ordering::Less)).into()))),
    ("expt", "base power", F2(arith::expt)),
    (
        "isqrt",
        "integer",
        F1(|i, a| {
            let n = arith::integer(i, a)?;
            if n.is_negative() {
                return Err(wrong(i, a, "a non-negative integer"));
            }
            Ok(i.heap.integer(n.sqrt()))
        }),
    ),
    (
        "sqrt",
        "number",
        F1(|i, a| {
            let n = number(i, a)?;
            if let Number::Int(x) = n
                && x >= 0
                && x.sqrt() * x.sqrt() == x
            {
                return Ok(Value::Float(x.sqrt() as f64));
            }
            float1(i, a, f64::sqrt)
        }),
    ),
    ("exp", "number", F1(|i, a| float1(i, a, f64::exp))),
    ("sin", "number", F1(|i, a| float1(i, a, f64::sin))),
    ("cos", "number", F1(|i, a| float1(i, a, f64::cos))),
    ("tan", "number", F1(|i, a| float1(i, a, f64::tan))),
    ("asin", "number", F1(|i, a| float1(i, a, f64::asin))),
    ("acos", "number", F1(|i, a| float1(i, a, f64::acos))),
    (
        "atan",
        "y &optional x",
        Many(1, 2, |i, a| match a {
            [y, x] => Ok(Value::Float(to_f64(&number(i, *y)?).atan2(to_f64(&number(i, *x)?)))),
            _ => float1(i, a[0], f64::atan),
        }),
    ),
    (
        "log",
        "number &optional base",
        Many(1, 2, |i, a| {
            let x = to_f64(&number(i, a[0])?);
            if x <= 0.0 {
                return Err(wrong(i, a[0], "a positive number"));
            }
            Ok(Value::Float(match a.get(1) {
                Some(b) => x.ln() / to_f64(&number(i, *b)?).ln(),
                None => x.ln(),
            }))
        }),
    ),
    ("float", "number &optional prototype", Many(1, 2, |i, a| float1(i, a[0], |f| f))),
    (
        "rational",
        "number",
        F1(|i, a| match number(i, a)? {
            Number::Float(f) => {
                let bits = f.to_bits();
                let exponent = ((bits >> 52) & 0x7ff) as i64 - 1075;
                let mantissa = (bits & 0xf_ffff_ffff_ffff) | if exponent == -1075 { 0 } else { 1 << 52 };
                if !f.is_finite() {
                    return Err(wrong(i, a, "a finite number"));
                }
                let mut n = BigInt::from(mantissa);
                if f < 0.0 {
                    n = -n;
                }
                let two = BigInt::from(1) << exponent.unsigned_abs();
                let q =
                    if exponent >= 0 { Number::quotient(n * two, BigInt::from(1)) } else { Number::quotient(n, two) };
                Ok(q.map_or(Value::NIL, |q| i.heap.number(q)))
            }
            _ => Ok(a),
        }),
    ),
    (
        "numerator",
        "rational",
        F1(|i, a| match i.heap.object(a) {
            Some(Object::Ratio(r)) => {
                let n = r.0.clone();
                Ok(i.heap.integer(n))
            }
            _ => arith::integer(i, a).map(|_| a),
        }),
    ),
    (
        "denominator",
        "rational",
        F1(|i, a| match i.heap.object(a) {
            Some(Object::Ratio(r)) => {
                let d = r.1.clone();
                Ok(i.heap.integer(d))
            }
            _ => arith::integer(i, a).map(|_| Value::Int(1)),
        }),
    ),
    (
        "random",
        "limit &optional state",
        Many(1, 2, |i, a| {
            i.random ^= i.random << 13;
            i.random ^= i.random >> 7;
            i.random ^= i.random << 17;
            let r = i.random;
            match a[0] {
                Value::Int(n) if n > 0 => Ok(Value::Int((r % n as u64) as i64)),
                Value::Float(f) if f > 0.0 => Ok(Value::Float((r >> 11) as f64 / (1u64 << 53) as f64 * f)),
                v => match i.heap.as_bigint(v) {
                    Some(b) if b.is_positive() => {
                        let wide = BigInt::from(r) * BigInt::from(r) * BigInt::from(r);
                        Ok(i.heap.integer(wide % b))
                    }
                    _ => Err(wrong(i, v, "a positive number")),
                },
            }
        }),
    ),
    ("make-random-state", "&optional state", Many(0, 1, |_, _| Ok(Value::NIL))),
    (
        "get-universal-time",
        "",
        F0(|i| {
            // Seconds since 1900, as Common Lisp counts.
            Ok(Value::Int(i.now()?.as_secs() as i64 + 2_208_988_800))
        }),
    ),
    ("get-internal-real-time", "", F0(|i| Ok(Value::Int(i.now()?.as_micros() as i64)))),
    ("get-internal-run-time", "", F0(|i| Ok(Value::Int(i.now()?.as_micros() as i64)))),
];

fn chain(i: &mut Interp, a: &[Value], ok: fn(Ordering) -> bool) -> LispResult {
    if let [x] = a {
        number(i, *x)?;
    }
    let mut result = true;
    for pair in a.windows(2) {
        result &= arith::order(i, pair[0], pair[1])?.is_some_and(ok);
    }
    Ok(result.into())
}

fn best(i: &mut Interp, a: &[Value], want: Ordering) -> LispResult {
    let mut out = a[0];
    number(i, out)?;
    for v in &a[1..] {
        if arith::order(i, *v, out)? == Some(want) {
            out = *v;
        }
    }
    Ok(out)
}

fn rounded(i: &mut Interp, a: &[Value], how: Rounding, float: bool) -> LispResult {
    let (mut q, r) = arith::divide(i, a[0], a.get(1).copied().unwrap_or(Value::Int(1)), how)?;
    if float {
        q = Value::Float(to_f64(&number(i, q)?));
    }
    i.set_values(&[q, r]);
    Ok(q)
}

fn integers(i: &mut Interp, a: &[Value], start: BigInt, f: fn(BigInt, BigInt) -> BigInt) -> LispResult {
    let mut out = start;
    for v in a {
        out = f(out, arith::integer(i, *v)?);
    }
    Ok(i.heap.integer(out))
}

fn float1(i: &mut Interp, a: Value, f: fn(f64) -> f64) -> LispResult {
    let r = f(to_f64(&number(i, a)?));
    if r.is_nan() { Err(wrong(i, a, "a number this function has a real value for")) } else { Ok(Value::Float(r)) }
}

fn byte_spec(i: &mut Interp, spec: Value) -> Result<(usize, usize), crate::LispError> {
    let Some((size, pos)) = i.heap.cons_parts(spec) else {
        return Err(wrong(i, spec, "a byte specifier `(byte size position)`"));
    };
    let (s, p) = (index(i, size)?, index(i, pos)?);
    arith::check_bits((s as u64).saturating_add(p as u64))?;
    Ok((s, p.to_usize().unwrap_or(0)))
}
