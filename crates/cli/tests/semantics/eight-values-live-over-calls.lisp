;;; Ten values live over calls of helpers: none may be lost or taken for another.
;;; packet: 01 02 03 04 05 06 07 08 09 0a
;;; out: 1 2 3 4 5 6 7 8 9 10 3628800
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp :license "GPL")
  (with-packet (p e :min-len 64)
    (let ((a (load u8 p 0)) (b (load u8 p 1)) (c (load u8 p 2)) (d (load u8 p 3)) (f (load u8 p 4))
          (g (load u8 p 5)) (h (load u8 p 6)) (i (load u8 p 7)) (j (load u8 p 8)) (k (load u8 p 9)))
      (ktime-get-ns)
      (get-prandom-u32)
      (setf (getmap out 0) a (getmap out 1) b (getmap out 2) c (getmap out 3) d (getmap out 4) f
            (getmap out 5) g (getmap out 6) h (getmap out 7) i (getmap out 8) j (getmap out 9) k)
      (get-smp-processor-id)
      (setf (getmap out 10) (* a b c d f g h i j k))))
  XDP_PASS)
