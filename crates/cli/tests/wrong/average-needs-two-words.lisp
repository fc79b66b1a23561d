;; class: other
(defmap means :type :hash :key u32 :value u64 :max-entries 4)
(defprog main (:type :xdp)
  (avg! means 0 (- (xdp-data-end) (xdp-data)))
  XDP_PASS)
