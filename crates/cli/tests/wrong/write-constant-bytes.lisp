;; class: read-only
(defprog main (:type :xdp)
  (store u8 "hello" 0 72)
  XDP_PASS)
