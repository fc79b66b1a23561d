;; class: context-field
;; Only programs behind a devmap know where a packet goes.
(defprog main (:type :xdp)
  (if (= (ctx egress_ifindex) 3) XDP_DROP XDP_PASS))
