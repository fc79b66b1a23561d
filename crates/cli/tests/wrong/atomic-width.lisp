;; class: map-key-value
(defmap small :type :hash :key u32 :value u16 :max-entries 8)
(defprog main (:type :xdp)
  (incf (getmap small 1))
  XDP_PASS)
