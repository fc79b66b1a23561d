(defprog main (:type :xdp)
  (get-current-pid-tgid)
  XDP_PASS)
