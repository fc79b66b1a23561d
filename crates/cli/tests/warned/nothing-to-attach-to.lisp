;; codes: W0018 W0018 W0018
(defprog a (:type :fentry :section "fentry/zzqqxx_of_no_kernel_at_all") 0)
(defprog b (:type :tp-btf :section "tp_btf/sched_swich") 0)
(defprog c (:type :raw-tracepoint :section "raw_tp/sched_swich") 0)
