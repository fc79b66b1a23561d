;; codes: W0017 W0017 W0017
(defconstant XDP_PASS 1)
(defglobal XDP_DROP u64 7)
(defsubprog ktime-get-ns ((x u64)) u64 (+ x 1))
(defprog main (:type :xdp)
  (if (= (ktime-get-ns XDP_DROP) 8) XDP_PASS 2))
