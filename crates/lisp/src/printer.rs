//! Forms and values as text. Invariant: what [`form_text`] writes, the reader
//! reads back as an equal form (uninterned symbols and live values apart).

mod pretty;
mod values;

pub use pretty::pretty;

use crate::{Form, FormKind, Package, Symbol, chars, number};

/// A symbol as the reader takes it, with prefix, and bars where needed.
pub fn symbol_text(symbol: Symbol) -> String {
    let name = symbol.name();
    let prefix = match symbol.package_kind() {
        Package::None => "",
        Package::Keyword => ":",
        Package::Cl => "cl:",
        Package::Bpf => "bpf:",
        Package::Uninterned => "#:",
    };
    if needs_bars(name, prefix) {
        let mut out = format!("{prefix}|");
        for c in name.chars() {
            if matches!(c, '|' | '\\') {
                out.push('\\');
            }
            out.push(c);
        }
        out.push('|');
        out
    } else if prefix.is_empty() {
        name.to_string()
    } else {
        format!("{prefix}{name}")
    }
}

fn needs_bars(name: &str, prefix: &str) -> bool {
    name.is_empty()
        || name.contains(|c: char| {
            c.is_whitespace() || matches!(c, '(' | ')' | '"' | '\'' | ';' | '`' | ',' | '|' | '\\' | ':')
        })
        || name.chars().all(|c| c == '.')
        || (prefix.is_empty() && (name.starts_with('#') || number::looks_numeric(name)))
}

/// A string as the reader takes it.
pub fn string_text(s: &str) -> String {
    let mut out = String::with_capacity(s.len() + 2);
    out.push('"');
    for c in s.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}

/// A character as the reader takes it.
pub fn char_text(c: char) -> String {
    format!("#\\{}", chars::name_of(c))
}

/// The prefix that stands for a two-element list with this head.
pub(crate) fn abbreviation(head: Symbol) -> Option<&'static str> {
    Some(match head {
        Symbol::QUOTE => "'",
        Symbol::FUNCTION => "#'",
        Symbol::QUASIQUOTE => "`",
        Symbol::UNQUOTE => ",",
        Symbol::UNQUOTE_SPLICING => ",@",
        _ => return None,
    })
}

/// A form on one line, as `prin1` writes it.
pub fn form_text(form: &Form) -> String {
    let mut out = String::new();
    write_form(form, &mut out);
    out
}

fn write_items(items: &[Form], out: &mut String) {
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push(' ');
        }
        write_form(item, out);
    }
}

fn write_form(form: &Form, out: &mut String) {
    match &form.kind {
        FormKind::Symbol(s) => out.push_str(&symbol_text(*s)),
        FormKind::Int(i) => out.push_str(&i.to_string()),
        FormKind::Big(b) => out.push_str(&b.to_string()),
        FormKind::Ratio(r) => out.push_str(&format!("{}/{}", r.0, r.1)),
        FormKind::Float(f) => out.push_str(&number::float_text(*f)),
        FormKind::Str(s) => out.push_str(&string_text(s)),
        FormKind::Char(c) => out.push_str(&char_text(*c)),
        FormKind::List(items) => match items.as_ref() {
            [] => out.push_str("nil"),
            [Form { kind: FormKind::Symbol(head), .. }, arg] if abbreviation(*head).is_some() => {
                let prefix = abbreviation(*head).unwrap_or("");
                out.push_str(prefix);
                let before = out.len();
                write_form(arg, out);
                // `, @x` must not become `,@x`.
                if prefix == "," && out.get(before..).is_some_and(|t| t.starts_with('@')) {
                    out.insert(before, ' ');
                }
            }
            items => {
                out.push('(');
                write_items(items, out);
                out.push(')');
            }
        },
        FormKind::Dotted(items, tail) => {
            out.push('(');
            write_items(items, out);
            out.push_str(" . ");
            write_form(tail, out);
            out.push(')');
        }
        FormKind::Vector(items) => {
            out.push_str("#(");
            write_items(items, out);
            out.push(')');
        }
        FormKind::Foreign(root) => out.push_str(&format!("#<{:?}>", root.get())),
    }
}

/// Text cut to a length fit for messages.
pub(crate) fn cut(mut s: String) -> String {
    const MOST: usize = 80;
    if let Some((at, _)) = s.char_indices().nth(MOST) {
        s.truncate(at);
        s.push('…');
    }
    s
}
