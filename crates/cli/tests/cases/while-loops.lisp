;;; `while` ends by its test, or after `:max` rounds.
;;; loops: every way
;;; packet: e803000000000000
;;; out: 10 4 0 7
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((x (load u64 d 0)) (n 0) (m 0) (k 0) (r 0))
      (while (> x 0) :max 64
        (setf x (>> x 1))
        (incf n))
      (while (< m 1000) :max 4
        (incf m))
      (while (> x 0) :max 4
        (incf k))
      (block done
        (loop :max 20
          (incf r)
          (when (= r 7) (return-from done 0))))
      (setf (getmap out 0) n (getmap out 1) m (getmap out 2) k (getmap out 3) r)))
  XDP_PASS)
