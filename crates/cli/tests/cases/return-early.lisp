;;; `(return x)` from inside other forms' operands.
;;; packet: 01
;;; result: 77
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((y (+ 5 (if (= (load u8 d 0) 1) (return 77) 3))))
      (return y)))
  XDP_PASS)
