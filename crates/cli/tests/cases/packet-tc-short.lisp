;;; A short packet passes in a tc program too.
;;; packet-only: 00112233445566778899aabbccdd
;;; result: 0
(defprog main (:type :tc)
  (with-packet (d e :min-len 200)
    (return TC_ACT_SHOT))
  TC_ACT_SHOT)
