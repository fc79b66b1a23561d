//! Tokens that are a datum by themselves.

use std::borrow::Cow;

use whistler_diag::Diagnostic;

use super::{BAD_CHAR, BAD_NUMBER, BAD_SYMBOL, Reader, UNCLOSED_COMMENT, UNCLOSED_STRING};
use crate::chars::char_named;
use crate::lexer::{Token, TokenKind};
use crate::number::{self, Number};
use crate::symbol::Package;
use crate::{Form, FormKind, Symbol};

impl Reader<'_> {
    /// The datum of a token; `None` after an error.
    pub(super) fn atom(&mut self, token: Token) -> Option<Form> {
        let span = self.span_of(token);
        let text = self.text_of(token);
        let kind = match token.kind {
            TokenKind::Str { closed } => {
                if !closed {
                    let start = self.span(token.lo, token.lo + 1);
                    self.diagnostics.push(
                        Diagnostic::error(UNCLOSED_STRING, start, "this string is not closed").help("end it with `\"`"),
                    );
                }
                let body = text.strip_prefix('"').unwrap_or(text);
                let body = if closed { body.strip_suffix('"').unwrap_or(body) } else { body };
                FormKind::Str(unescape(body).into())
            }
            TokenKind::Char => match char_named(text.strip_prefix("#\\").unwrap_or("")) {
                Some(c) => FormKind::Char(c),
                None => {
                    self.report(
                        Diagnostic::error(BAD_CHAR, span, format!("there is no character `{text}`"))
                            .help("one character follows `#\\`, or a name such as `Space`, `Newline`, `Tab`"),
                    );
                    return None;
                }
            },
            TokenKind::Number => match number::parse(text) {
                Some(Number::Int(i)) => FormKind::Int(i),
                Some(Number::Big(b)) => FormKind::Big(b.into()),
                Some(Number::Ratio(n, d)) => FormKind::Ratio((n, d).into()),
                Some(Number::Float(f)) => FormKind::Float(f),
                None => {
                    self.report(Diagnostic::error(BAD_NUMBER, span, format!("`{text}` is not a number")));
                    return None;
                }
            },
            _ => return self.symbol(token, text),
        };
        Some(Form::new(kind, span))
    }

    fn symbol(&mut self, token: Token, text: &str) -> Option<Form> {
        let span = self.span_of(token);
        if token.kind == (TokenKind::Symbol { closed: false }) {
            let d = Diagnostic::error(UNCLOSED_COMMENT, span, "the `|` in this symbol is not closed")
                .help("add the second `|`");
            self.diagnostics.push(d);
            return None;
        }
        if text.chars().all(|c| c == '.') {
            self.report(Diagnostic::error(BAD_SYMBOL, span, "a symbol can't be made of dots alone"));
            return None;
        }
        let symbol = match token.kind {
            TokenKind::Uninterned => Symbol::uninterned(&unbar(text.get(2..).unwrap_or("")).0),
            TokenKind::Keyword => {
                let (name, _) = unbar(text.trim_start_matches(':'));
                if name.is_empty() && !text.contains('|') {
                    self.report(Diagnostic::error(BAD_SYMBOL, span, "a keyword needs a name after its colon"));
                    return None;
                }
                Symbol::keyword(&name)
            }
            _ => {
                let (name, colon) = unbar(text);
                match colon {
                    Some((at, len)) => {
                        let (package, rest) = name.split_at(at);
                        Symbol::with_prefix(package, rest.get(len..).unwrap_or(""))
                    }
                    None => Symbol::intern_in(Package::None, &name),
                }
            }
        };
        Some(Form::symbol(symbol, span))
    }
}

/// The text of a string literal: a backslash takes the next character as it is.
fn unescape(body: &str) -> String {
    let mut out = String::with_capacity(body.len());
    let mut chars = body.chars();
    while let Some(c) = chars.next() {
        if c == '\\' {
            out.extend(chars.next());
        } else {
            out.push(c);
        }
    }
    out
}

/// A symbol's name without bars and backslashes, and where its package marker is (place and length).
fn unbar(text: &str) -> (Cow<'_, str>, Option<(usize, usize)>) {
    if !text.bytes().any(|b| matches!(b, b'|' | b'\\' | b':')) {
        return (text.into(), None);
    }
    let mut out = String::with_capacity(text.len());
    let mut colon = None;
    let mut barred = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '|' => barred = !barred,
            '\\' => out.extend(chars.next()),
            ':' if !barred && colon.is_none() && !out.is_empty() => {
                let at = out.len();
                out.push(':');
                if chars.peek() == Some(&':') {
                    chars.next();
                    out.push(':');
                }
                // A name with nothing after the colon keeps it as part of the name.
                if chars.peek().is_some() {
                    colon = Some((at, out.len() - at));
                }
            }
            c => out.push(c),
        }
    }
    (out.into(), colon)
}
