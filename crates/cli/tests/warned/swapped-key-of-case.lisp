;; codes: W0108 W0108
(defprog p (:type :xdp)
  (with-tcp (data end tcp)
    (case (tcp-dst-port tcp)
      (((htons 443)) (return XDP_DROP))
      ((80 (htons 8080)) (return XDP_TX))))
  XDP_PASS)
