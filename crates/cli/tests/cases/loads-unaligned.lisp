;;; Packets are read at any offset.
;;; packet: 00 1122334455667788 99
;;; out: 0x8877665544332211 0x44332211 0x4433 0x99887766
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (setf (getmap out 0) (load u64 d 1)
          (getmap out 1) (load u32 d 1)
          (getmap out 2) (load u16 d 3)
          (getmap out 3) (load u32 d 6)))
  XDP_PASS)
