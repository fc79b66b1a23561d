;; class: map-rules
(defmap counts :type :hash :key u32 :value u64)
