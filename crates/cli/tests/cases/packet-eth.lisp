;;; `with-eth` and the fields of an Ethernet header.
;;; packet: 0a0b0c0d0e0f 101112131415 0806
;;; out: 0x0806 0x0d0c0b0a 0x0f0e 1
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :xdp)
  (with-eth (d e)
    (setf (getmap out 0) (eth-type d)
          (getmap out 1) (eth-dst-mac-hi d)
          (getmap out 2) (eth-dst-mac-lo d)
          (getmap out 3) (= (eth-type d) +ethertype-arp+)))
  XDP_PASS)
