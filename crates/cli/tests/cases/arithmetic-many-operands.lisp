;;; Sums and products of any number of operands, negation, steps.
;;; packet: 02 03 04
;;; out: 9 24 -2 -5 3 1 0 1 7
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((a (load u8 d 0)) (b (load u8 d 1)) (c (load u8 d 2)))
      (setf (getmap out 0) (+ a b c)
            (getmap out 1) (* a b c)
            (getmap out 2) (- a)
            (getmap out 3) (- a b c)
            (getmap out 4) (1+ a)
            (getmap out 5) (1- a)
            (getmap out 6) (+)
            (getmap out 7) (*)
            (getmap out 8) (+ 1 a 1 b))))
  XDP_PASS)
