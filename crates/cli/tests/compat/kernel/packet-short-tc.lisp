;;; The same in a tc program leaves it with TC_ACT_OK.
;;; packet-only: 112233445566 aabbccddeeff ccdd
;;; result: 0
;;; out: 0
(defmap out :type :array :key-size 4 :value-size 8 :max-entries 16)
(defprog main (:type :tc)
  (with-packet (d e :min-len 60)
    (setf (getmap out 0) 1))
  TC_ACT_SHOT)
