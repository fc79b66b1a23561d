;;; Operands and forms are evaluated from left to right, once each.
;;; packet: 05
;;; out: 56 12 3 2
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((x (load u8 d 0)) (n 0))
      (setf (getmap out 0) (+ (* 10 x) (progn (incf x) x))
            (getmap out 1) (+ (* 10 (incf n)) (incf n))
            (getmap out 2) (progn (incf n) n)
            (getmap out 3) (prog1 2 (incf n)))))
  XDP_PASS)
