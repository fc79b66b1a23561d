;;; ICMP over IPv4 by `with-icmp`; TCP and UDP parsers say no.
;;; packet: 020000000001 020000000002 0800 4500001c000040004001000a 0a000001 0a000002 08 00 f7ff 01020304
;;; out: 8 0 0xf7ff 0 0 14
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-icmp (d e icmp)
    (setf (getmap out 0) (icmp-type icmp)
          (getmap out 1) (icmp-code icmp)
          (getmap out 2) (ntohs (icmp-checksum icmp))
          (getmap out 3) (if (parse-tcp d e) 1 0)
          (getmap out 4) (if (parse-udp d e) 1 0))
    (when-let ((h (parse-eth d e)) (ip (parse-ipv4 d e)))
      (setf (getmap out 5) (- ip h))))
  (with-udp (d e udp)
    (setf (getmap out 6) 1))
  XDP_PASS)
