;; class: unknown-name
(defmap states :type :hash :key u32 :value u64 :max-entries 64)
(defprog main (:type :raw-tracepoint :section "raw_tp/sched_process_exit")
  (incf (getmap states (cast u32 (-> (get-current-task) state))))
  0)
