;;; A packet shorter than asked for passes.
;;; packet-only: 00112233445566778899aabbccdd
;;; result: 2
(defprog main (:type :xdp)
  (with-packet (d e :min-len 64)
    (return XDP_DROP))
  XDP_ABORTED)
