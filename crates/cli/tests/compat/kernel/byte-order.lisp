;;; `ntohs htons ntohl htonl ntohll htonll`, run and folded.
;;; packet: 0102030405060708
;;; out: 0x0102 0x01020304 0x0102030405060708 0x5000 0x01000000 0x0100000000000000
(defmap out :type :array :key-size 4 :value-size 8 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 14)
    (setf (getmap out 0) (ntohs (load u16 d 0))
          (getmap out 1) (ntohl (load u32 d 0))
          (getmap out 2) (ntohll (load u64 d 0))
          (getmap out 3) (htons 80)
          (getmap out 4) (htonl 1)
          (getmap out 5) (htonll 1)))
  XDP_PASS)
