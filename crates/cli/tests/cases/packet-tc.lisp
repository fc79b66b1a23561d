;;; The same forms in a tc program, whose pass value is TC_ACT_OK.
;;; packet: 000000000000 000000000000 0800 45000028 00004000 4006 0000 0a000001 0a000002 d431 270f 01020304 00000000 50 02 ffff 0000 0000
;;; result: 2
;;; out: 9999 0x0800
(defmap out :type :array :key u32 :value u64 :max-entries 16)
(defprog main (:type :tc)
  (with-tc-tcp (d e tcp)
    (setf (getmap out 0) (tcp-dst-port tcp)
          (getmap out 1) (eth-type d))
    (return TC_ACT_SHOT))
  TC_ACT_OK)
