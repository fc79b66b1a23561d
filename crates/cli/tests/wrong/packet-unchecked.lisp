;; class: packet-bounds
(defprog main (:type :xdp)
  (let ((data (xdp-data)))
    (when (= (load u8 data 23) 6)
      (return XDP_DROP)))
  XDP_PASS)
