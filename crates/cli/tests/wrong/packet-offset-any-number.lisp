;; class: packet-bounds
(defprog main (:type :xdp)
  (let ((data (xdp-data)) (data-end (xdp-data-end)) (off (get-prandom-u32)))
    (when (<= (+ data off 4) data-end)
      (when (= (load u32 (+ data off)) 7) (return XDP_DROP))))
  XDP_PASS)
