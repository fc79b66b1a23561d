;;; Another protocol falls through `with-tcp`.
;;; packet: 000000000000 000000000000 0800 45000028 00004000 4011 0000 0a000001 0a000002 d431 270f 0014 0000
;;; result: 2
;;; out: 9999 1 0
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-tcp (d e tcp)
    (return XDP_DROP))
  (with-udp (d e udp)
    (setf (getmap out 0) (udp-dst-port udp)))
  (let ((d (xdp-data)) (e (xdp-data-end)))
    (setf (getmap out 1) (if (parse-udp d e) 1 0)
          (getmap out 2) (if (parse-tcp d e) 1 0)))
  XDP_PASS)
