;; class: unknown-name
(defmap counts :type :hashmap :key u32 :value u64 :max-entries 128)
