;;; The fields of IPv6 and ICMP at their offsets.
;;; packet: 6a5b4c3d 0102 3a 40 0011223344556677 8899aabbccddeeff 1011121314151617 18191a1b1c1d1e1f 08 05 abcd 01020304
;;; out: 0x6a5b4c3d 0x0102 0x3a 0x40 0x7766554433221100 0x1f1e1d1c1b1a1918 8 5 0xcdab 0x04030201
(defmap out :type :array :key-size 4 :value-size 8 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 48)
    (setf (getmap out 0) (ipv6-ver-tc-flow d)
          (getmap out 1) (ipv6-payload-len d)
          (getmap out 2) (ipv6-nexthdr d)
          (getmap out 3) (ipv6-hop-limit d)
          (getmap out 4) (ipv6-src-addr-hi d)
          (getmap out 5) (ipv6-dst-addr-lo d))
    (let ((i (+ d 40)))
      (setf (getmap out 6) (icmp-type i)
            (getmap out 7) (icmp-code i)
            (getmap out 8) (icmp-checksum i)
            (getmap out 9) (icmp-rest i))))
  XDP_PASS)
