;; class: constant-operand
(defprog main (:type :xdp)
  (if (= (>> (ktime-get-ns) -1) 0) XDP_DROP XDP_PASS))
