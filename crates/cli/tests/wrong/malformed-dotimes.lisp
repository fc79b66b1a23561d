;; class: malformed
(defprog main (:type :xdp)
  (dotimes (10 i)
    (printk "%d" i))
  XDP_PASS)
