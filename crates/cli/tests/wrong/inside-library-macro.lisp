;; class: unknown-name
(defprog main (:type :xdp)
  (with-tcp (data data-end tcp)
    (when (= (tcp-dst-prt tcp) 80)
      (return XDP_DROP)))
  XDP_PASS)
