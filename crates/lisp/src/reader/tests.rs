use super::*;
use proptest::prelude::*;

fn read_all(text: &str) -> (Vec<Form>, Vec<Diagnostic>) {
    read_text(FileId(0), text)
}

/// What a text reads as, printed.
fn reads(text: &str) -> String {
    let (forms, diagnostics) = read_all(text);
    assert!(diagnostics.is_empty(), "{text}: {diagnostics:?}");
    forms.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// The codes and texts of the primary spans of a text's errors.
fn errors(text: &str) -> Vec<(&'static str, &str)> {
    let (_, diagnostics) = read_all(text);
    diagnostics
        .iter()
        .map(|d| (d.code.0, text.get(d.primary.span.lo as usize..d.primary.span.hi as usize).unwrap_or("?")))
        .collect()
}

#[test]
fn syntax_table() {
    for (input, want) in [
        ("(a b . c)", "(a b . c)"),
        ("(a . (b c))", "(a b c)"),
        ("(a . (b . c))", "(a b . c)"),
        ("(a . nil)", "(a)"),
        ("()", "nil"),
        ("'x `(a ,b ,@c) #'f", "'x `(a ,b ,@c) #'f"),
        ("#(1 2 (3))", "#(1 2 (3))"),
        ("; comment\n42 #| a #| nested |# b |# 43", "42 43"),
        ("#xff #b101 #o17 #xFFFFFFFFFFFFFFFFFF -1 +1", "255 5 15 4722366482869645213695 -1 1"),
        ("1/2 4/2 -6/4 1.5 1e10 .5 -0.0", "1/2 2 -3/2 1.5 1.0e10 0.5 -0.0"),
        ("\"a\\\"b\\\\c\nd\"", "\"a\\\"b\\\\c\nd\""),
        ("#\\a #\\Space #\\( #\\newline #\\λ", "#\\a #\\Space #\\( #\\Newline #\\λ"),
        ("|odd sym| foo\\ bar || |a\\|b|", "|odd sym| |foo bar| || |a\\|b|"),
        (
            ":key :Key cl:when COMMON-LISP:car whistler:foo whistler/loader::bar bpf:map",
            ":key :Key cl:when cl:car foo bar bpf:map",
        ),
        ("#+whistler 1 #-whistler 2 #+(or sbcl ccl) #xZZ #+(and linux (not sbcl)) 3", "1 3"),
        ("#+nope (a (b)) #-nope x", "x"),
        ("#p\"file\"", "\"file\""),
        ("1+ 1- - + a.b ->", "1+ 1- - + a.b ->"),
    ] {
        assert_eq!(reads(input), want, "{input}");
    }
}

#[test]
fn spans_are_those_of_the_text() {
    let text = "(foo 'bar \"s\")\n #(x)";
    let (forms, _) = read_all(text);
    let at = |f: &Form| &text[f.span.lo as usize..f.span.hi as usize];
    assert_eq!(at(&forms[0]), "(foo 'bar \"s\")");
    let items = forms[0].as_list().unwrap();
    assert_eq!(items.iter().map(at).collect::<Vec<_>>(), ["foo", "'bar", "\"s\""]);
    assert_eq!(at(&items[1].as_list().unwrap()[1]), "bar");
    assert_eq!(at(&forms[1]), "#(x)");
}

#[test]
fn error_table() {
    for (input, want) in [
        ("(a (b)", vec![("E0021", "(")]),
        ("(a))", vec![("E0022", ")")]),
        ("(a \"xyz", vec![("E0023", "\"")]),
        ("a #| b", vec![("E0024", "#|")]),
        ("(a |b c)", vec![("E0024", "|b c)")]),
        ("#.(x)", vec![("E0025", "#.")]),
        ("#\\Spacce", vec![("E0026", "#\\Spacce")]),
        ("(#xZZ 1/0)", vec![("E0027", "#xZZ"), ("E0027", "1/0")]),
        ("(. a) (a . b c) (a . )", vec![("E0028", "."), ("E0028", "c"), ("E0028", ".")]),
        ("(a ')", vec![("E0029", "'")]),
        (",x", vec![("E0031", ",")]),
        ("`(a ,,b)", vec![("E0031", ",")]),
        (":", vec![("E0032", ":")]),
        ("...", vec![("E0032", "...")]),
        ("(a))\n(b #\\nope)\n(c", vec![("E0022", ")"), ("E0026", "#\\nope"), ("E0021", "(")]),
    ] {
        assert_eq!(errors(input), want, "{input}");
    }
}

#[test]
fn a_missing_parenthesis_is_placed_by_layout_and_the_next_form_is_read() {
    let text = "(defun f (x)\n  (when x\n    (foo x)\n  (bar))\n\n(defun g ()\n  1)\n";
    let (forms, diagnostics) = read_all(text);
    assert_eq!(forms.len(), 2);
    assert_eq!(forms[1].to_string(), "(defun g nil 1)");
    assert_eq!(diagnostics.len(), 1);
    let d = &diagnostics[0];
    assert_eq!(d.primary.span.lo as usize, text.find("(when").unwrap());
    assert_eq!(d.secondary[0].span.hi as usize, text.find("(foo x)").unwrap() + 7);
}

#[test]
fn a_million_parentheses_are_an_error() {
    // As much stack as the binary gives: unoptimized frames are large.
    let large = std::thread::Builder::new().stack_size(64 << 20).spawn(million_parentheses).expect("a thread");
    large.join().expect("no panic");
}

fn million_parentheses() {
    for text in ["(".repeat(1_000_000), "'".repeat(1_000_000), "#(".repeat(500_000), "(a . ".repeat(300_000)] {
        let (_, diagnostics) = read_all(&text);
        assert!(diagnostics.iter().any(|d| d.code == TOO_DEEP), "{:?}", diagnostics.first());
        assert!(diagnostics.len() < 5);
    }
    let (_, diagnostics) = read_all(&")".repeat(100));
    assert_eq!(diagnostics.len(), 100);
}

#[test]
fn prompt_input_is_complete_or_not() {
    for (text, want) in [
        ("", true),
        ("(a", false),
        ("(a)", true),
        ("(a))", true),
        ("\"a", false),
        ("#| x", false),
        ("'", false),
        ("(a ; b", false),
        ("a ; (b", true),
        ("|a", false),
        ("#+", false),
    ] {
        assert_eq!(is_complete(text), want, "{text}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_fail(text in "\\PC*") {
        let _ = read_all(&text);
        let _ = is_complete(&text);
    }

    #[test]
    fn no_lispy_text_makes_it_fail(text in "[()'`,@#|\\\\\";:.+\\-0-9a-cxX \n]*") {
        let (forms, _) = read_all(&text);
        let _ = is_complete(&text);
        for f in &forms {
            let printed = f.to_string();
            let (again, errors) = read_all(&printed);
            prop_assert!(errors.is_empty(), "{printed}: {errors:?}");
            if !printed.contains("#:") {
                prop_assert_eq!(again.len(), 1);
                prop_assert_eq!(again[0].to_string(), printed);
            }
        }
    }

    #[test]
    fn bytes_make_no_failure(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read_all(&String::from_utf8_lossy(&bytes));
    }
}
