;;; By the operands' sign.
;;; packet: fbffffff 03000000 ffffffffffffffff
;;; out: -5 3 5 3 3 -1 -5 2
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((m (load i32 d 0)) (p (load i32 d 4)) (u (load u64 d 8)))
      (setf (getmap out 0) (min m p)
            (getmap out 1) (max m p)
            (getmap out 2) (abs m)
            (getmap out 3) (abs p)
            (getmap out 4) (min u 3)
            (getmap out 5) (max u 3)
            (getmap out 6) (min m p -2)
            (getmap out 7) (max m -7 2))))
  XDP_PASS)
