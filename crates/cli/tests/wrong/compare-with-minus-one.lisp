;; class: signedness
(defprog main (:type :xdp)
  (with-packet (data data-end :min-len 14)
    (when (< (load u32 data 0) -1)
      (return XDP_DROP)))
  XDP_PASS)
