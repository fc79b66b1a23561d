//! Names, shapes and arguments of forms.

use super::{CodeDoc, code};

pub(super) static ALL: &[&CodeDoc] = &[
    &UNKNOWN_NAME,
    &ARGUMENT_COUNT,
    &ARGUMENT_TYPE,
    &MALFORMED,
    &DUPLICATE,
    &NOT_A_PLACE,
    &EXPANSION,
    &UNKNOWN_TYPE,
    &NOT_CONSTANT,
    &UNUSED_VARIABLE,
    &TOO_DEEP,
    &NOT_HERE,
    &SKIPPED,
    &UNUSED_DECLARATION,
    &UNREACHABLE,
    &RESULT_IGNORED,
    &KERNEL_NAME_TAKEN,
    &UNKNOWN_TARGET,
    &VERDICT_UNUSED,
    &RECORD_UNWRITTEN,
    &HOST_CALL,
    &CHECK_DROPPED,
    &NO_CHECKS,
    &CAPTURED,
    &CONSTANT_TEST,
    &SENT_EMPTY,
    &OTHER_STEPS,
    &CONTROL_OF_C,
    &UNCHANGING_TEST,
    &DIFFERENCE_AS_TEST,
];

code! {
    /// Nothing has this name here: no variable, kernel form, macro, accessor, subprogram, helper or
    /// constant. Names are looked up as written, else without regard to case and to `-` or `_`.
    UNKNOWN_NAME, "E0001", "unknown name",
    "(defprog p (:type :xdp)\n  (ktime-get-nss))",
    "(defprog p (:type :xdp)\n  (ktime-get-ns))"
}
code! {
    /// The form, helper, subprogram or accessor takes another number of arguments.
    ARGUMENT_COUNT, "E0002", "wrong number of arguments",
    "(defprog p (:type :xdp)\n  (bswap))",
    "(defprog p (:type :xdp)\n  (bswap 1))"
}
code! {
    /// A value is of another kind than the place where it stands takes: a number where a pointer is
    /// needed, a pointer where a number is, a map where none is.
    ARGUMENT_TYPE, "E0003", "wrong kind of value",
    "(defprog p (:type :xdp)\n  (* (ctx-ptr) 2))",
    "(defprog p (:type :xdp)\n  (* 1 2))"
}
code! {
    /// The form isn't of the shape that its operator takes: a part is missing, or stands where another belongs.
    MALFORMED, "E0004", "malformed form",
    "(defprog p (:type :xdp)\n  (let x 1))",
    "(defprog p (:type :xdp)\n  (let ((x 1)) x))"
}
code! {
    /// Two declarations of one name in a file. At the prompt the second one redefines the first.
    DUPLICATE, "E0005", "declared twice",
    "(defstruct a (x u32))\n(defstruct a (y u32))",
    "(defstruct a (x u32))\n(defstruct b (y u32))"
}
code! {
    /// `setf`, `incf` and the like need a place: a variable, a field, memory, a map entry.
    NOT_A_PLACE, "E0006", "not a place",
    "(defprog p (:type :xdp)\n  (setf (+ 1 2) 3))",
    "(defprog p (:type :xdp)\n  (let ((x 0)) (setf x 3) x))"
}
code! {
    /// A macro failed, or its expansion is a call of itself again and again without an end.
    EXPANSION, "E0007", "macro expansion failed",
    "(defmacro again () '(again))\n(defprog p (:type :xdp)\n  (again))",
    "(defmacro once () '(+ 1 2))\n(defprog p (:type :xdp)\n  (once))"
}
code! {
    /// No type has this name. There are `u8 u16 u32 u64 i8 i16 i32 i64 bool char`, `(array T n)`,
    /// `(ptr T)`, `(nullable (ptr T))`, and the names of structs, unions and enums.
    UNKNOWN_TYPE, "E0008", "unknown type",
    "(defstruct a (x u33))",
    "(defstruct a (x u32))"
}
code! {
    /// Only a constant can stand here: a literal, a `defconstant` name, or an expression of those.
    NOT_CONSTANT, "E0009", "not a constant",
    "(defprog p (:type :xdp)\n  (let ((n (get-prandom-u32)) (s 0))\n    (dotimes (i n) (incf s i))\n    s))",
    "(defprog p (:type :xdp)\n  (let ((n (get-prandom-u32)) (s 0))\n    (dotimes (i n :max 16) (incf s i))\n    s))"
}
code! {
    /// The variable is bound and never used. A name that starts with `_` says that this is meant.
    UNUSED_VARIABLE, "W0010", "unused variable",
    "(defprog p (:type :xdp)\n  (let ((x 1)) XDP_PASS))",
    "(defprog p (:type :xdp)\n  (let ((x 1)) (+ x 1)))"
}
code! {
    /// Forms are nested more deeply than the compiler follows. A subprogram, or a variable for a part, takes levels away.
    TOO_DEEP, "E0011", "nested too deeply", "", ""
}
code! {
    /// The form exists, but not in this place: a declaration inside a program, a form of one kind
    /// of program in another.
    NOT_HERE, "E0012", "not possible here",
    "(defprog p (:type :xdp)\n  (defmap m :type :array :key u32 :value u64 :max-entries 1))",
    "(defmap m :type :array :key u32 :value u64 :max-entries 1)\n(defprog p (:type :xdp)\n  (getmap m 0))"
}
code! {
    /// A form of the host needs files, time or the kernel, and nothing of that is there while a file
    /// is only checked or compiled. It is left out. In a running session, or with `whistler run`, it has its place.
    SKIPPED, "N0013", "host form skipped",
    "(sleep 1)",
    "(defun later () (sleep 1))"
}
code! {
    /// Nothing in the file uses what is declared here: a map or global that no program and no form of the host
    /// mentions, a subprogram that is never called. A name that starts with `_` says that this is meant.
    UNUSED_DECLARATION, "W0014", "declared and never used",
    "(defmap m :type :array :key u32 :value u64 :max-entries 1)\n(defprog p (:type :xdp)\n  XDP_PASS)",
    "(defmap m :type :array :key u32 :value u64 :max-entries 1)\n(defprog p (:type :xdp)\n  (incf (getmap m 0))\n  XDP_PASS)"
}
code! {
    /// Control never gets to this form: the one before it leaves the program, the block or the loop, or a clause
    /// before it is always taken.
    UNREACHABLE, "W0015", "never reached",
    "(defprog p (:type :xdp)\n  (return XDP_DROP)\n  XDP_PASS)",
    "(defprog p (:type :xdp)\n  (when (= (ctx rx_queue_index) 0)\n    (return XDP_DROP))\n  XDP_PASS)"
}
code! {
    /// The call can fail, or its result is what the program should return, and the result is not used.
    /// Where it doesn't matter, bind it to a name that starts with `_`: `(let ((_ (map-update …))) …)`.
    RESULT_IGNORED, "W0016", "result ignored",
    "(defprog p (:type :xdp)\n  (redirect 3 0)\n  XDP_PASS)",
    "(defprog p (:type :xdp)\n  (redirect 3 0))"
}
code! {
    /// A verdict stands where nobody uses what a form yields. A form's value is the program's result only where it is
    /// the last one; elsewhere `(return VERDICT)` leaves the program with it.
    VERDICT_UNUSED, "W0022", "verdict that nobody uses",
    "(defprog p (:type :xdp)\n  (when (= (ctx rx_queue_index) 3) XDP_DROP)\n  XDP_PASS)",
    "(defprog p (:type :xdp)\n  (when (= (ctx rx_queue_index) 3) (return XDP_DROP))\n  XDP_PASS)"
}
code! {
    /// A field of a record that `with-ringbuf` sends is written nowhere. The kernel doesn't clear records: what an earlier
    /// one left at that place is sent.
    RECORD_UNWRITTEN, "W0023", "field of a record that is never written",
    "(defstruct event (a u32) (b u32))\n(defmap ring :type :ringbuf :max-entries 4096)\n(defprog p (:type :xdp)\n  (with-ringbuf (e ring (sizeof event))\n    (setf (event-a e) 1))\n  XDP_PASS)",
    "(defstruct event (a u32) (b u32))\n(defmap ring :type :ringbuf :max-entries 4096)\n(defprog p (:type :xdp)\n  (with-ringbuf (e ring (sizeof event))\n    (setf (event-a e) 1\n          (event-b e) 2))\n  XDP_PASS)"
}
code! {
    /// A declaration takes the name of a constant or helper of the kernel's, and programs mean the declaration from
    /// there on. Who reads the program expects what the kernel calls so.
    KERNEL_NAME_TAKEN, "W0017", "a name of the kernel's is taken",
    "(defconstant XDP_PASS 1)\n(defprog p (:type :xdp)\n  XDP_PASS)",
    "(defconstant +let-pass+ 2)\n(defprog p (:type :xdp)\n  +let-pass+)"
}
code! {
    /// The types of the kernel that is compiled for have no function or tracepoint of this name, or its tracefs no
    /// such event, nor have the modules whose types are there, so that there is nothing to attach the program to. A
    /// function of a module that is not loaded here is written with its module: `"fentry/MODULE:FUNCTION"`. Where the
    /// name is most likely misspelt, or only the kernel itself can have it (LSM), it is an error (E0001).
    UNKNOWN_TARGET, "W0018", "nothing of this name to attach to",
    "", ""
}
code! {
    /// A function or a test of the host calls what isn't defined anywhere. It fails when it gets there.
    HOST_CALL, "W0019", "unknown function called in the host",
    "(defun twice (n) (dubble n))",
    "(defun double (n) (* 2 n))\n(defun twice (n) (double n))"
}
code! {
    /// A comparison stands among the forms of a test, and nobody looks at what it gives. Only `is` checks.
    CHECK_DROPPED, "W0020", "comparison that checks nothing",
    "(deftest sums (= (+ 1 1) 2))",
    "(deftest sums (is (= (+ 1 1) 2)))"
}
code! {
    /// A test without a check passes whatever its programs do, as long as nothing ends in an error.
    NO_CHECKS, "W0021", "test without checks",
    "(deftest sums (list (+ 1 1)))",
    "(deftest sums (is (= (+ 1 1) 2)))"
}
code! {
    /// A variable that the caller of a macro wrote in an argument has the name of one that the macro's own template binds,
    /// and stands where that one is seen: the macro means its own, the caller another. A macro's variables are
    /// named by `gensym`, so that no caller has their names. Macros that bind a name for their caller to see (`it`) are not
    /// warned of, unless the caller has a variable of that name.
    CAPTURED, "W0024", "variable captured by a macro",
    "(defmacro difference (a b)\n  `(let ((x ,a)) (- x ,b)))\n(defprog p (:type :xdp)\n  (let ((x (get-prandom-u32)) (y (get-prandom-u32)))\n    (if (> x y) (difference y x) 0)))",
    "(defmacro difference (a b)\n  (let ((x (gensym \"x\")))\n    `(let ((,x ,a)) (- ,x ,b))))\n(defprog p (:type :xdp)\n  (let ((x (get-prandom-u32)) (y (get-prandom-u32)))\n    (if (> x y) (difference y x) 0)))"
}
code! {
    /// A test is a constant, so it always goes the same way. Often bits were meant: `and` asks whether all its operands are
    /// other than 0, `logtest` whether a bit is set in both. `t`, `nil`, 1 and 0 are taken as they stand, and so is a
    /// constant of the program's own that is 1 or 0, which is a switch.
    CONSTANT_TEST, "W0025", "test that always goes the same way",
    "(defprog p (:type :xdp)\n  (with-tcp (data end tcp)\n    (when (and (tcp-flags tcp) +tcp-syn+) (return XDP_DROP)))\n  XDP_PASS)",
    "(defprog p (:type :xdp)\n  (with-tcp (data end tcp)\n    (when (logtest (tcp-flags tcp) +tcp-syn+) (return XDP_DROP)))\n  XDP_PASS)"
}
code! {
    /// A program leaves `with-ringbuf` before it has written anything to the record. Every way out sends the record, and what
    /// an older one left at that place is what readers get. A test belongs before `with-ringbuf`, or the record is
    /// dropped first with `ringbuf-discard`.
    SENT_EMPTY, "W0026", "record sent with nothing in it",
    "(defstruct event (cpu u32))\n(defmap ring :type :ringbuf :max-entries 4096)\n(defprog p (:type :xdp)\n  (with-ringbuf (e ring (sizeof event))\n    (when (= (ctx rx_queue_index) 0) (return XDP_PASS))\n    (setf (event-cpu e) (get-smp-processor-id)))\n  XDP_PASS)",
    "(defstruct event (cpu u32))\n(defmap ring :type :ringbuf :max-entries 4096)\n(defprog p (:type :xdp)\n  (when (= (ctx rx_queue_index) 0) (return XDP_PASS))\n  (with-ringbuf (e ring (sizeof event))\n    (setf (event-cpu e) (get-smp-processor-id)))\n  XDP_PASS)"
}
code! {
    /// `hist` prints a map by other steps than a program of the file counts it by, so its rows name wrong values. What
    /// `lhist!` counts is printed with the same low, high and step; what `hist!` counts without any.
    OTHER_STEPS, "W0027", "histogram printed by other steps than counted",
    "(defmap sizes :type :hash :key u32 :value (array u64 66) :max-entries 16)\n(defprog p (:type :xdp)\n  (lhist! sizes 0 (ktime-get-ns) 0 4096 64)\n  XDP_PASS)\n(defun main ()\n  (attach p \"lo\")\n  (hist sizes :low 0 :high 4096 :step 128))",
    "(defmap sizes :type :hash :key u32 :value (array u64 66) :max-entries 16)\n(defprog p (:type :xdp)\n  (lhist! sizes 0 (ktime-get-ns) 0 4096 64)\n  XDP_PASS)\n(defun main ()\n  (attach p \"lo\")\n  (hist sizes :low 0 :high 4096 :step 64))"
}
code! {
    /// The control text of a `format` is written for C's `printf`. `format` has directives of its own, with a tilde, and what
    /// else stands in the text is printed as it is; when it is reached, it is an error.
    CONTROL_OF_C, "W0028", "control text of C",
    "(defun say (n) (format t \"pid %d\" n))",
    "(defun say (n) (format t \"pid ~d~%\" n))"
}
code! {
    /// Nothing in a loop changes what its test asks, so it makes one round after the other until `:max`. Most often a step
    /// is missing.
    UNCHANGING_TEST, "W0029", "loop whose test nothing changes",
    "(defprog p (:type :xdp)\n  (with-packet (data end :min-len 64)\n    (let ((i u64 0) (sum u64 0))\n      (while (< i 32) :max 64 (incf sum (load u8 data 12)))\n      (when (> sum 99) (return XDP_DROP))))\n  XDP_PASS)",
    "(defprog p (:type :xdp)\n  (with-packet (data end :min-len 64)\n    (let ((i u64 0) (sum u64 0))\n      (while (< i 32) :max 64 (incf sum (load u8 data 12)) (incf i))\n      (when (> sum 99) (return XDP_DROP))))\n  XDP_PASS)"
}
code! {
    /// `memcmp` is 0 where the bytes are equal, so as a test it asks whether they differ. Say which is meant: `(= 0 (memcmp
    /// a b n))` or `(/= 0 (memcmp a b n))`.
    DIFFERENCE_AS_TEST, "W0030", "memcmp as a test",
    "(defstruct mac (b (array u8 6)))\n(defmap blocked :type :array :key u32 :value mac :max-entries 1)\n(defprog p (:type :xdp)\n  (with-eth (data end eth)\n    (when-let ((m (map-lookup blocked 0)))\n      (when (memcmp (mac-b-ptr m) (eth-src-mac-ptr eth) 6) (return XDP_DROP))))\n  XDP_PASS)",
    "(defstruct mac (b (array u8 6)))\n(defmap blocked :type :array :key u32 :value mac :max-entries 1)\n(defprog p (:type :xdp)\n  (with-eth (data end eth)\n    (when-let ((m (map-lookup blocked 0)))\n      (when (= 0 (memcmp (mac-b-ptr m) (eth-src-mac-ptr eth) 6)) (return XDP_DROP))))\n  XDP_PASS)"
}
