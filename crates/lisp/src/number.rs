//! The spelling of numbers, both ways. Invariant: what [`parse`] takes and
//! [`float_text`] writes agree, so a printed number reads as itself.

use num_bigint::BigInt;
use num_integer::Integer;
use num_traits::{Signed, ToPrimitive, Zero};

/// A number as it was written.
#[derive(Clone, PartialEq, Debug)]
pub enum Number {
    /// Of machine size.
    Int(i64),
    /// A larger one.
    Big(BigInt),
    /// In lowest terms, denominator over 1.
    Ratio(BigInt, BigInt),
    /// A float.
    Float(f64),
}

impl Number {
    /// An integer in its smallest kind.
    pub fn from_big(b: BigInt) -> Number {
        match b.to_i64() {
            Some(i) => Number::Int(i),
            None => Number::Big(b),
        }
    }

    /// A quotient in its smallest kind; `None` for a zero denominator.
    pub fn quotient(n: BigInt, d: BigInt) -> Option<Number> {
        if d.is_zero() {
            return None;
        }
        let g = n.gcd(&d);
        let (mut n, mut d) = (n / &g, d / &g);
        if d.is_negative() {
            (n, d) = (-n, -d);
        }
        Some(if d == BigInt::from(1) { Number::from_big(n) } else { Number::Ratio(n, d) })
    }
}

/// Whether a token is to be a number rather than a symbol.
pub fn looks_numeric(text: &str) -> bool {
    let b = text.strip_prefix(['+', '-']).unwrap_or(text).as_bytes();
    let digits = b.iter().take_while(|c| c.is_ascii_digit()).count();
    let after = &b[digits..];
    match after {
        [] => digits > 0,
        [b'.'] => digits > 0,
        [b'/', den @ ..] => digits > 0 && !den.is_empty() && den.iter().all(u8::is_ascii_digit),
        [b'.', rest @ ..] => {
            let frac = rest.iter().take_while(|c| c.is_ascii_digit()).count();
            (digits > 0 || frac > 0) && is_exponent(&rest[frac..])
        }
        rest => digits > 0 && is_exponent(rest) && !rest.is_empty(),
    }
}

fn is_exponent(b: &[u8]) -> bool {
    match b {
        [] => true,
        [b'e' | b'E' | b'd' | b'D' | b'f' | b'F' | b's' | b'S' | b'l' | b'L', rest @ ..] => {
            let rest = match rest {
                [b'+' | b'-', r @ ..] => r,
                r => r,
            };
            !rest.is_empty() && rest.iter().all(u8::is_ascii_digit)
        }
        _ => false,
    }
}

/// The number a numeric token stands for; `None` when it stands for none (`#xZZ`, `1/0`).
pub fn parse(text: &str) -> Option<Number> {
    if let Some(rest) = text.strip_prefix('#') {
        let at = rest.find(|c: char| c.is_ascii_alphabetic())?;
        let (prefix, digits) = rest.split_at(at);
        let radix = match digits.chars().next()?.to_ascii_lowercase() {
            'x' => 16,
            'b' => 2,
            'o' => 8,
            'r' => prefix.parse::<u32>().ok().filter(|r| (2..=36).contains(r))?,
            _ => return None,
        };
        return parse_rational(digits.get(1..)?, radix);
    }
    if text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'/')) {
        return parse_rational(text, 10);
    }
    if let Some(int) = text.strip_suffix('.') {
        return parse_rational(int, 10);
    }
    let plain: String =
        text.chars().map(|c| if matches!(c.to_ascii_lowercase(), 'd' | 'f' | 's' | 'l') { 'e' } else { c }).collect();
    plain.parse::<f64>().ok().filter(|f| f.is_finite()).map(Number::Float)
}

/// An integer or ratio in a radix.
pub fn parse_rational(text: &str, radix: u32) -> Option<Number> {
    let int = |t: &str| -> Option<BigInt> {
        let digits = t.strip_prefix(['+', '-']).unwrap_or(t);
        if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
            return None;
        }
        BigInt::parse_bytes(t.strip_prefix('+').unwrap_or(t).as_bytes(), radix)
    };
    match text.split_once('/') {
        Some((n, d)) if !d.starts_with(['+', '-']) => Number::quotient(int(n)?, int(d)?),
        Some(_) => None,
        None => match i64::from_str_radix(text, radix) {
            Ok(i) => Some(Number::Int(i)),
            Err(_) => int(text).map(Number::from_big),
        },
    }
}

/// A float as it is read back.
pub fn float_text(f: f64) -> String {
    if f.is_nan() {
        return "#<float nan>".to_string();
    }
    if f.is_infinite() {
        return if f > 0.0 { "#<float +infinity>" } else { "#<float -infinity>" }.to_string();
    }
    let abs = f.abs();
    if abs != 0.0 && !(1e-3..1e7).contains(&abs) {
        let s = format!("{f:e}");
        return match s.split_once('e') {
            Some((m, e)) if !m.contains('.') => format!("{m}.0e{e}"),
            _ => s,
        };
    }
    let s = format!("{f}");
    if s.contains('.') { s } else { format!("{s}.0") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings() {
        assert_eq!(parse("#xff"), Some(Number::Int(255)));
        assert_eq!(parse("#b-101"), Some(Number::Int(-5)));
        assert_eq!(parse("#36rZz"), Some(Number::Int(1295)));
        assert_eq!(parse("#xgg"), None);
        assert_eq!(parse("4/2"), Some(Number::Int(2)));
        assert_eq!(parse("1/0"), None);
        assert_eq!(parse("-2/4"), Some(Number::Ratio(BigInt::from(-1), BigInt::from(2))));
        assert_eq!(parse("1.5d3"), Some(Number::Float(1500.0)));
        assert_eq!(parse("5."), Some(Number::Int(5)));
        assert_eq!(parse("1e999"), None);
        for f in [1.0, -0.5, 1e21, 1.5e-7, 123456.789, 0.0, 1e7] {
            assert_eq!(parse(&float_text(f)), Some(Number::Float(f)), "{}", float_text(f));
        }
    }
}
