//! The book's lists of kernel forms, codes, helpers and kernel functions are the compiler's tables. `UPDATE=1` rewrites
//! them.

use std::fmt::Write;

use whistler_isa::{Arg, ArgKind, HELPERS, KFUNCS, ProgSet, ProgType};

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

fn written(name: &str, text: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, text).expect("docs can be written");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == text, "docs/{name} is not what the table says; run with UPDATE=1");
}

/// Parameters as a call is written: what may be left out in brackets.
fn parameters(args: &[Arg]) -> String {
    let flags = args.iter().rev().skip_while(|a| a.kind == ArgKind::Implicit);
    let optional = flags.take_while(|a| a.name.ends_with("flags") && a.kind == ArgKind::Anything).count();
    let shown: Vec<&Arg> = args.iter().filter(|a| a.kind != ArgKind::Implicit).collect();
    let mut out = String::new();
    for (i, a) in shown.iter().enumerate() {
        let name = a.name.replace('_', "-");
        let free = i + optional >= shown.len() || (i == 0 && a.kind == ArgKind::Ctx);
        out.push_str(&if free { format!(" [{name}]") } else { format!(" {name}") });
    }
    out
}

/// Program types in words; the sets of most helpers are one of a few.
fn programs(set: ProgSet) -> String {
    let all = ProgType::ALL.len() - 1;
    let names: Vec<&str> = set.iter().filter(|p| *p != ProgType::Ext).map(|p| p.keyword()).collect();
    if names.len() + 3 >= all { "all".to_string() } else { names.join(" ") }
}

#[test]
fn the_book_lists_every_helper_and_kernel_function() {
    let mut text = String::from(
        "# Helpers and kernel functions\n\nMade from the tables of `crates/isa`; \
         `UPDATE=1 cargo test -p whistler-compiler --test manual` makes it anew.\n\n\
         What stands in brackets may be left out: the context passes by itself, flags are 0. *null*: the result may be \
         null. *release*: what it hands out must be released. *GPL*: only under a compatible licence. *sleeps*: only in \
         sleepable programs. *moves*: pointers into the packet are void afterwards.\n\n\
         ## Helpers\n\n| call | yields | since | programs |\n| --- | --- | --- | --- |\n",
    );
    let mut helpers: Vec<_> = HELPERS.iter().collect();
    helpers.sort_by_key(|h| h.name);
    for h in helpers {
        let mut marks = vec![h.ret_type.to_string()];
        for (has, mark) in [
            (h.may_return_null(), "null"),
            (h.acquires(), "release"),
            (h.gpl_only(), "GPL"),
            (h.may_sleep(), "sleeps"),
            (h.moves_packet(), "moves"),
        ] {
            marks.extend(has.then(|| format!("*{mark}*")));
        }
        let (name, args) = (h.name.replace('_', "-"), parameters(h.args));
        writeln!(text, "| `({name}{args})` | {} | {} | {} |", marks.join(" · "), h.since, programs(h.progs))
            .expect("a string takes everything");
    }
    text.push_str(
        "\n## Kernel functions\n\nProgram types are those of kernel 6.18.\n\n\
         | call | yields | since | programs |\n| --- | --- | --- | --- |\n",
    );
    for k in KFUNCS {
        let mut marks = vec![k.ret_type.to_string()];
        for (has, mark) in [(k.may_return_null(), "null"), (k.acquires(), "release"), (k.may_sleep(), "sleeps")] {
            marks.extend(has.then(|| format!("*{mark}*")));
        }
        let (name, args) = (k.spelled(), parameters(k.args));
        writeln!(text, "| `({name}{args})` | {} | {} | {} |", marks.join(" · "), k.since, programs(k.progs))
            .expect("a string takes everything");
    }
    written("helpers.md", &text);
}
