;; codes: W0018 W0018 W0018
(defprog a (:type :fentry :section "fentry/tcp_connecct") 0)
(defprog b (:type :tp-btf :section "tp_btf/sched_swich") 0)
(defprog c (:type :lsm :section "lsm/file_opne") 0)
