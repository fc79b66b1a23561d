;;; `ash << >> >>> logand logior logxor lognot` in the original's spellings.
;;; packet: f000000000000080
;;; out: 0xf00 0x080000000000000f 0xf80000000000000f 0xf0 0x80000000000000ff 0x800000000000000f 0x0f
(defmap out :type :array :key-size 4 :value-size 8 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 14)
    (let ((x (load u64 d 0)))
      (setf (getmap out 0) (logand #xffff (<< x 4))
            (getmap out 1) (>> x 4)
            (getmap out 2) (>>> x 4)
            (getmap out 3) (logand x #xff)
            (getmap out 4) (logior x #x0f)
            (getmap out 5) (logxor x #xff)
            (getmap out 6) (logand #xff (lognot x)))))
  XDP_PASS)
