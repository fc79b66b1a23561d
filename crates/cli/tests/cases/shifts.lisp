;;; `>>` is logical, `>>>` arithmetic, `ash` by the operand's sign; run-time counts use six bits.
;;; packet: f8ffffffffffffff f000000000000000 41 00000000000000
;;; out: 0x7ffffffffffffffc -4 -4 0x0f 2 0x78 -32 0x3ffffffffffffffe 16 0xf00 -1
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((s (load i64 d 0)) (u (load u64 d 8)) (c (load u8 d 16)))
      (setf (getmap out 0) (>> s 1)
            (getmap out 1) (>>> s 1)
            (getmap out 2) (ash s -1)
            (getmap out 3) (ash u -4)
            (getmap out 4) (<< 1 c)            ; 65 counts as 1
            (getmap out 5) (>> u c)
            (getmap out 6) (ash s 2)
            (getmap out 7) (>> (load u64 d 0) 2)
            (getmap out 8) (ash 1 4)
            (getmap out 9) (<< u 4)
            (getmap out 10) (>>> (load u64 d 0) 63))))
  XDP_PASS)
