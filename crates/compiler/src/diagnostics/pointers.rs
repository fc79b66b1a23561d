//! Pointers: null, bounds, what may be read and written through them.

use super::{CodeDoc, code};

pub(super) static ALL: &[&CodeDoc] = &[
    &MAYBE_NULL,
    &PACKET_BOUNDS,
    &NOT_A_POINTER,
    &READ_ONLY,
    &KERNEL_ADDRESS,
    &OBJECT_BOUNDS,
    &NO_TYPES,
    &ADDRESS_LEAK,
    &ADDRESS_AS_NUMBER,
    &FROM_TYPES,
    &WRONG_MEMORY,
];

code! {
    /// The pointer may be null here: a lookup can miss, a reservation can fail. Test it first; the test
    /// may be `if`, `when`, `unless`, `and`, `or`, `cond`, `when-let`, `if-let`, or an early return.
    MAYBE_NULL, "E0301", "read through a pointer that may be null",
    "(defmap m :type :hash :key u32 :value u64 :max-entries 8)\n(defprog p (:type :kprobe)\n  (let ((v (map-lookup m 1)))\n    (load u64 v)))",
    "(defmap m :type :hash :key u32 :value u64 :max-entries 8)\n(defprog p (:type :kprobe)\n  (when-let ((v (map-lookup m 1)))\n    (load u64 v)))"
}
code! {
    /// The bytes of a packet may be read only after they have been compared with the packet's end.
    PACKET_BOUNDS, "E0302", "packet access not covered by a bounds check",
    "(defprog p (:type :xdp)\n  (let ((d (xdp-data)))\n    (load u8 d 0)))",
    "(defprog p (:type :xdp)\n  (let ((d (xdp-data)) (e (xdp-data-end)))\n    (if (<= (+ d 1) e) (load u8 d 0) 0)))"
}
code! {
    /// A number can't be read through. An address in the kernel is read with `kernel-load` or a
    /// `probe-read-kernel`; `(as-S x)` gives a number the type of a pointer to the struct S.
    NOT_A_POINTER, "E0303", "not a pointer",
    "(defprog p (:type :xdp)\n  (let ((x (ktime-get-ns)))\n    (load u64 x 0)))",
    "(defprog p (:type :xdp)\n  (let ((x (ktime-get-ns)))\n    (load u64 (stack-addr x) 0)))"
}
code! {
    /// This memory can only be read: a parameter, constant bytes, a read-only map, a kernel object, or
    /// the packet in this type of program.
    READ_ONLY, "E0304", "write to read-only memory",
    "(defparam limit u32 5)\n(defprog p (:type :xdp)\n  (setf limit 6))",
    "(defglobal limit u32 5)\n(defprog p (:type :xdp)\n  (setf limit 6))"
}
code! {
    /// The address lies in the kernel or in a process: the verifier allows only probe reads from there.
    KERNEL_ADDRESS, "E0305", "direct access to a kernel or user address",
    "(defprog p (:type :kprobe)\n  (load u64 (get-current-task) 0))",
    "(defprog p (:type :kprobe)\n  (kernel-load u64 (get-current-task) 0))"
}
code! {
    /// More bytes are touched than the object behind the pointer has.
    OBJECT_BOUNDS, "E0306", "access outside of the object",
    "(defmap m :type :hash :key u32 :value u64 :max-entries 8)\n(defprog p (:type :kprobe)\n  (when-let ((v (map-lookup m 1)))\n    (load u64 v 8)))",
    "(defmap m :type :hash :key u32 :value u64 :max-entries 8)\n(defprog p (:type :kprobe)\n  (when-let ((v (map-lookup m 1)))\n    (load u64 v 0)))"
}
code! {
    /// The kernel's own types are needed and can't be had: no BTF, or the tracepoint's format can't be read.
    NO_TYPES, "E0307", "the kernel's types are not available",
    "(import-kernel-struct task_struct pid)",
    "(defstruct task (pid u32))"
}
code! {
    /// The `format` file of a tracepoint can't be read, and its record is put together from the kernel's types
    /// instead (struct `trace_event_raw_…`). Fields and their places are the same; the names of most system calls'
    /// arguments are missing then, and stand in an array `args`. To attach the program takes the tracepoint's number,
    /// which only tracefs has. Reading tracefs takes the capability DAC_READ_SEARCH, a mount that is open to the user,
    /// or a saved copy: `--tracefs DIR`.
    FROM_TYPES, "W0311", "tracepoint taken from the kernel's types", "", ""
}
code! {
    /// An address of the kernel is stored where user space can read it, returned, or compared with something
    /// else than null. The kernel refuses that in programs loaded without CAP_PERFMON; `--unprivileged` says that
    /// these will be.
    ADDRESS_LEAK, "E0308", "kernel address leaked",
    "(defmap m :type :array :key u32 :value u64 :max-entries 2)\n(defprog p (:type :cgroup-skb)\n  (when-let ((v (map-lookup m 0)))\n    (store u64 v 0 (cast u64 v)))\n  1)",
    "(defmap m :type :array :key u32 :value u64 :max-entries 2)\n(defprog p (:type :cgroup-skb)\n  (when-let ((v (map-lookup m 0)))\n    (store u64 v 0 (+ 1 (load u64 v 0))))\n  1)",
    "--unprivileged"
}
code! {
    /// A pointer stands where a number is needed: it is stored, returned, printed, counted up or compared with a
    /// number. A lookup yields a pointer to the value; `(deref p)` and `(load TYPE p 0)` are the value. Two texts
    /// are compared by `memcmp`. `(cast u64 p)` says that the address itself is meant. Null tests (`(= p 0)`, `if`,
    /// `when` …), sums of a pointer and a number, and comparisons of two pointers are no mistakes.
    ADDRESS_AS_NUMBER, "E0309", "pointer where its content is meant",
    "(defmap m :type :hash :key u32 :value u64 :max-entries 8)\n(defprog p (:type :xdp)\n  (when-let ((n (map-lookup m 1)))\n    (when (> n 100) (return XDP_DROP)))\n  XDP_PASS)",
    "(defmap m :type :hash :key u32 :value u64 :max-entries 8)\n(defprog p (:type :xdp)\n  (when-let ((n (map-lookup m 1)))\n    (when (> (deref n) 100) (return XDP_DROP)))\n  XDP_PASS)"
}
code! {
    /// A probe read gets an address that it can't read what is meant from: one of the process, where the kernel's
    /// memory is read, or the other way round; or a struct, where text is read. The read fails at run time, or copies
    /// something else.
    WRONG_MEMORY, "W0312", "probe read of other memory",
    "(defprog p (:type :kprobe :section \"kprobe/do_sys_openat2\")\n  (let ((path (array char 64)))\n    (probe-read-kernel-str path 64 (pt-regs-parm2))\n    (printk \"%s\" path))\n  0)",
    "(defprog p (:type :kprobe :section \"kprobe/do_sys_openat2\")\n  (let ((path (array char 64)))\n    (probe-read-user-str path 64 (pt-regs-parm2))\n    (printk \"%s\" path))\n  0)"
}
