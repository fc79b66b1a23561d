;;; `case` with single keys, lists, constants, `t` and `otherwise`.
;;; packet: 06
;;; out: 1 2 3 4
(defconstant +six+ 6)
(defmap out :type :array :key-size 4 :value-size 8 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 14)
    (let ((k (load u8 d 0)))
      (setf (getmap out 0) (case k (5 9) (6 1) (t 0))
            (getmap out 1) (case k ((1 2 3) 9) ((4 6) 2) (otherwise 0))
            (getmap out 2) (case (+ k 1) (6 9) (otherwise 3))
            (getmap out 3) (case k (+six+ 4) (t 0)))))
  XDP_PASS)
