;; class: constant-index
(defparam key (array u32 4) #(1 2 3 4))
(defprog main (:type :xdp)
  (if (= (aref key 4) 1) XDP_DROP XDP_PASS))
