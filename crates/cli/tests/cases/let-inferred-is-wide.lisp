;;; A variable without a written type is a 64-bit place, whatever its first value's type.
;;; packet: ff 80
;;; out: 555 -129 1 256
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((x (load u8 d 0)) (y (load i8 d 1)) (z (load u8 d 0)))
      (incf x 300)
      (decf y)
      (setf z (1+ z))
      (setf (getmap out 0) x
            (getmap out 1) y
            (getmap out 2) (< y 0)
            (getmap out 3) z)))
  XDP_PASS)
