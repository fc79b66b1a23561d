;; class: malformed
(defprog main (:type :xdp)
  (setf (+ 1 2) 5)
  XDP_PASS)
