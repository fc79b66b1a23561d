;; class: constant-operand
(defprog main (:type :xdp)
  (if (= (<< (ktime-get-ns) 64) 0) XDP_DROP XDP_PASS))
