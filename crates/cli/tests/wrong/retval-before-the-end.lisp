;; class: other
;; codes: E0012 E0012
(defprog p (:type :fentry :section "fentry/do_sys_openat2")
  (retval)
  0)

(defprog q (:type :kprobe :section "kretprobe/do_sys_openat2")
  (arg dfd))
