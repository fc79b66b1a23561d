;; class: loop
(defprog main (:type :xdp)
  (let ((x (ktime-get-ns)))
    (while (> x 0)
      (setf x (>> x 1))))
  XDP_PASS)
