;;; The value of the last form is the program's result; section and licence come from the type.
;;; packet: 01
;;; result: 1
(defprog main (:type :xdp)
  (with-packet (d e :min-len 14)
    (if (= (load u8 d 0) 1) XDP_DROP XDP_PASS)))
