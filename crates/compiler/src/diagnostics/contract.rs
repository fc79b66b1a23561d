//! What a program's type, licence and target allow.

use super::{CodeDoc, code};

pub(super) static ALL: &[&CodeDoc] = &[
    &CONTEXT_FIELD,
    &CONTEXT_WIDTH,
    &CONTEXT_READ_ONLY,
    &HELPER_PROGRAM,
    &HELPER_TARGET,
    &HELPER_LICENSE,
    &RETURN_RANGE,
    &RETURN_ODD,
    &VERDICT_UNWRITTEN,
    &OTHER_VERDICT,
    &OTHER_MOMENT,
    &NO_LINK_HEADER,
    &UNREAD_FIELD,
    &OTHER_TASK,
    &NO_PATH_HERE,
    &NO_SUCH_ARGUMENT,
    &ONE_CPU,
    &REFUSES_ALL,
    &NOT_ASKED_FOR,
    &PSEUDO_HEADER,
    &LINK_HEADER_LEFT_OUT,
    &SECTION,
    &PROGRAM_TYPE,
    &SLEEPS,
    &STRUCT_OPS,
];

code! {
    /// The context of this type of program has no such field, or not yet with the target's kernel.
    CONTEXT_FIELD, "E0401", "unknown context field",
    "(defprog p (:type :xdp)\n  (ctx ingress))",
    "(defprog p (:type :xdp)\n  (ctx ingress_ifindex))"
}
code! {
    /// The verifier lets this field of the context be read only at its own width.
    CONTEXT_WIDTH, "E0402", "context access of a wrong width",
    "(defprog p (:type :xdp)\n  (ctx u64 12))",
    "(defprog p (:type :xdp)\n  (ctx u32 12))"
}
code! {
    /// The verifier doesn't let this field of the context be written, in this type of program or in any.
    CONTEXT_READ_ONLY, "E0403", "context field is read-only",
    "(defprog p (:type :xdp)\n  (setf (ctx ingress_ifindex) 1)\n  XDP_PASS)",
    "(defprog p (:type :tc)\n  (setf (ctx mark) 1)\n  0)"
}
code! {
    /// The kernel doesn't offer this helper or kernel function to this type of program. The note names types that have it.
    HELPER_PROGRAM, "E0404", "helper or kernel function not allowed in this type of program",
    "(defprog p (:type :kprobe)\n  (xdp-adjust-head 4))",
    "(defprog p (:type :xdp)\n  (xdp-adjust-head 4))"
}
code! {
    /// The helper or kernel function came with a later kernel than the target. `--target` says what kernel is meant.
    HELPER_TARGET, "E0405", "helper or kernel function newer than the target",
    "(defprog p (:type :xdp)\n  (if (= (ktime-get-boot-ns) 0) 1 2))",
    "(defprog p (:type :xdp)\n  (if (= (ktime-get-ns) 0) 1 2))",
    "--target 5.4"
}
code! {
    /// The kernel offers this helper only to programs under a licence compatible with the GPL.
    HELPER_LICENSE, "E0406", "helper needs a GPL licence",
    "(defprog p (:type :kprobe :license \"Proprietary\")\n  (get-current-task))",
    "(defprog p (:type :kprobe :license \"GPL\")\n  (get-current-task))"
}
code! {
    /// The verifier refuses a program of this type that returns this value.
    RETURN_RANGE, "E0407", "return value out of range",
    "(defprog p (:type :cgroup-skb)\n  2)",
    "(defprog p (:type :cgroup-skb)\n  1)"
}
code! {
    /// The kernel takes the value but means nothing by it; often it is a mistake for one of the named constants.
    RETURN_ODD, "W0408", "odd return value",
    "(defprog p (:type :xdp)\n  17)",
    "(defprog p (:type :xdp)\n  XDP_PASS)"
}
code! {
    /// `:type` and `:section` name different types of program, or the section is none that libbpf knows.
    SECTION, "E0409", "type and section contradict each other",
    "(defprog p (:type :xdp :section \"kprobe/vfs_read\")\n  0)",
    "(defprog p (:type :kprobe :section \"kprobe/vfs_read\")\n  0)"
}
code! {
    /// There is no such type of program, or only with a later kernel than the target.
    PROGRAM_TYPE, "E0410", "program type unknown or newer than the target",
    "(defprog p (:type :xpd)\n  0)",
    "(defprog p (:type :xdp)\n  0)"
}
code! {
    /// The helper or kernel function may sleep. Only programs that are loaded as sleepable may call it, and not while
    /// they hold a lock, or where preemption or interrupts are off.
    SLEEPS, "E0411", "sleeping call where the program can't sleep",
    "(defprog p (:type :lsm :section \"lsm/file_open\")\n  (let ((b 0))\n    (copy-from-user (stack-addr b) 8 (cast (ptr u64) 4096))\n    0))",
    "(defprog p (:type :lsm :section \"lsm.s/file_open\")\n  (let ((b 0))\n    (copy-from-user (stack-addr b) 8 (cast (ptr u64) 4096))\n    0))"
}
code! {
    /// An XDP program ends in a form that yields nothing on some path, such as a `when` whose test fails. Its result is
    /// then 0, which is XDP_ABORTED: the packet is dropped and an error is traced. Write the verdict.
    VERDICT_UNWRITTEN, "W0412", "XDP program without a written verdict",
    "(defprog p (:type :xdp)\n  (when (> (get-prandom-u32) 7)\n    XDP_PASS))",
    "(defprog p (:type :xdp)\n  (when (> (get-prandom-u32) 7)\n    (return XDP_PASS))\n  XDP_DROP)"
}
code! {
    /// A struct of operations (`defstruct-ops`) is not one that the kernel takes: it lacks a member that the kernel
    /// calls in any case, sets one that programs can't implement, gives it a value of another type, or names a program
    /// that is no `:struct-ops` or is another member.
    STRUCT_OPS, "E0412", "not a struct of operations that the kernel takes",
    "", ""
}
code! {
    /// The constant that is returned is a verdict of programs of another type: the same number means something else
    /// here. XDP_PASS is 2, and so is TC_ACT_SHOT, which drops the packet.
    OTHER_VERDICT, "W0413", "verdict of another type of program",
    "(defprog p (:type :tc)\n  XDP_PASS)",
    "(defprog p (:type :tc)\n  TC_ACT_OK)"
}
code! {
    /// A probe sees the registers as they are where it hangs: arguments where a function is entered, the result where
    /// it has returned. What is needed of the arguments then is kept in a map by a probe at the entry, or read by an
    /// fexit program, which has both.
    OTHER_MOMENT, "W0414", "register read at the wrong moment",
    "(defprog p (:type :kprobe :section \"kretprobe/vfs_read\")\n  (printk \"%d\" (pt-regs-parm3))\n  0)",
    "(defprog p (:type :kprobe :section \"kretprobe/vfs_read\")\n  (printk \"%d\" (pt-regs-ret))\n  0)"
}
code! {
    /// Programs of cgroups and of lightweight tunnels see packets from the IP header on. What lies 12 bytes behind
    /// their start is no ethertype. `with-ipv4` and the like know it; `(ctx protocol)` is the ethertype, in network order.
    NO_LINK_HEADER, "W0415", "ethertype looked for where there is none",
    "(defprog p (:type :cgroup-skb)\n  (let ((data (ctx data)))\n    (when (and (in-bounds data 34 (ctx data_end)) (= (ntohs (load u16 data 12)) #x0800))\n      (return 0)))\n  1)",
    "(defprog p (:type :cgroup-skb)\n  (when (= (ctx protocol) (htons #x0800))\n    (return 0))\n  1)"
}
code! {
    /// `deftracepoint` names fields of an event's record, and the file reads this one nowhere. Most often something else is
    /// read in its place.
    UNREAD_FIELD, "W0440", "field of an event that is never read",
    "", ""
}
code! {
    /// The task that runs, which `get-current-pid-tgid` and the like tell of, is not the one that this event is about: a
    /// task is woken by another one, say. Whom the event is about stands in its record. A program that means the running
    /// one says so by a name: `waker`. Else the event is asked: `(deftracepoint sched/sched_wakeup pid)` and `(tp-pid)`.
    OTHER_TASK, "W0441", "the running task at another one's event",
    "(defmap queued :type :hash :key u32 :value u64 :max-entries 64)\n(defprog p (:type :tracepoint :section \"tracepoint/sched/sched_wakeup\")\n  (setf (getmap queued (cast u32 (get-current-pid-tgid))) (ktime-get-ns))\n  0)",
    "(defmap times :type :hash :key u32 :value u64 :max-entries 64)\n(defprog p (:type :tracepoint :section \"tracepoint/sched/sched_wakeup\")\n  (let ((waker (cast u32 (get-current-pid-tgid))))\n    (incf (getmap times waker)))\n  0)"
}
code! {
    /// The kernel lets programs ask for a path only where that is certain not to wait for a lock that is held already: at
    /// some functions (`btf_allowlist_d_path`), at LSM hooks that may sleep, and in iterators. Elsewhere it refuses the
    /// program: `fentry/vfs_open`, for one; `fentry/security_file_open` is taken.
    NO_PATH_HERE, "W0442", "path asked for where the kernel has none",
    "", ""
}
code! {
    /// The probed function has fewer arguments, and the register holds what something else left there. System calls are
    /// entered by functions such as `__x64_sys_openat`, whose one argument points to the registers of the process:
    /// `(-> (arg regs) si)` is a call's second argument there. Its tracepoint has them by name.
    NO_SUCH_ARGUMENT, "W0443", "argument that the function does not have",
    "(defprog p (:type :kprobe :section \"kprobe/__x64_sys_unlinkat\")\n  (printk \"%lx\" (pt-regs-parm2))\n  0)",
    "(defprog p (:type :kprobe :section \"kprobe/do_unlinkat\")\n  (printk \"%lx\" (pt-regs-parm2))\n  0)"
}
code! {
    /// The low half of these flags is an index into the map of events, one for each CPU. 0 is CPU 0, whose event only
    /// programs on that CPU can use; `BPF_F_CURRENT_CPU` is that of the CPU at hand. A 0 that is meant, as in a map whose
    /// events are something else, is given a name: `(defconstant +cpu0+ 0)`. Maps of one entry are not warned of.
    ONE_CPU, "W0416", "event of CPU 0 alone",
    "(defstruct event (at u64))\n(defmap events :type :perf-event-array :key u32 :value u32 :max-entries 64)\n(defprog p (:type :kprobe :license \"GPL\")\n  (let ((e (make-event :at (ktime-get-ns))))\n    (perf-event-output events 0 e (sizeof event)))\n  0)",
    "(defstruct event (at u64))\n(defmap events :type :perf-event-array :key u32 :value u32 :max-entries 64)\n(defprog p (:type :kprobe :license \"GPL\")\n  (let ((e (make-event :at (ktime-get-ns))))\n    (perf-event-output events BPF_F_CURRENT_CPU e (sizeof event)))\n  0)"
}
code! {
    /// Programs of cgroups let go on what they return 1 for, and refuse what they return 0 for: other programs' 0 for
    /// success refuses everything here. It is said of programs that ask something, or rewrite the context, and return
    /// nothing but 0. A program that is to refuse everything says so by the name: `SK_DROP`.
    REFUSES_ALL, "W0417", "everything is refused",
    "(defprog p (:type :cgroup-sock-addr :section \"cgroup/connect4\")\n  (when (= (ctx user_port) (htons 80))\n    (setf (ctx user_port) (htons 8080)))\n  0)",
    "(defprog p (:type :cgroup-sock-addr :section \"cgroup/connect4\")\n  (when (= (ctx user_port) (htons 80))\n    (setf (ctx user_port) (htons 8080)))\n  1)"
}
code! {
    /// The kernel calls sockops programs at a retransmission, a timeout, a change of state, a measured round trip or for
    /// header options only for sockets that were asked for it with `sock-ops-cb-flags-set`. Nothing of the file asks.
    NOT_ASKED_FOR, "W0418", "call that no socket makes",
    "(defprog p (:type :sock-ops)\n  (when (= (ctx op) BPF_SOCK_OPS_RTT_CB)\n    (printk \"%d\" (ctx srtt_us)))\n  1)",
    "(defprog p (:type :sock-ops)\n  (case (ctx op)\n    (BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB (sock-ops-cb-flags-set BPF_SOCK_OPS_RTT_CB_FLAG))\n    (BPF_SOCK_OPS_RTT_CB (printk \"%d\" (ctx srtt_us))))\n  1)"
}
code! {
    /// The same change goes into the IP header's checksum and into TCP's or UDP's, so it is a change of an address: the
    /// transport's checksum covers addresses by its pseudo-header. `BPF_F_PSEUDO_HDR` says so. Without it the result is
    /// right only for packets whose sums are made in software.
    PSEUDO_HEADER, "W0419", "address in a checksum without BPF_F_PSEUDO_HDR",
    "(defprog p (:type :tc)\n  (let ((old u32 (get-prandom-u32)) (new u32 (ip4 \"192.0.2.1\")))\n    (if (and (= (l3-csum-replace 24 old new 4) 0) (= (l4-csum-replace 50 old new 4) 0))\n        TC_ACT_OK\n        TC_ACT_SHOT)))",
    "(defprog p (:type :tc)\n  (let ((old u32 (get-prandom-u32)) (new u32 (ip4 \"192.0.2.1\")))\n    (if (and (= (l3-csum-replace 24 old new 4) 0)\n             (= (l4-csum-replace 50 old new (logior BPF_F_PSEUDO_HDR 4)) 0))\n        TC_ACT_OK\n        TC_ACT_SHOT)))"
}
code! {
    /// A packet that a test gives to a program begins with the IP header. Packets given to `run-prog` begin with the
    /// Ethernet header, as in the kernel's test run, also where the program sees them from the IP header on: its first
    /// 14 bytes are taken for one.
    LINK_HEADER_LEFT_OUT, "W0420", "packet of a test without its Ethernet header",
    "(defprog p (:type :xdp)\n  (with-udp (data end udp)\n    (return XDP_DROP))\n  XDP_PASS)\n(deftest dropped\n  (is (= (run-prog p (packet (ipv4) (udp))) XDP_DROP)))",
    "(defprog p (:type :xdp)\n  (with-udp (data end udp)\n    (return XDP_DROP))\n  XDP_PASS)\n(deftest dropped\n  (is (= (run-prog p (packet (eth) (ipv4) (udp))) XDP_DROP)))"
}
