;;; Arithmetic of narrow numbers is done in 64 bits.
;;; packet: ffffffff ff ffff
;;; out: 0xfffffffe00000001 0x1fffffffe 510 0xfffe0001 0xff00 0x100000000
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((w (load u32 d 0)) (b (load u8 d 4)) (h (load u16 d 5)))
      (setf (getmap out 0) (* w w)
            (getmap out 1) (+ w w)
            (getmap out 2) (+ b b)
            (getmap out 3) (* h h)
            (getmap out 4) (<< b 8)
            (getmap out 5) (1+ w))))
  XDP_PASS)
