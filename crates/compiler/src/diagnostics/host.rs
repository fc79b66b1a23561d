//! What the host's evaluation reports. The codes are the evaluator's; here are their pages.

use super::{CodeDoc, code};

pub(super) static ALL: &[&CodeDoc] = &[
    &HOST,
    &HOST_FUNCTION,
    &HOST_VARIABLE,
    &HOST_ARGUMENTS,
    &HOST_TYPE,
    &HOST_MALFORMED,
    &HOST_EXPANSION,
    &HOST_NEEDS,
    &HOST_STACK,
    &HOST_INTERRUPTED,
];

code! {
    /// A form outside of programs, or a macro's body, signalled an error; the report shows it as it came,
    /// and below it the calls that led there.
    HOST, "E0050", "error while a form was evaluated",
    "(car (error \"no\"))",
    "(car '(1))"
}

code! {
    /// There is no function, macro or special form of this name outside of programs. What programs can
    /// call is listed by `apropos`, too, but belongs into a defprog.
    HOST_FUNCTION, "E0051", "unknown function in the host",
    "(defconstant +a+ (lenght '(1 2)))",
    "(defconstant +a+ (length '(1 2)))"
}

code! {
    /// The variable has no value: it is misspelled, or defined further down, or a local of another form.
    HOST_VARIABLE, "E0052", "unknown variable in the host",
    "(defconstant +a+ (+ limit 1))",
    "(defconstant +limit+ 5)\n(defconstant +a+ (+ +limit+ 1))"
}

code! {
    /// A function was called with fewer or more arguments than its parameters take.
    HOST_ARGUMENTS, "E0053", "wrong number of arguments in the host",
    "(defun twice (n) (* 2 n))\n(twice 1 2)",
    "(defun twice (n) (* 2 n))\n(twice 1)"
}

code! {
    /// A function of the host got a value that it can't work with, such as a symbol where it adds.
    HOST_TYPE, "E0054", "value of the wrong type in the host",
    "(defconstant +a+ (+ 1 'b))",
    "(defconstant +a+ (+ 1 2))"
}

code! {
    /// A form outside of programs isn't written as its operator wants it.
    HOST_MALFORMED, "E0055", "malformed form in the host",
    "(defun f (n) (let ((a 1 2)) a))",
    "(defun f (n) (let ((a 1)) (+ a n)))"
}

code! {
    /// A macro's expansion is a call of the macro again, with nothing that would end it.
    HOST_EXPANSION, "E0056", "macro expands without end in the host",
    "(defmacro again (x) `(again (+ ,x 1)))\n(defconstant +a+ (again 1))",
    "(defmacro once (x) `(+ ,x 1))\n(defconstant +a+ (once 1))"
}

code! {
    /// The form needs files, a clock or a running session, and this command gives none to the files that it
    /// only looks at.
    HOST_NEEDS, "E0057", "not available here",
    "(defmacro now () (get-universal-time))\n(defprog p (:type :xdp)\n  (if (= (now) 0) 1 2))",
    "(defprog p (:type :xdp)\n  (if (= (ktime-get-ns) 0) 1 2))"
}

code! {
    /// Functions call one another so deeply that the control stack is used up. Most often a recursion has no
    /// end; one that has can be written as a loop.
    HOST_STACK, "E0058", "calls nested too deeply",
    "(defun down (n) (+ 1 (down n)))\n(down 1)",
    "(defun down (n) (if (= n 0) 0 (+ 1 (down (- n 1)))))\n(down 1)"
}

code! {
    /// Ctrl-C was pressed, or a file that is only looked at takes too many steps.
    HOST_INTERRUPTED, "E0059", "interrupted",
    "",
    ""
}
