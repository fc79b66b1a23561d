;; class: reference
;; codes: E0501 E0501 E0501
;; flags: --target 6.18
(defprog a (:type :xdp)
  (let ((task (task-from-pid 1)))
    (when task
      (when (> (-> task pid) 5) (task-release task))))
  XDP_PASS)
(defprog b (:type :xdp)
  (task-from-pid 1)
  XDP_PASS)
(defprog c (:type :xdp)
  (when-let ((task (task-from-pid 1)))
    (when (= (-> task pid) 1) (return XDP_DROP))
    (task-release task))
  XDP_PASS)
