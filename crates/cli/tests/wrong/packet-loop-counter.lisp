;; class: packet-bounds
;; The loop may go on for 128 rounds, and 64 bytes were compared.
(defprog main (:type :xdp)
  (with-packet (data data-end :min-len 64)
    (let ((total 0) (len (- data-end data)))
      (dotimes (i len :max 128)
        (incf total (load u8 (+ data i))))
      (when (> total 5000) (return XDP_DROP))))
  XDP_PASS)
