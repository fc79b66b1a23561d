;;; The operands' sign decides how they compare; `s<` and its kin force it.
;;; packet: feffffffffffffff 0300000000000000
;;; out: 1 0 0 1 1 0 1 0 1 0 1
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((s (load i64 d 0)) (t3 (load i64 d 8)) (u (load u64 d 0)) (u3 (load u64 d 8)))
      (setf (getmap out 0) (< s t3)
            (getmap out 1) (< u u3)
            (getmap out 2) (>= s t3)
            (getmap out 3) (>= u u3)
            (getmap out 4) (s< u u3)
            (getmap out 5) (s> u u3)
            (getmap out 6) (s<= u u)
            (getmap out 7) (s>= u u3)
            (getmap out 8) (minusp s)
            (getmap out 9) (minusp t3)
            (getmap out 10) (plusp t3))))
  XDP_PASS)
