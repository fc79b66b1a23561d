;;; `u64` with a signed number: `+ - *`, equality and bit operations work on the bits.
;;; packet: 0500000000000000 feffffff
;;; out: 3 7 -10 0 1 4 1
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((u (load u64 d 0)) (s (load i32 d 8)))
      (setf (getmap out 0) (+ u s)
            (getmap out 1) (- u s)
            (getmap out 2) (* u s)
            (getmap out 3) (= u s)
            (getmap out 4) (/= u s)
            (getmap out 5) (logand u s)
            (getmap out 6) (logtest u s))))
  XDP_PASS)
