;; class: other
(defprog p (:type :xdp)
  (with-packet (d e :min-len 64)
    (atomic-add d 0 1 u32))
  XDP_PASS)
