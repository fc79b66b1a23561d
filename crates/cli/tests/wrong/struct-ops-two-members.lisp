;; class: arguments
;; codes: E0412
(defprog my-ssthresh (:type :struct-ops :section "struct_ops/ssthresh")
  (tcp-reno-ssthresh (arg sk)))
(defprog my-avoid (:type :struct-ops :section "struct_ops/cong_avoid")
  (tcp-reno-cong-avoid (arg sk) (arg ack) (arg acked)))
(defstruct-ops mine (:type tcp_congestion_ops)
  (ssthresh my-ssthresh) (cong-avoid my-avoid) (undo-cwnd my-ssthresh) (name "mine"))
