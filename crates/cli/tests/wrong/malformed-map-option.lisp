;; class: malformed
(defmap counts :type :hash :key u32 :value u64 :max_entry 8)
