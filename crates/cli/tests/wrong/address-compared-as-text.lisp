;; class: other
(defprog main (:type :xdp)
  (with-ipv4 (data end ip)
    (when (= (ipv4-dst-addr ip) "10.0.0.1") (return XDP_DROP)))
  XDP_PASS)
