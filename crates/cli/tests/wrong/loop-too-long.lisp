;; class: loop
(defprog p (:type :xdp)
  (let ((s 0))
    (dotimes (i 20000000) (incf s (get-prandom-u32)))
    (if (> s 5) XDP_DROP XDP_PASS)))
