;; class: arguments
;; codes: E0003 E0002 E0003
;; flags: --target 6.18
(defprog main (:type :xdp)
  (with-reference (task (task-from-pid 1))
    (cgroup-ancestor task 1)
    (task-under-cgroup task)
    (send-signal-task (get-current-task) 9 0 0))
  XDP_PASS)
