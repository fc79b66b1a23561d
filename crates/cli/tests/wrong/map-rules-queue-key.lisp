;; class: map-rules
(defmap jobs :type :queue :key u32 :value u64 :max-entries 16)
