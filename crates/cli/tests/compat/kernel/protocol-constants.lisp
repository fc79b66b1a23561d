;;; The library's constants.
;;; packet: 00
;;; out: 0x0800 0x86dd 0x0806 0x8100 14 20 40 20 8 8 1 6 17 58 0x3f 0xffff
(defmap out :type :array :key-size 4 :value-size 8 :max-entries 16)
(defprog main (:type :xdp)
  (setf (getmap out 0) +ethertype-ipv4+ (getmap out 1) +ethertype-ipv6+ (getmap out 2) +ethertype-arp+
        (getmap out 3) +ethertype-vlan+ (getmap out 4) +eth-hdr-len+ (getmap out 5) +ipv4-hdr-len+
        (getmap out 6) +ipv6-hdr-len+ (getmap out 7) +tcp-hdr-len+ (getmap out 8) +udp-hdr-len+
        (getmap out 9) +icmp-hdr-len+ (getmap out 10) +ip-proto-icmp+ (getmap out 11) +ip-proto-tcp+
        (getmap out 12) +ip-proto-udp+ (getmap out 13) +ip-proto-ipv6-icmp+
        (getmap out 14) (logior +tcp-fin+ +tcp-syn+ +tcp-rst+ +tcp-psh+ +tcp-ack+ +tcp-urg+)
        (getmap out 15) #xffff)
  XDP_PASS)
