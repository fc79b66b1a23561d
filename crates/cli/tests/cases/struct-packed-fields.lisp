;;; A packed struct is read and written at odd offsets; `(be …)` fields hold network order.
;;; packet: 0102030405060708
;;; out: 0x01 0x0203 0x07060504 0x0203 0x1234
(defstruct (wire :packed) (kind u8) (len (be u16)) (id u32))
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((w (make-wire)))
      (memcpy w 0 d 0 7)
      (setf (getmap out 0) (wire-kind w)
            (getmap out 1) (wire-len w)
            (getmap out 2) (wire-id w)
            (getmap out 3) (bswap (load u16 w 1)))
      (setf (wire-len w) #x1234)
      (setf (getmap out 4) (bswap (load u16 w 1)))))
  XDP_PASS)
