;; class: read-only
(defparam limit u32 5)
(defprog main (:type :xdp)
  (setf limit 6)
  XDP_PASS)
