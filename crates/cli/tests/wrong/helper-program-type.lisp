;; class: not-allowed
(defprog main (:type :xdp)
  (skb-vlan-pop (ctx-ptr))
  XDP_PASS)
