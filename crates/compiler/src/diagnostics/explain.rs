//! The pages on codes: for `whistler explain` and for the manual, from the same rows.

use std::fmt::Write as _;

use super::{CodeDoc, codes};
use crate::names::nearest;

/// What the codes that begin so are about.
const FAMILIES: &[(&str, &str)] = &[
    ("00", "Names, arguments, the shape of forms"),
    ("002", "Syntax: what the reader can't read"),
    ("003", "Syntax: what the reader can't read"),
    ("005", "Forms outside of programs, while they are evaluated"),
    ("01", "Numbers: signs, constants, divisors, shifts"),
    ("02", "Maps: declarations, keys, values, indices"),
    ("03", "Pointers: null, packets, bounds, read-only memory"),
    ("04", "What a type of program may do: its context, helpers, results"),
    ("05", "Control: loops, records and references, locks"),
    ("07", "Size and target of the code"),
    ("08", "What the kernel refuses"),
    ("09", "The live image and its tests"),
];

fn family(code: &str) -> &'static str {
    let digits = code.get(1..).unwrap_or_default();
    let fits = FAMILIES.iter().filter(|(start, _)| digits.starts_with(start));
    fits.max_by_key(|(start, _)| start.len()).map_or("Others", |(_, about)| about)
}

/// The doc's text without the margin that documentation comments have.
fn lines(doc: &CodeDoc) -> impl Iterator<Item = &'static str> {
    doc.text.lines().map(|l| l.strip_prefix(' ').unwrap_or(l))
}

/// The page on a code such as `E0301`, as text.
///
/// # Errors
///
/// For what is no code: which one may have been meant.
pub fn explain(code: &str) -> Result<String, String> {
    let Some(doc) = codes().find(|d| d.code.0.eq_ignore_ascii_case(code)) else { return Err(suggestion(code)) };
    let mut page = format!("{}: {}\n\n", doc.code, doc.title);
    for line in lines(doc) {
        page.push_str(line);
        page.push('\n');
    }
    for (head, example) in [("Wrong", doc.wrong), ("Mended", doc.right)] {
        if example.is_empty() {
            continue;
        }
        let flags = if doc.flags.is_empty() { String::new() } else { format!(" (with {})", doc.flags) };
        let _ = writeln!(page, "\n{head}{flags}:\n");
        for line in example.lines() {
            let _ = writeln!(page, "    {line}");
        }
    }
    Ok(page)
}

/// What to say where there is no such code.
fn suggestion(wanted: &str) -> String {
    let mut text = format!("there is no code `{wanted}`");
    let looks_like_one = wanted.bytes().filter(u8::is_ascii_digit).count() >= 3;
    let word = wanted.to_ascii_lowercase();
    let about: Vec<&CodeDoc> =
        codes().filter(|d| !looks_like_one && d.title.to_ascii_lowercase().contains(&word)).collect();
    if !about.is_empty() {
        text.push_str("; these are about it:");
        for d in about {
            let _ = write!(text, "\n  {}  {}", d.code, d.title);
        }
    } else if let Some(near) = nearest_code(wanted) {
        let _ = write!(text, "; the nearest is {}: {}", near.code, near.title);
    } else {
        text.push_str("; they look like E0301, and `whistler explain` alone lists them");
    }
    text
}

/// The code nearest by number among those of the same family, else by letters.
fn nearest_code(wanted: &str) -> Option<&'static CodeDoc> {
    let number = |c: &str| c.get(1..)?.parse::<i32>().ok();
    let family = codes().filter(|d| d.code.0.get(..3).is_some_and(|f| wanted.to_ascii_uppercase().starts_with(f)));
    let by_number = number(wanted).and_then(|n| family.min_by_key(|d| number(d.code.0).map(|m| n.abs_diff(m))));
    by_number.or_else(|| {
        let near = nearest(wanted, codes().map(|d| d.code.0))?;
        codes().find(|d| d.code.0 == near)
    })
}

/// All codes with their titles, by families.
pub fn list() -> String {
    let mut out = String::new();
    let mut last = "";
    for d in codes() {
        let about = family(d.code.0);
        if about != last {
            let gap = if last.is_empty() { "" } else { "\n" };
            let _ = writeln!(out, "{gap}{about}");
            last = about;
        }
        let _ = writeln!(out, "  {}  {}", d.code, d.title);
    }
    out.push_str("\nE: an error, W: a warning, N: a note. `whistler explain CODE` tells more about one.\n");
    out
}

/// The manual's chapter of codes, in Markdown.
pub fn manual() -> String {
    let mut out = String::from(
        "# All codes\n\nMade from the compiler's table; `UPDATE=1 cargo test -p whistler-compiler --test manual` makes it anew.\n\
         The same is shown by `whistler explain CODE`. A test compiles every example: the first of a pair gets its code\n\
         and nothing else, the second passes without a word. How to read a report: [Errors](errors.md).\n",
    );
    let mut last = "";
    for d in codes() {
        let about = family(d.code.0);
        if about != last {
            let _ = write!(out, "\n## {about}\n");
            last = about;
        }
        let _ = write!(out, "\n### {}: {}\n\n", d.code, d.title);
        for line in lines(d) {
            // Angle brackets would be tags.
            let _ = writeln!(out, "{}", line.replace('<', "&lt;"));
        }
        if d.wrong.is_empty() {
            continue;
        }
        let flags = if d.flags.is_empty() { String::new() } else { format!(" (with `{}`)", d.flags) };
        let _ = write!(
            out,
            "\n```lisp,{}\n{}\n```\n\nMended{flags}:\n\n```lisp,mended\n{}\n```\n",
            d.code, d.wrong, d.right
        );
    }
    out
}
