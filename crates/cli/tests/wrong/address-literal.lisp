;; class: other
(defprog main (:type :xdp)
  (with-ipv4 (data end ip)
    (when (= (ipv4-src-addr ip) (ip4 "10.0.0.256"))
      (return XDP_DROP)))
  XDP_PASS)
