;; class: arguments
;; codes: E0002 E0002 E0002
(defprog main (:type :xdp)
  (redirect 1 0 0)
  (get-prandom-u32 7)
  (xdp-adjust-head)
  XDP_PASS)
