;; class: loop
(defprog p (:type :xdp)
  (let ((s 0))
    (loop for i from 0 below 10 do (incf s i))
    (if (> s 5) XDP_DROP XDP_PASS)))
