//! The book's lists of kernel forms and of codes are the compiler's tables. `UPDATE=1` rewrites it.

use std::fmt::Write;

#[test]
fn the_book_has_every_code() {
    let text = whistler_compiler::diagnostics::manual();
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/error-codes.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &text).expect("docs can be written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == text, "docs/error-codes.md is not what the table says; run with UPDATE=1");
}

#[test]
fn the_book_lists_every_form() {
    let mut forms: Vec<_> = whistler_compiler::forms::all().collect();
    forms.sort_by_key(|f| f.name);
    let mut text = String::from(
        "# Kernel forms\n\nMade from the compiler's table; `UPDATE=1 cargo test -p whistler-compiler --test manual` makes it anew.\n\n\
         | form | what it does |\n| --- | --- |\n",
    );
    for f in &forms {
        assert!(!f.doc.is_empty() && f.usage.contains(f.name), "`{}` is not documented: {} {}", f.name, f.usage, f.doc);
        let cell = |s: &str| s.replace('|', "\\|");
        let settable = if f.place.is_some() { " `setf`-able." } else { "" };
        writeln!(text, "| `{}` | {}{settable} |", cell(f.usage), cell(f.doc)).expect("a string takes everything");
    }
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/forms.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &text).expect("docs can be written");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == text, "docs/forms.md is not what the table says; run with UPDATE=1");
}
