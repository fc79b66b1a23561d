;; class: arguments
;; codes: E0412
(defprog my-ssthresh (:type :struct-ops :section "struct_ops/ssthresh")
  (tcp-reno-ssthresh (arg sk)))
(defstruct-ops mine (:type tcp_congestion_ops)
  (ssthresh my-ssthresh)
  (name "mine"))
