//! Text into tokens, for the reader and for highlighting. Invariant: tokens are
//! in order, don't overlap, lie on character boundaries, and everything between
//! them is white space; no input makes it fail.

/// What a token is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TokenKind {
    /// `(`
    Open,
    /// `)`
    Close,
    /// `#(`
    VectorOpen,
    /// `'`
    Quote,
    /// `` ` ``
    Backquote,
    /// `,`
    Unquote,
    /// `,@`
    UnquoteSplicing,
    /// `#'`
    FunctionQuote,
    /// `#+`
    FeaturePlus,
    /// `#-`
    FeatureMinus,
    /// A lone dot.
    Dot,
    /// `;` to the end of the line.
    LineComment,
    /// `#| … |#`; `closed` is false when the text ends inside.
    BlockComment {
        /// Whether its end was found.
        closed: bool,
    },
    /// A string with its quotes.
    Str {
        /// Whether its end was found.
        closed: bool,
    },
    /// `#\x`
    Char,
    /// A number, also `#xff`.
    Number,
    /// A symbol, with prefix and bars.
    Symbol {
        /// Whether all bars are closed.
        closed: bool,
    },
    /// `:foo`
    Keyword,
    /// `#:foo`
    Uninterned,
    /// `#p` before a string.
    Pathname,
    /// A `#` syntax that isn't ours.
    UnknownSharp,
}

/// A token and its bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// First byte.
    pub lo: usize,
    /// One past the last byte.
    pub hi: usize,
}

/// What a text ended in the middle of, so that the next line's tokens can be told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LexState {
    /// Between tokens.
    #[default]
    Plain,
    /// In a string.
    InString,
    /// In a block comment, so many levels deep.
    InComment(u32),
}

/// The tokens of a text.
pub struct Lexer<'a> {
    text: &'a str,
    pos: usize,
    state: LexState,
}

/// Whether a character ends a symbol or number.
fn is_delimiter(c: char) -> bool {
    c.is_whitespace() || matches!(c, '(' | ')' | '"' | '\'' | ';' | '`' | ',')
}

impl<'a> Lexer<'a> {
    /// Tokens from the start of `text`.
    pub fn new(text: &'a str) -> Lexer<'a> {
        Lexer::resume(text, LexState::Plain)
    }

    /// Tokens of a text that follows one which ended in `state`.
    pub fn resume(text: &'a str, state: LexState) -> Lexer<'a> {
        Lexer { text, pos: 0, state }
    }

    /// What the text read so far ended in.
    pub fn state(&self) -> LexState {
        self.state
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.pos..).unwrap_or("")
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn peek_second(&self) -> Option<char> {
        self.rest().chars().nth(1)
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.pos += c.len_utf8();
        Some(c)
    }

    fn string_body(&mut self) -> bool {
        while let Some(c) = self.bump() {
            match c {
                '\\' => {
                    self.bump();
                }
                '"' => {
                    self.state = LexState::Plain;
                    return true;
                }
                _ => {}
            }
        }
        self.state = LexState::InString;
        false
    }

    fn comment_body(&mut self, mut depth: u32) -> bool {
        while depth > 0 {
            match (self.bump(), self.peek()) {
                (Some('|'), Some('#')) => {
                    self.bump();
                    depth -= 1;
                }
                (Some('#'), Some('|')) => {
                    self.bump();
                    depth = depth.saturating_add(1);
                }
                (Some(_), _) => {}
                (None, _) => {
                    self.state = LexState::InComment(depth);
                    return false;
                }
            }
        }
        self.state = LexState::Plain;
        true
    }

    /// The rest of a symbol or number; whether all bars are closed.
    fn constituents(&mut self) -> bool {
        // Most names are plain from end to end.
        let plain = self.text.as_bytes().get(self.pos..).unwrap_or_default().iter();
        self.pos += plain.take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'*' | b'%')).count();
        while let Some(c) = self.peek() {
            match c {
                '|' => {
                    self.bump();
                    loop {
                        match self.bump() {
                            Some('\\') => {
                                self.bump();
                            }
                            Some('|') => break,
                            Some(_) => {}
                            None => return false,
                        }
                    }
                }
                '\\' => {
                    self.bump();
                    self.bump();
                }
                c if is_delimiter(c) => break,
                _ => {
                    self.bump();
                }
            }
        }
        true
    }

    fn sharp(&mut self) -> TokenKind {
        use TokenKind::*;
        self.bump();
        match self.peek() {
            Some('(') => {
                self.bump();
                VectorOpen
            }
            Some('\'') => {
                self.bump();
                FunctionQuote
            }
            Some('+') => {
                self.bump();
                FeaturePlus
            }
            Some('-') => {
                self.bump();
                FeatureMinus
            }
            Some('|') => {
                self.bump();
                BlockComment { closed: self.comment_body(1) }
            }
            Some('\\') => {
                self.bump();
                self.bump();
                while self.peek().is_some_and(|c| !is_delimiter(c)) {
                    self.bump();
                }
                Char
            }
            Some(':') => {
                self.bump();
                self.constituents();
                Uninterned
            }
            Some('x' | 'X' | 'b' | 'B' | 'o' | 'O') => {
                self.constituents();
                Number
            }
            Some('p' | 'P') if self.peek_second() == Some('"') => {
                self.bump();
                Pathname
            }
            Some('0'..='9') => {
                self.constituents();
                let radix = self.text.get(..self.pos).is_some_and(|t| {
                    t.rsplit('#')
                        .next()
                        .is_some_and(|d| d.trim_start_matches(|c: char| c.is_ascii_digit()).starts_with(['r', 'R']))
                });
                if radix { Number } else { UnknownSharp }
            }
            _ => {
                if self.peek().is_some_and(|c| !is_delimiter(c)) {
                    self.bump();
                }
                UnknownSharp
            }
        }
    }
}

impl Iterator for Lexer<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        use TokenKind::*;
        if let LexState::InString | LexState::InComment(_) = self.state
            && self.pos == 0
            && !self.text.is_empty()
        {
            let kind = match self.state {
                LexState::InComment(depth) => BlockComment { closed: self.comment_body(depth) },
                _ => Str { closed: self.string_body() },
            };
            return Some(Token { kind, lo: 0, hi: self.pos });
        }
        let blank = self.text.as_bytes().get(self.pos..).unwrap_or_default().iter();
        self.pos += blank.take_while(|b| matches!(b, b' ' | b'\n')).count();
        // Some editors put a byte order mark at a file's start.
        while self.peek().is_some_and(|c| c.is_whitespace() || (c == '\u{feff}' && self.pos == 0)) {
            self.bump();
        }
        let lo = self.pos;
        let c = self.peek()?;
        let single = |kind| {
            move |lexer: &mut Self| {
                lexer.bump();
                kind
            }
        };
        let kind = match c {
            '(' => single(Open)(self),
            ')' => single(Close)(self),
            '\'' => single(Quote)(self),
            '`' => single(Backquote)(self),
            ',' => {
                self.bump();
                if self.peek() == Some('@') {
                    self.bump();
                    UnquoteSplicing
                } else {
                    Unquote
                }
            }
            '"' => {
                self.bump();
                Str { closed: self.string_body() }
            }
            ';' => {
                while self.peek().is_some_and(|c| c != '\n') {
                    self.bump();
                }
                LineComment
            }
            '#' => self.sharp(),
            _ => {
                let closed = self.constituents();
                let text = self.text.get(lo..self.pos).unwrap_or("");
                if text == "." {
                    Dot
                } else if text.starts_with(':') {
                    Keyword
                } else if crate::number::looks_numeric(text) {
                    Number
                } else {
                    Symbol { closed }
                }
            }
        };
        Some(Token { kind, lo, hi: self.pos })
    }
}

/// All tokens of a text.
pub fn tokenize(text: &str) -> Vec<Token> {
    Lexer::new(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<TokenKind> {
        tokenize(text).into_iter().map(|t| t.kind).collect()
    }

    #[test]
    fn every_kind() {
        use TokenKind::*;
        assert_eq!(
            kinds(
                "(a 1 -2.5 :k #:g #\\( \"s\\\"\" 'x `(,y ,@z) #'f #(1) #+q #-q . ; c\n#| a #| b |# |# |o d| #xff #p\"f\" #."
            ),
            vec![
                Open,
                Symbol { closed: true },
                Number,
                Number,
                Keyword,
                Uninterned,
                Char,
                Str { closed: true },
                Quote,
                Symbol { closed: true },
                Backquote,
                Open,
                Unquote,
                Symbol { closed: true },
                UnquoteSplicing,
                Symbol { closed: true },
                Close,
                FunctionQuote,
                Symbol { closed: true },
                VectorOpen,
                Number,
                Close,
                FeaturePlus,
                Symbol { closed: true },
                FeatureMinus,
                Symbol { closed: true },
                Dot,
                LineComment,
                BlockComment { closed: true },
                Symbol { closed: true },
                Number,
                Pathname,
                Str { closed: true },
                UnknownSharp
            ]
        );
        assert_eq!(kinds("1+ - -1 1/2 1.e3 ... +limit+ 1e5 .5 5."), {
            let s = Symbol { closed: true };
            vec![s, s, Number, Number, Number, s, s, Number, Number, Number]
        });
    }

    #[test]
    fn a_line_can_be_resumed() {
        let mut first = Lexer::new("(f \"ab");
        assert_eq!(first.by_ref().count(), 3);
        assert_eq!(first.state(), LexState::InString);
        let mut second = Lexer::resume("cd\" #| x", first.state());
        let tokens: Vec<Token> = second.by_ref().collect();
        assert_eq!(tokens[0], Token { kind: TokenKind::Str { closed: true }, lo: 0, hi: 3 });
        assert_eq!(second.state(), LexState::InComment(1));
    }
}
