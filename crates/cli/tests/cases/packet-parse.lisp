;;; `parse-…` gives the header, readable once a test has shown that it is there, or 0.
;;; packet: 000000000000 000000000000 0800 45000028 00004000 4006 0000 0a000001 0a000002 d431 270f 01020304 00000000 50 02 ffff 0000 0000
;;; out: 9999 54321 6 0x0800 7 2
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (let ((d (xdp-data)) (e (xdp-data-end)))
    (when-let ((tcp (parse-tcp d e)))
      (setf (getmap out 0) (tcp-dst-port tcp)))
    (let ((tcp (parse-tcp d e)) (udp (parse-udp d e)))
      (setf (getmap out 1) (if (and tcp (= (tcp-flags tcp) 2)) (tcp-src-port tcp) 0))
      (setf (getmap out 4) (cond ((not tcp) 5) (udp (udp-length udp)) (t 7))))
    (let ((ip (parse-ipv4 d e)))
      (unless ip (return XDP_DROP))
      (setf (getmap out 2) (ipv4-protocol ip)))
    (if-let (eth (parse-eth d e))
      (setf (getmap out 3) (eth-type eth)))
    (setf (getmap out 5) (if (or (not (parse-tcp d e)) (parse-udp d e)) 1 2)))
  XDP_PASS)
