;;; `with-tc-packet`, `-eth`, `-ipv4`, `-tcp`, `-udp`, `(tc-data)` and `(tc-data-end)`.
;;; packet: 112233445566 aabbccddeeff 0800 4500001c 12344000 4011abcd 0a000001 0a000002 0035 1f90 0008 0000
;;; result: 0
;;; out: 0x0800 17 53 8080 0 1 14
(defmap out :type :array :key-size 4 :value-size 8 :max-entries 16)
(defprog main (:type :tc)
  (with-tc-eth (d e)
    (setf (getmap out 0) (eth-type d)))
  (with-tc-ipv4 (d e ip)
    (setf (getmap out 1) (ipv4-protocol ip)))
  (with-tc-udp (d e udp)
    (setf (getmap out 2) (udp-src-port udp)
          (getmap out 3) (udp-dst-port udp)))
  (with-tc-tcp (d e tcp)
    (setf (getmap out 4) (tcp-src-port tcp)))
  (with-tc-packet (d e :min-len 14)
    (setf (getmap out 5) (and (= d (tc-data)) (= e (tc-data-end))))
    (setf (getmap out 6) +eth-hdr-len+))
  TC_ACT_OK)
