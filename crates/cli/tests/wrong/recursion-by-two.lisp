;; class: recursion
(defsubprog even ((n u64)) u64 (if (= n 0) 1 (odd (- n 1))))
(defsubprog odd ((n u64)) u64 (if (= n 0) 0 (even (- n 1))))
(defprog p (:type :xdp) (if (even 4) XDP_DROP XDP_PASS))
