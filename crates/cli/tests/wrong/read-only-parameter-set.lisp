;; class: read-only
(defparam limit u32 10)
(defprog main (:type :xdp)
  (setf limit (+ limit 1))
  XDP_PASS)
