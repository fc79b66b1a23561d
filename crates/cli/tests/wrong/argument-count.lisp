;; class: arguments
(defmap counts :type :hash :key u32 :value u64 :max-entries 8)
(defprog main (:type :xdp)
  (map-update counts)
  XDP_PASS)
