;;; A header of one's own: fields by offset, in network order where said, read and written.
;;; packet: 11 1234 deadbeef
;;; out: 0x11 0x1234 0xefbeadde 0xbeef
;;; after: 12abcddeadbeef
(defheader mine
  (kind :offset 0 :type u8)
  (len :offset 1 :type u16 :net-order t)
  (id :offset 3 :type u32)
  (low :offset 5 :type u16 :net-order t))
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (setf (getmap out 0) (mine-kind d)
          (getmap out 1) (mine-len d)
          (getmap out 2) (mine-id d)
          (getmap out 3) (mine-low d))
    (incf (mine-kind d))
    (setf (mine-len d) #xabcd))
  XDP_PASS)
