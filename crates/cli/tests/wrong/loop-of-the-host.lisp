;; class: loop
(defprog main (:type :xdp)
  (let ((sum 0))
    (loop for i from 0 below 10 do (incf sum i))
    (if (> sum 9) XDP_DROP XDP_PASS)))
