;;; `log2` is the floor for all 64 bits; 0 gives 0.
;;; packet: 00000000000000000000000000000080 ffffffffff000000
;;; out: 0 63 39 0 1 63
(defmap out :type :array :key-size 4 :value-size 8 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 24)
    (setf (getmap out 0) (log2 (load u64 d 0))
          (getmap out 1) (log2 (load u64 d 8))
          (getmap out 2) (log2 (load u64 d 16))
          (getmap out 3) (log2 (+ 1 (load u64 d 0)))
          (getmap out 4) (log2 (+ 3 (load u64 d 0)))
          (getmap out 5) (log2 (- (load u64 d 0) 1))))
  XDP_PASS)
