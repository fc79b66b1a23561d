;;; `/` truncates, `mod` floors, `rem` truncates.
;;; packet: f9ffffff 02000000 fdffffff 07000000
;;; out: -3 1 -1  -2 1  2 -1 1
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((x (load i32 d 0)) (two (load i32 d 4)) (y (load i32 d 8)) (seven (load i32 d 12)))
      (setf (getmap out 0) (/ x two)            ; -7 by 2
            (getmap out 1) (mod x two)
            (getmap out 2) (rem x two)
            (getmap out 3) (/ seven y)          ; 7 by -3
            (getmap out 4) (rem seven y)
            (getmap out 5) (mod x (- y))        ; -7 by 3
            (getmap out 6) (rem x y)            ; -7 by -3
            (getmap out 7) (- (mod x y) (rem seven y) -3))))  ; -1 - 1 + 3
  XDP_PASS)
