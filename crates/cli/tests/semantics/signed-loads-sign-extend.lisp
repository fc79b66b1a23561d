;;; Signed loads fill with the sign, unsigned ones with zeros.
;;; packet: ff 00 0080 00000080 0000000000000080
;;; out: -1 255 -32768 32768 -2147483648 2147483648 -9223372036854775808 0 -1
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (setf (getmap out 0) (load i8 d 0)
          (getmap out 1) (load u8 d)
          (getmap out 2) (load i16 d 2)
          (getmap out 3) (load u16 d 2)
          (getmap out 4) (load i32 d 4)
          (getmap out 5) (load u32 d 4)
          (getmap out 6) (load i64 d 8)
          (getmap out 7) (load i8 d 1)
          (getmap out 8) (+ (load i8 d 0) (load u8 d 1))))
  XDP_PASS)
