;; class: other
(defmap least :type :array :key u32 :value u64 :max-entries 4)
(defprog main (:type :xdp)
  (min! least 0 (- (xdp-data-end) (xdp-data)))
  XDP_PASS)
