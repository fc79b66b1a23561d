//! Lines that programs emit: what a site's record looks like, and how it becomes text again. Invariant: everything that
//! a reader needs stands in the object, in the constant [`SITES`], so a record can be printed by whoever has the file.
//!
//! A record in the ring buffer [`RING`] is: the site's number (4 bytes), 4 zero bytes, then for every conversion of the
//! format a number of 8 bytes, or text in as many bytes as its layout says (filled up to a multiple of 8, ending at the
//! first zero byte). [`SITES`] has one line a site: number in hex, layouts joined by `,` (`-` for none), and the format,
//! in which `\n` and `\\` stand for a newline and a backslash.

use std::fmt::Write;

use crate::Object;

/// The ring buffer that all programs emit to.
pub const RING: &str = "whistler_emit";
/// The constant that describes the sites.
pub const SITES: &str = "whistler_emit_sites";
/// Bytes of the ring buffer.
pub const RING_SIZE: u32 = 256 * 1024;
/// Bytes before the first value.
pub const HEADER: u32 = 8;

/// What a conversion's value is in the record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Layout {
    /// A number; in the record it takes 8 bytes.
    Number {
        /// Bytes of its type.
        size: u8,
        /// Whether it has negative values.
        signed: bool,
    },
    /// Text of at most so many bytes.
    Text(u32),
}

impl Layout {
    /// Bytes in the record.
    pub fn room(self) -> u32 {
        match self {
            Layout::Number { .. } => 8,
            Layout::Text(n) => n.next_multiple_of(8),
        }
    }

    fn parse(text: &str) -> Option<Layout> {
        let (kind, n) = text.split_at_checked(1)?;
        Some(match kind {
            "i" | "u" => Layout::Number { size: n.parse().ok()?, signed: kind == "i" },
            "s" => Layout::Text(n.parse().ok()?),
            _ => return None,
        })
    }
}

impl std::fmt::Display for Layout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Layout::Number { size, signed } => write!(f, "{}{size}", if *signed { 'i' } else { 'u' }),
            Layout::Text(n) => write!(f, "s{n}"),
        }
    }
}

/// One place in a program that emits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Site {
    /// Its number in records: made from the rest, so the same in every object.
    pub id: u32,
    /// The format as written.
    pub format: String,
    /// What each conversion takes.
    pub layouts: Vec<Layout>,
}

impl Site {
    /// A site with its number.
    pub fn new(format: &str, layouts: Vec<Layout>) -> Site {
        let mut site = Site { id: 0, format: format.to_string(), layouts };
        // FNV-1a over the line without its number.
        site.id = site.line().bytes().fold(0x811c_9dc5, |h, b| (h ^ u32::from(b)).wrapping_mul(0x0100_0193));
        site
    }

    /// Bytes of its record.
    pub fn record_size(&self) -> u32 {
        HEADER + self.layouts.iter().map(|l| l.room()).sum::<u32>()
    }

    fn line(&self) -> String {
        let layouts: Vec<String> = self.layouts.iter().map(ToString::to_string).collect();
        let layouts = if layouts.is_empty() { "-".to_string() } else { layouts.join(",") };
        format!("{layouts} {}", self.format.replace('\\', "\\\\").replace('\n', "\\n"))
    }

    fn parse(line: &str) -> Option<Site> {
        let (id, rest) = line.split_once(' ')?;
        let (layouts, format) = rest.split_once(' ')?;
        let layouts = match layouts {
            "-" => Vec::new(),
            l => l.split(',').map(Layout::parse).collect::<Option<_>>()?,
        };
        let mut text = String::new();
        let mut chars = format.chars();
        while let Some(c) = chars.next() {
            match c {
                '\\' => text.push(if chars.next() == Some('n') { '\n' } else { '\\' }),
                c => text.push(c),
            }
        }
        Some(Site { id: u32::from_str_radix(id, 16).ok()?, format: text, layouts })
    }

    /// The line that a record of this site stands for; `None` when the record is too short.
    pub fn render(&self, record: &[u8]) -> Option<String> {
        let mut values = Vec::new();
        let mut at = HEADER as usize;
        for l in &self.layouts {
            let bytes = record.get(at..at + l.room() as usize)?;
            at += l.room() as usize;
            values.push(match *l {
                Layout::Number { size, signed } => {
                    let bits = u64::from_le_bytes(*bytes.first_chunk::<8>()?);
                    Value::Number { bits, size, signed }
                }
                Layout::Text(n) => {
                    let text = bytes.get(..n as usize)?;
                    let end = text.iter().position(|b| *b == 0).unwrap_or(text.len());
                    Value::Text(String::from_utf8_lossy(&text[..end]).into_owned())
                }
            });
        }
        Some(format(&self.format, &values))
    }
}

/// The constant's bytes for these sites.
pub fn table(sites: &[Site]) -> Vec<u8> {
    let mut text = String::new();
    for s in sites {
        let _ = writeln!(text, "{:08x} {}", s.id, s.line());
    }
    let mut bytes = text.into_bytes();
    bytes.push(0);
    bytes
}

/// The sites that an object's programs emit from.
pub fn sites(object: &Object) -> Vec<Site> {
    let bytes = object.global(SITES).map_or(&[][..], |g| &g.init);
    let text = String::from_utf8_lossy(bytes.strip_suffix(&[0]).unwrap_or(bytes)).into_owned();
    text.lines().filter_map(Site::parse).collect()
}

/// The line that a record of one of these sites stands for; what is not known is shown in hex.
pub fn render(sites: &[Site], record: &[u8]) -> String {
    let id = record.first_chunk::<4>().map(|b| u32::from_le_bytes(*b));
    let line = sites.iter().find(|s| Some(s.id) == id).and_then(|s| s.render(record));
    line.unwrap_or_else(|| {
        record.iter().fold("(record of an unknown site) ".to_string(), |mut s, b| {
            let _ = write!(s, "{b:02x}");
            s
        })
    })
}

enum Value {
    Number { bits: u64, size: u8, signed: bool },
    Text(String),
}

/// One conversion of a format, or the text before it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Piece {
    /// Text as it is.
    Text(String),
    /// A conversion.
    Conversion(Conversion),
}

/// A conversion as C writes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Conversion {
    /// `-`, `0`, `#`, `+`, space.
    pub flags: String,
    /// Least width.
    pub width: usize,
    /// Most bytes of text.
    pub precision: Option<u32>,
    /// `d i u x X o c s p`.
    pub kind: char,
}

/// A format in its pieces; the first conversion that is not known as the error.
pub fn pieces(format: &str) -> Result<Vec<Piece>, String> {
    let mut out = Vec::new();
    let mut text = String::new();
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            text.push(c);
            continue;
        }
        if chars.next_if_eq(&'%').is_some() {
            text.push('%');
            continue;
        }
        let mut written = String::from("%");
        let mut take = |ok: &dyn Fn(char) -> bool| {
            let mut s = String::new();
            while let Some(c) = chars.next_if(|c| ok(*c)) {
                s.push(c);
                written.push(c);
            }
            s
        };
        let flags = take(&|c| "-0#+ ".contains(c));
        let width = take(&|c| c.is_ascii_digit()).parse().unwrap_or(0);
        let precision = if take(&|c| c == '.').is_empty() {
            None
        } else {
            Some(take(&|c| c.is_ascii_digit()).parse().unwrap_or(0))
        };
        take(&|c| c == 'l');
        match chars.next() {
            Some(kind) if "diuxXocsp".contains(kind) => {
                if !text.is_empty() {
                    out.push(Piece::Text(std::mem::take(&mut text)));
                }
                out.push(Piece::Conversion(Conversion { flags, width, precision, kind }));
            }
            Some(c) => return Err(format!("{written}{c}")),
            None => return Err(written),
        }
    }
    if !text.is_empty() {
        out.push(Piece::Text(text));
    }
    Ok(out)
}

fn format(text: &str, values: &[Value]) -> String {
    let mut out = String::new();
    let mut values = values.iter();
    for p in pieces(text).unwrap_or_default() {
        match p {
            Piece::Text(t) => out.push_str(&t),
            Piece::Conversion(c) => {
                if let Some(v) = values.next() {
                    out.push_str(&c.apply(v));
                }
            }
        }
    }
    out
}

impl Conversion {
    fn apply(&self, v: &Value) -> String {
        let (sign, body) = match v {
            Value::Text(t) => (String::new(), t.clone()),
            Value::Number { bits, size, signed } => self.number(*bits, *size, *signed),
        };
        let len = sign.chars().count() + body.chars().count();
        let fill = self.width.saturating_sub(len);
        if self.flags.contains('-') {
            return format!("{sign}{body}{}", " ".repeat(fill));
        }
        if self.flags.contains('0') && !matches!(v, Value::Text(_)) {
            return format!("{sign}{}{body}", "0".repeat(fill));
        }
        format!("{}{sign}{body}", " ".repeat(fill))
    }

    fn number(&self, bits: u64, size: u8, signed: bool) -> (String, String) {
        let width = u32::from(size.clamp(1, 8)) * 8;
        let cut = if width == 64 { bits } else { bits & ((1 << width) - 1) };
        let prefix = |p: &str| if self.flags.contains('#') { p.to_string() } else { String::new() };
        match self.kind {
            'x' => (prefix("0x"), format!("{cut:x}")),
            'X' => (prefix("0X"), format!("{cut:X}")),
            'o' => (prefix("0"), format!("{cut:o}")),
            'p' => ("0x".to_string(), format!("{bits:x}")),
            'c' => (String::new(), char::from(bits as u8).to_string()),
            'u' => (String::new(), cut.to_string()),
            _ if signed => {
                let n = bits as i64;
                let sign = if n < 0 {
                    "-"
                } else if self.flags.contains('+') {
                    "+"
                } else {
                    ""
                };
                (sign.to_string(), n.unsigned_abs().to_string())
            }
            _ => ((if self.flags.contains('+') { "+" } else { "" }).to_string(), bits.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(site: &Site, parts: &[&[u8]]) -> Vec<u8> {
        let mut out = site.id.to_le_bytes().to_vec();
        out.extend([0; 4]);
        for (l, p) in site.layouts.iter().zip(parts) {
            let mut bytes = p.to_vec();
            bytes.resize(l.room() as usize, 0);
            out.extend(bytes);
        }
        out
    }

    fn line(format: &str, layouts: &[Layout], parts: &[&[u8]]) -> String {
        let site = Site::new(format, layouts.to_vec());
        site.render(&record(&site, parts)).expect("long enough")
    }

    const I4: Layout = Layout::Number { size: 4, signed: true };
    const U1: Layout = Layout::Number { size: 1, signed: false };

    #[test]
    fn numbers_and_text_as_c_prints_them() {
        let minus = (-5i64).to_le_bytes();
        assert_eq!(line("a=%d b=%u", &[I4, I4], &[&minus, &minus]), "a=-5 b=4294967291");
        assert_eq!(line("%05d|%-5d|%5d|%+d", &[I4; 4], &[&[7], &[7], &[7], &[7]]), "00007|7    |    7|+7");
        assert_eq!(line("%#x %X %o %c %p", &[U1; 5], &[&[255], &[171], &[8], b"A", &[16]]), "0xff AB 10 A 0x10");
        assert_eq!(
            line("%s|%8s|%-4s|100%%", &[Layout::Text(5); 3], &[b"hello", b"ab\0zz", b"x"]),
            "hello|      ab|x   |100%"
        );
        assert_eq!(line("%05d", &[I4], &[&minus]), "-0005");
    }

    #[test]
    fn sites_are_written_and_read_again() {
        let sites = [
            Site::new("a %d\nb \\ %s", vec![I4, Layout::Text(16)]),
            Site::new("nothing", Vec::new()),
            Site::new("nothing ", Vec::new()),
        ];
        let global = crate::Global {
            name: SITES.into(),
            init: table(&sites),
            align: 1,
            mutability: crate::Mutability::ReadOnly,
            section: None,
            type_id: None,
            span: whistler_diag::Span::NONE,
        };
        let object = Object { globals: vec![global], ..Object::default() };
        assert_eq!(super::sites(&object), sites);
        assert_ne!(sites[1].id, sites[2].id);
        assert_eq!(render(&sites, &record(&sites[1], &[])), "nothing");
        assert_eq!(render(&sites, &[1, 2]), "(record of an unknown site) 0102");
        assert!(super::sites(&Object::default()).is_empty());
    }

    #[test]
    fn what_is_no_conversion_is_told() {
        assert_eq!(pieces("%d %q"), Err("%q".to_string()));
        assert_eq!(pieces("100%"), Err("%".to_string()));
        assert_eq!(pieces("%lld %08.3x").map(|p| p.len()), Ok(3));
    }
}
