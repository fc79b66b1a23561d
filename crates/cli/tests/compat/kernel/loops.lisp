;;; `(dotimes (i n) …)` with a constant, also by name; `return` leaves the program from inside.
;;; packet: 0102030405
;;; result: 3
;;; out: 10 6
(defconstant +n+ 4)
(defmap out :type :array :key-size 4 :value-size 8 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 14)
    (let ((sum 0))
      (dotimes (i +n+)
        (incf sum (load u8 (+ d i) 0)))
      (setf (getmap out 0) sum))
    (dotimes (i 8)
      (incf (getmap out 1) i)
      (when (= i 3)
        (return i))))
  XDP_PASS)
