;; class: packet-bounds
(defprog main (:type :xdp)
  (let ((data (xdp-data)) (data-end (xdp-data-end)))
    (when (in-bounds data 40 data-end)
      (when (= (load u32 data -4) 7) (return XDP_DROP))))
  XDP_PASS)
