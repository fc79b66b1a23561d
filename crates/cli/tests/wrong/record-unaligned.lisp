;; class: context-field
;; codes: E0402 E0401 E0401
(defprog main (:type :tracepoint :section "tracepoint/sched/sched_switch")
  (when (= (ctx u64 10) 5) (return 1))
  (when (= (ctx u64 0) 5) (return 1))
  (when (= (ctx u64 9000) 5) (return 1))
  0)
