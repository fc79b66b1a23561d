;; class: map-key-value
(defmap counts :type :hash :key u32 :value u64 :max-entries 8)
(defprog main (:type :xdp)
  (incf (getmap counts (ktime-get-ns)))
  XDP_PASS)
