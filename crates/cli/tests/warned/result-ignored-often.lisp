;; codes: W0016 W0016
(defmap m :type :hash :key u32 :value u64 :max-entries 8)
(defmap n :type :hash :key u32 :value u64 :max-entries 8)
(defprog main (:type :xdp)
  (map-update m 0 1)
  (map-update m 1 1)
  (map-update m 2 1)
  (map-update n 0 1)
  XDP_PASS)
