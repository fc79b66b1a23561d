//! The kernel's formatting for `bpf_trace_printk`, `bpf_snprintf` and
//! `bpf_seq_printf`. Invariant: a format that `bpf_bprintf_prepare` refuses is
//! refused here, with the same error number.

use crate::errno;

/// Where `%s` finds its strings.
pub(crate) trait Strings {
    /// The bytes of the string at an address, without its zero; `None` where nothing is.
    fn string(&self, addr: u64) -> Option<Vec<u8>>;
    /// Raw bytes at an address.
    fn raw(&self, addr: u64, len: usize) -> Option<Vec<u8>>;
}

/// Formats `fmt` (without its zero) with the arguments; the error is a kernel one.
pub(crate) fn format(fmt: &[u8], args: &[u64], strings: &dyn Strings) -> Result<Vec<u8>, i64> {
    let mut out = Vec::new();
    let mut args = args.iter().copied();
    let mut rest = fmt.iter().copied().peekable();
    if !fmt.is_ascii() {
        return Err(errno::EINVAL);
    }
    while let Some(c) = rest.next() {
        if c != b'%' {
            if !(c.is_ascii_graphic() || c.is_ascii_whitespace()) {
                return Err(errno::EINVAL);
            }
            out.push(c);
            continue;
        }
        if rest.next_if_eq(&b'%').is_some() {
            out.push(b'%');
            continue;
        }
        let mut spec = Spec::default();
        while let Some(flag) = rest.next_if(|c| matches!(c, b'0' | b'+' | b'-' | b' ')) {
            match flag {
                b'0' => spec.zero = true,
                b'-' => spec.left = true,
                b'+' => spec.plus = true,
                _ => spec.space = true,
            }
        }
        while let Some(digit) = rest.next_if(u8::is_ascii_digit) {
            spec.width = (spec.width * 10 + usize::from(digit - b'0')).min(1024);
        }
        let mut longs = 0;
        while rest.next_if_eq(&b'l').is_some() {
            longs += 1;
        }
        let conversion = rest.next().ok_or(errno::EINVAL)?;
        if longs > 2 || (longs > 0 && !matches!(conversion, b'i' | b'd' | b'u' | b'x' | b'X')) {
            return Err(errno::EINVAL);
        }
        let arg = args.next().ok_or(errno::EINVAL)?;
        let unsigned = if longs > 0 { arg } else { u64::from(arg as u32) };
        let signed = if longs > 0 { arg as i64 } else { i64::from(arg as i32) };
        let (sign, body) = match conversion {
            b'd' | b'i' => (spec.sign(signed < 0), signed.unsigned_abs().to_string().into_bytes()),
            b'u' => ("", unsigned.to_string().into_bytes()),
            b'x' => ("", format!("{unsigned:x}").into_bytes()),
            b'X' => ("", format!("{unsigned:X}").into_bytes()),
            b'c' => ("", vec![arg as u8]),
            b's' => ("", strings.string(arg).unwrap_or_default()),
            b'p' => ("", pointer(&mut rest, arg, strings)?),
            _ => return Err(errno::EINVAL),
        };
        spec.numeric = !matches!(conversion, b'c' | b's' | b'p');
        spec.put(&mut out, sign, &body);
    }
    Ok(out)
}

/// `%p` and its kinds: `%pK %px %ps %pS %pB`, `%pks %pus` strings, `%pi4 %pI4 %pi6 %pI6` addresses.
fn pointer(
    rest: &mut std::iter::Peekable<impl Iterator<Item = u8>>,
    arg: u64,
    strings: &dyn Strings,
) -> Result<Vec<u8>, i64> {
    let Some(kind) = rest.next_if(|c| matches!(c, b'K' | b'x' | b's' | b'S' | b'B' | b'k' | b'u' | b'i' | b'I')) else {
        return Ok(format!("{arg:016x}").into_bytes());
    };
    match kind {
        b'k' | b'u' => {
            rest.next_if_eq(&b's').ok_or(errno::EINVAL)?;
            Ok(strings.string(arg).unwrap_or_default())
        }
        b'i' | b'I' => match rest.next() {
            Some(b'4') => {
                let a = strings.raw(arg, 4).unwrap_or_else(|| vec![0; 4]);
                let pad = |b: &u8| if kind == b'i' { format!("{b:03}") } else { b.to_string() };
                Ok(a.iter().map(pad).collect::<Vec<_>>().join(".").into_bytes())
            }
            Some(b'6') => {
                let a = strings.raw(arg, 16).unwrap_or_else(|| vec![0; 16]);
                let words = a.chunks(2).map(|w| w.iter().map(|b| format!("{b:02x}")).collect::<String>());
                Ok(words.collect::<Vec<_>>().join(if kind == b'I' { ":" } else { "" }).into_bytes())
            }
            _ => Err(errno::EINVAL),
        },
        b's' | b'S' | b'B' => Ok(format!("{arg:#x}").into_bytes()),
        _ => Ok(format!("{arg:016x}").into_bytes()),
    }
}

#[derive(Default)]
struct Spec {
    zero: bool,
    left: bool,
    plus: bool,
    space: bool,
    numeric: bool,
    width: usize,
}

impl Spec {
    fn sign(&self, negative: bool) -> &'static str {
        match (negative, self.plus, self.space) {
            (true, _, _) => "-",
            (false, true, _) => "+",
            (false, false, true) => " ",
            _ => "",
        }
    }

    fn put(&self, out: &mut Vec<u8>, sign: &str, body: &[u8]) {
        let missing = self.width.saturating_sub(sign.len() + body.len());
        let fill = |out: &mut Vec<u8>, c: u8| out.extend(std::iter::repeat_n(c, missing));
        let zeros = self.zero && !self.left && self.numeric;
        if !self.left && !zeros {
            fill(out, b' ');
        }
        out.extend_from_slice(sign.as_bytes());
        if zeros {
            fill(out, b'0');
        }
        out.extend_from_slice(body);
        if self.left {
            fill(out, b' ');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed;
    impl Strings for Fixed {
        fn string(&self, addr: u64) -> Option<Vec<u8>> {
            (addr == 1).then(|| b"bash".to_vec())
        }
        fn raw(&self, _: u64, len: usize) -> Option<Vec<u8>> {
            Some((1..=len as u8).collect())
        }
    }

    fn text(fmt: &str, args: &[u64]) -> Result<String, i64> {
        format(fmt.as_bytes(), args, &Fixed).map(|b| String::from_utf8(b).unwrap())
    }

    #[test]
    fn conversions() {
        let minus = -1i64 as u64;
        for (fmt, args, want) in [
            ("plain 100%%\n", &[][..], "plain 100%\n"),
            ("%d %i", &[minus, 7], "-1 7"),
            ("%u", &[minus], "4294967295"),
            ("%lu %llu", &[minus, minus], "18446744073709551615 18446744073709551615"),
            ("%ld", &[minus], "-1"),
            ("%x %X %lx", &[0xab, 0xab, 0x1_0000_0000], "ab AB 100000000"),
            ("[%5d] [%-5d] [%05d] [%+d]", &[42, 42, minus, 42], "[   42] [42   ] [-0001] [+42]"),
            ("%s|%8s|%s", &[1, 1, 2], "bash|    bash|"),
            ("%c%c", &[b'o'.into(), b'k'.into()], "ok"),
            ("%pI4 %pi4", &[0, 0], "1.2.3.4 001.002.003.004"),
            ("%pI6", &[0], "0102:0304:0506:0708:090a:0b0c:0d0e:0f10"),
            ("%pks %px", &[1, 0xff], "bash 00000000000000ff"),
        ] {
            assert_eq!(text(fmt, args).as_deref(), Ok(want), "{fmt}");
        }
    }

    #[test]
    fn what_the_kernel_refuses() {
        for fmt in ["%", "%5", "%f", "%hd", "%llld", "%ls", "%d", "%pq4 %pi5", "caf\u{e9}", "\u{1}"] {
            assert_eq!(text(fmt, &[]), Err(errno::EINVAL), "{fmt}");
        }
    }
}
