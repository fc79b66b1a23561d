;;; A variable with a written type is cut when written, at its birth and later.
;;; packet: 3412 fe ff 00000080
;;; out: 0x34 -2 4 4 0xfe -2147483648 65535 1
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((a u8 (load u16 d 0))
          (b i8 (load u8 d 2))
          (c u8 250)
          (f i32 (load u32 d 4))
          (g u16 0))
      (setf (getmap out 0) a
            (getmap out 1) b
            (getmap out 2) (incf c 10)
            (getmap out 3) c
            (getmap out 4) (cast u8 b)
            (getmap out 5) f)
      (decf g)
      (setf (getmap out 6) g)
      (incf g 2)
      (setf (getmap out 7) g)))
  XDP_PASS)
