//! Numbers: signs, sizes, constants.

use super::{CodeDoc, code};

pub(super) static ALL: &[&CodeDoc] = &[
    &MIXED_SIGNS,
    &ZERO_DIVISOR,
    &SHIFT_COUNT,
    &CONSTANT_CUT,
    &NEGATIVE_UNSIGNED,
    &NEGATIVE_MEETS,
    &ONE_WAY,
    &SWAPPED_TWICE,
    &NETWORK_ORDER,
    &NOTHING_LEFT,
    &HALF_OF_TWO,
    &TWO_CLOCKS,
    &SIGN_LOST,
    &SHORT_TIME,
    &ORDER_OF_SWAPPED,
    &NETWORK_ARGUMENT,
    &ETHERTYPE_OF_IP,
];

code! {
    /// Ordering, division, remainder, `min` and `max` give different results for signed and unsigned
    /// operands, so a `u64` and a signed number don't mix there. Cast the one to the other's type.
    MIXED_SIGNS, "E0101", "mixed signedness",
    "(defprog p (:type :xdp)\n  (let ((a i64 -1) (b u64 (ktime-get-ns)))\n    (if (< a b) 1 2)))",
    "(defprog p (:type :xdp)\n  (let ((a i64 -1) (b u64 (ktime-get-ns)))\n    (if (< a (cast i64 b)) 1 2)))"
}
code! {
    /// The divisor is the constant zero. At run time a division by zero gives 0, and a remainder the
    /// dividend; a written one is a mistake.
    ZERO_DIVISOR, "E0102", "division by the constant zero",
    "(defprog p (:type :xdp)\n  (/ (ktime-get-ns) 0))",
    "(defprog p (:type :xdp)\n  (/ (ktime-get-ns) 1000))"
}
code! {
    /// A constant shift of 64 bits or more (or a negative one). Run-time counts use their low 6 bits.
    SHIFT_COUNT, "E0103", "shift count out of range",
    "(defprog p (:type :xdp)\n  (<< (ktime-get-ns) 64))",
    "(defprog p (:type :xdp)\n  (<< (ktime-get-ns) 63))"
}
code! {
    /// A constant has more bits than the place it is written to; what doesn't fit is cut off.
    CONSTANT_CUT, "W0104", "constant is cut",
    "(defprog p (:type :kprobe)\n  (let ((x u8 300)) x))",
    "(defprog p (:type :kprobe)\n  (let ((x u16 300)) x))"
}
code! {
    /// An unsigned number is compared with a negative constant: the answer never depends on the number.
    NEGATIVE_UNSIGNED, "E0105", "unsigned number against a negative constant",
    "(defprog p (:type :xdp)\n  (let ((x (ktime-get-ns)))\n    (if (< x -1) 1 2)))",
    "(defprog p (:type :xdp)\n  (let ((x (ktime-get-ns)))\n    (if (s< x -1) 1 2)))"
}
code! {
    /// A negative constant and an unsigned value are the two results of one form: the constant's bits
    /// are taken as an unsigned number.
    NEGATIVE_MEETS, "W0106", "negative constant taken as unsigned",
    "(defprog p (:type :xdp)\n  (let ((x (ktime-get-ns)))\n    (+ 1 (if (> x 5) x -1))))",
    "(defprog p (:type :xdp)\n  (let ((x (ktime-get-ns)))\n    (+ 1 (if (> x 5) (cast i64 x) -1))))"
}
code! {
    /// A comparison with a constant has the same answer for every number that the other side's type holds. Often the
    /// type is not what was thought: a difference of unsigned numbers is unsigned and never below 0. Comparisons that
    /// a macro makes, or that are between constants alone, are not warned of.
    ONE_WAY, "W0107", "comparison that goes one way only",
    "(defprog p (:type :xdp)\n  (let ((left (- (get-prandom-u32) 100)))\n    (if (< left 0) XDP_DROP XDP_PASS)))",
    "(defprog p (:type :xdp)\n  (let ((left (- (cast i64 (get-prandom-u32)) 100)))\n    (if (< left 0) XDP_DROP XDP_PASS)))"
}
code! {
    /// A number is in host order already, and its bytes are swapped a second time, or it is compared with one whose bytes
    /// are swapped. The kernel holds local ports so (`local_port` of a context, `src_port` of a socket), and the ports in
    /// the records of tcp's tracepoints. Fields of headers and those declared `(be T)` are read as plain numbers: the bytes are put into
    /// the host's order by the read, and into the network's by a write. (The library's IPv4 addresses alone are
    /// as they lie in the packet.) A struct of your own that a helper reads wants network order where its fields are plain:
    /// `(setf (tuple-port p) (htons (tcp-dst-port tcp)))` is right.
    SWAPPED_TWICE, "W0108", "bytes swapped a second time",
    "(defprog p (:type :xdp)\n  (with-tcp (data end tcp)\n    (when (= (tcp-dst-port tcp) (htons 443)) (return XDP_DROP)))\n  XDP_PASS)",
    "(defprog p (:type :xdp)\n  (with-tcp (data end tcp)\n    (when (= (tcp-dst-port tcp) 443) (return XDP_DROP)))\n  XDP_PASS)"
}
code! {
    /// A number is compared whose bytes are in the network's order: a field of the context that the kernel keeps so
    /// (`user_port`, `remote_ip4` …), a field of the kernel's of type `__be16` or `__be32`, an ethertype or port as it
    /// lies in the packet, an IPv4 address of the library's headers. The constant is as people write it. `ntohs`
    /// and `ntohl` put the number into the host's order. The same is said of such a number, an IPv4 address apart, that is
    /// kept in a field of your own or is the key of a map, where it would be read as another number. If network order is
    /// meant there, the name of the field or map says so: `port-be`, `port-net`, `port-raw`.
    NETWORK_ORDER, "W0109", "network order compared with the host's",
    "(defprog p (:type :cgroup-sock-addr :section \"cgroup/connect4\")\n  (if (= (ctx user_port) 53) 0 1))",
    "(defprog p (:type :cgroup-sock-addr :section \"cgroup/connect4\")\n  (if (= (ntohs (ctx user_port)) 53) 0 1))"
}
code! {
    /// A shift moves every bit out of what is kept of the number, which is 0 whatever it was. `ash` shifts left by a
    /// count above 0 and right by one below; `>>` shifts right.
    NOTHING_LEFT, "W0125", "shift that leaves nothing",
    "(defmap m :type :array :key u32 :value u64 :max-entries 4)\n(defprog p (:type :xdp)\n  (incf (getmap m (cast u32 (ash (ktime-get-ns) 32))))\n  XDP_PASS)",
    "(defmap m :type :array :key u32 :value u64 :max-entries 4)\n(defprog p (:type :xdp)\n  (incf (getmap m (cast u32 (ash (ktime-get-ns) -32))))\n  XDP_PASS)"
}
code! {
    /// `get-current-pid-tgid` yields two numbers of 32 bits in one: the process's id (which `ps` and `getpid` call PID, and
    /// the kernel tgid) in the upper half, the thread's id (which the kernel calls pid) in the lower. A place of 32 bits
    /// keeps the lower half. `get-current-uid-gid` has the group's id in the upper half and the user's in the lower. A cast
    /// says that the lower half is meant; names `tid`, `tgid`, `uid` and `gid` are compared with what they get.
    HALF_OF_TWO, "W0120", "one half of two numbers",
    "(defstruct gone (pid u32))\n(defmap events :type :ringbuf :max-entries 4096)\n(defprog p (:type :kprobe)\n  (with-ringbuf (e events (sizeof gone))\n    (setf (gone-pid e) (get-current-pid-tgid)))\n  0)",
    "(defstruct gone (pid u32))\n(defmap events :type :ringbuf :max-entries 4096)\n(defprog p (:type :kprobe)\n  (with-ringbuf (e events (sizeof gone))\n    (setf (gone-pid e) (>> (get-current-pid-tgid) 32)))\n  0)"
}
code! {
    /// The kernel has several clocks. `ktime-get-ns` stands still while the machine is suspended, `ktime-get-boot-ns` goes
    /// on, `ktime-get-tai-ns` counts from 1970; the scheduler has a clock of each CPU, and jiffies are ticks. A difference
    /// of times by two of them is off by whatever lies between the clocks. A task's `start_time` is by `ktime-get-ns`, its
    /// `start_boottime` by `ktime-get-boot-ns`.
    TWO_CLOCKS, "W0121", "times of two clocks",
    "(defprog p (:type :kprobe)\n  (let ((born (ktime-get-boot-ns)))\n    (printk \"%lu\" (- (ktime-get-ns) born)))\n  0)",
    "(defprog p (:type :kprobe)\n  (let ((born (ktime-get-boot-ns)))\n    (printk \"%lu\" (- (ktime-get-boot-ns) born)))\n  0)"
}
code! {
    /// The program has just found a number to be negative, and writes it to a field without a sign: -2 is read there as
    /// 4294967294. Declare the field as a signed one, or say by a cast that the bits are meant.
    SIGN_LOST, "W0122", "negative number in a field without a sign",
    "(defstruct failed (ret u32))\n(defmap events :type :ringbuf :max-entries 4096)\n(defprog p (:type :kprobe :section \"kretprobe/vfs_read\")\n  (let ((ret (cast i64 (pt-regs-ret))))\n    (when (< ret 0)\n      (with-ringbuf (e events (sizeof failed))\n        (setf (failed-ret e) ret))))\n  0)",
    "(defstruct failed (ret i32))\n(defmap events :type :ringbuf :max-entries 4096)\n(defprog p (:type :kprobe :section \"kretprobe/vfs_read\")\n  (let ((ret (cast i64 (pt-regs-ret))))\n    (when (< ret 0)\n      (with-ringbuf (e events (sizeof failed))\n        (setf (failed-ret e) ret))))\n  0)"
}
code! {
    /// Timers count nanoseconds. One that fires after less than 100 µs most often was given milliseconds. A time that is
    /// computed, `(* 50 1000)`, is taken for what is meant.
    SHORT_TIME, "W0123", "very short time of a timer",
    "(defstruct v (tick bpf-timer))\n(defmap m :type :array :key u32 :value v :max-entries 1)\n(defprog p (:type :xdp)\n  (when-let ((v (map-lookup m 0)))\n    (timer-init (v-tick-ptr v) m)\n    (timer-start (v-tick-ptr v) 5000))\n  XDP_PASS)",
    "(defstruct v (tick bpf-timer))\n(defmap m :type :array :key u32 :value v :max-entries 1)\n(defprog p (:type :xdp)\n  (when-let ((v (map-lookup m 0)))\n    (timer-init (v-tick-ptr v) m)\n    (timer-start (v-tick-ptr v) 5000000000))\n  XDP_PASS)"
}
code! {
    /// Numbers whose bytes are in the network's order are compared by which is the greater. Equal numbers stay equal
    /// when the bytes of both are swapped; greater ones do not stay greater. Put them into the host's order first. Two
    /// that were both read, as the addresses of a packet, are not warned of: any order may do for them.
    ORDER_OF_SWAPPED, "W0116", "order of numbers in network order",
    "(defprog p (:type :cgroup-sock-addr :section \"cgroup/connect4\")\n  (if (< (ctx user_port) (htons 1024)) 0 1))",
    "(defprog p (:type :cgroup-sock-addr :section \"cgroup/connect4\")\n  (if (< (ntohs (ctx user_port)) 1024) 0 1))"
}
code! {
    /// A helper takes this number in the network's order, and the constant given is none of those that it knows: most
    /// often its bytes were not swapped. The kernel says nothing, and takes it for another one.
    NETWORK_ARGUMENT, "W0117", "argument that is not in network order",
    "(defprog p (:type :tc)\n  (if (= (skb-vlan-push ETH_P_8021AD 200) 0) TC_ACT_OK TC_ACT_SHOT))",
    "(defprog p (:type :tc)\n  (if (= (skb-vlan-push (htons ETH_P_8021AD) 200) 0) TC_ACT_OK TC_ACT_SHOT))"
}
code! {
    /// A socket buffer's `protocol` and a frame's type name what comes behind Ethernet, 0x0800 for IPv4; numbers like 6 for
    /// TCP are in the IP header.
    ETHERTYPE_OF_IP, "W0118", "IP protocol looked for in the Ethernet type",
    "(defprog p (:type :tc)\n  (if (= (ntohs (ctx protocol)) IPPROTO_TCP) TC_ACT_SHOT TC_ACT_OK))",
    "(defprog p (:type :tc)\n  (with-ipv4 (data end ip)\n    (when (= (ipv4-protocol ip) IPPROTO_TCP) (return TC_ACT_SHOT)))\n  TC_ACT_OK)"
}
