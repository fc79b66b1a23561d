;; class: context-field
(defprog main (:type :xdp)
  (if (= (ctx ifindex) 3) XDP_DROP XDP_PASS))
