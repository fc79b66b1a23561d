;; class: context-field
;; codes: E0401 E0402
(defprog main (:type :tp-btf :section "tp_btf/sched_switch")
  (when (= (ctx u64 48) 5) (return 1))
  (when (= (ctx u32 4) 5) (return 1))
  0)
