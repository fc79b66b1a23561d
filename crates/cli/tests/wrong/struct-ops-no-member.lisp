;; class: unknown-name
;; codes: E0412
(defprog my-avoid (:type :struct-ops)
  (tcp-reno-cong-avoid (arg sk) (arg ack) (arg acked)))
