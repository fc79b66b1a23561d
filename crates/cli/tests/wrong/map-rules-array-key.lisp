;; class: map-rules
(defmap table :type :array :key u64 :value u64 :max-entries 4)
