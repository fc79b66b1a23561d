;; class: recursion
(defsubprog depth ((n u64)) u64
  (if (= n 0) 0 (1+ (depth (- n 1)))))
(defprog p (:type :xdp) (if (> (depth 3) 2) XDP_DROP XDP_PASS))
