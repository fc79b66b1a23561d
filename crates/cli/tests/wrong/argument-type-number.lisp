;; class: arguments
(defprog main (:type :xdp)
  (with-packet (data data-end :min-len 14)
    (when (= (* data 2) 8)
      (return XDP_DROP)))
  XDP_PASS)
