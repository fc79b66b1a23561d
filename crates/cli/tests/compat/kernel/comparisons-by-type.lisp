;;; Comparisons go by the operands' types; `s<` and its like are signed whatever the type says.
;;; packet: ffffffffffffffff 0100000000000000
;;; out: 0 1 1 0 1 0 1 0
(defmap out :type :array :key-size 4 :value-size 8 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 16)
    (let ((a (load u64 d 0)) (b (load u64 d 8)) (s (load i64 d 0)) (o (load i64 d 8)))
      (setf (getmap out 0) (< a b)
            (getmap out 1) (> a b)
            (getmap out 2) (< s o)
            (getmap out 3) (> s o)
            (getmap out 4) (s< a b)
            (getmap out 5) (s> a b)
            (getmap out 6) (s<= a b)
            (getmap out 7) (s>= a b))))
  XDP_PASS)
