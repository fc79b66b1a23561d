;; class: unknown-name
(defprog main (:type :xdp)
  (format t "dropped~%")
  XDP_PASS)
