;;; Unsigned division of numbers whose top bit is set.
;;; packet: ffffffffffffffff 0a00000000000000 ffffffff
;;; out: 1844674407370955161 5 429496729 5 2305843009213693951 7 1844674407370955161
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((x (load u64 d 0)) (ten (load u64 d 8)) (w (load u32 d 16)))
      (setf (getmap out 0) (/ x ten)
            (getmap out 1) (mod x ten)
            (getmap out 2) (/ w ten)
            (getmap out 3) (rem w 10)
            (getmap out 4) (/ x 8)
            (getmap out 5) (mod x 8)
            (getmap out 6) (/ x 10))))
  XDP_PASS)
