;; class: arguments
;; codes: E0003 E0204 E0003 E0003 E0003
(defmap flows :type :hash :key u32 :value u64 :max-entries 4)
(defstruct buffer (bytes (array u8 16)))
(defprog main (:type :raw-tracepoint)
  (let ((b (make-buffer)))
    (get-current-comm 7 16)
    (perf-event-output b flows 0 b 16)
    (ringbuf-query 5 0)
    (get-task-stack (get-current-task) b 16)
    (send-signal b))
  0)
