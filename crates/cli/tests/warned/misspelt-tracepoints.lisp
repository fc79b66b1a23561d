;; codes: W0018 W0018
(defprog exec (:type :tracepoint :section "tracepoint/sched/sched_proces_exec") 0)
(defprog switch (:type :tracepoint :section "tracepoint/sched/sched_switch") 0)
(defprog enter (:type :raw-tracepoint :section "raw_tp/sys_entre") 0)
(defprog leave (:type :raw-tracepoint :section "raw_tp/sys_exit") 0)
