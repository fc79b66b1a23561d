;; class: not-allowed
;; flags: --target 6.1
(defprog my-ssthresh (:type :struct-ops :section "struct_ops/ssthresh")
  (tcp-reno-ssthresh (arg sk)))
(defstruct-ops mine (:type tcp_congestion_ops :link t)
  (ssthresh my-ssthresh) (name "mine"))
