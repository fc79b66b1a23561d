;;; `(return (= x 3))` gives 1 or 0.
;;; packet: 03
;;; result: 1
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((x (load u8 d 0)))
      (return (= x 3))))
  XDP_PASS)
