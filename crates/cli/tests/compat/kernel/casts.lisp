;;; `(cast T x)` cuts and extends by the type.
;;; packet: fedcba9876543210
;;; out: 0xfe 0xdcfe 0x98badcfe -2 -8962 7
(defmap out :type :array :key-size 4 :value-size 8 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 14)
    (let ((x (load u64 d 0)))
      (setf (getmap out 0) (cast u8 x)
            (getmap out 1) (cast u16 x)
            (getmap out 2) (cast u32 x)
            (getmap out 3) (cast i8 x)
            (getmap out 4) (cast i16 x)
            (getmap out 5) (cast u64 (cast u8 #x107)))))
  XDP_PASS)
