;; class: unknown-name
(defprog main (:type :xdp)
  (if (= (ctx rx_queue_index) 0) XDP_PAS XDP_DROP))
