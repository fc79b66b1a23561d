;; class: arguments
;; codes: E0003 E0003
(defprog main (:type :xdp)
  (map-lookup-elem 5 0)
  (xdp-adjust-head (xdp-data) 4)
  XDP_PASS)
