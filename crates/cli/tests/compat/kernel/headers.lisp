;;; `defheader` with offsets, types and `:net-order`; `setf` of its fields.
;;; packet: 0a0102ff 00000005
;;; out: 10 258 5 0xff
;;; after: 0b0304ff 00000006
(defheader own
  (kind :offset 0 :type u8)
  (len :offset 1 :type u16 :net-order t)
  (flag :offset 3 :type u8)
  (seq :offset 4 :type u32 :net-order t))
(defmap out :type :array :key-size 4 :value-size 8 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 14)
    (setf (getmap out 0) (own-kind d)
          (getmap out 1) (own-len d)
          (getmap out 2) (own-seq d)
          (getmap out 3) (own-flag d))
    (setf (own-kind d) 11
          (own-len d) 772
          (own-seq d) 6))
  XDP_PASS)
