;; class: context-field
;; codes: E0401 E0401 E0401 E0004
(defmap seen :type :hash :key u32 :value u64 :max-entries 64)
(defprog by-protocol (:type :xdp)
  (incf (getmap seen (ctx protocol)))
  (incf (getmap seen (ctx mark)))
  XDP_PASS)

(defprog on-switch (:type :tracepoint :section "tracepoint/sched/sched_switch")
  (ctx prev_pid))

(defprog on-connect (:type :kprobe :section "kprobe/tcp_connect")
  (if (ctx 0) 1 0))
