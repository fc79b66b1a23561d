;; class: packet-bounds
;; The header's length comes from the packet: what lies behind it must be compared again.
(defprog main (:type :xdp)
  (with-packet (data data-end :min-len 34)
    (let ((tcp (+ data 14 (* 4 (logand (load u8 data 14) 15)))))
      (when (= (load u16 tcp 2) 80)
        (return XDP_DROP))))
  XDP_PASS)
