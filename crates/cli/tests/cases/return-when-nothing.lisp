;;; `(return (when nil 7))` gives 0.
;;; packet: 00
;;; result: 0
(defprog main (:type :xdp)
  (return (when nil 7))
  XDP_PASS)
