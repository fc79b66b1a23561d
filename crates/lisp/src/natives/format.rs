//! `format`.

use num_traits::{Signed, ToPrimitive};

use super::Entry::Many;
use super::{ANY, Table, list, text};
use crate::error::LispError;
use crate::interp::Interp;
use crate::{Value, arith};

pub(super) const TABLE: Table = &[(
    "format",
    "destination control &rest arguments",
    Many(2, ANY, |i, a| {
        let control = text(i, a[1])?;
        if a.len() > 2 && is_of_c(&control) {
            return Err(bad("the text has directives of C, and none of `format`: they are not filled in")
                .help("write ~d for numbers, ~x for hexadecimal ones, ~a for anything, ~% for a new line"));
        }
        let out = i.format_to_string(&control, &a[2..])?;
        if a[0].is_nil() {
            let out = out.strip_prefix(FRESH).map(str::to_string).unwrap_or(out);
            return Ok(i.heap.string(out));
        }
        // `~&` at the start depends on where the stream stands.
        let out = match out.strip_prefix(FRESH) {
            Some(rest) if i.at_line_start(a[0]) => rest.to_string(),
            Some(rest) => format!("\n{rest}"),
            None => out,
        };
        i.write(a[0], &out)?;
        Ok(Value::NIL)
    }),
)];

/// Whether a control text is written for C's `printf`: a `%` with a letter of it, and no `~`.
pub fn is_of_c(control: &str) -> bool {
    let directive = |rest: &str| {
        rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == 'l')
            .starts_with(['d', 'i', 'u', 's', 'x', 'c', 'p'])
    };
    !control.contains('~') && control.split('%').skip(1).any(directive)
}

/// Stands for a `~&` before any text; private use, so no text has it.
const FRESH: char = '\u{f8ff}';

/// How deep directives nest.
const DEPTH: usize = 50;

#[derive(Clone, Debug)]
enum Part {
    Text(String),
    Directive(Directive),
}

#[derive(Clone, Debug, Default)]
struct Directive {
    name: char,
    params: Vec<Param>,
    colon: bool,
    at: bool,
    /// Of `~{`, `~[` and `~(`: the clauses.
    clauses: Vec<Vec<Part>>,
    /// Whether the last separator was `~:;`.
    default: bool,
}

#[derive(Clone, Debug)]
enum Param {
    None,
    Number(i64),
    Char(char),
    Argument,
    Rest,
}

fn bad(message: impl Into<String>) -> LispError {
    LispError::simple(format!("format: {}", message.into()))
}

struct Parser<'a> {
    chars: std::iter::Peekable<std::str::Chars<'a>>,
}

impl Parser<'_> {
    /// Parts up to one of the closing directives; that directive.
    fn parts(&mut self, depth: usize) -> Result<(Vec<Part>, Option<Directive>), LispError> {
        if depth > DEPTH {
            return Err(bad("directives are nested too deeply"));
        }
        let mut out = Vec::new();
        let mut plain = String::new();
        while let Some(c) = self.chars.next() {
            if c != '~' {
                plain.push(c);
                continue;
            }
            if !plain.is_empty() {
                out.push(Part::Text(std::mem::take(&mut plain)));
            }
            let mut d = self.directive()?;
            match d.name {
                ';' | '}' | ']' | ')' => return Ok((out, Some(d))),
                '{' | '[' | '(' => {
                    let close = match d.name {
                        '{' => '}',
                        '[' => ']',
                        _ => ')',
                    };
                    loop {
                        let (parts, end) = self.parts(depth + 1)?;
                        d.clauses.push(parts);
                        match end {
                            Some(e) if e.name == close => break,
                            Some(e) if e.name == ';' => d.default |= e.colon,
                            _ => return Err(bad(format!("`~{}` has no `~{close}`", d.name))),
                        }
                    }
                    out.push(Part::Directive(d));
                }
                '\n' => {
                    if d.at {
                        plain.push('\n');
                    }
                    while !d.colon && self.chars.peek().is_some_and(|c| c.is_whitespace()) {
                        self.chars.next();
                    }
                }
                _ => out.push(Part::Directive(d)),
            }
        }
        if !plain.is_empty() {
            out.push(Part::Text(plain));
        }
        Ok((out, None))
    }

    fn directive(&mut self) -> Result<Directive, LispError> {
        let mut d = Directive::default();
        loop {
            match self.chars.peek().copied() {
                None => return Err(bad("the control string ends after `~`")),
                Some('\'') => {
                    self.chars.next();
                    d.params.push(Param::Char(self.chars.next().ok_or_else(|| bad("a character must follow `'`"))?));
                    self.comma();
                }
                Some(c) if c.is_ascii_digit() || c == '-' || c == '+' => {
                    let mut n = String::new();
                    while let Some(c) = self.chars.next_if(|c| c.is_ascii_digit() || *c == '-' || *c == '+') {
                        n.push(c);
                    }
                    let n: i64 = n.parse().map_err(|_| bad("a wrong number"))?;
                    if n.unsigned_abs() > 100_000 {
                        return Err(bad("a parameter is too large"));
                    }
                    d.params.push(Param::Number(n));
                    self.comma();
                }
                Some('v' | 'V') => {
                    self.chars.next();
                    d.params.push(Param::Argument);
                    self.comma();
                }
                Some('#') => {
                    self.chars.next();
                    d.params.push(Param::Rest);
                    self.comma();
                }
                Some(',') => {
                    self.chars.next();
                    d.params.push(Param::None);
                }
                Some(':') => {
                    self.chars.next();
                    d.colon = true;
                }
                Some('@') => {
                    self.chars.next();
                    d.at = true;
                }
                Some(c) => {
                    self.chars.next();
                    d.name = c.to_ascii_lowercase();
                    return Ok(d);
                }
            }
        }
    }

    fn comma(&mut self) {
        self.chars.next_if_eq(&',');
    }
}

struct Run<'a> {
    args: &'a [Value],
    at: usize,
    out: String,
    /// `~^` was reached with nothing left.
    stop: bool,
    start: bool,
}

impl Run<'_> {
    fn next(&mut self) -> Result<Value, LispError> {
        let v =
            self.args.get(self.at).copied().ok_or_else(|| bad("there are too few arguments for the control string"))?;
        self.at += 1;
        Ok(v)
    }

    fn column(&self) -> usize {
        self.out.rsplit('\n').next().unwrap_or("").chars().count()
    }
}

/// A directive's parameters with their values.
struct Values(Vec<Option<Param>>);

impl Values {
    fn number(&self, n: usize) -> Option<i64> {
        match self.0.get(n) {
            Some(Some(Param::Number(n))) => Some(*n),
            _ => None,
        }
    }

    fn size(&self, n: usize, default: usize) -> usize {
        self.number(n).map_or(default, |n| n.max(0) as usize)
    }

    fn char(&self, n: usize, default: char) -> char {
        match self.0.get(n) {
            Some(Some(Param::Char(c))) => *c,
            _ => default,
        }
    }
}

fn pad(s: &str, width: usize, fill: char, left: bool) -> String {
    let n = width.saturating_sub(s.chars().count());
    let fill: String = std::iter::repeat_n(fill, n).collect();
    if left { fill + s } else { s.to_string() + &fill }
}

fn commas(digits: &str, sep: char, every: usize) -> String {
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits), |d| ("-", d));
    let n = digits.chars().count();
    let mut out = sign.to_string();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (n - i) % every == 0 {
            out.push(sep);
        }
        out.push(c);
    }
    out
}

const ONES: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 10] = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];

fn words(n: u64) -> String {
    let join = |head: String, rest: u64| if rest == 0 { head } else { format!("{head} {}", words(rest)) };
    match n {
        0..=19 => ONES[n as usize].to_string(),
        20..=99 => {
            let tens = TENS[(n / 10) as usize];
            if n.is_multiple_of(10) { tens.to_string() } else { format!("{tens}-{}", ONES[(n % 10) as usize]) }
        }
        100..=999 => join(format!("{} hundred", words(n / 100)), n % 100),
        _ => {
            for (size, name) in [
                (1_000_000_000_000u64, "trillion"),
                (1_000_000_000, "billion"),
                (1_000_000, "million"),
                (1000, "thousand"),
            ] {
                if n >= size {
                    return join(format!("{} {name}", words(n / size)), n % size);
                }
            }
            n.to_string()
        }
    }
}

fn roman(mut n: u64) -> String {
    let mut out = String::new();
    for (v, s) in [
        (1000, "M"),
        (900, "CM"),
        (500, "D"),
        (400, "CD"),
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ] {
        while n >= v {
            out.push_str(s);
            n -= v;
        }
    }
    out
}

fn float_fixed(f: f64, digits: Option<usize>) -> String {
    match digits {
        Some(d) => format!("{f:.d$}"),
        None => {
            let s = format!("{f}");
            if s.contains('.') || !f.is_finite() { s } else { format!("{s}.0") }
        }
    }
}

impl Interp {
    /// `(format nil control args…)`
    pub(crate) fn format_to_string(&mut self, control: &str, args: &[Value]) -> Result<String, LispError> {
        let (parts, rest) = Parser { chars: control.chars().peekable() }.parts(0)?;
        if let Some(d) = rest {
            return Err(bad(format!("`~{}` closes nothing", d.name)));
        }
        let mut run = Run { args, at: 0, out: String::new(), stop: false, start: true };
        self.format_parts(&parts, &mut run, 0)?;
        Ok(run.out)
    }

    fn format_parts(&mut self, parts: &[Part], run: &mut Run<'_>, depth: usize) -> Result<(), LispError> {
        if depth > DEPTH {
            return Err(bad("directives are nested too deeply"));
        }
        for part in parts {
            match part {
                Part::Text(t) => {
                    run.out.push_str(t);
                    run.start = false;
                }
                Part::Directive(d) => {
                    self.format_directive(d, run, depth)?;
                    run.start = false;
                }
            }
            if run.stop {
                break;
            }
        }
        Ok(())
    }

    fn format_integer(&mut self, v: Value, radix: u32, d: &Directive, p: &Values) -> Result<String, LispError> {
        let Some(n) = self.heap.as_bigint(v) else {
            let s = self.princ(v)?;
            return Ok(pad(&s, p.size(0, 0), p.char(1, ' '), true));
        };
        let mut s = n.to_str_radix(radix);
        if d.colon {
            s = commas(&s, p.char(2, ','), p.size(3, 3).max(1));
        }
        if d.at && !n.is_negative() {
            s.insert(0, '+');
        }
        Ok(pad(&s, p.size(0, 0), p.char(1, ' '), true))
    }

    #[allow(clippy::too_many_lines)]
    fn format_directive(&mut self, d: &Directive, run: &mut Run<'_>, depth: usize) -> Result<(), LispError> {
        let mut params = Vec::new();
        for p in &d.params {
            params.push(match p {
                Param::None => None,
                Param::Argument => match run.next()? {
                    Value::Int(n) if n.unsigned_abs() <= 100_000 => Some(Param::Number(n)),
                    Value::Char(c) => Some(Param::Char(c)),
                    Value::NIL => None,
                    _ => return Err(bad("a parameter given by `v` must be a number or a character")),
                },
                Param::Rest => Some(Param::Number((run.args.len() - run.at) as i64)),
                p => Some(p.clone()),
            });
        }
        let p = Values(params);
        match d.name {
            'a' | 's' => {
                let v = run.next()?;
                let s = if d.name == 'a' { self.princ(v)? } else { self.prin1(v)? };
                let s = if d.colon && v.is_nil() { "()".to_string() } else { s };
                run.out.push_str(&pad(&s, p.size(0, 0), p.char(3, ' '), d.at));
            }
            'w' => {
                let v = run.next()?;
                let s = self.prin1(v)?;
                run.out.push_str(&s);
            }
            'd' | 'x' | 'b' | 'o' => {
                let radix = match d.name {
                    'x' => 16,
                    'b' => 2,
                    'o' => 8,
                    _ => 10,
                };
                let v = run.next()?;
                let s = self.format_integer(v, radix, d, &p)?;
                run.out.push_str(&s);
            }
            'r' => {
                let v = run.next()?;
                if let Some(radix) = p.number(0) {
                    let radix = u32::try_from(radix)
                        .ok()
                        .filter(|r| (2..=36).contains(r))
                        .ok_or_else(|| bad("a radix is from 2 to 36"))?;
                    let shifted = Values(p.0[1..].to_vec());
                    let s = self.format_integer(v, radix, d, &shifted)?;
                    run.out.push_str(&s);
                } else {
                    let n = arith::integer(self, v)?;
                    let abs = n.magnitude().to_u64();
                    let s = match abs {
                        Some(a) if d.at && (1..4000).contains(&a) => roman(a),
                        Some(a) if a < 1_000_000_000_000_000 && d.colon => ordinal(&words(a)),
                        Some(a) if a < 1_000_000_000_000_000 => words(a),
                        _ => n.to_string(),
                    };
                    if n.is_negative() {
                        run.out.push_str("minus ");
                    }
                    run.out.push_str(&s);
                }
            }
            'f' | 'e' | 'g' | '$' => {
                let v = run.next()?;
                if !arith::is_number(&self.heap, v) {
                    let s = self.princ(v)?;
                    run.out.push_str(&pad(&s, p.size(0, 0), ' ', true));
                    return Ok(());
                }
                let f = arith::to_f64(&arith::number(self, v)?);
                let (mut s, width) = match d.name {
                    '$' => (float_fixed(f, Some(p.size(0, 2))), p.size(2, 0)),
                    'e' => {
                        let s = match p.number(1) {
                            Some(n) => format!("{f:.*e}", n.max(0) as usize),
                            None => format!("{f:e}"),
                        };
                        let (m, e) = s.split_once('e').unwrap_or((&s, "0"));
                        let m = if m.contains('.') { m.to_string() } else { format!("{m}.0") };
                        let sign = if e.starts_with('-') { "" } else { "+" };
                        (format!("{m}e{sign}{e}"), p.size(0, 0))
                    }
                    _ => (
                        float_fixed(
                            f * 10f64.powi(p.number(2).unwrap_or(0) as i32),
                            p.number(1).map(|n| n.max(0) as usize),
                        ),
                        p.size(0, 0),
                    ),
                };
                if d.at && f >= 0.0 {
                    s.insert(0, '+');
                }
                run.out.push_str(&pad(&s, width, p.char(4, ' '), true));
            }
            'c' => {
                let v = run.next()?;
                let s = if d.at { self.prin1(v)? } else { self.princ(v)? };
                run.out.push_str(&s);
            }
            '%' => run.out.extend(std::iter::repeat_n('\n', p.size(0, 1))),
            '&' => {
                if run.out.is_empty() && run.start && depth == 0 {
                    run.out.push(FRESH);
                } else if !run.out.is_empty() && !run.out.ends_with('\n') {
                    run.out.push('\n');
                }
            }
            '~' => run.out.extend(std::iter::repeat_n('~', p.size(0, 1))),
            '|' => run.out.push('\u{c}'),
            't' => {
                let column = run.column();
                let (to, step) = (p.size(0, 1), p.size(1, 1));
                let target = if d.at {
                    let c = column + to;
                    if step > 1 { c.next_multiple_of(step) } else { c }
                } else if column < to {
                    to
                } else if step == 0 {
                    column
                } else {
                    column + step - (column - to) % step
                };
                run.out.extend(std::iter::repeat_n(' ', target - column));
            }
            '*' => {
                let n = p.size(0, usize::from(!d.at));
                run.at = if d.at {
                    n
                } else if d.colon {
                    run.at.saturating_sub(n.max(1))
                } else {
                    run.at + n
                };
                if run.at > run.args.len() {
                    return Err(bad("`~*` skips past the arguments"));
                }
            }
            'p' => {
                if d.colon {
                    run.at = run.at.saturating_sub(1);
                }
                let one = run.next()? == Value::Int(1);
                run.out.push_str(match (d.at, one) {
                    (false, true) => "",
                    (false, false) => "s",
                    (true, true) => "y",
                    (true, false) => "ies",
                });
            }
            '^' => {
                if run.at >= run.args.len() {
                    run.stop = true;
                }
            }
            '?' => {
                let control = run.next()?;
                let control = text(self, control)?;
                let args = run.next()?;
                let args = list(self, args)?;
                self.check_stack()?;
                let s = self.format_to_string(&control, &args)?;
                run.out.push_str(&s);
            }
            '(' => {
                let start = run.out.len();
                let inner = d.clauses.first().map_or(&[][..], Vec::as_slice);
                self.format_parts(inner, run, depth + 1)?;
                let s = run.out.split_off(start.min(run.out.len()));
                let s = match (d.colon, d.at) {
                    (false, false) => s.to_lowercase(),
                    (true, true) => s.to_uppercase(),
                    (true, false) => capitalize(&s, true),
                    (false, true) => capitalize(&s, false),
                };
                run.out.push_str(&s);
            }
            '[' => {
                let clause = if d.colon {
                    usize::from(run.next()?.is_true())
                } else if d.at {
                    if run.args.get(run.at).is_none_or(|v| v.is_nil()) {
                        run.at += 1;
                        return Ok(());
                    }
                    0
                } else {
                    let n = match p.number(0) {
                        Some(n) => n,
                        None => run.next()?.as_i64().ok_or_else(|| bad("`~[` needs an integer"))?,
                    };
                    let last = d.clauses.len() - 1;
                    match usize::try_from(n) {
                        Ok(n) if n < d.clauses.len() && !(d.default && n > last) => n,
                        _ if d.default => last,
                        _ => return Ok(()),
                    }
                };
                if let Some(parts) = d.clauses.get(clause) {
                    self.format_parts(parts, run, depth + 1)?;
                }
            }
            '{' => self.format_iteration(d, &p, run, depth)?,
            '_' | 'i' => {}
            c => return Err(bad(format!("there is no directive `~{c}`"))),
        }
        Ok(())
    }

    fn format_iteration(
        &mut self,
        d: &Directive,
        p: &Values,
        run: &mut Run<'_>,
        depth: usize,
    ) -> Result<(), LispError> {
        let inner = d.clauses.first().map_or(&[][..], Vec::as_slice);
        let items = if d.at {
            let rest = run.args[run.at.min(run.args.len())..].to_vec();
            run.at = run.args.len();
            rest
        } else {
            let l = run.next()?;
            list(self, l)?
        };
        let most = p.number(0).map_or(usize::MAX, |n| n.max(0) as usize);
        let mut round = 0;
        let mut at = 0;
        while at < items.len() && round < most {
            let out = std::mem::take(&mut run.out);
            if d.colon {
                let args = list(self, items[at])?;
                let mut sub = Run { args: &args, at: 0, out, stop: false, start: false };
                self.format_parts(inner, &mut sub, depth + 1)?;
                run.out = sub.out;
                at += 1;
            } else {
                let mut sub = Run { args: &items, at, out, stop: false, start: false };
                self.format_parts(inner, &mut sub, depth + 1)?;
                run.out = sub.out;
                if sub.stop || sub.at == at {
                    break;
                }
                at = sub.at;
            }
            round += 1;
            self.check_interrupt_now_and_then(round)?;
        }
        Ok(())
    }

    fn check_interrupt_now_and_then(&mut self, n: usize) -> Result<(), LispError> {
        if n.is_multiple_of(1024) { self.check_interrupt() } else { Ok(()) }
    }
}

fn ordinal(s: &str) -> String {
    let at = s.rfind([' ', '-']).map_or(0, |n| n + 1);
    let (head, last) = s.split_at(at);
    let last = match last {
        "one" => "first".to_string(),
        "two" => "second".to_string(),
        "three" => "third".to_string(),
        "five" => "fifth".to_string(),
        "eight" => "eighth".to_string(),
        "nine" => "ninth".to_string(),
        "twelve" => "twelfth".to_string(),
        w if w.ends_with('y') => format!("{}ieth", &w[..w.len() - 1]),
        w => format!("{w}th"),
    };
    format!("{head}{last}")
}

fn capitalize(s: &str, all: bool) -> String {
    let mut start = true;
    let mut first = true;
    s.chars()
        .map(|c| {
            let up = start && (all || first) && c.is_alphanumeric();
            if c.is_alphanumeric() {
                first = false;
            }
            start = !c.is_alphanumeric();
            if up { c.to_uppercase().next() } else { c.to_lowercase().next() }.unwrap_or(c)
        })
        .collect()
}
