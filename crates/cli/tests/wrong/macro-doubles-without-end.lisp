;; class: other
(defmacro again (x) `(progn (again ,x) (again ,x)))
(defprog main (:type :xdp)
  (again 1)
  XDP_PASS)
