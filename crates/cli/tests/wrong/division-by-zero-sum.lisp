;; class: constant-operand
(defconstant +slots+ 4)
(defprog main (:type :xdp)
  (if (= (/ (ctx rx_queue_index) (- +slots+ 4)) 0) XDP_DROP XDP_PASS))
