;; class: duplicate
;; codes: E0005 E0005
(defsubprog when ((x u64)) u64 x)
(defsubprog map-lookup ((x u64)) u64 x)
(defprog main (:type :xdp)
  (when (= (ctx rx_queue_index) 1) (return XDP_DROP))
  XDP_PASS)
