;;; 64 bits are all there is: sums wrap, and stay right below.
;;; packet: ffffffffffffffff ffffffffffffff7f
;;; out: 0 -2 -9223372036854775808 1 0x7ffffffffffffffe
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((u (load u64 d 0)) (s (load i64 d 8)))
      (setf (getmap out 0) (1+ u)
            (getmap out 1) (+ u u)
            (getmap out 2) (1+ s)
            (getmap out 3) (* u u)
            (getmap out 4) (1- s))))
  XDP_PASS)
