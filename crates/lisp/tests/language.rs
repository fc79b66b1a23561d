//! The table of the language: every line of `language.txt` is `form => printed values`.

use whistler_lisp::{CapturedIo, Interp};

const TABLE: &str = include_str!("language.txt");

fn lines() -> impl Iterator<Item = (usize, &'static str, &'static str)> {
    TABLE.lines().enumerate().filter(|(_, l)| !l.trim().is_empty() && !l.starts_with(";;")).map(|(n, l)| {
        let (form, want) = l.rsplit_once(" => ").unwrap_or_else(|| panic!("line {}: no `=>`", n + 1));
        (n + 1, form, want)
    })
}

fn interp(stress: bool) -> (Interp, CapturedIo) {
    let io = CapturedIo::default();
    let mut i = Interp::new(Box::new(io.clone()));
    i.heap.set_stress(stress);
    (i, io)
}

/// What a line of the table gives: its value printed, `!type: message` for an error, and after `|` what it wrote.
fn result(form: &str, stress: bool) -> String {
    let (mut i, io) = interp(stress);
    let mut out = match i.eval_str(form) {
        Ok(v) => i.prin1(v).unwrap_or_else(|e| format!("!{}: {e}", e.condition_type)).replace('\n', "\\n"),
        Err(e) => format!("!{}: {e}", e.condition_type),
    };
    let written = io.out.borrow();
    if !written.is_empty() {
        out.push_str(&format!(" | {}", written.replace('\n', "\\n")));
    }
    out
}

fn check(stress: bool) {
    let mut wrong = Vec::new();
    let mut count = 0;
    for (n, form, want) in lines() {
        // 40,000 frames times a collection at each call is only slow.
        if stress && form.contains("storage-condition") {
            continue;
        }
        count += 1;
        let got = result(form, stress);
        if got != want {
            wrong.push(format!("line {n}: {form}\n   wanted {want}\n      got {got}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {count} lines:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_line_of_the_table() {
    check(false);
}

#[test]
fn every_line_with_a_collection_at_every_safepoint() {
    check(true);
}

#[test]
fn every_operator_has_a_line() {
    let (i, _) = interp(false);
    let words: std::collections::HashSet<String> = lines()
        .flat_map(|(_, form, _)| {
            form.split(|c: char| c.is_whitespace() || "()'`,:\"".contains(c))
                .map(|w| w.trim_start_matches(['#', '@']).to_lowercase())
        })
        .collect();
    let missing: Vec<String> = i
        .all_names()
        .into_iter()
        .map(|s| s.name().to_string())
        .filter(|n| !words.contains(n) && n != "quasiquote" && n != "quote" && n != "function")
        .collect();
    assert!(missing.is_empty(), "no line in the table for: {}", missing.join(" "));
}
