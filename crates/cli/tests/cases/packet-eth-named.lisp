;;; `with-eth` and `with-tc-eth` with a name for the header, as the other protocols have it.
;;; packet: 010203040506 0a0b0c0d0e0f 0800 45
;;; out: 2048 14 1 2048
(defmap out :type :array :key u32 :value u64 :max-entries 8)
(defprog main (:type :xdp)
  (with-eth (d e x)
    (setf (getmap out 0) (eth-type x)
          (getmap out 1) (if (in-bounds x 14 e) 14 0))
    (with-eth (start end y :at d)
      (setf (getmap out 2) (load u8 y 0))))
  (with-tc-eth (d e x)
    (setf (getmap out 3) (eth-type x)))
  XDP_PASS)
