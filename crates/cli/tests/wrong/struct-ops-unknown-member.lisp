;; class: unknown-name
(defprog my-ssthresh (:type :struct-ops :section "struct_ops/ssthresh")
  (tcp-reno-ssthresh (arg sk)))
(defprog my-avoid (:type :struct-ops :section "struct_ops/cong_avoid")
  (tcp-reno-cong-avoid (arg sk) (arg ack) (arg acked)))
(defprog my-undo (:type :struct-ops :section "struct_ops/undo_cwnd")
  (tcp-reno-undo-cwnd (arg sk)))
(defstruct-ops mine (:type tcp_congestion_ops)
  (ssthresh my-ssthresh) (cong-avoids my-avoid) (undo-cwnd my-undo) (name "mine"))
