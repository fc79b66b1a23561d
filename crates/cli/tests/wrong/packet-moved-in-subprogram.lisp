;; class: packet-moved
(defsubprog shrink () u64
  (if (= (xdp-adjust-tail (ctx-ptr) -4) 0) 1 0))
(defprog main (:type :xdp)
  (with-packet (data data-end :min-len 20)
    (when (and (= (shrink) 1) (= (load u8 data 9) 6))
      (return XDP_DROP)))
  XDP_PASS)
