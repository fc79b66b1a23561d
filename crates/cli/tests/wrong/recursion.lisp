;; class: recursion
(defsubprog down ((n u64)) u64
  (if (= n 0) 0 (down (- n 1))))
(defprog main (:type :xdp)
  (down 3))
