;;; More values than registers, all alive over calls of helpers.
;;; packet: 0102030405060708090a0b0c0d0e
;;; out: 105 1015 1
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((a (load u8 d 0)) (b (load u8 d 1)) (c (load u8 d 2)) (f (load u8 d 3))
          (g (load u8 d 4)) (h (load u8 d 5)) (i (load u8 d 6)) (j (load u8 d 7))
          (k (load u8 d 8)) (l (load u8 d 9)) (m (load u8 d 10)) (n (load u8 d 11))
          (o (load u8 d 12)) (p (load u8 d 13))
          (before (ktime-get-ns)))
      (setf (getmap out 0) (+ a b c f g h i j k l m n o p))
      (let ((after (ktime-get-ns)))
        (setf (getmap out 1) (+ (* a a) (* b b) (* c c) (* f f) (* g g) (* h h) (* i i) (* j j)
                                (* k k) (* l l) (* m m) (* n n) (* o o) (* p p))
              (getmap out 2) (>= after before)))))
  XDP_PASS)
