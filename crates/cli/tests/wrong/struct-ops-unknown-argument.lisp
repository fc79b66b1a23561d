;; class: unknown-name
(defprog my-avoid (:type :struct-ops :section "struct_ops/cong_avoid")
  (tcp-reno-cong-avoid (arg sk) (arg ack) (arg acks)))
