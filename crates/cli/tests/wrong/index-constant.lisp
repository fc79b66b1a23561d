;; class: constant-index
(defmap table :type :array :key u32 :value u64 :max-entries 4)
(defprog main (:type :xdp)
  (incf (getmap table 4))
  XDP_PASS)
