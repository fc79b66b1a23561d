;; class: null
(defmap counts :type :hash :key u32 :value u64 :max-entries 8)
(defmap all :type :array-of-maps :max-entries 4 :inner counts)
(defprog p (:type :xdp)
  (setf (getmap (map-lookup all 0) 1) 5)
  XDP_PASS)
