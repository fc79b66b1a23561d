;;; IPv6 behind Ethernet: its fields; other packets leave the body out.
;;; packet: 020000000001 020000000002 86dd 60000000 0014 06 40 20010db8000000000000000000000001 20010db8000000000000000000000002
;;; out: 20 6 64 0x20010db800000000 2 1
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-ipv6 (d e ip)
    (setf (getmap out 0) (ipv6-payload-len ip)
          (getmap out 1) (ipv6-nexthdr ip)
          (getmap out 2) (ipv6-hop-limit ip)
          (getmap out 3) (ntohll (ipv6-src-addr-hi ip))
          (getmap out 4) (ntohll (ipv6-dst-addr-lo ip))
          (getmap out 5) (htonll #x0100000000000000)))
  (with-ipv4 (d e ip)
    (setf (getmap out 6) 1))
  XDP_PASS)
