;;; `XDP_*`, `TC_ACT_*`, `SK_DROP`, `SK_PASS`, `BPF_ANY`, `BPF_NOEXIST`, `BPF_EXIST`, `NULL`.
;;; packet: 00
;;; result: 3
;;; out: 0 1 2 3 4 0 2 0 1 0 1 2 0
(defmap out :type :array :key-size 4 :value-size 8 :max-entries 16)
(defprog main (:type :xdp)
  (setf (getmap out 0) XDP_ABORTED (getmap out 1) XDP_DROP (getmap out 2) XDP_PASS (getmap out 3) XDP_TX
        (getmap out 4) XDP_REDIRECT (getmap out 5) TC_ACT_OK (getmap out 6) TC_ACT_SHOT (getmap out 7) SK_DROP
        (getmap out 8) SK_PASS (getmap out 9) BPF_ANY (getmap out 10) BPF_NOEXIST (getmap out 11) BPF_EXIST
        (getmap out 12) NULL)
  XDP_TX)
