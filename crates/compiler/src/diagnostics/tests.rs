//! Every code's examples do what its page says: the wrong one gets the code and nothing else, the mended one
//! passes without a word.

use std::collections::BTreeSet;
use std::rc::Rc;

use whistler_btf::NoTypes;
use whistler_codegen::OptLevel;
use whistler_diag::SourceMap;
use whistler_isa::Target;
use whistler_lisp::{Interp, NoIo};

use super::{codes, explain, list, manual};
use crate::Session;
use crate::session::Privilege;

/// Codes that no short file gets, and why.
const WITHOUT_EXAMPLE: &[(&str, &str)] = &[
    ("E0011", "takes a file nested more than a hundred deep"),
    ("E0030", "takes a file nested thousands deep"),
    ("E0059", "takes a Ctrl-C, or a very long computation"),
    ("E0799", "would be our own mistake"),
    ("E0801", "takes a kernel; the loader's and the image's tests have some"),
    ("W0311", "takes a kernel's types without its tracefs; the binary's tests have that"),
    ("E0412", "takes a kernel's types; the wrong programs of the binary have some"),
    ("W0901", "takes a live image"),
    ("W0902", "takes a live image"),
    ("W0903", "takes a kernel whose trace buffer is off"),
    ("W0018", "takes a kernel's types; the wrong programs of the binary have some"),
    ("W0440", "takes a kernel's types; the wrong programs of the binary have some"),
    ("W0442", "takes a kernel's types; the wrong programs of the binary have some"),
    ("E0910", "takes a test that is run"),
    ("E0911", "would be a mistake of the machine or of the kernel"),
];

fn reported(source: &str, flags: &str) -> Vec<String> {
    let mut sources = SourceMap::new();
    let file = sources.add("example.lisp", source);
    let mut interp = Interp::new(Box::new(NoIo));
    let words: Vec<&str> = flags.split_whitespace().collect();
    let target = match words.iter().position(|w| *w == "--target") {
        Some(i) => words[i + 1].parse().expect("a target"),
        None => Target::default(),
    };
    let mut session = Session::new(target, Rc::new(NoTypes::new("none here")));
    if words.contains(&"--unprivileged") {
        session.privilege = Privilege::Unprivileged;
    }
    let (_, diags) = session.compile_source(&mut interp, &sources, file, OptLevel::Full);
    diags.iter().map(|d| format!("{} {}", d.code, d.message)).collect()
}

#[test]
fn examples_do_what_their_page_says() {
    let mut wrong = Vec::new();
    for doc in codes().filter(|d| !d.wrong.is_empty()) {
        let got = reported(doc.wrong, doc.flags);
        if got.is_empty() || !got.iter().all(|c| c.starts_with(doc.code.0)) {
            wrong.push(format!("{}: the wrong example got {got:?}", doc.code));
        }
        let got = reported(doc.right, doc.flags);
        if !got.is_empty() {
            wrong.push(format!("{}: the mended example got {got:?}", doc.code));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn codes_are_unique_and_have_pages() {
    let mut seen = BTreeSet::new();
    let pages = manual();
    for doc in codes() {
        assert!(seen.insert(doc.code.0), "{} twice", doc.code);
        let page = explain(doc.code.0).expect("it is in the list");
        assert!(page.contains(doc.title) && doc.text.len() > 60, "{}: say more", doc.code);
        assert!(list().contains(doc.code.0) && pages.contains(&format!("### {}: ", doc.code)), "{}", doc.code);
        let excused = WITHOUT_EXAMPLE.iter().any(|(c, _)| *c == doc.code.0);
        assert_eq!(excused, doc.wrong.is_empty(), "{}: an example is missing, or the excuse is not needed", doc.code);
    }
}

#[test]
fn what_is_no_code_gets_a_suggestion() {
    assert!(explain("E0310").expect_err("no code").contains("the nearest is E03"));
    assert!(explain("null").expect_err("no code").contains("E0301"));
    assert!(explain("zebra").expect_err("no code").contains("whistler explain"));
    assert!(explain("e0301").is_ok());
}
