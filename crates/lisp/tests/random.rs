//! Random forms made of the language's own operators: every one ends with a value or an error.

use proptest::prelude::*;
use whistler_lisp::{Interp, NoIo};

fn names() -> Vec<String> {
    Interp::new(Box::new(NoIo)).all_names().iter().map(|s| s.name().to_string()).collect()
}

const ATOMS: &[&str] = &[
    "nil",
    "t",
    "0",
    "1",
    "-1",
    "7",
    "3/2",
    "1.5",
    "99999999999999999999",
    "-9223372036854775808",
    "9223372036854775807",
    "#\\a",
    "\"abc\"",
    "\"\"",
    "\"~a~%~5d\"",
    "\"~{~a~^,~}\"",
    "'(1 2 3)",
    "'(a . 1)",
    "#(1 2)",
    "x",
    "'x",
    ":key",
    ":test",
    "#'car",
    "#'<",
    "(lambda (x) x)",
    "(lambda (&rest r) r)",
    "((x 1))",
    "(x 1)",
    "(x)",
    "()",
    "'list",
    "'string",
    "(x '(1 2))",
    "(make-hash-table)",
    "&rest",
    "(list 1 2)",
    "\"~r ~:r ~@r ~2,3$\"",
    "\"~v,'0d~?\"",
];

fn form() -> impl Strategy<Value = String> {
    let names = names();
    let atom = prop::sample::select(ATOMS).prop_map(str::to_string);
    let op = prop::sample::select(names);
    atom.prop_recursive(4, 24, 5, move |inner| {
        (op.clone(), prop::collection::vec(inner, 0..5)).prop_map(|(op, args)| format!("({op} {})", args.join(" ")))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: std::env::var("WHISTLER_LISP_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(2000), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_forms_never_panic(text in form(), stress in any::<bool>()) {
        let mut i = Interp::new(Box::new(NoIo));
        i.heap.set_stress(stress);
        i.set_step_limit(Some(5_000));
        let wrapped = format!("(let ((x 5)) {text})");
        for text in [&text, &wrapped] {
            match i.eval_str(text) {
                Ok(v) => {
                    prop_assert!(!i.heap.is_dangling(v), "{text} gave a freed value");
                    let _ = i.prin1(v);
                }
                Err(e) => {
                    let _ = e.to_diagnostic();
                }
            }
            i.set_step_limit(Some(5_000));
        }
    }
}
