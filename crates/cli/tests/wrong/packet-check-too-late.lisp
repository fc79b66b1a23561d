;; class: packet-bounds
(defprog main (:type :xdp)
  (let ((data (ctx data)) (data-end (ctx data_end)))
    (let ((kind (load u16 data 12)))
      (if (and (<= (+ data 14) data-end) (= kind 8)) XDP_DROP XDP_PASS))))
