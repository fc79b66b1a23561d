;;; Bit-fields share bytes: writing one leaves its neighbours, reading takes just its bits.
;;; packet: 05 1f
;;; out: 5 31 0xfd 2 31
(defstruct bits3 (flags (bits u8 3)) (rest (bits u8 5)))
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((s (make-bits3)))
      (setf (bits3-flags s) (load u8 d 0)
            (bits3-rest s) (load u8 d 1))
      (setf (getmap out 0) (bits3-flags s)
            (getmap out 1) (bits3-rest s)
            (getmap out 2) (load u8 s 0))
      (setf (bits3-flags s) 10)
      (setf (getmap out 3) (bits3-flags s)
            (getmap out 4) (bits3-rest s))))
  XDP_PASS)
