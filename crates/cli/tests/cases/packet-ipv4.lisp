;;; `with-ipv4` and its fields, in host order where the protocol library says so.
;;; packet: 000000000000 000000000000 0800 45 00 0028 abcd 4000 40 06 beef 0a000001 0a000002
;;; out: 0x45 40 0xabcd 0x4000 64 6 0x0100000a 0x0a000002
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-ipv4 (d e ip)
    (setf (getmap out 0) (ipv4-ver-ihl ip)
          (getmap out 1) (ipv4-total-len ip)
          (getmap out 2) (ipv4-id ip)
          (getmap out 3) (ipv4-frag-off ip)
          (getmap out 4) (ipv4-ttl ip)
          (getmap out 5) (ipv4-protocol ip)
          (getmap out 6) (ipv4-src-addr ip)
          (getmap out 7) (ntohl (ipv4-dst-addr ip))))
  XDP_PASS)
