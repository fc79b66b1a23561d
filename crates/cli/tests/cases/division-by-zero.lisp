;;; By zero at run time: `/` gives 0, `mod` and `rem` the dividend; signed or not.
;;; packet: 0700000000000000 f9ffffffffffffff 0000000000000000
;;; out: 0 7 7 0 -7 -7
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((u (load u64 d 0)) (s (load i64 d 8)) (zu (load u64 d 16)) (zs (load i64 d 16)))
      (setf (getmap out 0) (/ u zu)
            (getmap out 1) (mod u zu)
            (getmap out 2) (rem u zu)
            (getmap out 3) (/ s zs)
            (getmap out 4) (mod s zs)
            (getmap out 5) (rem s zs))))
  XDP_PASS)
