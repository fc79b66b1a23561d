;;; A packet shorter than asked for leaves an XDP program with XDP_PASS.
;;; packet-only: 112233445566 aabbccddeeff 0800
;;; result: 2
;;; out: 0
(defmap out :type :array :key-size 4 :value-size 8 :max-entries 16)
(defprog main (:type :xdp)
  (with-packet (d e :min-len 40)
    (setf (getmap out 0) 1))
  XDP_DROP)
