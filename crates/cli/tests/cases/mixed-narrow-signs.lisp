;;; Unsigned types below 64 bits mix with signed ones, giving `i64`.
;;; packet: 05000000 f9ffffff c8 ff
;;; out: -2 1 0 199 1 -35 12
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((u (load u32 d 0)) (s (load i32 d 4)) (b (load u8 d 8)) (m (load i8 d 9)))
      (setf (getmap out 0) (+ u s)
            (getmap out 1) (< (+ u s) 0)
            (getmap out 2) (< u s)
            (getmap out 3) (+ b m)
            (getmap out 4) (> b m)
            (getmap out 5) (* u s)
            (getmap out 6) (- u s))))
  XDP_PASS)
