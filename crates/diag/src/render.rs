//! Drawing diagnostics for a terminal, in rustc's manner.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use crate::{Diagnostic, FileId, Label, Severity, SourceMap};

/// Whether to write escape sequences for colour.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Style {
    /// Text only.
    Plain,
    /// With ANSI colours.
    Color,
}

/// One diagnostic as text, with a newline at the end.
pub fn render(d: &Diagnostic, sources: &SourceMap, style: Style) -> String {
    let renderer = match style {
        Style::Plain => Renderer::plain(),
        Style::Color => Renderer::styled(),
    }
    .decor_style(annotate_snippets::renderer::DecorStyle::Unicode);
    let level = match d.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let title = level.primary_title(&d.message).id(d.code.0);
    let mut group = annotate_snippets::Group::with_title(title);
    // What the user wrote within a macro's call is seen to be there; what the macro made of it is shown at the call.
    let primary = d.primary.span;
    let expansion = d.expansion.iter().filter(|l| l.span == primary || !l.span.contains(primary));
    let labels: Vec<(AnnotationKind, &Label)> = std::iter::once((AnnotationKind::Primary, &d.primary))
        .chain(d.secondary.iter().chain(expansion).map(|l| (AnnotationKind::Context, l)))
        .filter(|(_, l)| sources.file(l.span.file).is_some())
        .collect();
    for file in files_in_order(&labels) {
        let Some(source) = sources.file(file) else { continue };
        let mut snippet = Snippet::source(source.text()).path(source.name());
        for (kind, label) in labels.iter().filter(|(_, l)| l.span.file == file) {
            let lo = floor(source.text(), label.span.lo as usize);
            let hi = floor(source.text(), (label.span.hi as usize).max(lo));
            let annotation = kind.span(lo..hi);
            snippet = snippet.annotation(if label.text.is_empty() {
                annotation
            } else {
                annotation.label(label.text.as_str())
            });
        }
        group = group.element(snippet);
    }
    for note in &d.notes {
        group = group.element(Level::NOTE.message(note.as_str()));
    }
    for help in &d.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    let mut out = renderer.render(&[group]);
    out.push('\n');
    out
}

/// Several diagnostics, an empty line between them.
pub fn render_all(ds: &[Diagnostic], sources: &SourceMap, style: Style) -> String {
    ds.iter().map(|d| render(d, sources, style)).collect::<Vec<_>>().join("\n")
}

fn files_in_order(labels: &[(AnnotationKind, &Label)]) -> Vec<FileId> {
    let mut files = Vec::new();
    for (_, l) in labels {
        if !files.contains(&l.span.file) {
            files.push(l.span.file);
        }
    }
    files
}

/// The last character boundary at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Code, Span};
    use expect_test::expect;

    #[test]
    fn an_error_with_two_places_and_help() {
        let mut sources = SourceMap::new();
        let f = sources.add("limit.lisp", "(let ((p (map-lookup counts src)))\n  (load u64 p 0))\n");
        let d = Diagnostic::error(Code("E0301"), Span::new(f, 37, 51), "`p` may be null here")
            .label("read through it")
            .also(Span::new(f, 9, 32), "a lookup can miss, and then it is null")
            .help("bind it with `when-let`");
        expect![[r#"
            error[E0301]: `p` may be null here
              ╭▸ limit.lisp:2:3
              │
            1 │ (let ((p (map-lookup counts src)))
              │          ─────────────────────── a lookup can miss, and then it is null
            2 │   (load u64 p 0))
              │   ━━━━━━━━━━━━━━ read through it
              │
              ╰ help: bind it with `when-let`
        "#]]
        .assert_eq(&render(&d, &sources, Style::Plain));
    }

    #[test]
    fn a_report_without_a_place_is_one_line() {
        let d = Diagnostic::warning(Code("W0001"), Span::NONE, "nothing to do");
        assert_eq!(render(&d, &SourceMap::new(), Style::Plain), "warning[W0001]: nothing to do\n");
    }
}
