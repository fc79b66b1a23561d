;; class: context-field
(deftracepoint sched/sched_switch next_pid)
(defmap seen :type :hash :key u32 :value u64 :max-entries 4)
(defprog main (:type :tracepoint :section "tracepoint/sched/sched_process_exec")
  (incf (getmap seen (tp-next-pid)))
  0)
