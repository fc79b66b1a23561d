;; class: constant-operand
(defconstant +none+ 0)
(defprog main (:type :xdp)
  (if (= (mod (ktime-get-ns) +none+) 0) XDP_DROP XDP_PASS))
