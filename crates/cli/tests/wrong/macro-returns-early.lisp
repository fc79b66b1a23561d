;; class: malformed
(defmacro drop-if (test) (when test (return XDP_DROP)))
(defprog main (:type :xdp)
  (drop-if (= (ctx ingress_ifindex) 3))
  XDP_PASS)
