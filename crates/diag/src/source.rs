//! Source texts and the positions in them. Invariant: a [`Span`] other than
//! [`Span::NONE`] lies on character boundaries of the file it names.

use std::sync::Arc;

/// A source text known to a [`SourceMap`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct FileId(pub u32);

/// A half-open range of bytes in one source text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// The text.
    pub file: FileId,
    /// First byte.
    pub lo: u32,
    /// One past the last byte.
    pub hi: u32,
}

impl Span {
    /// No position: something that no source text spells.
    pub const NONE: Span = Span { file: FileId(u32::MAX), lo: 0, hi: 0 };

    /// The range `lo..hi` of `file`.
    pub fn new(file: FileId, lo: u32, hi: u32) -> Span {
        Span { file, lo, hi }
    }

    /// Whether this is [`Span::NONE`].
    pub fn is_none(self) -> bool {
        self.file.0 == u32::MAX
    }

    /// This span, or `other` where this one is [`Span::NONE`].
    pub fn or(self, other: Span) -> Span {
        if self.is_none() { other } else { self }
    }

    /// The smallest span that covers both; the first one if they are in different files.
    pub fn to(self, other: Span) -> Span {
        if self.is_none() {
            return other;
        }
        if self.file != other.file {
            return self;
        }
        Span { file: self.file, lo: self.lo.min(other.lo), hi: self.hi.max(other.hi) }
    }

    /// Whether `other` lies within this span (of the same file).
    pub fn contains(self, other: Span) -> bool {
        self.file == other.file && self.lo <= other.lo && other.hi <= self.hi
    }
}

impl Default for Span {
    fn default() -> Span {
        Span::NONE
    }
}

impl std::fmt::Debug for Span {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_none() { f.write_str("-") } else { write!(f, "{}:{}..{}", self.file.0, self.lo, self.hi) }
    }
}

/// A position as people count it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct LineCol {
    /// 1-based line.
    pub line: u32,
    /// 1-based column, in characters.
    pub col: u32,
}

/// One source text with its line index.
#[derive(Debug)]
pub struct SourceFile {
    name: String,
    text: Arc<str>,
    line_starts: Vec<u32>,
}

impl SourceFile {
    fn new(name: String, text: Arc<str>) -> SourceFile {
        let mut line_starts = vec![0];
        line_starts.extend(text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(i, _)| i as u32 + 1));
        SourceFile { name, text, line_starts }
    }

    /// The name under which errors mention the file (a path, `<prompt>`, …).
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text, shared.
    pub fn shared_text(&self) -> Arc<str> {
        self.text.clone()
    }

    /// Line and column of the byte at `offset` (of the end, when it is past that).
    pub fn line_col(&self, offset: u32) -> LineCol {
        let offset = offset.min(self.text.len() as u32);
        let line = self.line_starts.partition_point(|&start| start <= offset) - 1;
        let start = self.line_starts[line] as usize;
        let col = self.text.get(start..offset as usize).map_or(0, |s| s.chars().count());
        LineCol { line: line as u32 + 1, col: col as u32 + 1 }
    }

    /// The text of the 1-based line, without its line end; empty when there is no such line.
    pub fn line(&self, line: u32) -> &str {
        let Some(&start) = line.checked_sub(1).and_then(|i| self.line_starts.get(i as usize)) else { return "" };
        let end = self.line_starts.get(line as usize).map_or(self.text.len(), |&next| next as usize - 1);
        self.text.get(start as usize..end).unwrap_or("").trim_end_matches('\r')
    }
}

/// All source texts of a session; hands out [`FileId`]s.
///
/// Texts are never removed, so a [`Span`] stays valid for the map's life.
#[derive(Debug, Default)]
pub struct SourceMap {
    files: Vec<SourceFile>,
}

impl SourceMap {
    /// No texts yet.
    pub fn new() -> SourceMap {
        SourceMap::default()
    }

    /// Adds a text under a name. The same name may be added again (a prompt's inputs, a re-read file).
    ///
    /// Texts over 4 GiB are cut at the last character boundary below that.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<Arc<str>>) -> FileId {
        self.files.push(SourceFile::new(name.into(), text.into()));
        FileId(self.files.len() as u32 - 1)
    }

    /// The text of a file; `None` for an id of another map.
    pub fn file(&self, id: FileId) -> Option<&SourceFile> {
        self.files.get(id.0 as usize)
    }

    /// What a span covers; empty for [`Span::NONE`].
    pub fn text(&self, span: Span) -> &str {
        self.file(span.file).and_then(|f| f.text.get(span.lo as usize..span.hi as usize)).unwrap_or("")
    }

    /// Where a span starts; `None` for [`Span::NONE`].
    pub fn line_col(&self, span: Span) -> Option<LineCol> {
        self.file(span.file).map(|f| f.line_col(span.lo))
    }

    /// `name:line:col` of a span's start, `?` for [`Span::NONE`].
    pub fn place(&self, span: Span) -> String {
        match self.file(span.file) {
            Some(f) => {
                let at = f.line_col(span.lo);
                format!("{}:{}:{}", f.name, at.line, at.col)
            }
            None => "?".to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_are_one_based_and_count_characters() {
        let mut map = SourceMap::new();
        let id = map.add("a.lisp", "(λ x)\n(y)\r\n");
        let f = map.file(id).expect("just added");
        assert_eq!(f.line_col(0), LineCol { line: 1, col: 1 });
        assert_eq!(f.line_col(4), LineCol { line: 1, col: 4 });
        assert_eq!(f.line_col(8), LineCol { line: 2, col: 2 });
        assert_eq!(f.line_col(99), LineCol { line: 3, col: 1 });
        assert_eq!(f.line(1), "(λ x)");
        assert_eq!(f.line(2), "(y)");
        assert_eq!(f.line(9), "");
        assert_eq!(map.place(Span::new(id, 8, 9)), "a.lisp:2:2");
        assert_eq!(map.place(Span::NONE), "?");
    }
}
