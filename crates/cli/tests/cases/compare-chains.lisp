;;; Comparisons take several operands, as in Common Lisp.
;;; packet: 01 05 0a 05
;;; out: 1 0 1 1 0 1
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((a (load u8 d 0)) (b (load u8 d 1)) (c (load u8 d 2)) (b2 (load u8 d 3)))
      (setf (getmap out 0) (< a b c)
            (getmap out 1) (< a c b)
            (getmap out 2) (<= a b b2 c)
            (getmap out 3) (= b b2)
            (getmap out 4) (= a b b2)
            (getmap out 5) (eql b 5))))
  XDP_PASS)
