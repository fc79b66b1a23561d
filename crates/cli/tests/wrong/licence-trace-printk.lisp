;; class: gpl
(defprog main (:type :xdp :license "Apache-2.0")
  (printk "packet")
  XDP_PASS)
