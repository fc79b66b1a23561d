//! Text into forms. Invariant: any text gives forms and diagnostics, never a
//! failure; what can be read is read, so that several errors show at once.

mod atoms;
mod balance;

use std::rc::Rc;

use whistler_diag::{Code, Diagnostic, FileId, SourceMap, Span};

use crate::lexer::{Lexer, Token, TokenKind};
use crate::{Form, FormKind, NESTING_LIMIT, Symbol};

/// A list that is not closed.
pub const UNCLOSED: Code = Code("E0021");
/// A `)` too many.
pub const EXTRA_CLOSE: Code = Code("E0022");
/// A string that is not closed.
pub const UNCLOSED_STRING: Code = Code("E0023");
/// A block comment or a `|symbol|` that is not closed.
pub const UNCLOSED_COMMENT: Code = Code("E0024");
/// A `#` syntax that isn't known.
pub const UNKNOWN_SHARP: Code = Code("E0025");
/// No such character.
pub const BAD_CHAR: Code = Code("E0026");
/// A number that can't be.
pub const BAD_NUMBER: Code = Code("E0027");
/// A dot where none can be.
pub const BAD_DOT: Code = Code("E0028");
/// A prefix with nothing after it.
pub const NOTHING_AFTER: Code = Code("E0029");
/// Lists nested too deeply.
pub const TOO_DEEP: Code = Code("E0030");
/// A comma outside of a backquote.
pub const STRAY_COMMA: Code = Code("E0031");
/// A symbol that can't be.
pub const BAD_SYMBOL: Code = Code("E0032");

/// Names for which `#+` takes the form.
pub const FEATURES: &[&str] = &["whistler", "common-lisp", "linux", "unix", "64-bit", "x86-64", "little-endian"];

/// All forms of a file of `sources`, and what is wrong with it.
pub fn read(sources: &SourceMap, file: FileId) -> (Vec<Form>, Vec<Diagnostic>) {
    match sources.file(file) {
        Some(f) => read_text(file, f.text()),
        None => (Vec::new(), Vec::new()),
    }
}

/// All forms of a text whose spans are to say `file`.
pub fn read_text(file: FileId, text: &str) -> (Vec<Form>, Vec<Diagnostic>) {
    read_part(file, text, 0)
}

/// The same for a part of a file that begins at byte `base` of it.
pub(crate) fn read_part(file: FileId, text: &str, base: u32) -> (Vec<Form>, Vec<Diagnostic>) {
    // A token of Lisp is about five bytes long.
    let mut tokens: Vec<Token> = Vec::with_capacity(text.len() / 5);
    tokens.extend(Lexer::new(text));
    let new = |tokens| Reader { base, ..Reader::new(file, text, tokens) };
    let mut reader = new(&tokens);
    let forms = reader.top();
    if !reader.unclosed {
        return (forms, reader.diagnostics);
    }
    // A list runs to the end of the text: find by its layout where it should have ended, and read each
    // top-level form by itself, so that one missing parenthesis doesn't swallow the rest of the file.
    let mut forms = Vec::new();
    let mut diagnostics = Vec::new();
    for part in balance::top_level_parts(text, &tokens) {
        let mut reader = new(part);
        forms.append(&mut reader.top());
        diagnostics.append(&mut reader.diagnostics);
    }
    (forms, diagnostics)
}

/// Whether a text at the prompt is whole: nothing in it is still open.
pub fn is_complete(text: &str) -> bool {
    let mut depth = 0i64;
    let mut pending = false;
    for token in Lexer::new(text) {
        match token.kind {
            TokenKind::Open | TokenKind::VectorOpen => {
                depth += 1;
                pending = false;
            }
            TokenKind::Close => {
                depth -= 1;
                if depth < 0 {
                    return true;
                }
                pending = false;
            }
            TokenKind::Str { closed: false }
            | TokenKind::BlockComment { closed: false }
            | TokenKind::Symbol { closed: false } => {
                return false;
            }
            TokenKind::Quote
            | TokenKind::Backquote
            | TokenKind::Unquote
            | TokenKind::UnquoteSplicing
            | TokenKind::FunctionQuote
            | TokenKind::FeaturePlus
            | TokenKind::FeatureMinus
            | TokenKind::Pathname => pending = true,
            TokenKind::LineComment | TokenKind::BlockComment { .. } => {}
            _ => pending = false,
        }
    }
    depth == 0 && !pending
}

/// The first form of a text and the byte after it, for `read-from-string`.
pub(crate) fn read_one(text: &str) -> Result<Option<(Form, usize)>, Box<Diagnostic>> {
    let tokens: Vec<Token> = Lexer::new(text).collect();
    let mut reader = Reader::new(Span::NONE.file, text, &tokens);
    let form = reader.datum(0);
    let end = reader.last_end();
    match reader.diagnostics.into_iter().next() {
        Some(d) => Err(Box::new(d)),
        None => Ok(form.map(|f| (f, end))),
    }
}

struct Reader<'a> {
    file: FileId,
    /// Where in the file the text begins.
    base: u32,
    text: &'a str,
    tokens: &'a [Token],
    at: usize,
    diagnostics: Vec<Diagnostic>,
    backquotes: usize,
    /// Inside what `#+` or `#-` leaves out: wrong numbers and the like don't matter there.
    suppressed: usize,
    unclosed: bool,
}

impl<'a> Reader<'a> {
    fn new(file: FileId, text: &'a str, tokens: &'a [Token]) -> Reader<'a> {
        Reader {
            file,
            base: 0,
            text,
            tokens,
            at: 0,
            diagnostics: Vec::new(),
            backquotes: 0,
            suppressed: 0,
            unclosed: false,
        }
    }

    fn last_end(&self) -> usize {
        self.at.checked_sub(1).and_then(|i| self.tokens.get(i)).map_or(0, |t| t.hi)
    }

    fn span(&self, lo: usize, hi: usize) -> Span {
        Span::new(self.file, self.base + lo as u32, self.base + hi as u32)
    }

    fn span_of(&self, token: Token) -> Span {
        self.span(token.lo, token.hi)
    }

    fn text_of(&self, token: Token) -> &'a str {
        self.text.get(token.lo..token.hi).unwrap_or("")
    }

    fn report(&mut self, d: Diagnostic) {
        if self.suppressed == 0 {
            self.diagnostics.push(d);
        }
    }

    /// The next token that isn't a comment, without taking it.
    fn peek(&mut self) -> Option<Token> {
        while let Some(token) = self.tokens.get(self.at) {
            match token.kind {
                TokenKind::LineComment | TokenKind::BlockComment { closed: true } => self.at += 1,
                TokenKind::BlockComment { closed: false } => {
                    let span = self.span(token.lo, token.lo + 2);
                    self.diagnostics.push(
                        Diagnostic::error(UNCLOSED_COMMENT, span, "this comment is not closed")
                            .help("end it with `|#`"),
                    );
                    self.at += 1;
                }
                _ => return Some(*token),
            }
        }
        None
    }

    fn top(&mut self) -> Vec<Form> {
        let mut forms = Vec::new();
        while let Some(token) = self.peek() {
            if token.kind == TokenKind::Close {
                self.at += 1;
                let span = self.span_of(token);
                self.diagnostics.push(
                    Diagnostic::error(EXTRA_CLOSE, span, "this `)` closes nothing")
                        .help("remove it, or add the `(` it belongs to"),
                );
                continue;
            }
            if let Some(form) = self.datum(0) {
                forms.push(form);
            }
        }
        forms
    }

    /// The next datum; `None` at a `)` (not taken), at the end, or when it couldn't be read.
    fn datum(&mut self, depth: usize) -> Option<Form> {
        loop {
            let token = self.peek()?;
            if token.kind == TokenKind::Close {
                return None;
            }
            if depth >= NESTING_LIMIT {
                let message = format!("lists are nested more than {NESTING_LIMIT} deep here");
                let span = self.span_of(token);
                self.diagnostics.push(Diagnostic::error(TOO_DEEP, span, message).help("split the form into several"));
                self.at = self.tokens.len();
                return None;
            }
            self.at += 1;
            use TokenKind as K;
            match token.kind {
                K::Open => return self.list(token, depth),
                K::VectorOpen => {
                    let (items, tail) = self.items(token, depth);
                    if let Some(tail) = tail {
                        self.report(Diagnostic::error(BAD_DOT, tail.span, "a vector can't have a dotted end"));
                    }
                    let span = self.span(token.lo, self.last_end());
                    return Some(Form::new(FormKind::Vector(items.into()), span));
                }
                K::Quote => return self.prefixed(token, Symbol::QUOTE, depth),
                K::FunctionQuote => return self.prefixed(token, Symbol::FUNCTION, depth),
                K::Backquote => {
                    self.backquotes += 1;
                    let form = self.prefixed(token, Symbol::QUASIQUOTE, depth);
                    self.backquotes -= 1;
                    return form;
                }
                K::Unquote | K::UnquoteSplicing => {
                    let name = if token.kind == K::Unquote { Symbol::UNQUOTE } else { Symbol::UNQUOTE_SPLICING };
                    if self.backquotes == 0 {
                        let span = self.span_of(token);
                        self.report(
                            Diagnostic::error(STRAY_COMMA, span, "this comma is not inside a backquote")
                                .help("write `` ` `` before the template it belongs to"),
                        );
                        continue;
                    }
                    let saved = self.backquotes;
                    self.backquotes -= 1;
                    let form = self.prefixed(token, name, depth);
                    self.backquotes = saved;
                    return form;
                }
                K::FeaturePlus | K::FeatureMinus => {
                    let Some(test) = self.after(token, depth) else { continue };
                    if feature(&test) == (token.kind == K::FeaturePlus) {
                        continue;
                    }
                    self.suppressed += 1;
                    self.after(token, depth);
                    self.suppressed -= 1;
                }
                K::Pathname => continue,
                K::Dot => {
                    let span = self.span_of(token);
                    self.report(Diagnostic::error(
                        BAD_DOT,
                        span,
                        "a dot can only stand before the last element of a list",
                    ));
                }
                K::LineComment | K::BlockComment { .. } | K::Close => {}
                K::UnknownSharp => self.unknown_sharp(token),
                K::Str { .. } | K::Char | K::Number | K::Symbol { .. } | K::Keyword | K::Uninterned => {
                    if let Some(form) = self.atom(token) {
                        return Some(form);
                    }
                    // Something must stand in its place, or `(let ((x #xZZ)) …)` reports a second, false error.
                    return Some(Form::nil(self.span_of(token)));
                }
            }
        }
    }

    fn unknown_sharp(&mut self, token: Token) {
        let text = self.text_of(token).to_string();
        let d =
            Diagnostic::error(UNKNOWN_SHARP, self.span_of(token), format!("`{text}` is not a syntax of this reader"));
        self.report(match text.as_str() {
            "#." => d.help("compute the value in a `defconstant` or a macro"),
            "#" => d.help("a symbol with this name is written `|#|`"),
            _ => d,
        });
    }

    /// The datum after a prefix token; an error if there is none.
    fn after(&mut self, token: Token, depth: usize) -> Option<Form> {
        let before = self.diagnostics.len();
        let form = self.datum(depth + 1);
        if form.is_none() && self.diagnostics.len() == before {
            let text = self.text_of(token);
            let d = Diagnostic::error(NOTHING_AFTER, self.span_of(token), format!("nothing follows this `{text}`"));
            let quoted = (text == "'").then(|| self.character_before(token)).flatten();
            self.diagnostics.push(match quoted {
                Some(c) => d.help(format!("a character is written #\\{c}")),
                None => d,
            });
        }
        form
    }

    /// The character between this quote and one before it, as C writes characters.
    fn character_before(&self, quote: Token) -> Option<char> {
        let mut before = self.text.get(..quote.lo)?.chars().rev();
        let c = before.next()?;
        (before.next() == Some('\'')).then_some(c)
    }

    fn prefixed(&mut self, token: Token, name: Symbol, depth: usize) -> Option<Form> {
        let form = self.after(token, depth)?;
        let span = self.span(token.lo, self.last_end());
        let head = Form::symbol(name, self.span_of(token));
        Some(Form::list(vec![head, form], span))
    }

    fn list(&mut self, open: Token, depth: usize) -> Option<Form> {
        let (items, tail) = self.items(open, depth);
        let span = self.span(open.lo, self.last_end());
        Some(match tail {
            None => Form::list(items, span),
            Some(tail) => match tail.kind {
                // `(a . (b c))` is `(a b c)`
                FormKind::List(rest) => {
                    Form::list(items.into_iter().chain(rest.iter().cloned()).collect::<Vec<_>>(), span)
                }
                FormKind::Dotted(rest, last) => {
                    Form::new(FormKind::Dotted(items.into_iter().chain(rest.iter().cloned()).collect(), last), span)
                }
                FormKind::Symbol(s) if s.fold() == Symbol::NIL => Form::list(items, span),
                _ => Form::new(FormKind::Dotted(items.into(), Rc::new(tail)), span),
            },
        })
    }

    /// The elements up to the closing parenthesis, and what stands after a dot.
    fn items(&mut self, open: Token, depth: usize) -> (Vec<Form>, Option<Form>) {
        let mut items = Vec::new();
        let mut tail = None;
        loop {
            let Some(token) = self.peek() else {
                if !self.diagnostics.iter().any(|d| d.code == TOO_DEEP) {
                    self.unclosed_list(open);
                }
                break;
            };
            match token.kind {
                TokenKind::Close => {
                    self.at += 1;
                    break;
                }
                TokenKind::Dot if !items.is_empty() && tail.is_none() => {
                    self.at += 1;
                    tail = self.datum(depth + 1);
                    if tail.is_none() {
                        let d = Diagnostic::error(BAD_DOT, self.span_of(token), "nothing follows this dot");
                        self.report(d);
                    }
                }
                _ => {
                    let Some(item) = self.datum(depth + 1) else { continue };
                    if tail.is_some() {
                        let d = Diagnostic::error(BAD_DOT, item.span, "only one datum can follow the dot of a list");
                        self.report(d);
                    } else {
                        items.push(item);
                    }
                }
            }
        }
        (items, tail)
    }

    fn unclosed_list(&mut self, open: Token) {
        if self.unclosed {
            return;
        }
        self.unclosed = true;
        // An open string or comment swallows every closing parenthesis: it is reported, and explains this.
        let swallowed = self.tokens.iter().any(|t| {
            matches!(
                t.kind,
                TokenKind::Str { closed: false }
                    | TokenKind::BlockComment { closed: false }
                    | TokenKind::Symbol { closed: false }
            )
        });
        if swallowed {
            return;
        }
        let guess = balance::guess(self.text, self.tokens);
        let open = guess.map_or(open, |g| g.open);
        let mut d = Diagnostic::error(UNCLOSED, self.span(open.lo, open.lo + 1), "this list is not closed");
        if let Some(at) = guess.and_then(|g| g.close_after) {
            d = d.also(self.span(at.lo, at.hi), "by the layout, it should end after this");
        }
        self.diagnostics.push(d.help("add the missing `)`"));
    }
}

fn feature(test: &Form) -> bool {
    match &test.kind {
        FormKind::Symbol(s) => FEATURES.iter().any(|f| s.is(f)),
        FormKind::List(items) => match items.split_first() {
            Some((op, rest)) => match op.as_symbol() {
                Some(s) if s.is("and") => rest.iter().all(feature),
                Some(s) if s.is("or") => rest.iter().any(feature),
                Some(s) if s.is("not") => !rest.iter().any(feature),
                _ => false,
            },
            None => false,
        },
        _ => false,
    }
}

#[cfg(test)]
mod tests;
