;; class: unknown-name
(defprog p (:type :tp-btf :section "tp_btf/sched_switch")
  (-> (arg nxt) pid)
  0)
