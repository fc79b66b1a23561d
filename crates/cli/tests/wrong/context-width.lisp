;; class: context-field
(defprog main (:type :xdp)
  (if (= (ctx u64 8) 3) XDP_DROP XDP_PASS))
