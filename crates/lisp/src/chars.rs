//! Names of characters.

const NAMES: &[(&str, char)] = &[
    ("Space", ' '),
    ("Newline", '\n'),
    ("Tab", '\t'),
    ("Return", '\r'),
    ("Page", '\u{c}'),
    ("Backspace", '\u{8}'),
    ("Rubout", '\u{7f}'),
    ("Nul", '\0'),
    ("Esc", '\u{1b}'),
    ("Bell", '\u{7}'),
    ("Linefeed", '\n'),
    ("Null", '\0'),
    ("Escape", '\u{1b}'),
    ("Altmode", '\u{1b}'),
    ("Delete", '\u{7f}'),
];

/// The character that stands after `#\`.
pub fn char_named(name: &str) -> Option<char> {
    let mut chars = name.chars();
    if let (Some(c), None) = (chars.next(), chars.next()) {
        return Some(c);
    }
    if let Some((_, c)) = NAMES.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)) {
        return Some(*c);
    }
    let hex = name.strip_prefix("U+").or_else(|| name.strip_prefix(['u', 'U', 'x']))?;
    u32::from_str_radix(hex, 16).ok().and_then(char::from_u32)
}

/// What is written after `#\` for a character.
pub fn name_of(c: char) -> String {
    match NAMES.iter().find(|(_, n)| *n == c) {
        Some((name, _)) => (*name).to_string(),
        None if c.is_control() || (c.is_whitespace()) => format!("U+{:X}", c as u32),
        None => c.to_string(),
    }
}
