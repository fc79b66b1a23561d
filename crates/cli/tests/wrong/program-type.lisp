(defprog main (:type :xpd)
  0)
