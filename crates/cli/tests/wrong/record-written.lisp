;; class: context-field
(defprog main (:type :tracepoint :section "tracepoint/sched/sched_switch")
  (setf (ctx u32 8) 3)
  0)
