//! The host Lisp's outside on a real machine, and how reports are shown.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use whistler_diag::{Diagnostic, Severity, SourceMap, Style, render};

/// Writes a line to standard output.
macro_rules! say {
    () => { $crate::io::write_out(format_args!("\n")) };
    ($($part:tt)*) => { $crate::io::write_out(format_args!("{}\n", format_args!($($part)*))) };
}

/// Writes to standard output, without an end of line.
macro_rules! say_part {
    ($($part:tt)*) => { $crate::io::write_out(format_args!($($part)*)) };
}

/// Writes a line to standard error.
macro_rules! complain {
    ($($part:tt)*) => { $crate::io::write_err(format_args!("{}\n", format_args!($($part)*))) };
}

/// Writes to standard error, without an end of line.
macro_rules! complain_part {
    ($($part:tt)*) => { $crate::io::write_err(format_args!($($part)*)) };
}

/// Everything that commands say goes through here. When nobody reads any more (`| head`), there is nothing left to do:
/// the process ends, quietly.
pub fn write_out(text: std::fmt::Arguments<'_>) {
    write_bytes_out(text.to_string().as_bytes());
}

/// The same of bytes.
pub fn write_bytes_out(bytes: &[u8]) {
    let mut out = io::stdout().lock();
    let Err(e) = out.write_all(bytes).and_then(|()| out.flush()) else { return };
    if e.kind() == io::ErrorKind::BrokenPipe {
        std::process::exit(0);
    }
    write_err(format_args!("whistler: standard output: {e}\n"));
    std::process::exit(1);
}

/// Complaints go nowhere when nobody reads them, and what is done goes on.
pub fn write_err(text: std::fmt::Arguments<'_>) {
    let _ = io::stderr().write_all(text.to_string().as_bytes());
}

/// Whether standard error is a terminal that wants colour.
pub fn style() -> Style {
    let wanted = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    if wanted && io::stderr().is_terminal() { Style::Color } else { Style::Plain }
}

/// Shows reports on standard error.
pub fn report(diagnostics: &[Diagnostic], sources: &SourceMap) {
    let style = style();
    let mut err = io::stderr().lock();
    for d in diagnostics {
        // A terminal that went away is no reason to fail.
        let _ = writeln!(err, "{}", render(d, sources, style));
    }
}

/// The same, with what was left out for want of a running session in one line.
pub fn report_folded(diagnostics: &[Diagnostic], sources: &SourceMap) {
    let left_out = |d: &&Diagnostic| d.code == whistler_compiler::diagnostics::SKIPPED.code;
    let (skipped, others): (Vec<&Diagnostic>, Vec<&Diagnostic>) = diagnostics.iter().partition(left_out);
    let others: Vec<Diagnostic> = others.into_iter().cloned().collect();
    report(&others, sources);
    let places: Vec<String> =
        skipped.iter().filter_map(|d| sources.line_col(d.primary.span)).map(|at| at.line.to_string()).collect();
    let Some(first) = skipped.first() else { return };
    let file = sources.file(first.primary.span.file).map_or("", |f| f.name());
    let (lines, forms) = match skipped.len() {
        1 => ("line", "a form that needs"),
        _ => ("lines", "forms that need"),
    };
    complain!("{file}: left out: {forms} a running session ({lines} {})", places.join(", "));
}

/// `3 errors, 1 warning`, when there is anything to count.
pub fn tally(diagnostics: &[Diagnostic]) -> Option<String> {
    let count = |s: Severity| diagnostics.iter().filter(|d| d.severity == s).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    let word = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    match (errors, warnings) {
        (0, 0) => None,
        (e, 0) => Some(word(e, "error")),
        (0, w) => Some(word(w, "warning")),
        (e, w) => Some(format!("{}, {}", word(e, "error"), word(w, "warning"))),
    }
}

/// Hexadecimal digits as bytes; blanks and `:` between them are passed over, `0x` before them too.
pub fn hex(text: &str) -> Result<Vec<u8>, String> {
    let text = text.trim();
    let text = text.strip_prefix("0x").unwrap_or(text);
    let digits: Vec<char> = text.chars().filter(|c| !c.is_whitespace() && *c != ':').collect();
    if let Some(bad) = digits.iter().find(|c| !c.is_ascii_hexdigit()) {
        return Err(format!("`{bad}` is no hexadecimal digit"));
    }
    if digits.len() % 2 == 1 {
        return Err(format!("{} hexadecimal digits are no whole number of bytes", digits.len()));
    }
    let digit = |c: char| c.to_digit(16).unwrap_or(0) as u8;
    Ok(digits.chunks(2).map(|p| digit(p[0]) << 4 | digit(p[1])).collect())
}

/// Bytes as hexadecimal digits.
pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// A stopwatch.
pub fn timed<T>(f: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = f();
    (result, start.elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_read_as_people_write_it() {
        assert_eq!(hex("0x0a:ff 10"), Ok(vec![10, 255, 16]));
        assert_eq!(hex(""), Ok(vec![]));
        assert!(hex("abc").is_err());
        assert!(hex("zz").is_err());
        assert_eq!(to_hex(&[1, 255]), "01ff");
    }
}
