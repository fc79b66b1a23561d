;; class: return-range
;; codes: E0407 E0407
(defprog my-ssthresh (:type :struct-ops :section "struct_ops/ssthresh")
  (when (zerop (-> (tcp-sk (arg sk)) snd_cwnd))
    (return -1))
  4294967296)
