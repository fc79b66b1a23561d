;;; Loops with constant counts: nested, empty, with a value, with a variable that is assigned outside.
;;; loops: every way
;;; packet: 01020304 05060708
;;; out: 36 45 0 0 3 100
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((sum 0) (n 0) (k 0))
      (dotimes (i 8)
        (incf sum (load u8 (+ d i) 0)))
      (setf (getmap out 0) sum)
      (dotimes (i 10) (incf n i))
      (setf (getmap out 1) n
            (getmap out 2) (dotimes (i 3) (incf k))
            (getmap out 3) (dotimes (i 0) (incf k 50))
            (getmap out 4) k)
      (let ((cells 0))
        (dotimes (i 10)
          (dotimes (j 10) (incf cells)))
        (setf (getmap out 5) cells))))
  XDP_PASS)
