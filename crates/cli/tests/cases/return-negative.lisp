;;; A program's result is 32 bits: -1 comes back as 4294967295.
;;; packet: ff
;;; result: -1
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (load i8 d 0)))
