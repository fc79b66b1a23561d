;; class: malformed
(defprog main (:type :xdp)
  (let (r (get-prandom-u32))
    XDP_PASS))
