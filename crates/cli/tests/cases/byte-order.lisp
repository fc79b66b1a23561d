;;; Network order to the host's and back; `bswap` by the operand's width; `ntohs` of more takes the low bytes.
;;; packet: 1234 12345678 123456789abcdef0
;;; out: 0x1234 0x12345678 0x123456789abcdef0 0x1234 0x12345678 0x123456789abcdef0 0x3412 0x1234 0x1234 0x50
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (let ((h (load u16 d 0)) (w (load u32 d 2)) (q (load u64 d 6)))
      (setf (getmap out 0) (ntohs h)
            (getmap out 1) (ntohl w)
            (getmap out 2) (ntohll q)
            (getmap out 3) (bswap h)
            (getmap out 4) (bswap w)
            (getmap out 5) (bswap q)
            (getmap out 6) (htons #x1234)
            (getmap out 7) (htons (ntohs (ntohs h)))
            (getmap out 8) (ntohs w)
            (getmap out 9) (ntohs #x5000))))
  XDP_PASS)
