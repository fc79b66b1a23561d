;;; The forms with tc in their names, in a tc program.
;;; packet: 020000000001 020000000002 0800 4500001c000040004011000a 0a000001 0a000002 1234 0035 0008 0000
;;; result: 0
;;; out: 64 0x0800 17 8 53 53 8
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :tc)
  (setf (getmap out 0) (- (tc-data-end) (tc-data)))
  (with-tc-packet (d e :min-len 14)
    (with-tc-eth (d2 e2)
      (setf (getmap out 1) (eth-type d2))))
  (with-tc-ipv4 (d e ip)
    (setf (getmap out 2) (ipv4-protocol ip)))
  (with-tc-udp (d e udp)
    (setf (getmap out 3) (udp-length udp)
          (getmap out 4) (udp-dst-port udp)))
  (with-ipv4-payload (d e p +ip-proto-udp+ +udp-hdr-len+)
    (setf (getmap out 5) (udp-dst-port p)))
  (let ((d (tc-data)) (e (tc-data-end)))
    (when-let ((p (parse-ipv4-payload d e +ip-proto-udp+ +udp-hdr-len+)))
      (setf (getmap out 6) (udp-length p))))
  TC_ACT_OK)
