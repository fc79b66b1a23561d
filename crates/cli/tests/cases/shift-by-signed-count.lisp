;;; `ash` with a run-time count shifts right when the count is negative.
;;; packet: 1000000000000000 fe 03 f0ffffffffffffff
;;; out: 4 128 -4 -128
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((u (load u64 d 0)) (down (load i8 d 8)) (up (load i8 d 9)) (s (load i64 d 10)))
      (setf (getmap out 0) (ash u down)
            (getmap out 1) (ash u up)
            (getmap out 2) (ash s down)
            (getmap out 3) (ash s up))))
  XDP_PASS)
