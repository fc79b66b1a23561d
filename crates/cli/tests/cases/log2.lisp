;;; The position of the highest bit, over all 64; 0 gives 0.
;;; packet: 0000000000000000 0100000000000000 ff00000000000000 0001000000000000 0000000000000080 ffffffff
;;; out: 0 0 7 8 63 31 10
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (setf (getmap out 0) (log2 (load u64 d 0))
          (getmap out 1) (log2 (load u64 d 8))
          (getmap out 2) (log2 (load u64 d 16))
          (getmap out 3) (log2 (load u64 d 24))
          (getmap out 4) (log2 (load u64 d 32))
          (getmap out 5) (log2 (load u32 d 40))
          (getmap out 6) (log2 1024)))
  XDP_PASS)
