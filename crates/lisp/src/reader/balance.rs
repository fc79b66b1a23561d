//! Where a missing parenthesis should be, judged by layout: what starts a line
//! at or left of an open list's own column can't belong to that list.

use crate::lexer::{Token, TokenKind};

/// The list to blame for a missing parenthesis.
#[derive(Clone, Copy)]
pub(super) struct Guess {
    /// Its opening parenthesis.
    pub(super) open: Token,
    /// The token after which it should end.
    pub(super) close_after: Option<Token>,
}

struct Lines<'a> {
    text: &'a str,
    last_end: usize,
    line_start: usize,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Lines<'a> {
        Lines { text, last_end: 0, line_start: 0 }
    }

    /// The column of a token in bytes, and whether it is the first of its line. Tokens must come in order.
    fn place(&mut self, token: &Token) -> (usize, bool) {
        let before = self.text.get(self.last_end..token.lo).unwrap_or("");
        let first = before.contains('\n') || self.last_end == 0;
        // A string or comment may have line ends in it, so look at the token before, too.
        if let Some(nl) = self.text.get(self.line_start..token.lo).and_then(|t| t.rfind('\n')) {
            self.line_start += nl + 1;
        }
        self.last_end = token.hi;
        (token.lo - self.line_start, first)
    }
}

fn is_comment(t: &Token) -> bool {
    matches!(t.kind, TokenKind::LineComment | TokenKind::BlockComment { .. })
}

/// Which open list of `tokens` is the unclosed one; `None` when all are closed.
pub(super) fn guess(text: &str, tokens: &[Token]) -> Option<Guess> {
    let start = tokens.first()?.lo;
    let line_start = text.get(..start)?.rfind('\n').map_or(0, |n| n + 1);
    let mut lines = Lines { text, last_end: start, line_start };
    let mut open: Vec<(Token, usize)> = Vec::new();
    let mut previous: Option<Token> = None;
    for token in tokens.iter().filter(|t| !is_comment(t)) {
        let (col, first) = lines.place(token);
        if first
            && token.kind != TokenKind::Close
            && let Some((list, list_col)) = open.last()
            && col <= *list_col
        {
            return Some(Guess { open: *list, close_after: previous });
        }
        match token.kind {
            TokenKind::Open | TokenKind::VectorOpen => open.push((*token, col)),
            TokenKind::Close => {
                open.pop();
            }
            _ => {}
        }
        previous = Some(*token);
    }
    // Nothing stands out: the text just ends too early. The outermost list is what the user sees as unfinished.
    open.first().map(|(list, _)| Guess { open: *list, close_after: previous })
}

/// The text cut where a parenthesis opens at the start of a line.
pub(super) fn top_level_parts<'t>(text: &str, tokens: &'t [Token]) -> Vec<&'t [Token]> {
    let mut lines = Lines::new(text);
    let mut parts = Vec::new();
    let mut from = 0;
    for (i, token) in tokens.iter().enumerate() {
        let (col, first) = lines.place(token);
        if i > from && first && col == 0 && token.kind == TokenKind::Open {
            parts.push(&tokens[from..i]);
            from = i;
        }
    }
    parts.push(&tokens[from..]);
    parts
}
