;; class: malformed
;; codes: E0029
(defprog main (:type :xdp)
  (let ((data (ctx data)))
    (when (in-bounds data 64 (ctx data_end))
      (when (= (load u8 data 54) 'G') (return XDP_DROP))))
  XDP_PASS)
