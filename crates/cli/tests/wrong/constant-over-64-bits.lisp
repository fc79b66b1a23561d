;; class: other
(defconstant +huge+ (expt 10 30))
(defprog main (:type :xdp)
  (if (= (ktime-get-ns) +huge+) XDP_DROP XDP_PASS))
