;; class: unknown-name
;; codes: E0201 E0004 E0201
(defmap a :type :lru-hsh :key u32 :value u64 :max-entries 4)
(defmap b :type :hash :key u32 :value u64 :max-entry 4)
(defmap c :key u32 :value u64 :max-entries 4)
