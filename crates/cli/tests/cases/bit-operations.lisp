;;; The bit operations, of any number of operands; results are 64 bits wide.
;;; packet: ff 0f 3c f0f0
;;; out: 0x0c 0xff 0xf3 -256 1 0 0x0f -1 0 0x0ff0
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((a (load u8 d 0)) (b (load u8 d 1)) (c (load u8 d 2)) (h (load u16 d 3)))
      (setf (getmap out 0) (logand a b c)
            (getmap out 1) (logior a b c)
            (getmap out 2) (logxor a (logand b c))
            (getmap out 3) (lognot a)
            (getmap out 4) (logtest b c)
            (getmap out 5) (logtest b #xf0)
            (getmap out 6) (logand b -1)
            (getmap out 7) (logior b (lognot b))
            (getmap out 8) (logxor h h)
            (getmap out 9) (logand #xffff (lognot (logxor h #xff))))))
  XDP_PASS)
