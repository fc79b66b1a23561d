;; class: unknown-name
(defmap counts :type :array :key u32 :value u64 :max-entries 1)
(getmap counts 0)
