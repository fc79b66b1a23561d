;; class: lock
;; codes: E0506 E0506 E0506
;; flags: --target 6.18
(defprog a (:type :xdp)
  (rcu-read-lock)
  XDP_PASS)
(defprog b (:type :xdp)
  (preempt-enable)
  XDP_PASS)
(defprog c (:type :syscall)
  (do-kernel (task task) (-> task pid))
  0)
