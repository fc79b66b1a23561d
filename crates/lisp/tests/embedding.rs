//! What embedding programs rely on: spans through macros, limits, special forms, roots.

use std::rc::Rc;
use std::sync::atomic::Ordering;

use whistler_diag::{FileId, SourceMap, Span};
use whistler_lisp::{CapturedIo, Form, Interp, LispError, NoIo, Symbol, Value, read};

fn interp() -> Interp {
    Interp::new(Box::new(CapturedIo::default()))
}

fn eval_file(i: &mut Interp, sources: &mut SourceMap, text: &str) -> Result<Value, LispError> {
    let file = sources.add("t.lisp", text);
    let (forms, errors) = read(sources, file);
    assert!(errors.is_empty(), "{errors:?}");
    let mut last = Value::NIL;
    for f in &forms {
        last = i.eval(f)?;
    }
    Ok(last)
}

/// The text that an error points at, and the texts of the macro calls that led there.
fn error_places(text: &str) -> (String, Vec<String>, String) {
    let mut sources = SourceMap::new();
    let mut i = interp();
    let e = eval_file(&mut i, &mut sources, text).expect_err("must fail");
    let d = e.to_diagnostic();
    let chain = d.expansion.iter().map(|l| sources.text(l.span).to_string()).collect();
    (sources.text(d.primary.span).to_string(), chain, d.message)
}

#[test]
fn an_error_points_at_the_users_own_form_inside_a_macro_call() {
    let (at, chain, _) = error_places("(defmacro twice (x) `(progn ,x ,x))\n(twice (car 5))");
    assert_eq!(at, "(car 5)");
    assert!(chain.is_empty(), "the user wrote the form as it stands: {chain:?}");
}

#[test]
fn an_error_in_what_a_macro_made_points_at_the_call_with_the_trace() {
    let (at, chain, message) = error_places(
        "(defmacro inner (x) `(car (+ ,x 1)))\n(defmacro outer (x) `(inner ,x))\n(defun f () (outer 3))\n(f)",
    );
    assert_eq!(at, "(outer 3)");
    assert_eq!(chain, ["(outer 3)", "(outer 3)"]);
    assert_eq!(message, "4 is not a list");
}

#[test]
fn an_error_while_a_macro_runs_points_at_its_call() {
    let (at, chain, message) = error_places("(defmacro bad (x) (car x))\n(list 1 (bad 7))");
    assert_eq!(at, "(bad 7)");
    assert_eq!(chain, ["(bad 7)"]);
    assert_eq!(message, "7 is not a list");
}

#[test]
fn every_datum_of_an_expansion_has_a_place_in_the_users_form() {
    let mut sources = SourceMap::new();
    let mut i = interp();
    eval_file(&mut i, &mut sources, "(defmacro my-let (v x &body b) `(let ((,v ,x)) ,@b (unrelated)))").unwrap();
    let text = "(my-let foo (+ 1 2) (use foo))";
    let file = sources.add("user.lisp", text);
    let (forms, _) = read(&sources, file);
    let m = i.user_macro(Symbol::intern("my-let")).unwrap();
    let out = i.expand_macro(&m, &forms[0]).unwrap();
    assert_eq!(out.to_string(), "(let ((foo (+ 1 2))) (use foo) (unrelated))");
    fn walk(f: &Form, sources: &SourceMap, file: FileId, out: &mut Vec<(String, String)>) {
        assert_eq!(f.span.file, file);
        out.push((f.to_string(), sources.text(f.span).to_string()));
        f.as_list().unwrap_or(&[]).iter().for_each(|f| walk(f, sources, file, out));
    }
    let mut places = Vec::new();
    walk(&out, &sources, file, &mut places);
    let of = |what: &str| places.iter().find(|(f, _)| f == what).map(|(_, p)| p.as_str());
    assert_eq!(of("foo"), Some("foo"));
    assert_eq!(of("(+ 1 2)"), Some("(+ 1 2)"));
    assert_eq!(of("2"), Some("2"));
    assert_eq!(of("(use foo)"), Some("(use foo)"));
    assert_eq!(of("(unrelated)"), Some(text));
    assert_eq!(out.origin.as_ref().map(|o| o.macro_name.name()), Some("my-let"));
}

#[test]
fn the_hosts_own_macros_are_never_given_to_the_kernel_side() {
    let mut i = interp();
    for name in ["when", "loop", "setf", "incf", "dotimes", "cond"] {
        assert!(i.user_macro(Symbol::intern(name)).is_none(), "{name}");
    }
    i.define_library_source(
        FileId(9),
        "(defmacro with-thing (x) `(list ,x))\n\n(defconstant +seven+ 7)\n(defheader eth (a :offset 0))\n",
    );
    let m = i.user_macro(Symbol::intern("WITH-THING")).expect("the library's macro");
    assert!(m.library);
    assert_eq!(i.constant(Symbol::intern("+seven+")), Some(Value::Int(7)));
    assert!(i.user_macro(Symbol::intern("eth")).is_none());
}

#[test]
fn a_special_form_sees_lexical_variables_and_can_assign_them() {
    for stress in [false, true] {
        let mut i = interp();
        i.heap.set_stress(stress);
        i.define_special(
            "each-of",
            Rc::new(|i, form| {
                let args = form.as_list().unwrap_or(&[]);
                let mut out = Vec::new();
                for f in &args[1..] {
                    out.push(i.eval(f)?);
                }
                Ok(i.heap.list(&out))
            }),
        );
        let v = i
            .eval_str("(defun f (x) (let ((n 0)) (flet ((g () (incf n x))) (block out (list (each-of (g) (g) (cons n x) (setq n 100)) n (each-of (return-from out n)))))))(f 5)")
            .unwrap();
        assert_eq!(i.prin1(v).unwrap(), "100");
        let v = i.eval_str("(let ((x '(1 2))) (mapcar (lambda (y) (each-of x (list y x))) x))").unwrap();
        assert_eq!(i.prin1(v).unwrap(), "(((1 2) (1 (1 2))) ((1 2) (2 (1 2))))");
    }
}

#[test]
fn natives_keep_what_they_hold_while_calling_back() {
    let mut i = interp();
    i.heap.set_stress(true);
    i.define_native(
        "pairs",
        "f n",
        "Pairs of fresh strings.",
        Rc::new(|i, a| {
            let mut out = Vec::new();
            for _ in 0..5 {
                let s = i.heap.string("held");
                let r = i.call(a[0], &[a[1]])?;
                out.push(i.heap.cons(s, r));
            }
            Ok(i.heap.list(&out))
        }),
    );
    let v = i.eval_str("(pairs (lambda (n) (list n (format nil \"~a\" n))) 3)").unwrap();
    assert_eq!(
        i.prin1(v).unwrap(),
        "((\"held\" 3 \"3\") (\"held\" 3 \"3\") (\"held\" 3 \"3\") (\"held\" 3 \"3\") (\"held\" 3 \"3\"))"
    );
    let e = i.eval_str("(pairs 1)").unwrap_err();
    assert_eq!(e.message, "`pairs` takes 2 arguments, but was given 1");
}

#[test]
fn garbage_is_collected_cycles_too_and_roots_stay() {
    let mut i = interp();
    let v = i.eval_str("(list 1 2 3)").unwrap();
    let root = i.root(v);
    i.eval_str("(dotimes (n 300000) (let ((c (list n n))) (setf (cdr c) c)))").unwrap();
    i.collect();
    assert!(i.heap.live() < 20_000, "{}", i.heap.live());
    assert_eq!(i.prin1(root.get()).unwrap(), "(1 2 3)");
}

#[test]
fn nothing_overflows_the_stack() {
    let mut i = interp();
    for (text, want) in [
        ("(defun r (n) (+ 1 (r n)))(r 1)", "control-stack-exhausted"),
        ("(let ((l nil)) (dotimes (n 1000000) (setq l (list l))) (princ l))", "control-stack-exhausted"),
        ("(let ((l nil)) (dotimes (n 100000) (setq l (list l))) (eval l))", "control-stack-exhausted"),
        ("(let ((l (list 1))) (setf (cdr l) l) (prin1 l))", "control-stack-exhausted"),
        ("(let ((l (list 1))) (setf (cdr l) l) (length l))", "type-error"),
        (
            "(let ((f nil)) (setq f (lambda (x) (mapcar f x))) (let ((l (list 1))) (setf (car l) l) (funcall f l)))",
            "control-stack-exhausted",
        ),
        ("(defmacro m (n) `(let ((x 1)) (m ,(+ n 1))))(m 1)", "program-error"),
        ("(handler-bind ((error (lambda (c) (error \"again\")))) (error \"x\"))", "simple-error"),
        ("(expt 10 100000000)", "heap-exhausted"),
        ("(make-list 999999999999)", "type-error"),
    ] {
        let e = i.eval_str(text).expect_err(text);
        assert!(e.condition_type.is(want), "{text}: {} {e}", e.condition_type);
    }
    let v =
        i.eval_str("(let ((a nil) (b nil)) (dotimes (n 200000) (setq a (list a) b (list b))) (equal a b))").unwrap();
    assert_eq!(v, Value::T);
    assert_eq!(i.eval_str("(+ 1 2)").unwrap(), Value::Int(3));
}

#[test]
fn a_loop_can_be_interrupted_and_limited() {
    let mut i = interp();
    i.interrupt_flag().store(true, Ordering::Relaxed);
    let e = i.eval_str("(loop)").unwrap_err();
    assert!(e.is_interrupt());
    let flag = i.interrupt_flag();
    std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(20));
        flag.store(true, Ordering::Relaxed);
    });
    let v = i.eval_str("(handler-case (loop) (sb-sys:interactive-interrupt () 'stopped))").unwrap();
    assert_eq!(i.prin1(v).unwrap(), "stopped");
    i.set_step_limit(Some(100_000));
    let e = i.eval_str("(defun f () (f2)) (defun f2 () 1) (loop (f))").unwrap_err();
    assert!(e.condition_type.is("step-limit-reached"));
}

#[test]
fn forms_that_need_a_host_say_so() {
    let mut i = Interp::new(Box::new(NoIo));
    for text in ["(sleep 1)", "(probe-file \"x\")", "(load \"x\")", "(get-universal-time)", "(require \"other\")"] {
        let e = i.eval_str(text).expect_err(text);
        assert!(e.needs_host, "{text}");
    }
    assert!(!i.eval_str("(car 1)").unwrap_err().needs_host);
}

#[test]
fn a_missing_operator_names_the_nearest() {
    let mut i = interp();
    i.eval_str("(defun my-function () 1)").unwrap();
    assert_eq!(i.eval_str("(my-funtion)").unwrap_err().help, ["the nearest name is `my-function`"]);
    assert_eq!(i.eval_str("(whne t)").unwrap_err().help, ["the nearest name is `when`"]);
    i.eval_str("(defvar *count* 1)").unwrap();
    assert_eq!(i.eval_str("*cuont*").unwrap_err().help, ["the nearest name is `*count*`"]);
}

#[test]
fn errors_of_a_function_carry_the_calls() {
    let mut sources = SourceMap::new();
    let mut i = interp();
    let e = eval_file(&mut i, &mut sources, "(defun a (x) (car x))\n(defun b () (1+ (a 5)))\n(b)").unwrap_err();
    assert_eq!(sources.text(e.span), "(car x)");
    let calls: Vec<&str> = e.backtrace.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(calls, ["a", "b", "a lambda"]);
    assert_ne!(e.span, Span::NONE);
}

#[test]
fn starting_is_quick() {
    let _warm = interp();
    let start = std::time::Instant::now();
    for _ in 0..20 {
        let _ = interp();
    }
    let each = start.elapsed() / 20;
    assert!(each < std::time::Duration::from_millis(20), "{each:?}");
}

#[test]
fn code_that_is_looked_at_reads_no_function_that_it_only_calls() {
    let mut i = interp();
    // To read the first one is a warning.
    i.define_library_source(FileId(78), "(defun unread (x) (let ((x)) . y))\n(defun other (x) (unread x))\n");
    i.watch_calls();
    let (forms, _) = whistler_lisp::read_text(FileId(0), "(list (unread 1) (other 2) (missing 3) (better-known 4))");
    i.look_at(&forms[0]).expect("well written");
    let unknown = i.unknown_calls(|s| s.is("better-known"));
    let names: Vec<_> = unknown.iter().filter_map(|e| e.about).map(Symbol::name).collect();
    assert_eq!(names, ["missing"]);
    assert!(i.is_defined(Symbol::intern("unread")) && !i.is_users(Symbol::intern("unread")));
    assert!(i.take_warnings().is_empty());
    assert!(i.function(Symbol::intern("unread")).is_none() && !i.take_warnings().is_empty());
}
