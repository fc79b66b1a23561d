;; class: read-only
(defconstant +limit+ 5)
(defprog main (:type :xdp)
  (setf +limit+ 6)
  XDP_PASS)
