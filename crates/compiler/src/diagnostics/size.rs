//! What making the code reports: sizes and targets. The codes are those of assembling; here are their pages.

use super::{CodeDoc, code};

pub(super) static ALL: &[&CodeDoc] = &[&STACK_SIZE, &PROGRAM_SIZE, &TARGET_NEEDED, &CALL_DEPTH, &INTERNAL_ERROR];

code! {
    /// A program, with the subprograms it calls, has 512 bytes of stack for variables in memory, structs
    /// made by make- and values that don't fit into registers. Large structs can lie in a per-CPU array map
    /// with one entry instead.
    STACK_SIZE, "E0701", "program needs too much stack",
    "(defstruct page (bytes (array u8 600)))\n(defprog p (:type :kprobe)\n  (let ((page (make-page)))\n    (setf (page-bytes page 0) 1)\n    (page-bytes page 599)))",
    "(defstruct page (bytes (array u8 600)))\n(defmap pages :type :percpu-array :key u32 :value page :max-entries 1)\n(defprog p (:type :kprobe)\n  (when-let ((page (map-lookup pages 0)))\n    (setf (page-bytes page 0) 1)\n    (page-bytes page 599)))"
}

code! {
    /// The code is larger than the kernel takes (4,096 instructions before Linux 5.2, a million from then on,
    /// with all that it calls), or a jump in it is too far for the instruction set. A loop instead of repeated
    /// code, or a subprogram, makes it smaller; for kernels before 5.3 loops are unrolled.
    PROGRAM_SIZE, "E0702", "program too large",
    "(defmap seen :type :hash :key u32 :value u64 :max-entries 1000)\n(defprog p (:type :xdp)\n  (dotimes (i 140)\n    (setf (getmap seen i) (ktime-get-ns)))\n  (dotimes (i 140)\n    (setf (getmap seen (+ i 300)) (get-prandom-u32)))\n  (dotimes (i 140)\n    (setf (getmap seen (+ i 600)) 1))\n  XDP_PASS)",
    "(defmap seen :type :hash :key u32 :value u64 :max-entries 1000)\n(defprog p (:type :xdp)\n  (dotimes (i 50)\n    (setf (getmap seen i) (ktime-get-ns)))\n  (dotimes (i 50)\n    (setf (getmap seen (+ i 300)) (get-prandom-u32)))\n  (dotimes (i 50)\n    (setf (getmap seen (+ i 600)) 1))\n  XDP_PASS)",
    "--target 4.19"
}

code! {
    /// What the program does takes instructions that the target's kernel or instruction set doesn't have.
    /// A newer one is chosen by --target.
    TARGET_NEEDED, "E0703", "target too old for this",
    "(defmap m :type :array :key u32 :value u64 :max-entries 1)\n(defprog p (:type :kprobe)\n  (when-let ((v (map-lookup m 0)))\n    (atomic-xchg v 0 5))\n  0)",
    "(defmap m :type :array :key u32 :value u64 :max-entries 1)\n(defprog p (:type :kprobe)\n  (incf (getmap m 0) 5)\n  0)",
    "--target 5.4"
}

code! {
    /// A program and the subprograms and callbacks that call each other have eight frames together. Small
    /// subprograms become part of their callers and need none.
    CALL_DEPTH, "E0704", "calls too deep",
    "(defsubprog f8 ((x u64)) u64 :global t x)\n(defsubprog f7 ((x u64)) u64 :global t (f8 (+ x 7)))\n(defsubprog f6 ((x u64)) u64 :global t (f7 (+ x 6)))\n(defsubprog f5 ((x u64)) u64 :global t (f6 (+ x 5)))\n(defsubprog f4 ((x u64)) u64 :global t (f5 (+ x 4)))\n(defsubprog f3 ((x u64)) u64 :global t (f4 (+ x 3)))\n(defsubprog f2 ((x u64)) u64 :global t (f3 (+ x 2)))\n(defsubprog f1 ((x u64)) u64 :global t (f2 (+ x 1)))\n(defprog p (:type :xdp)\n  (if (> (f1 1) 9) XDP_DROP XDP_PASS))",
    "(defsubprog f3 ((x u64)) u64 :global t x)\n(defsubprog f2 ((x u64)) u64 :global t (f3 (+ x 2)))\n(defsubprog f1 ((x u64)) u64 :global t (f2 (+ x 1)))\n(defprog p (:type :xdp)\n  (if (> (f1 1) 9) XDP_DROP XDP_PASS))"
}

code! {
    /// Something went wrong inside of the compiler, not in the source. Please report it, with the file.
    INTERNAL_ERROR, "E0799", "error in the compiler",
    "",
    ""
}
