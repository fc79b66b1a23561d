;; class: loop
(defprog p (:type :xdp)
  (let ((x (ktime-get-ns)))
    (while (> x 1) (setf x (>> x 1)))
    (if (= x 1) XDP_DROP XDP_PASS)))
