;; class: duplicate
(defmap counts :type :array :key u32 :value u64 :max-entries 1)
(defmap counts :type :array :key u32 :value u64 :max-entries 2)
