;;; `cast` cuts and extends as the type says.
;;; packet: 80ff f0 ffffffffffffffff
;;; out: 0x80 -128 -128 0xff80 -16 0xf0 0xfffffff0 0xffffffff -1 1
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((h (load u16 d 0)) (m (load i8 d 2)) (u (load u64 d 3)))
      (setf (getmap out 0) (cast u8 h)
            (getmap out 1) (cast i8 h)
            (getmap out 2) (cast i16 h)
            (getmap out 3) (cast u16 h)
            (getmap out 4) (cast u64 m)
            (getmap out 5) (cast u8 m)
            (getmap out 6) (cast u32 m)
            (getmap out 7) (cast u32 u)
            (getmap out 8) (cast i32 u)
            (getmap out 9) (< (cast i64 u) 0))))
  XDP_PASS)
