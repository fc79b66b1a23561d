//! Control flow and resources.

use super::{CodeDoc, code};

pub(super) static ALL: &[&CodeDoc] =
    &[&NOT_RELEASED, &RELEASED_TWICE, &UNBOUNDED_LOOP, &RECURSION, &BAD_EXIT, &REGION, &WALK_ENDS];

code! {
    /// What a call hands out must be given back on every path: a reserved record of a ring buffer is submitted or
    /// discarded, a socket, task, cgroup … is released by its own function. On this path it isn't.
    NOT_RELEASED, "E0501", "not released",
    "(defmap r :type :ringbuf :max-entries 4096)\n(defprog p (:type :xdp)\n  (when-let ((e (ringbuf-reserve r 8 0)))\n    (store u64 e 0 1))\n  0)",
    "(defmap r :type :ringbuf :max-entries 4096)\n(defprog p (:type :xdp)\n  (when-let ((e (ringbuf-reserve r 8 0)))\n    (store u64 e 0 1)\n    (ringbuf-submit e 0))\n  0)"
}
code! {
    /// The record has been submitted or discarded, the object has been released: it can't be used or released again.
    RELEASED_TWICE, "E0502", "used after it was released",
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
    /// `return-from` names no block around it. A program's or subprogram's own name works, too; `return` needs none.
    BAD_EXIT, "E0505", "no such block",
    "(defprog p (:type :xdp)\n  (block a (return-from b 1)))",
    "(defprog p (:type :xdp)\n  (block a (return-from a 1)))"
}
code! {
    /// A lock is taken and given back on the same path, one at a time, and nothing is called that the kernel does not
    /// allow while it is held. The same goes for the regions that `bpf_rcu_read_lock`, `bpf_preempt_disable` and
    /// `bpf_local_irq_save` begin. `with-spin-lock`, `with-rcu` and the like end them on every path by themselves.
    REGION, "E0506", "lock or region misused",
    "(defstruct cell (lock bpf-spin-lock) (n u32))\n(defmap m :type :array :key u32 :value cell :max-entries 1)\n(defprog p (:type :xdp)\n  (when-let ((c (map-lookup m 0)))\n    (spin-lock (cell-lock-ptr c))\n    (incf (cell-n c)))\n  XDP_PASS)",
    "(defstruct cell (lock bpf-spin-lock) (n u32))\n(defmap m :type :array :key u32 :value cell :max-entries 1)\n(defprog p (:type :xdp)\n  (when-let ((c (map-lookup m 0)))\n    (with-spin-lock ((cell-lock-ptr c))\n      (incf (cell-n c))))\n  XDP_PASS)"
}
code! {
    /// A function that is called for each entry of a map, or each round of a loop, goes on when it yields 0, and ends
    /// the walk otherwise. Its value is the last form's: that of `incf` is what the place then holds.
    WALK_ENDS, "W0507", "callback that ends the walk by chance",
    "(defmap m :type :hash :key u32 :value u64 :max-entries 8)\n(defglobal sum u64 0)\n(defprog p (:type :xdp)\n  (for-each-map-elem m (lambda (_key value) (incf sum (deref value))))\n  XDP_PASS)",
    "(defmap m :type :hash :key u32 :value u64 :max-entries 8)\n(defglobal sum u64 0)\n(defprog p (:type :xdp)\n  (for-each-map-elem m (lambda (_key value) (incf sum (deref value)) 0))\n  XDP_PASS)"
}
