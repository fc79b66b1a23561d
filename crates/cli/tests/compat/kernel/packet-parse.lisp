;;; `parse-eth`, `parse-ipv4`, `parse-tcp`, `parse-udp`: the header, or 0; `(xdp-data)`, `(xdp-data-end)`.
;;; packet: 112233445566 aabbccddeeff 0800 4500001c 12344000 4011abcd 0a000001 0a000002 0035 1f90 0008 0000
;;; out: 0x0800 17 0 53
(defmap out :type :array :key-size 4 :value-size 8 :max-entries 16)
(defprog main (:type :xdp)
  (let ((d (xdp-data)) (e (xdp-data-end)))
    (when-let ((eth (parse-eth d e)))
      (setf (getmap out 0) (eth-type eth)))
    (when-let ((ip (parse-ipv4 d e)))
      (setf (getmap out 1) (ipv4-protocol ip)))
    (when-let ((tcp (parse-tcp d e)))
      (setf (getmap out 2) 99))
    (when-let ((udp (parse-udp d e)))
      (setf (getmap out 3) (udp-src-port udp))))
  XDP_PASS)
