;;; The smallest i64 by -1 is itself, the remainder 0; nothing traps.
;;; packet: 0000000000000080 ffffffffffffffff
;;; out: -9223372036854775808 0 0 -9223372036854775808
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((s (load i64 d 0)) (m (load i64 d 8)))
      (setf (getmap out 0) (/ s m)
            (getmap out 1) (mod s m)
            (getmap out 2) (rem s m)
            (getmap out 3) (/ s -1))))
  XDP_PASS)
