//! Every code's examples do what its page says: the wrong one gets the code, the mended one doesn't.

use std::collections::BTreeSet;
use std::rc::Rc;

use whistler_btf::NoTypes;
use whistler_diag::SourceMap;
use whistler_isa::Target;
use whistler_lisp::{Interp, NoIo};

use super::{codes, explain};
use crate::Session;

fn reported(source: &str) -> Vec<String> {
    let mut sources = SourceMap::new();
    let file = sources.add("example.lisp", source);
    let mut interp = Interp::new(Box::new(NoIo));
    let mut session = Session::new(Target::default(), Rc::new(NoTypes::new("none here")));
    let mut diags = session.load_source(&mut interp, &sources, file);
    diags.extend(session.check(&mut interp, None).1);
    diags.iter().map(|d| format!("{} {}", d.code, d.message)).collect()
}

#[test]
fn examples_do_what_their_page_says() {
    let mut wrong = Vec::new();
    for doc in codes().filter(|d| !d.wrong.is_empty()) {
        let got = reported(doc.wrong);
        if !got.iter().any(|c| c.starts_with(doc.code.0)) {
            wrong.push(format!("{}: the wrong example got {got:?}", doc.code));
        }
        let got = reported(doc.right);
        if !got.is_empty() {
            wrong.push(format!("{}: the mended example got {got:?}", doc.code));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn codes_are_unique_and_have_pages() {
    let mut seen = BTreeSet::new();
    for doc in codes() {
        assert!(seen.insert(doc.code.0), "{} twice", doc.code);
        let page = explain(doc.code.0).expect("it is in the list");
        assert!(page.contains(doc.title) && doc.text.len() > 30, "{}", doc.code);
    }
    assert!(explain("E9999").is_none());
}
