;;; A record for a perf event array, which takes none where nobody reads.
;;; ctx: 1000000000000000 ffffffffffffffff
;;; result: 0
;;; out: -2
;;; only: kernel: what the virtual machine is given is always read
(defmap events :type :perf-event-array)
(defmap out :type :array :key u32 :value u64 :max-entries 8)
(defprog main (:type :raw-tracepoint :section "raw_tp/sys_enter")
  (let ((x u64 #x1122334455667788))
    (setf (getmap out 0) (perf-event-output events BPF_F_CURRENT_CPU (stack-addr x) 8)))
  0)
