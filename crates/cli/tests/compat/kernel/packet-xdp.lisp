;;; `with-eth`, `with-ipv4`, `with-tcp`, `with-udp` and their fields in host order; another protocol falls through.
;;; packet: 112233445566 aabbccddeeff 0800 45000028 12344000 4006abcd 0a000001 0a000002 d431 270f 01020304 05060708 50 12 ffff 0000 0000
;;; result: 1
;;; out: 0x0800 0x11223344 6 0x28 0x1234 54321 9999 0x01020304 0x05060708 0x12 0 64
(defmap out :type :array :key-size 4 :value-size 8 :max-entries 16)
(defprog main (:type :xdp)
  (with-eth (d e)
    (setf (getmap out 0) (eth-type d)
          (getmap out 1) (ntohl (eth-dst-mac-hi d))))
  (with-ipv4 (d e ip)
    (setf (getmap out 2) (ipv4-protocol ip)
          (getmap out 3) (ipv4-total-len ip)
          (getmap out 4) (ipv4-id ip)
          (getmap out 11) (ipv4-ttl ip)))
  (with-udp (d e udp)
    (setf (getmap out 10) (udp-src-port udp)))
  (with-tcp (d e tcp)
    (setf (getmap out 5) (tcp-src-port tcp)
          (getmap out 6) (tcp-dst-port tcp)
          (getmap out 7) (tcp-seq tcp)
          (getmap out 8) (tcp-ack-seq tcp)
          (getmap out 9) (logand (tcp-flags tcp) (logior +tcp-syn+ +tcp-ack+)))
    (return XDP_DROP))
  XDP_PASS)
