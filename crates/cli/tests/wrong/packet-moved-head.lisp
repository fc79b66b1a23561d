;; class: packet-moved
(defprog main (:type :xdp)
  (with-packet (data data-end :min-len 20)
    (xdp-adjust-head 4)
    (when (= (load u8 data 9) 6)
      (return XDP_DROP)))
  XDP_PASS)
