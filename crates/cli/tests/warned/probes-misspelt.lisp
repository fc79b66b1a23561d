;; codes: W0018
(defprog slip (:type :kprobe :section "kprobe/do_unlinkatt")
  0)
(defprog other (:type :kprobe :section "kprobe/something_of_a_module")
  0)
(defprog known (:type :kprobe :section "kretprobe/do_unlinkat")
  0)
