;; class: not-allowed
(defprog main (:type :xpd)
  0)
