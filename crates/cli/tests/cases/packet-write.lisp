;;; What is written to the packet is in the packet.
;;; packet-only: 000000000000 000000000000 0800 4500
;;; result: 3
;;; after: 010203040506 000000000000 86dd 4501
(defprog main (:type :xdp)
  (with-packet (d e :min-len 16)
    (store u32 d 0 (htonl #x01020304))
    (store u16 d 4 (htons #x0506))
    (setf (eth-type d) +ethertype-ipv6+)
    (incf (load u8 d 15)))
  XDP_TX)
