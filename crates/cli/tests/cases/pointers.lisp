;;; Adding to a pointer counts bytes, the difference of two is a number, `stack-addr` gives a variable a home.
;;; packet: 00010203 04050607
;;; out: 3 4 0x07060504 99 64
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let* ((p (+ d 3)) (q (+ p 4)) (v 5) (a (stack-addr v)))
      (setf (getmap out 0) (load u8 p 0)
            (getmap out 1) (- q p)
            (getmap out 2) (load u32 p 1))
      (store u64 a 0 99)
      (setf (getmap out 3) v
            (getmap out 4) (- e d))))
  XDP_PASS)
