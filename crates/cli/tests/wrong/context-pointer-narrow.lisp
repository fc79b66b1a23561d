;; class: context-field
(defprog main (:type :xdp)
  (if (= (ctx u16 0) 3) XDP_DROP XDP_PASS))
