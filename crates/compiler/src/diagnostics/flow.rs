//! Control flow and resources.

use super::{CodeDoc, code};

pub(super) static ALL: &[&CodeDoc] = &[&NOT_RELEASED, &RELEASED_TWICE, &UNBOUNDED_LOOP, &RECURSION, &BAD_EXIT];

code! {
    /// A reserved record of a ring buffer must be submitted or discarded on every path; on this one it isn't.
    NOT_RELEASED, "E0501", "record neither submitted nor discarded",
    "(defmap r :type :ringbuf :max-entries 4096)\n(defprog p (:type :xdp)\n  (when-let ((e (ringbuf-reserve r 8 0)))\n    (store u64 e 0 1))\n  0)",
    "(defmap r :type :ringbuf :max-entries 4096)\n(defprog p (:type :xdp)\n  (when-let ((e (ringbuf-reserve r 8 0)))\n    (store u64 e 0 1)\n    (ringbuf-submit e 0))\n  0)"
}
code! {
    /// The record has been submitted or discarded already; it can't be used or released again.
    RELEASED_TWICE, "E0502", "record used after it was submitted or discarded",
    "(defmap r :type :ringbuf :max-entries 4096)\n(defprog p (:type :xdp)\n  (when-let ((e (ringbuf-reserve r 8 0)))\n    (ringbuf-submit e 0)\n    (store u64 e 0 1))\n  0)",
    "(defmap r :type :ringbuf :max-entries 4096)\n(defprog p (:type :xdp)\n  (when-let ((e (ringbuf-reserve r 8 0)))\n    (store u64 e 0 1)\n    (ringbuf-submit e 0))\n  0)"
}
code! {
    /// The verifier must see that every loop ends. `:max` gives a number of rounds past which it does.
    UNBOUNDED_LOOP, "E0503", "loop without a bound",
    "(defprog p (:type :xdp)\n  (let ((x (ktime-get-ns)))\n    (while (> x 0) (setf x (>> x 1)))\n    0))",
    "(defprog p (:type :xdp)\n  (let ((x (ktime-get-ns)))\n    (while (> x 0) :max 64 (setf x (>> x 1)))\n    0))"
}
code! {
    /// A subprogram calls itself, maybe by way of others. The kernel has no recursion.
    RECURSION, "E0504", "recursion",
    "(defsubprog f ((x u64)) u64 (if (= x 0) 0 (f (- x 1))))\n(defprog p (:type :xdp)\n  (f 3))",
    "(defsubprog f ((x u64)) u64 (if (= x 0) 0 1))\n(defprog p (:type :xdp)\n  (f 3))"
}
code! {
    /// `return-from` names no block around it.
    BAD_EXIT, "E0505", "no such block",
    "(defprog p (:type :xdp)\n  (block a (return-from b 1)))",
    "(defprog p (:type :xdp)\n  (block a (return-from a 1)))"
}
