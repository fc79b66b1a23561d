//! Numbers: integers without limit, ratios, floats. Invariant: results are in
//! their smallest kind, so `eql` and hashing see one form of each number.

use std::cmp::Ordering;

use num_bigint::BigInt;
use num_integer::Integer;
use num_traits::{Signed, ToPrimitive, Zero};

use crate::Value;
use crate::error::{LispError, LispResult};
use crate::heap::{Heap, Object};
use crate::interp::Interp;
use crate::number::Number;

/// The largest integer an operation may make, in bits.
const MAX_BITS: u64 = 8_000_000;

/// Whether a value is a number.
pub(crate) fn is_number(heap: &Heap, v: Value) -> bool {
    matches!(v, Value::Int(_) | Value::Float(_)) || matches!(heap.object(v), Some(Object::Big(_) | Object::Ratio(_)))
}

pub(crate) fn to_number(heap: &Heap, v: Value) -> Option<Number> {
    match v {
        Value::Int(i) => Some(Number::Int(i)),
        Value::Float(f) => Some(Number::Float(f)),
        _ => match heap.object(v)? {
            Object::Big(b) => Some(Number::Big(b.clone())),
            Object::Ratio(r) => Some(Number::Ratio(r.0.clone(), r.1.clone())),
            _ => None,
        },
    }
}

pub(crate) fn number(i: &mut Interp, v: Value) -> Result<Number, LispError> {
    to_number(&i.heap, v).ok_or_else(|| {
        let shown = i.show(v);
        LispError::wrong_type(&shown, "a number")
    })
}

pub(crate) fn integer(i: &mut Interp, v: Value) -> Result<BigInt, LispError> {
    i.heap.as_bigint(v).ok_or_else(|| {
        let shown = i.show(v);
        LispError::wrong_type(&shown, "an integer")
    })
}

/// Numerator and denominator.
fn rational(n: &Number) -> Option<(BigInt, BigInt)> {
    match n {
        Number::Int(i) => Some((BigInt::from(*i), BigInt::from(1))),
        Number::Big(b) => Some((b.clone(), BigInt::from(1))),
        Number::Ratio(n, d) => Some((n.clone(), d.clone())),
        Number::Float(_) => None,
    }
}

pub(crate) fn to_f64(n: &Number) -> f64 {
    match n {
        Number::Int(i) => *i as f64,
        Number::Big(b) => b.to_f64().unwrap_or(f64::INFINITY),
        Number::Float(f) => *f,
        Number::Ratio(n, d) => {
            // Scale so that both fit a float.
            let shift = (n.bits().max(d.bits())).saturating_sub(1000);
            let (n, d) = (n >> shift, d >> shift);
            n.to_f64().unwrap_or(0.0) / d.to_f64().unwrap_or(1.0)
        }
    }
}

/// Numerator and denominator, not in lowest terms.
type Fraction = (BigInt, BigInt);

fn overflow() -> LispError {
    LispError::new("heap-exhausted", crate::error::STACK_EXHAUSTED, "this number is too large")
}

pub(crate) fn check_bits(bits: u64) -> Result<(), LispError> {
    if bits > MAX_BITS { Err(overflow()) } else { Ok(()) }
}

fn combine(
    i: &mut Interp,
    a: Value,
    b: Value,
    float: fn(f64, f64) -> f64,
    ratio: fn(Fraction, Fraction) -> Fraction,
) -> LispResult {
    let (x, y) = (number(i, a)?, number(i, b)?);
    match (rational(&x), rational(&y)) {
        (Some(p), Some(q)) => {
            check_bits(p.0.bits() + q.0.bits())?;
            let (n, d) = ratio(p, q);
            let n = Number::quotient(n, d).ok_or_else(zero_division)?;
            Ok(i.heap.number(n))
        }
        _ => Ok(Value::Float(float(to_f64(&x), to_f64(&y)))),
    }
}

pub(crate) fn zero_division() -> LispError {
    LispError::new("division-by-zero", crate::error::HOST_ERROR, "division by zero")
}

/// `a + b`
pub(crate) fn add(i: &mut Interp, a: Value, b: Value) -> LispResult {
    match (a, b) {
        (Value::Int(x), Value::Int(y)) if x.checked_add(y).is_some() => Ok(Value::Int(x + y)),
        (Value::Float(x), Value::Float(y)) => Ok(Value::Float(x + y)),
        _ => combine(i, a, b, |x, y| x + y, |p, q| (p.0 * &q.1 + q.0 * &p.1, p.1 * q.1)),
    }
}

/// `a - b`
pub(crate) fn sub(i: &mut Interp, a: Value, b: Value) -> LispResult {
    match (a, b) {
        (Value::Int(x), Value::Int(y)) if x.checked_sub(y).is_some() => Ok(Value::Int(x - y)),
        (Value::Float(x), Value::Float(y)) => Ok(Value::Float(x - y)),
        _ => combine(i, a, b, |x, y| x - y, |p, q| (p.0 * &q.1 - q.0 * &p.1, p.1 * q.1)),
    }
}

/// `a * b`
pub(crate) fn mul(i: &mut Interp, a: Value, b: Value) -> LispResult {
    match (a, b) {
        (Value::Int(x), Value::Int(y)) if x.checked_mul(y).is_some() => Ok(Value::Int(x * y)),
        (Value::Float(x), Value::Float(y)) => Ok(Value::Float(x * y)),
        _ => combine(i, a, b, |x, y| x * y, |p, q| (p.0 * q.0, p.1 * q.1)),
    }
}

/// `a / b`
pub(crate) fn div(i: &mut Interp, a: Value, b: Value) -> LispResult {
    if b == Value::Int(0) {
        number(i, a)?;
        return Err(zero_division());
    }
    match (a, b) {
        (Value::Int(x), Value::Int(y)) if x.checked_rem(y) == Some(0) && x.checked_div(y).is_some() => {
            Ok(Value::Int(x / y))
        }
        _ => combine(i, a, b, |x, y| x / y, |p, q| (p.0 * q.1, p.1 * q.0)),
    }
}

/// How two numbers compare; `None` if either is none, or not a number.
pub(crate) fn compare(heap: &Heap, a: Value, b: Value) -> Option<Ordering> {
    if let (Value::Int(x), Value::Int(y)) = (a, b) {
        return Some(x.cmp(&y));
    }
    let (x, y) = (to_number(heap, a)?, to_number(heap, b)?);
    match (rational(&x), rational(&y)) {
        (Some(p), Some(q)) => Some((p.0 * q.1).cmp(&(q.0 * p.1))),
        _ => to_f64(&x).partial_cmp(&to_f64(&y)),
    }
}

/// How two values compare as numbers; an error if one isn't.
pub(crate) fn order(i: &mut Interp, a: Value, b: Value) -> Result<Option<Ordering>, LispError> {
    if !is_number(&i.heap, a) {
        number(i, a)?;
    }
    if !is_number(&i.heap, b) {
        number(i, b)?;
    }
    Ok(compare(&i.heap, a, b))
}

/// How a quotient is rounded.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Rounding {
    Floor,
    Ceiling,
    Truncate,
    Round,
}

/// The rounded quotient and the remainder.
pub(crate) fn divide(i: &mut Interp, a: Value, b: Value, how: Rounding) -> Result<(Value, Value), LispError> {
    if let (Value::Int(x), Value::Int(y)) = (a, b)
        && y != 0
        && how == Rounding::Truncate
        && let Some(q) = x.checked_div(y)
    {
        return Ok((Value::Int(q), Value::Int(x % y)));
    }
    let (x, y) = (number(i, a)?, number(i, b)?);
    match (rational(&x), rational(&y)) {
        (Some(p), Some(q)) => {
            let (n, d) = (&p.0 * &q.1, &p.1 * &q.0);
            if d.is_zero() {
                return Err(zero_division());
            }
            let quotient = match how {
                Rounding::Floor => n.div_floor(&d),
                Rounding::Ceiling => -(-&n).div_floor(&d),
                Rounding::Truncate => &n / &d,
                Rounding::Round => {
                    let twice: BigInt = &n * 2 + &d;
                    let den: BigInt = &d * 2;
                    let up = twice.div_floor(&den);
                    // Exactly half goes to the even neighbour.
                    if twice.is_multiple_of(&den) && up.is_odd() { up - 1 } else { up }
                }
            };
            let qv = i.heap.integer(quotient);
            let product = mul(i, qv, b)?;
            let r = sub(i, a, product)?;
            Ok((qv, r))
        }
        _ => {
            let (fx, fy) = (to_f64(&x), to_f64(&y));
            if fy == 0.0 {
                return Err(zero_division());
            }
            let q = fx / fy;
            let q = match how {
                Rounding::Floor => q.floor(),
                Rounding::Ceiling => q.ceil(),
                Rounding::Truncate => q.trunc(),
                Rounding::Round => q.round_ties_even(),
            };
            let quotient =
                num_traits::FromPrimitive::from_f64(q).map(|b: BigInt| i.heap.integer(b)).ok_or_else(overflow)?;
            Ok((quotient, Value::Float(fx - q * fy)))
        }
    }
}

/// `base` to a power.
pub(crate) fn expt(i: &mut Interp, base: Value, power: Value) -> LispResult {
    let (b, p) = (number(i, base)?, number(i, power)?);
    match (rational(&b), &p) {
        (Some((n, d)), Number::Int(e)) => {
            let exp = u32::try_from(e.unsigned_abs()).map_err(|_| overflow());
            if n.abs() <= BigInt::from(1) && d == BigInt::from(1) {
                let odd = e.rem_euclid(2) == 1;
                if n.is_zero() && *e < 0 {
                    return Err(zero_division());
                }
                return Ok(if *e == 0 || n == BigInt::from(1) {
                    Value::Int(1)
                } else if n.is_zero() {
                    Value::Int(0)
                } else {
                    Value::Int(if odd { -1 } else { 1 })
                });
            }
            let exp = exp?;
            check_bits((n.bits() + d.bits()).saturating_mul(u64::from(exp)))?;
            let (mut n, mut d) = (n.pow(exp), d.pow(exp));
            if *e < 0 {
                (n, d) = (d, n);
            }
            let q = Number::quotient(n, d).ok_or_else(zero_division)?;
            Ok(i.heap.number(q))
        }
        _ => Ok(Value::Float(to_f64(&b).powf(to_f64(&p)))),
    }
}
