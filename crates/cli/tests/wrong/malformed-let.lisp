;; class: malformed
(defprog main (:type :xdp)
  (let (x 5) x))
