;; class: recursion
(defsubprog spin ((n u64)) u64
  (+ 1 (spin n)))
