;;; Blocks have values; `return-from` leaves one, through loops and other blocks.
;;; loops: every way
;;; packet: 03 00
;;; out: 3 7 11 42
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((x (load u8 d 0)) (z (load u8 d 1)))
      (setf (getmap out 0) (block a (when x (return-from a x)) 9)
            (getmap out 1) (block a (when z (return-from a x)) 7)
            (getmap out 2) (block outer
                             (block inner
                               (dotimes (i 5)
                                 (when (= i x) (return-from outer (+ i 8))))
                               1)
                             2)
            (getmap out 3) (block a (block b (return-from b 1)) 42))))
  XDP_PASS)
