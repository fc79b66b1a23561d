;; class: malformed
(defprog main (:type :xdp)
  (let ((a 0) (b 0))
    (setf a 1 b)
    (+ a b)))
