;; class: packet-moved
;; The second round uses the pointer of the first.
(defprog main (:type :xdp)
  (with-packet (data data-end :min-len 20)
    (dotimes (i 2)
      (when (= (load u8 data 9) 6)
        (xdp-adjust-head 4))))
  XDP_PASS)
