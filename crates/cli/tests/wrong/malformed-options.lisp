;; class: malformed
(defprog main :type :xdp
  XDP_PASS)
