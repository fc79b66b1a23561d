;; class: other
(defmacro half (n)
  (/ n 0))
(defprog main (:type :xdp)
  (half 3))
