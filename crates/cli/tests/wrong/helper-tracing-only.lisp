;; class: not-allowed
(defprog main (:type :xdp)
  (if (= (override-return (ctx-ptr) 0) 0) XDP_DROP XDP_PASS))
