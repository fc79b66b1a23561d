//! Maps: their declarations, keys and values.

use super::{CodeDoc, code};

pub(super) static ALL: &[&CodeDoc] = &[
    &MAP_RULE,
    &KEY_VALUE,
    &INDEX_RANGE,
    &MAP_OPERATION,
    &ATOMIC_SIZE,
    &INDEX_UNBOUNDED,
    &MAP_TOO_NEW,
    &KEY_PADDING,
    &FLAGS_REFUSED,
    &ONE_FRAME,
    &CARRIED_PER_CPU,
    &KEY_BEYOND,
    &PREFIX_BEHIND,
];

code! {
    /// The map's declaration breaks a rule of its type: the size of keys or values, the number of
    /// entries, the flags, what values may hold. The key of an LPM trie is a struct: the length of the prefix in bits, a
    /// `u32`, and behind it the address in network order, as in (defstruct net (len u32) (addr u32)).
    MAP_RULE, "E0201", "map declared against its type's rules",
    "(defmap m :type :ringbuf :max-entries 1000)",
    "(defmap m :type :ringbuf :max-entries 4096)"
}
code! {
    /// A key or value doesn't fit the map's declaration: another struct, fewer bytes, or a wider number
    /// whose range isn't known to fit. A cast says that cutting it is meant.
    KEY_VALUE, "E0202", "wrong key or value",
    "(defmap m :type :hash :key u32 :value u64 :max-entries 8)\n(defprog p (:type :xdp)\n  (getmap m (ktime-get-ns)))",
    "(defmap m :type :hash :key u32 :value u64 :max-entries 8)\n(defprog p (:type :xdp)\n  (getmap m (cast u32 (ktime-get-ns))))"
}
code! {
    /// A constant index lies outside of the array. The first element has the index 0, the last one less than the length.
    INDEX_RANGE, "E0203", "index out of range",
    "(defmap m :type :array :key u32 :value u64 :max-entries 4)\n(defprog p (:type :xdp)\n  (getmap m 4))",
    "(defmap m :type :array :key u32 :value u64 :max-entries 4)\n(defprog p (:type :xdp)\n  (getmap m 3))"
}
code! {
    /// This type of map has no such operation, or programs may not do it: a ring buffer has no keys, say.
    MAP_OPERATION, "E0204", "operation not possible on this map",
    "(defmap m :type :ringbuf :max-entries 4096)\n(defprog p (:type :xdp)\n  (getmap m 1))",
    "(defmap m :type :hash :key u32 :value u64 :max-entries 4096)\n(defprog p (:type :xdp)\n  (getmap m 1))"
}
code! {
    /// eBPF has atomic operations on 4 and 8 bytes only, and counting in a map is atomic.
    ATOMIC_SIZE, "E0205", "no atomic operation of this size",
    "(defmap m :type :hash :key u32 :value u16 :max-entries 8)\n(defprog p (:type :xdp)\n  (incf (getmap m 1))\n  1)",
    "(defmap m :type :hash :key u32 :value u32 :max-entries 8)\n(defprog p (:type :xdp)\n  (incf (getmap m 1))\n  1)"
}
code! {
    /// A variable index of an array must be known to lie in it: test it first, or mask it.
    INDEX_UNBOUNDED, "E0206", "index not bounded",
    "(defstruct s (a (array u32 4)))\n(defmap m :type :hash :key u32 :value s :max-entries 8)\n(defprog p (:type :kprobe)\n  (when-let ((v (map-lookup m 1)))\n    (s-a v (get-prandom-u32))))",
    "(defstruct s (a (array u32 4)))\n(defmap m :type :hash :key u32 :value s :max-entries 8)\n(defprog p (:type :kprobe)\n  (when-let ((v (map-lookup m 1)))\n    (s-a v (logand (get-prandom-u32) 3))))"
}
code! {
    /// The map type came with a later kernel than the target. `--target` says what kernel is meant.
    MAP_TOO_NEW, "E0207", "map type newer than the target",
    "(defmap m :type :ringbuf :max-entries 4096)",
    "(defmap m :type :perf-event-array :max-entries 0)",
    "--target 5.4"
}
code! {
    /// The key's struct has bytes between or behind its fields that no field covers. They are part of the key:
    /// whoever makes a key in another way than `make-S`, as user space does, must clear them, or finds nothing.
    KEY_PADDING, "W0208", "padding in a map's key",
    "(defstruct flow (addr u32) (port u16))\n(defmap m :type :hash :key flow :value u64 :max-entries 8)",
    "(defstruct flow (addr u32) (port u16) (pad u16))\n(defmap m :type :hash :key flow :value u64 :max-entries 8)"
}
code! {
    /// The operation gives an error with these constant flags, whatever the map holds: flags that this type of map
    /// doesn't have, `BPF_NOEXIST` for an array, `BPF_F_LOCK` for values without a lock.
    FLAGS_REFUSED, "W0209", "flags that are never taken",
    "(defmap m :type :array :key u32 :value u64 :max-entries 8)\n(defprog p (:type :xdp)\n  (if (= (map-update m 1 2 BPF_NOEXIST) 0) XDP_DROP XDP_PASS))",
    "(defmap m :type :array :key u32 :value u64 :max-entries 8)\n(defprog p (:type :xdp)\n  (if (= (map-update m 1 2 BPF_ANY) 0) XDP_DROP XDP_PASS))"
}
code! {
    /// The value of a map of stacks holds an address of 8 bytes for each frame. With a value of 8 bytes only the innermost
    /// frame is kept, and all stacks that have it in common are one.
    ONE_FRAME, "W0444", "stacks of one frame",
    "(defmap stacks :type :stack-trace :key u32 :value u64 :max-entries 64)",
    "(defmap stacks :type :stack-trace :key u32 :value (array u64 127) :max-entries 64)"
}
code! {
    /// One program writes something for a task, and another one looks it up for that task, in a map that has a value for
    /// each CPU. Between the two the task may have gone to another CPU, where there is no value, or an old one.
    CARRIED_PER_CPU, "W0445", "value of a task kept for a CPU",
    "(defmap start :type :percpu-hash :key u64 :value u64 :max-entries 64)\n(defprog enter (:type :kprobe :section \"kprobe/vfs_read\")\n  (setf (getmap start (get-current-pid-tgid)) (ktime-get-ns))\n  0)\n(defprog leave (:type :kprobe :section \"kretprobe/vfs_read\")\n  (when-let ((t0 (map-lookup start (get-current-pid-tgid))))\n    (printk \"%lu\" (- (ktime-get-ns) (deref t0))))\n  0)",
    "(defmap start :type :hash :key u64 :value u64 :max-entries 64)\n(defprog enter (:type :kprobe :section \"kprobe/vfs_read\")\n  (setf (getmap start (get-current-pid-tgid)) (ktime-get-ns))\n  0)\n(defprog leave (:type :kprobe :section \"kretprobe/vfs_read\")\n  (when-let ((t0 (map-lookup start (get-current-pid-tgid))))\n    (printk \"%lu\" (- (ktime-get-ns) (deref t0))))\n  0)"
}
code! {
    /// A number as it lies in a packet is the index into an array that has fewer entries than the number has values, and
    /// nothing bounds it. What has an index beyond the last is not there: it is not counted, and reads as 0. A comparison
    /// with a bound, `min` or `logand` before says what becomes of the others; `(cast u32 …)` that they are to be left out.
    KEY_BEYOND, "W0421", "array without an entry for every key",
    "(defmap ports :type :array :key u32 :value u64 :max-entries 1024)\n(defprog p (:type :xdp)\n  (with-tcp (data end tcp)\n    (incf (getmap ports (tcp-dst-port tcp))))\n  XDP_PASS)",
    "(defmap ports :type :array :key u32 :value u64 :max-entries 65536)\n(defprog p (:type :xdp)\n  (with-tcp (data end tcp)\n    (incf (getmap ports (tcp-dst-port tcp))))\n  XDP_PASS)"
}
code! {
    /// The first four bytes of an LPM trie's key are the length of the prefix in bits, whatever the member is called. Here
    /// a member behind the first has such a name, and the first one has not.
    PREFIX_BEHIND, "W0422", "length of a prefix that does not come first",
    "(defstruct prefix (addr u32) (len u32))\n(defmap nets :type :lpm-trie :key prefix :value u32 :max-entries 8 :map-flags BPF_F_NO_PREALLOC)\n(defprog p (:type :xdp)\n  (if (map-lookup nets (make-prefix :addr (ip4 \"10.0.0.1\") :len 32)) XDP_DROP XDP_PASS))",
    "(defstruct prefix (len u32) (addr u32))\n(defmap nets :type :lpm-trie :key prefix :value u32 :max-entries 8 :map-flags BPF_F_NO_PREALLOC)\n(defprog p (:type :xdp)\n  (if (map-lookup nets (make-prefix :len 32 :addr (ip4 \"10.0.0.1\"))) XDP_DROP XDP_PASS))"
}
