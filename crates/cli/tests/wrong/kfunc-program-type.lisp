;; class: not-allowed
;; codes: E0404 E0404 E0404
;; flags: --target 6.18
(defprog a (:type :kprobe :section "kprobe/vfs_read")
  (task-from-pid 1)
  0)
(defprog b (:type :xdp)
  (with-reference (m (cpumask-create)) (cpumask-clear m))
  (crypto-ctx-create 0 0 0)
  XDP_PASS)
