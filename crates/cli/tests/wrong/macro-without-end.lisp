;; class: other
(defmacro again (x) `(again (+ ,x 1)))
(defprog main (:type :xdp)
  (again 1))
