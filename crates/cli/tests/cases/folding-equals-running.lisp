;;; The same expressions of constants and of what is read from the packet.
;;; packet: f9ffffffffffffff 0200000000000000 ff
;;; out: 1 1 1 1 1 1 1 1 1
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((m (load i64 d 0)) (two (load i64 d 8)) (ff (load u8 d 16)))
      (setf (getmap out 0) (= (/ m two) (/ -7 2))
            (getmap out 1) (= (mod m two) (mod -7 2))
            (getmap out 2) (= (rem m two) (rem -7 2))
            (getmap out 3) (= (>>> m two) (>>> -7 2))
            (getmap out 4) (= (ash m -2) (ash -7 -2))
            (getmap out 5) (= (< m two) (< -7 2))
            (getmap out 6) (= (lognot ff) (lognot 255))
            (getmap out 7) (= (min m two) (min -7 2))
            (getmap out 8) (= (abs m) (abs -7)))))
  XDP_PASS)
